"""JupyterLab in headless Chromium with no network, for tests, benchmarks and pictures.

    with chromium() as browser, Lab(folder) as lab, lab.open(browser, ["w"]) as notebook:
        notebook.run()
        notebook.page.locator(".upramp-image-view canvas").first.wait_for()

What the page asks of another host is refused and noted (``notebook.elsewhere``), what it
complains of is kept (``notebook.complaints``).
"""

from __future__ import annotations

from .chromium import chromium, program
from .lab import Lab, until
from .notebook import Notebook, colours_at, note_drawn, place_of

__all__ = [
    "Lab",
    "Notebook",
    "chromium",
    "colours_at",
    "note_drawn",
    "place_of",
    "program",
    "until",
]
