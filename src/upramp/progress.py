"""Progress, told once and shown where the user is.

Long work reports to a `Progress`; who started the work chooses what listens:
a bar on a terminal, lines in a log, or nothing.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ONCE", "Lines", "Progress", "Silent", "TerminalBar", "for_terminal"]

ONCE: Final = ", once"
"""How the label ends of what an installation does once, and takes long for."""


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


class Lines:
    """One line on standard error for what is done once and takes long; no other progress.

    For logs, where a bar would be thousands of lines and silence a riddle.
    """

    def start(self, total: float, label: str) -> None:  # noqa: ARG002 - as `Progress`
        """Say what begins, if it is done once."""
        if label.endswith(ONCE):
            print(f"upramp: {label} for this installation", file=sys.stderr, flush=True)  # noqa: T201 - its purpose

    def advance(self, amount: float = 1, label: str | None = None) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


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
            # Some terminals say that they have no columns at all, or no rows.
            ncols=min(shutil.get_terminal_size().columns, 120),
            nrows=2,
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
    """Give a bar where someone watches a terminal, else a line for what takes long once.

    Parameters
    ----------
    quiet
        Ask for silence even on a terminal.
    """
    if quiet:
        return Silent()
    return TerminalBar() if sys.stderr.isatty() else Lines()
