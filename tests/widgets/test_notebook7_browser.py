"""The widgets in Notebook 7 with no network: what a person sees there, and what a click does."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from benchmarks._browser import Lab, until

NIRISS = "jw99008001001_02101_00001_nis"
NOTEBOOK7 = Path(__file__).resolve().parents[2] / ".venv" / "notebook7"
CANVAS = ".upramp-image-view canvas.up-canvas"
WORDS = re.compile(r"pixel \((\d+), (\d+)\), integration 1")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        not NOTEBOOK7.is_dir(), reason=f"Notebook 7 is not installed in {NOTEBOOK7}"
    ),
]

for package in ("jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

PAINTED = """(selector) => Array.from(document.querySelectorAll(selector)).map((canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const words = new Uint32Array(data.buffer);
  return new Set(words.filter((_, at) => at % 97 === 0)).size;
})"""
"""How many colours each canvas shows."""

PLOTTED = """() => {
  const found = new Set();
  for (const doc of window.Bokeh?.documents ?? [])
    for (const model of doc._all_models.values()) {
      const who = model.data?.get ? model.data.get("who") : model.data?.who;
      if (who) for (const each of who) found.add(each);
    }
  return [...found];
}"""
"""Of which pixels the plot has ramps."""


def joined(folder):
    """Make the folder of both applications, which are together where one environment has both."""
    schemas = folder / "schemas"
    schemas.mkdir(parents=True)
    for share in (Path(sys.prefix) / "share", NOTEBOOK7 / "share"):
        for kind in (share / "jupyter" / "lab" / "schemas").iterdir():
            (schemas / kind.name).symlink_to(kind)
    for part in ("static", "themes"):
        (folder / part).symlink_to(Path(sys.prefix) / "share" / "jupyter" / "lab" / part)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory, practice_archive):
    folder = tmp_path_factory.mktemp("notebook7")
    variables = {
        "JUPYTERLAB_DIR": str(joined(folder / "application")),
        "PYTHONPATH": str(NOTEBOOK7),
        "JUPYTER_PATH": str(NOTEBOOK7 / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(NOTEBOOK7 / "etc" / "jupyter"),
        "CRDS_PATH": str(practice_archive / "crds"),
        "CRDS_CONTEXT": "jwst_0001.pmap",
    }
    with Lab(folder, app="notebook", **variables) as running:
        yield running


def painted(page, count):
    page.locator(CANVAS).nth(count - 1).wait_for()
    test = f"({PAINTED})({CANVAS!r})"
    page.wait_for_function(f"{test}.length === {count} && {test}.every((found) => found > 20)")


def click(page, across, up):
    canvas = page.locator(CANVAS).first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + up * box["height"])


def told(page):
    """Which pixel the words beside the plot are of; None before there is one."""
    found = WORDS.search(" ".join(page.locator(".widget-html").all_inner_texts()))
    return found and f"({found[1]}, {found[2]})"


def outputs_saved(page, path):
    page.wait_for_timeout(100)  # playwright lets no request through but while it is waited for
    try:
        saved = json.loads(path.read_text())
    except ValueError:
        return False  # it is being written
    return all(cell["outputs"] for cell in saved["cells"])


def assert_a_click_shows_another_ramp(page, before, across, up):
    click(page, across, up)
    now = until(lambda: (pixel := told(page)) != before and pixel)
    page.wait_for_function(f"({PLOTTED})().join(' ') === {now!r}")
    return now


def test_the_widgets_live_in_notebook_7_and_after_the_page_is_loaded_again(lab, chromium, uncal):
    path = str(uncal(NIRISS))
    cells = [
        f"from upramp_widgets import RampInspector\nRampInspector({path!r})",
        f"from upramp_widgets import CosmicRayMasker\nCosmicRayMasker({path!r})",
        f"from upramp_widgets import WcsOverlay\nWcsOverlay({path!r})",
    ]
    with lab.open(chromium, ["1 + 1"], name="plain.ipynb") as plain:
        plain.run()
        usual = set(plain.complaints)  # Notebook 7 has some of its own, about its settings
    with lab.open(chromium, cells, width=1300, height=1000) as notebook:
        page = notebook.page
        notebook.run()
        painted(page, 3)
        page.get_by_text("jumps:").first.wait_for()
        page.get_by_text("jumps above").first.wait_for()
        page.get_by_text("from pointing keywords").first.wait_for()
        first = assert_a_click_shows_another_ramp(page, None, 0.5, 0.5)
        second = assert_a_click_shows_another_ramp(page, first, 0.3, 0.4)
        notebook.picture("notebook7")

        notebook.save()
        until(lambda: outputs_saved(page, lab.root / notebook.name))
        notebook.load()
        painted(page, 3)
        assert until(lambda: told(page)) == second
        page.wait_for_function(f"({PLOTTED})().join(' ') === {second!r}")
        assert_a_click_shows_another_ramp(page, second, 0.6, 0.6)
        assert notebook.elsewhere == []
        assert set(notebook.complaints) <= usual
