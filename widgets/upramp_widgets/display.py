"""How a widget comes into a notebook: alive, and as a picture that stays when the kernel is gone.

A saved notebook is read where no kernel is: on GitHub, in nbviewer, after
papermill, as HTML. Every widget therefore carries a picture beside its live
view. In the static mode the picture is all there is: viewers that find a widget
they cannot revive show nothing in place of the picture.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VARIABLE", "Mode", "Pictured", "display_mode", "set_display_mode"]

Mode = Literal["auto", "live", "static"]

VARIABLE: Final = "UPRAMP_WIDGETS"
"""The environment variable that says ``live`` or ``static`` where the mode is ``auto``."""

_WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"
_state: dict[str, Mode] = {"mode": "auto"}


def set_display_mode(mode: Mode) -> None:
    """Choose how widgets are displayed from now on.

    Parameters
    ----------
    mode
        ``live``: as widgets, with a picture for when the kernel is gone.
        ``static``: as pictures, for notebooks that are run to be read.
        ``auto``: as the environment variable ``UPRAMP_WIDGETS`` says; live without it.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    _state["mode"] = _checked(mode, "display mode")


def display_mode() -> Literal["live", "static"]:
    """Give the mode that counts now.

    Raises
    ------
    UsageError
        If the environment variable says something else than a mode.
    """
    mode = _state["mode"]
    if mode == "auto":
        mode = _checked(os.environ.get(VARIABLE) or "auto", VARIABLE)
    return "static" if mode == "static" else "live"


def _checked(mode: str, subject: str) -> Mode:
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(subject, f"there is no {mode!r}", f"give one of {get_args(Mode)}")


class Pictured:
    """A widget that leaves a picture in the notebook; mixed in before the widget's class.

    The widget gives `picture` and `summary`.
    """

    if TYPE_CHECKING:
        picture: Callable[..., bytes]
        summary: Callable[[], str]

    _display_id: str | None = None

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        png = base64.b64encode(self.picture()).decode("ascii")
        bundle = {"text/plain": self.summary(), "image/png": png}
        if display_mode() == "static":
            return bundle
        live: Any = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        data = live[0] if isinstance(live, tuple) else live
        if data and _WIDGET_VIEW in data:
            bundle[_WIDGET_VIEW] = data[_WIDGET_VIEW]
        return bundle

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if display_mode() != "static":
            self.announce()
        # Under an identity of its own, so that snapshot() can renew what is stored.
        show: Any = display  # IPython annotates only a part of it
        handle = show(self._repr_mimebundle_(), raw=True, display_id=self._display_id or True)
        if self._display_id is None and handle is not None:
            self._display_id = handle.display_id

    def announce(self) -> None:
        """Send the page that is about to show this what it will ask for first."""

    def snapshot(self) -> None:
        """Renew the picture stored in the notebook, so that it shows the widget as it is now.

        Does nothing for a widget that was not displayed.
        """
        if self._display_id is None:
            return
        from IPython.display import update_display

        renew: Any = update_display
        renew(self._repr_mimebundle_(), raw=True, display_id=self._display_id)
