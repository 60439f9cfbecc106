"""RampInspector in JupyterLab with no network: what a person does and sees."""

from __future__ import annotations

import pytest
from benchmarks._browser import Lab

NIRCAM = "jw99001001001_02101_00001_nrcalong"
CANVAS = ".upramp-image-view canvas.up-canvas"
pytestmark = [pytest.mark.browser, pytest.mark.slow]

for package in ("jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

SHOWN = """() => {
  for (const doc of window.Bokeh?.documents ?? [])
    for (const model of doc._all_models.values()) {
      const data = model.data;
      const who = data?.get ? data.get("who") : data?.who;
      if (who?.length) return who[0];
    }
  return null;
}"""
"""Which pixel's ramp the plot has."""

EACH = """() => {
  const shown = new Set();
  for (const view of window.Bokeh?.index.roots ?? []) {
    if (!view.el.isConnected) continue;
    for (const model of view.model.document._all_models.values()) {
      const who = model.data?.get ? model.data.get("who") : model.data?.who;
      if (who) shown.add(who[0] ?? "nothing");
    }
  }
  return [...shown].join();
}"""
"""Which pixels' ramps the plots in the page have."""

PAINTED = """(selector) => Array.from(document.querySelectorAll(selector)).map((canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return 0;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const seen = new Set();
  for (let at = 0; at < pixels.length; at += 4 * 97)
    seen.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]);
  return seen.size;
})"""
"""How many colours each canvas shows."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, practice_archive):
    folder = tmp_path_factory.mktemp("lab")
    crds = str(practice_archive / "crds")
    with Lab(folder, CRDS_PATH=crds, CRDS_CONTEXT="jwst_0001.pmap") as running:
        yield running


@pytest.fixture
def notebook(lab, chromium, practice_archive):
    path = practice_archive / "uncal" / f"{NIRCAM}_uncal.fits"
    cells = ["from upramp_widgets import RampInspector", f"w = RampInspector({str(path)!r})\nw"]
    with lab.open(chromium, cells, width=1500, height=1150) as opened:
        opened.run()
        opened.page.locator(CANVAS).first.wait_for()
        yield opened
        assert opened.elsewhere == []
        assert opened.complaints == []


def click(notebook, across, up):
    box = notebook.page.locator(CANVAS).first.bounding_box()
    notebook.page.mouse.click(box["x"] + across * box["width"], box["y"] + up * box["height"])


def shown(notebook):
    return notebook.page.evaluate(SHOWN)


def test_a_click_shows_the_ramp_and_a_threshold_its_flags(notebook):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    page.wait_for_function(f"({PAINTED})({CANVAS!r})[0] > 20")
    click(notebook, 0.5, 0.5)
    page.wait_for_function(f"({SHOWN})() !== null")
    x, y = notebook.ask("(w.x, w.y)")
    assert shown(notebook) == f"({x}, {y})"
    click(notebook, 0.3, 0.4)
    page.wait_for_function(f"({SHOWN})() !== '({x}, {y})'")
    assert f"({notebook.ask('w.x')}, {notebook.ask('w.y')})" == shown(notebook)
    # A click is cheap to send, wherever the kernel is.
    box = page.locator(CANVAS).first.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"])
    page.wait_for_timeout(1000)  # the readout under the cursor is no click
    before = notebook.sent + notebook.received
    page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(2000)  # all that comes of it
    assert 0 < notebook.sent + notebook.received - before < 10_000
    # The text beside it says the same.
    page.get_by_text(f"pixel {shown(notebook)}, integration 1").wait_for()
    before = notebook.ask("int(w.flags().astype(bool).sum())")
    slider = page.get_by_role("slider", name="Threshold").first
    slider.focus()
    for _ in range(8):
        slider.press("ArrowLeft")
    assert notebook.ask("w.threshold") < 4
    assert notebook.ask("w.wait(60)")
    page.get_by_text("jumps:").first.wait_for()
    assert notebook.ask("int(w.flags().astype(bool).sum())") > before
    notebook.picture("ramp_inspector")


def test_a_page_that_is_loaded_again_shows_the_same(notebook):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    notebook.do("w.image.click(314, 117); w.plane = 'rate'")
    page.wait_for_function(f"({SHOWN})() === '(314, 117)'")
    notebook.reload()
    page.locator(CANVAS).first.wait_for()
    page.wait_for_function(f"({PAINTED})({CANVAS!r})[0] > 20")
    page.wait_for_function(f"({SHOWN})() === '(314, 117)'")
    click(notebook, 0.5, 0.5)
    page.wait_for_function(f"({SHOWN})() !== '(314, 117)'")


def test_a_second_view_shows_what_was_clicked_before_it_and_after(lab, chromium, practice_archive):
    path = practice_archive / "uncal" / f"{NIRCAM}_uncal.fits"
    cells = [
        f"from upramp_widgets import RampInspector\nw = RampInspector({str(path)!r})\nw",
        "w.wait(120)\nimport time; time.sleep(5)  # until the first is there",
        "w.image.click(314, 117)",
        "w",
    ]
    with lab.open(chromium, cells, name="twice.ipynb", width=1500, height=2200) as opened:
        opened.run()
        page = opened.page
        page.locator(CANVAS).nth(1).wait_for()
        page.wait_for_function(f"({EACH})() === '(314, 117)'")
        page.wait_for_function(f"({PAINTED})({CANVAS!r}).every((colours) => colours > 20)")
        click(opened, 0.3, 0.4)
        page.wait_for_function(f"!({EACH})().includes('(314, 117)')")
        assert page.evaluate(EACH) == f"({opened.ask('w.x')}, {opened.ask('w.y')})"
        assert opened.complaints == []
