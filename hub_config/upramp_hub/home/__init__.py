"""The home of a user: what is prepared in it, notebooks to copy, and a welcome.

The part of the server's extension that a user sees. It runs in the user's own
server and as the user; nothing here is done by the hub.
"""

from __future__ import annotations

__all__: list[str] = []
