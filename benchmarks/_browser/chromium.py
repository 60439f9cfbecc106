"""The system's Chromium, in which no name leads anywhere but to this machine."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chromium", "program"]


def program() -> str | None:
    """Give the path of the browser, or None where there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium(*options: str) -> Iterator[Any]:
    """Start the browser, and end it.

    Parameters
    ----------
    *options
        Of its command line, besides those that shut it in.

    Yields
    ------
    Browser
        Of playwright.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    path = program()
    if path is None:
        raise FileNotFoundError("there is no Chromium: install it, or put it on PATH")
    shut_in = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=[*shut_in, *options])
        try:
            yield browser
        finally:
            browser.close()
