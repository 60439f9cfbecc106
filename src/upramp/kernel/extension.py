"""Switching the extension on and off, and what it knows of its kernel."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp import listeners

from . import context, displays, failures
from .app import CRASH_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .markup import Card

__all__ = ["Session", "load", "unload"]

_HASHED_AT_START: Final = 512 << 20
"""Bytes of references that are hashed to look for changes while nobody has asked for it."""

_PATIENCE: Final = 0.5
"""Seconds that the first cell waits for the comparison; else a later one shows it."""

_CRASH_SHOWN: Final = 12
"""Lines of the traceback: what is further out is the kernel's own."""


class Session:
    """What the extension knows of the kernel that it is loaded in.

    Parameters
    ----------
    shell
        The shell.

    Attributes
    ----------
    last : Mapping or None
        The provenance of the last calibration.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.last: Mapping[str, Any] | None = None
        self._runs: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._notices: list[Card] = []
        self._look: threading.Thread | None = None

    # ---- what this kernel calibrates

    def heard(self, result: Any) -> None:
        """Take note of a calibration.

        Parameters
        ----------
        result
            An `upramp.stages.Result`.
        """
        from .records import run_record

        with self._lock:
            self.last = result.provenance
            self._runs.append(run_record(result.provenance))

    def after_cell(self, _: Any = None) -> None:
        """Leave a record of the cell's calibrations among its outputs."""
        with self._lock:
            runs, self._runs = self._runs, []
        if runs:
            from upramp.stages.provenance import plain

            from .markup import escaped
            from .records import MEDIA_TYPE, SCHEMA

            line = _line(runs)
            data = {
                MEDIA_TYPE: {"schema": SCHEMA, "runs": plain(runs)},
                # Of plain text, JupyterLab breaks the lines inside words.
                "text/html": f"<div>{escaped(line)}</div>",
                "text/plain": line,
            }
            self.shell.display_pub.publish(data=data)

    # ---- what was before it

    def look_back(self) -> None:
        """Compare, beside everything else, what made the notebook's outputs with what is here."""
        if os.environ.get("JPY_SESSION_NAME"):
            self._look = threading.Thread(target=self._compare, name="upramp-drift", daemon=True)
            self._look.start()

    def _compare(self) -> None:
        from .drift import drift_card, notebook_of_session, read_record

        try:
            path = notebook_of_session()
            if path is None:
                return
            record = read_record(path)
            card = drift_card(record, most=_HASHED_AT_START) if record else None
        except Exception:  # a notice that cannot be made costs nobody a cell
            logging.getLogger(__name__).debug("no comparison", exc_info=True)
            return
        if card is not None:
            with self._lock:
                self._notices.append(card)

    def before_cell(self, info: Any = None) -> None:
        """Show, once, what is to be known before the first cell."""
        if info is not None and info.silent:
            return
        if self._look is not None:
            self._look.join(_PATIENCE)
            if not self._look.is_alive():
                self._look = None
        with self._lock:
            notices, self._notices = self._notices, []
        for card in notices:
            data = {"text/html": card.to_html(), "text/plain": card.to_text()}
            self.shell.display_pub.publish(data=data)

    def announce(self, card: Card) -> None:
        """Have the next cell show something first.

        Parameters
        ----------
        card
            What it is to show.
        """
        with self._lock:
            self._notices.append(card)

    def drift(self) -> Card:
        """Say what has changed since this notebook's outputs were made, or that nothing has."""
        from .drift import describe_record, drift_card, notebook_of_session, read_record
        from .markup import Card
        from .records import Record

        path = notebook_of_session()
        record = Record() if path is None else read_record(path)
        if not record:
            what = (
                "This kernel was not started for a notebook."
                if path is None
                else f"{path.name} has no record of what made its outputs: calibrate, and save it."
            )
            return Card("Nothing to compare with", notes=[what])
        return drift_card(record) or describe_record(record)


def load(shell: Any) -> None:
    """Switch the extension on.

    Parameters
    ----------
    shell
        The shell that loads it; loading it again changes nothing.
    """
    if _session(shell) is not None:
        return
    from .magics import CalibrationMagics

    context.prepare()
    session = Session(shell)
    shell.register_magics(CalibrationMagics(shell, session))
    shell.meta.upramp = session
    displays.install(shell)
    failures.install(shell)
    shell.Completer.custom_matchers.append(_completions)
    shell.events.register("pre_run_cell", session.before_cell)
    shell.events.register("post_run_cell", session.after_cell)
    listeners.add(session.heard)
    missing = context.what_is_missing()
    if missing is not None:
        from .markup import Card

        note = context.as_sentence(missing)
        session.announce(Card("No calibration references", notes=[note], kind="notice"))
    crash = _crash()
    if crash is not None:
        session.announce(crash)
    session.look_back()


def unload(shell: Any) -> None:
    """Switch the extension off.

    Parameters
    ----------
    shell
        The shell that loaded it.
    """
    session = _session(shell)
    if session is None:
        return
    shell.meta.pop("upramp")
    listeners.discard(session.heard)
    shell.events.unregister("pre_run_cell", session.before_cell)
    shell.events.unregister("post_run_cell", session.after_cell)
    if _completions in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(_completions)
    failures.uninstall(shell)
    displays.uninstall(shell)
    for name in ("context", "calibrate", "provenance", "dq"):
        shell.magics_manager.magics["line"].pop(name, None)


def _session(shell: Any) -> Session | None:
    found = shell.meta.get("upramp")
    return found if isinstance(found, Session) else None


def _completions(completion_context: Any) -> Any:
    from .completion import matcher

    try:
        return matcher(completion_context)
    except Exception:  # the Tab key must never raise
        logging.getLogger(__name__).debug("no completion", exc_info=True)
        return {"completions": []}


_completions.matcher_api_version = 2  # type: ignore[attr-defined] # how IPython tells them apart
_completions.matcher_identifier = "upramp"  # type: ignore[attr-defined]


def _line(runs: list[dict[str, Any]]) -> str:
    last = runs[-1]
    versions = last.get("versions", {})
    count = f"these {len(runs)} calibrations" if len(runs) > 1 else "this calibration"
    return (
        f"Record of {count}: engine {last.get('engine')}, upramp {versions.get('upramp')}, "
        f"jwst {versions.get('jwst')}, {last.get('context')}, "
        f"{len(last.get('references', {}))} references (%provenance shows all)"
    )


def _crash() -> Card | None:
    """Tell how the kernel before this one ended, if it crashed."""
    name = os.environ.get(CRASH_VARIABLE)
    if not name:
        return None
    file = Path(name)
    try:
        text = file.read_text("utf-8", "replace")
        if not text.strip():
            return None
        os.truncate(file, 0)
    except OSError:
        return None
    from .markup import Card

    lines = [line for line in text.splitlines() if line.startswith("Fatal Python error")][-1:]
    # Of all threads, the one that crashed; the innermost calls come first.
    _, current, calls = text.rpartition("Current thread ")
    if current:
        lines += calls.partition("\n\n")[0].splitlines()[1:_CRASH_SHOWN]
    return Card(
        "The kernel before this one crashed, and its variables are gone",
        notes=[*lines, "Run the cells again; code that is compiled may have to be mended."],
        kind="notice",
    )
