"""The hub's part of JupyterLab's page when a real hub has stopped its server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from spawner_hub import SpawnerHub

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.slow]

pytest.importorskip("jupyterlab", reason="the hub's packages are not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PICTURES = os.environ.get("UPRAMP_TEST_PICTURES")
"""Where pictures of the pages are put, if anywhere."""

LAB = """
c.Spawner.environment = {}
c.Spawner.default_url = "/lab"
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = SpawnerHub(tmp_path_factory.mktemp("hub"), LAB)
    try:
        running.start_server("ada")
        yield running
    finally:
        running.stop()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(60_000)
    found = context.new_page()
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    yield found
    assert not [each for each in found.errors if "upramp" in each]
    context.close()


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def ask_again(page):
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_server_that_was_stopped_is_said_to_be_and_can_be_started_again(hub, page):
    page.goto(f"{hub.url}/hub/login?next=%2Fuser%2Fada%2Flab")
    page.get_by_label("Username:").fill("ada")
    page.get_by_label("Password:").fill("x")
    page.keyboard.press("Enter")
    strip = page.locator("#upramp-notices")
    strip.wait_for(state="attached")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.wait_for_timeout(1000)
    assert not strip.is_visible()
    hub.stop_server("ada")
    ask_again(page)
    strip.get_by_text("Your server was stopped").first.wait_for()
    picture(page, "lab-stopped")
    # JupyterLab asks as well, in a dialog before all else.
    with contextlib.suppress(playwright.TimeoutError):
        page.locator(".jp-Dialog").get_by_role("button", name="Dismiss").click(timeout=30_000)
    link = strip.get_by_role("link", name="Start it again")
    assert "/hub/spawn/ada" in link.get_attribute("href")
    link.dispatch_event("click")  # the dialog may come back in front of it at any time
    page.wait_for_url("**/user/ada/lab**")
    page.locator("#upramp-notices").wait_for(state="attached")
    assert not strip.is_visible()
