"""A new user's first minutes in Chromium: from the welcome to the notebook in JupyterLab."""

from __future__ import annotations

import json
import os
import urllib.parse
from pathlib import Path

import pytest
from home_server import TOKEN, HomeServer
from proxy_process import stopping, until
from test_home_exposures import make

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.slow]

pytest.importorskip("jupyterlab", reason="the hub's packages are not installed")

PICTURES = os.environ.get("UPRAMP_TEST_PICTURES")
"""Where pictures of the pages are put, if anywhere."""

COPY = "notebooks/stage/detector1-jw2_nis.ipynb"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive")
    (archive / "uncal").mkdir()
    make(archive / "uncal" / "jw1_nrcalong_uncal.fits")
    make(
        archive / "uncal" / "jw2_nis_uncal.fits", INSTRUME="NIRISS", DETECTOR="NIS", FILTER="F200W"
    )
    folder = tmp_path_factory.mktemp("ada")
    server = HomeServer(folder, archive, lab=True, JUPYTERHUB_USER="ada")
    with stopping(server) as running:
        yield running


@pytest.fixture
def page(chromium):
    context = chromium.new_context(
        viewport={"width": 1200, "height": 900}, service_workers="block"
    )
    context.set_default_timeout(60_000)
    elsewhere = []

    def only_here(route):
        if urllib.parse.urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)
    found = context.new_page()
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    yield found
    context.close()
    assert found.errors == []
    assert elsewhere == []


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def complaints(page):
    """Collect what the browser says of the page's policy."""
    said = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    return said


def test_a_new_user_comes_to_an_exposure_in_the_notebook(server, page):
    said = complaints(page)
    page.goto(f"{server.url}/?token={TOKEN}")
    page.wait_for_url("**/upramp/welcome")
    page.get_by_role("heading", name="Welcome, ada").wait_for()
    page.locator(".cards").scroll_into_view_if_needed()
    until(lambda: page.evaluate(_PICTURES_SHOWN) == 2, 60)
    picture(page, "welcome")

    # By the keyboard alone: past the places, into the search, to what it finds.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_role("searchbox", name="Instrument, detector, filter, mode or name").focus()
    page.keyboard.type("niriss f200w")
    page.keyboard.press("Enter")
    page.get_by_text("1\u20131 of 1 that match, of 2 in all.").wait_for()
    assert page.get_by_role("heading", name="NIRISS F200W").is_visible()
    page.get_by_text("Read it in Python").click()
    assert "upramp.open(" in page.locator("code", has_text="import upramp").inner_text()
    page.get_by_role("button", name="Copy", exact=True).wait_for()
    assert said == []

    page.get_by_role("button", name="Open in the stage 1 notebook").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/lab/tree/**")
    page.locator(".jp-NotebookPanel").wait_for()
    page.locator(".jp-Cell").filter(has_text="jw2_nis_uncal.fits").first.wait_for()
    assert page.get_by_role("tab", name="detector1-jw2_nis.ipynb").is_visible()
    picture(page, "notebook")
    content = json.loads((server.home / COPY).read_bytes())
    assert any('["jw2_nis_uncal.fits"]' in line for line in content["cells"][1]["source"])

    # From the second time on, the lab is the first page.
    page.goto(f"{server.url}/")
    page.wait_for_url("**/lab**")


def test_a_page_is_read_on_a_phone_and_in_the_dark(server, chromium):
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, color_scheme="dark", java_script_enabled=False
    )
    page = context.new_page()
    page.goto(f"{server.url}/upramp/welcome?token={TOKEN}")
    picture(page, "welcome-phone")
    box = page.locator("main").bounding_box()
    assert box["x"] >= 0
    assert box["width"] <= 360
    # Without a script the forms work; nothing is offered that needs one.
    assert page.get_by_role("button", name="Copy", exact=True).count() == 0
    name = page.get_by_text("stage/detector1.ipynb", exact=True)
    stage_1 = page.get_by_role("listitem").filter(has=name)
    stage_1.get_by_role("button", name="Copy to your notebooks").click()
    page.wait_for_url("**/lab/tree/notebooks/stage/detector1.ipynb")
    context.close()


def test_words_can_be_told_from_their_ground(server, chromium):
    """Every text is in a contrast of 4.5 to what is behind it, in the light and in the dark."""
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{server.url}/upramp/welcome?token={TOKEN}")
        assert page.evaluate(_CONTRASTS) == [], scheme
        context.close()


_PICTURES_SHOWN = "[...document.images].filter((image) => image.naturalWidth).length"

_CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [parse(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) bad.push([element.outerHTML.slice(0, 80), ratio]);
  }
  return bad;
}"""
