"""A notebook in Notebook 7, whose page lets no program in: it is driven by mouse and keyboard."""

from __future__ import annotations

import time
from typing import Any, Final

from .notebook import PATIENCE, Notebook

__all__ = ["Notebook7"]

_IDLE: Final = ".jp-Notebook-ExecutionIndicator[data-status=idle]"

_DONE: Final = """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
  .every((prompt) => /\\[\\d+\\]/.test(prompt.textContent))"""
"""Whether all cells were run."""


class Notebook7(Notebook):
    """A notebook in a page of Notebook 7; its kernel cannot be asked but by cells."""

    def load(self) -> None:
        """Load the page, or load it again."""
        answers = 0

        def hear(_: Any) -> None:
            nonlocal answers
            answers += 1

        def listen(socket: Any) -> None:
            if "/channels" in socket.url:
                socket.on("framereceived", hear)

        self.page.on("websocket", listen)
        self.page.goto(f"{self.url}/notebooks/{self.name}?token={self.token}")
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        # The page says "idle" before it has a kernel, too, and forgets what is run then.
        end = time.monotonic() + PATIENCE
        while not answers:
            if time.monotonic() > end:
                raise AssertionError(f"no kernel answered in {PATIENCE} s")
            self.page.wait_for_timeout(50)
        self.page.remove_listener("websocket", listen)
        self.page.locator(_IDLE).wait_for()

    def save(self) -> None:
        """Save the notebook."""
        self.page.locator("[data-jp-item-name=save]").click()

    def run(self) -> None:
        """Run all cells and wait until the kernel has."""
        cells = self.page.locator(".jp-Notebook .jp-CodeCell")
        others = cells.count() - 1
        cells.first.locator(".cm-content").click()
        for _ in range(others):
            self.page.keyboard.press("Shift+Enter")
        self.page.keyboard.press("Control+Enter")  # with shift, it would make one more cell
        self.page.wait_for_function(_DONE)
        self.page.locator(_IDLE).wait_for()
