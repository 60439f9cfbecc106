"""What can go wrong with an account, each with the status that its page answers with."""

from __future__ import annotations

from typing import ClassVar

from upramp.errors import UprampError

__all__ = [
    "AccountError",
    "ConflictError",
    "InvitationError",
    "LockedOutError",
    "RefusedError",
    "StoreError",
    "in_words",
]


class AccountError(UprampError):
    """Something that was asked for an account cannot be done as it was asked."""

    exit_code = 2
    status: ClassVar[int] = 400
    """The HTTP status of the page that says so."""


class ConflictError(AccountError):
    """It does not fit what there is already: a name is taken, an administrator is the last."""

    status = 409


class InvitationError(AccountError):
    """An invitation is unknown, was used, has expired or was taken back."""

    status = 403


class RefusedError(AccountError):
    """A name and a password do not belong together."""

    status = 403


class LockedOutError(AccountError):
    """There were too many wrong passwords; the next may be tried after a wait.

    Parameters
    ----------
    wait
        Seconds until then.
    """

    status = 429

    def __init__(self, wait: float) -> None:
        self.wait = wait
        super().__init__(
            "This sign-in", "there were too many wrong passwords", f"try again in {in_words(wait)}"
        )

    def __reduce__(self) -> tuple[type[LockedOutError], tuple[float]]:  # type: ignore[override]
        return type(self), (self.wait,)


class StoreError(AccountError):
    """The accounts cannot be read or written."""

    exit_code = 1
    status = 503


def in_words(seconds: float) -> str:
    """Say how long a wait is.

    Parameters
    ----------
    seconds
        Its length; it is rounded up, so that who obeys is not too early.
    """
    whole = max(1, -int(-seconds // 1))
    if whole <= 90:
        return f"{whole} second{'s' if whole > 1 else ''}"
    return f"{-(-whole // 60)} minutes"
