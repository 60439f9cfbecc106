"""Progress, told once and shown where the user is.

Long work reports to a `Progress`; who started the work chooses what listens:
a bar on a terminal, lines in a log, or nothing.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Progress", "Silent", "TerminalBar", "for_terminal"]


class Progress(Protocol):
    """What long work reports to."""

    def start(self, total: float, label: str) -> None:
        """Say how much there is to do, in any unit, and what it is."""

    def advance(self, amount: float = 1, label: str | None = None) -> None:
        """Say that ``amount`` of it is done, and what comes next."""

    def finish(self) -> None:
        """Say that nothing more will be reported."""


class Silent:
    """A listener that shows nothing."""

    def start(self, total: float, label: str) -> None:
        """Show nothing."""

    def advance(self, amount: float = 1, label: str | None = None) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""


class TerminalBar:
    """A bar on standard error, on one line, with the time left.

    It is also a context manager that finishes the bar.
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: float, label: str) -> None:
        """Draw the bar, empty."""
        from tqdm import tqdm

        self.finish()
        self._bar = tqdm(
            total=total,
            desc=label,
            file=sys.stderr,
            # Some terminals say that they have no columns at all.
            ncols=min(shutil.get_terminal_size().columns, 120),
            leave=False,
            bar_format="{desc:<34.34} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}",
        )

    def advance(self, amount: float = 1, label: str | None = None) -> None:
        """Fill the bar further."""
        if self._bar is not None:
            if label is not None:
                self._bar.set_description(label, refresh=False)
            self._bar.update(amount)
            self._bar.refresh()

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()


def for_terminal(*, quiet: bool = False) -> Progress:
    """Give a bar where someone watches a terminal, else silence.

    Parameters
    ----------
    quiet
        Ask for silence even on a terminal.
    """
    if quiet or not sys.stderr.isatty():
        return Silent()
    return TerminalBar()
