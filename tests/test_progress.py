"""What is shown of long work depends on who watches."""

from __future__ import annotations

import io
import os
import pty
import sys

from upramp.progress import ONCE, Lines, Silent, TerminalBar, for_terminal


def test_without_a_terminal_only_what_is_done_once_is_told(monkeypatch, capsys):
    listener = for_terminal()
    assert isinstance(listener, Lines)
    listener.start(3, f"compiling things{ONCE}")
    listener.advance(1)
    listener.finish()
    listener.start(3, "references")
    assert capsys.readouterr().err == "upramp: compiling things, once for this installation\n"


def test_quiet_is_silent():
    assert isinstance(for_terminal(quiet=True), Silent)


def test_a_terminal_that_says_no_size_still_shows_the_bar(monkeypatch):
    leader, follower = pty.openpty()  # its size is 0 x 0 until somebody sets it
    assert os.get_terminal_size(follower) == (0, 0)
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        bar = for_terminal()
        assert isinstance(bar, TerminalBar)
        bar.start(2, "half of it")
        bar.advance(1)
        terminal.flush()
        shown = os.read(leader, 10_000).decode()
        bar.finish()
    os.close(leader)
    assert "half of it" in shown
    assert "50%" in shown


def test_the_bar_is_taken_away(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", out := Terminal())
    with for_terminal() as bar:
        bar.start(1, "all of it")
        bar.advance(1, "next")
    assert out.getvalue().endswith("\r")
