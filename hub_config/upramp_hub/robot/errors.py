"""What stops a robot."""

from __future__ import annotations

from upramp.errors import UprampError

__all__ = ["LostCellError", "RobotError", "WrongAnswerError"]


class RobotError(UprampError):
    """A hub did not do what a robot asked of it."""


class LostCellError(RobotError):
    """A cell was sent and its reply never came."""


class WrongAnswerError(RobotError):
    """A cell failed, or gave another answer than it has."""
