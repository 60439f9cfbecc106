"""What can go wrong with the files of a home, told to its owner."""

from __future__ import annotations

from upramp.errors import UprampError

__all__ = ["HomeError"]


class HomeError(UprampError):
    """A file in a user's home is not what is needed, or cannot be used."""
