"""Who wants to hear of each calibration, without being imported for it.

A notebook's kernel keeps a record of what made its outputs, however a cell
calibrated: by a magic, by `upramp.calibrate`, or by code that calls it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add", "discard", "tell"]

_listeners: list[Callable[[Any], None]] = []


def add(listener: Callable[[Any], None]) -> None:
    """Have something called with each `upramp.stages.Result` of this process.

    Parameters
    ----------
    listener
        What to call; adding it again changes nothing.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def discard(listener: Callable[[Any], None]) -> None:
    """Have it called no more.

    Parameters
    ----------
    listener
        What was added, or never was.
    """
    if listener in _listeners:
        _listeners.remove(listener)


def tell(result: Any) -> None:
    """Call all listeners; a failure of theirs is logged, and costs no result.

    Parameters
    ----------
    result
        What a calibration gave.
    """
    for listener in tuple(_listeners):
        try:
            listener(result)
        except Exception:
            logging.getLogger(__name__).exception("a listener failed")
