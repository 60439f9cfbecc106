"""Work beside the kernel's own thread, of which only the newest is worth doing."""

from __future__ import annotations

import asyncio
import threading
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, cast

from upramp.errors import UsageError

from .release import close_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .views.image_view import ImageView

__all__ = ["Worker", "Working", "in_a_kernel"]


def in_a_kernel() -> bool:
    """Say whether a loop runs this, as that of a kernel runs its cells."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Worker:
    """Does one thing at a time, and of what comes meanwhile only the last.

    A slider that moves asks for more than can be done: what was asked before
    the last question need not be answered any more.

    Parameters
    ----------
    name
        Of its thread.
    failed
        Told what went wrong.
    """

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        self._name, self._failed = name, failed
        self._condition = threading.Condition()
        self._next: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._begin = threading.Event()
        self._begin.set()
        self._held = 0.0

    def ask(self, work: Callable[[], None]) -> None:
        """Have something done as soon as what is at work is done.

        Parameters
        ----------
        work
            It may look at `outdated` from time to time.
        """
        with self._condition:
            self._next = work
            if self._thread is None:
                # A daemon: a kernel that is to end does not wait for it.
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def hold(self, seconds: float) -> None:
        """Have work begin only when it is released, when someone waits for it, or after a while.

        A widget's first picture is then on the screen before its processors are busy.

        Parameters
        ----------
        seconds
            The while.
        """
        self._held = seconds
        self._begin.clear()

    def release(self) -> None:
        """Have work begin, if it was held."""
        self._begin.set()

    @property
    def outdated(self) -> bool:
        """Whether something newer waits."""
        return self._next is not None

    def rest(self, seconds: float) -> bool:
        """Have the work at hand pause, unless something newer comes.

        What it has found so far is drawn meanwhile, by a machine that has nothing else to do.

        Parameters
        ----------
        seconds
            How long.

        Returns
        -------
        bool
            Whether it is to go on: nothing newer has come.
        """
        with self._condition:
            return not self._condition.wait_for(lambda: self._next is not None, seconds)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is left to do; say whether that came in time.

        Parameters
        ----------
        seconds
            None waits as long as it takes.
        """
        self.release()
        with self._condition:
            return self._condition.wait_for(lambda: self._thread is None, seconds)

    def _work(self) -> None:
        self._begin.wait(self._held)
        self._begin.set()
        while True:
            with self._condition:
                work, self._next = self._next, None
                if work is None:
                    self._thread = None
                    self._condition.notify_all()
                    return
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a thread's failure is nobody's else
                self._failed(error)


_PATIENCE: Final = 1.0
"""Seconds after which work begins though no page shows the picture."""


class Working:
    """A widget that has a worker; mixed in before the widget's class."""

    _worker: Worker
    _made = False
    """Whether the widget came to be: ipywidgets also closes one whose making failed."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is read and what was asked for is done and drawn.

        Parameters
        ----------
        seconds
            None waits as long as it takes.

        Returns
        -------
        bool
            Whether that came in time.
        """
        return self._worker.wait(seconds)

    def close(self) -> None:
        """Close the widget, and the file if it was opened here."""
        if self._made:
            self._made = False
            self.wait()
            self._release()
        widget, whole = cast("Any", super()), cast("Any", self)
        widget.close()
        close_all(whole)

    def picture_first(self, image: ImageView) -> None:
        """Have work begin when a page shows the first picture, which else would come later.

        Where there is no kernel that a page could belong to, it begins at once.

        Parameters
        ----------
        image
            What the page shows first.
        """
        if in_a_kernel():
            self._worker.hold(_PATIENCE)
            image.on_shown(self._worker.release)

    def refuse_unknown(self, traits: Mapping[str, Any]) -> None:
        """Refuse first values of what is no trait, which ipywidgets would pass over.

        Parameters
        ----------
        traits
            By name.

        Raises
        ------
        UsageError
            If one is unknown.
        """
        widget: Any = self
        known = widget.trait_names()
        for name in traits:
            if name not in known:
                near = get_close_matches(name, known, 1) or ["a trait's name"]
                raise UsageError(name, "there is no such argument", f"perhaps {near[0]} is meant")

    def _release(self) -> None:
        """Close what the widget has for itself."""
        raise NotImplementedError
