"""Progress in a cell's output, in a notebook or wherever IPython displays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self

from .markup import Card, clipped, escaped

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NotebookBar"]

_EVERY: Final = 0.1
"""Seconds between two pictures of the bar: more cannot be seen, and costs messages."""


class _Shown:
    """The bar at one moment."""

    def __init__(self, label: str, share: float, seconds: float) -> None:
        self.label, self.share, self.seconds = label, share, seconds

    def _repr_html_(self) -> str:
        percent = f"{100 * self.share:.0f}"
        return (
            f'<progress max="100" value="{percent}" style="width:240px;vertical-align:middle" '
            f'aria-label="{escaped(self.label)}"></progress> '
            f"{percent} % {escaped(self.label)}, {self.seconds:.0f} s"
        )

    def __repr__(self) -> str:
        return f"{100 * self.share:.0f} % {clipped(self.label)}, {self.seconds:.0f} s"


class NotebookBar:
    """A `upramp.progress.Progress` in one output of a cell, which tells the outcome at the end.

    It is also a context manager that finishes the bar.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._label = ""
        self._total = 1.0
        self._done = 0.0
        self._began = time.monotonic()
        self._drawn = 0.0

    def start(self, total: float, label: str) -> None:
        """Draw the bar, empty."""
        self._total, self._done, self._label = max(float(total), 1e-9), 0.0, label
        self._draw(force=True)

    def advance(self, amount: float = 1, label: str | None = None) -> None:
        """Fill the bar further."""
        self._done += amount
        if label is not None:
            self._label = label
        self._draw()

    def finish(self) -> None:
        """Draw the bar as it is now."""
        self._draw(force=True)

    def conclude(self, card: Card) -> bool:
        """Put what came of it in the bar's place.

        Parameters
        ----------
        card
            What came of it.

        Returns
        -------
        bool
            Whether there is a place where it is seen.
        """
        self._show(card)
        return self._handle is not None

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def _draw(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._drawn >= _EVERY:
            self._drawn = now
            share = min(self._done / self._total, 1.0)
            self._show(_Shown(self._label, share, self.seconds))

    def _show(self, what: object) -> None:
        from IPython import display

        if self._handle is None:
            show: Any = display.display
            self._handle = show(what, display_id=True)
        else:
            self._handle.update(what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._handle is not None:
            self._show(Card(f"stopped at: {self._label}"))
