"""WcsOverlay in JupyterLab with no network: what a person does and sees."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from benchmarks._browser import Lab, until

from upramp_widgets.core.sky_open import open_sky

NIRCAM = "jw99001001001_02101_00001_nrcalong"
CANVAS = ".upramp-image-view canvas.up-canvas"
COLOURS = {
    "right ascension": (0x86, 0xD3, 0xFF),
    "declination": (0xFF, 0xC4, 0x8A),
    "stars": (0xFF, 0xE0, 0x66),
    "regions": (0x5D, 0xFF, 0x8F),
}
LINES = ("right ascension", "declination")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

for package in ("jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

DOTS = """([selector, [r, g, b]]) => {
  const canvas = document.querySelector(selector);
  if (!canvas?.width) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const off = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
    if (off < 24) found += 1;
  }
  return found;
}"""
"""How many dots of the canvas have a colour."""

TOLD = "(document.querySelector('.up-readout .up-text')?.textContent ?? '')"
"""What the readout says of the sky."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def notebook(lab, chromium, practice_archive):
    path = practice_archive / "uncal" / f"{NIRCAM}_uncal.fits"
    stars = practice_archive / "truth" / "stars.ecsv"
    cells = [
        "from upramp_widgets import WcsOverlay",
        f"w = WcsOverlay({str(path)!r})\nw",
        f"from astropy.table import Table\nstars = Table.read({str(stars)!r})",
        # So few that they are drawn in their full colour.
        "stars.sort('flux_3p5um', reverse=True)\nc = w.add_catalogue(stars[:500], name='stars')",
    ]
    with lab.open(chromium, cells, width=1400, height=1250) as opened:
        opened.note()
        opened.run()
        opened.page.locator(CANVAS).first.wait_for()
        assert opened.ask("w.wait(120)")
        for name in ("stars", *LINES):
            wait_for(opened, name)
        yield opened
        assert opened.elsewhere == []
        assert opened.complaints == []


def wait_for(notebook, name, *, there=True):
    """Wait until a layer is on the canvas, or is no longer."""
    test = "> 100" if there else "< 20"
    notebook.page.wait_for_function(
        f"(given) => ({DOTS})(given) {test}", arg=[CANVAS, COLOURS[name]]
    )


def shown(notebook):
    """Give the range of pixels that is on the canvas."""
    last = notebook.drawn()[-1]["range"]
    return *last["x"], *last["y"]


def drag(notebook, start, end):
    page = notebook.page
    page.mouse.move(*start)
    page.mouse.down()
    for part in np.linspace(0, 1, 8)[1:]:
        page.mouse.move(*(np.array(start) + part * (np.array(end) - start)))
    page.mouse.up()


def labels(notebook, kind):
    return notebook.ask(f"[label for label in w.graticule()[{kind!r}][1] if label]")


def test_the_readout_is_what_the_sky_says(notebook, practice_archive):
    sky = open_sky(practice_archive / "uncal" / f"{NIRCAM}_uncal.fits")
    for x, y in ((100.0, 400.0), (321.0, 77.0), (600.0, 610.0)):
        before = notebook.page.evaluate(TOLD)
        notebook.page.mouse.move(*notebook.at(x, y))
        notebook.page.wait_for_function(f"{TOLD} && {TOLD} !== {before!r}")
        notebook.page.wait_for_function(f"{TOLD} === {notebook.ask('w.image.readout')!r}")
        hours, degrees = notebook.page.evaluate(TOLD).split()[:2]
        degrees = degrees.replace("\N{MINUS SIGN}", "-")
        said = SkyCoord(hours, degrees, unit=("hourangle", "deg"))
        exact = SkyCoord(*sky.to_sky(x, y), unit="deg")
        # A hundredth of an arcsecond is the last digit.
        assert said.separation(exact).arcsec < 0.012
    notebook.picture("wcs_overlay")


def test_the_graticule_follows_pan_and_zoom(notebook):
    page = notebook.page
    first = labels(notebook, "declination")
    x, y = notebook.at(320, 320)
    page.mouse.move(x, y)
    for _ in range(8):
        page.mouse.wheel(0, -240)
    page.wait_for_function(
        "window.upDrawn.at(-1).range.x[1] - window.upDrawn.at(-1).range.x[0] < 100"
    )
    assert notebook.ask("w.wait(60)")
    closer = labels(notebook, "declination")
    assert closer
    assert closer != first
    before = shown(notebook)
    drag(notebook, (x, y), (x - 150, y + 100))
    page.wait_for_function("(left) => window.upDrawn.at(-1).range.x[0] > left + 1", arg=before[0])
    # The kernel's lines are those of the view that the page has in the end.
    page.wait_for_timeout(200)
    assert notebook.ask("w.wait(60)")
    assert notebook.ask("list(w.xlim)") == pytest.approx(shown(notebook)[:2], abs=0.01)
    joined = np.array(
        notebook.ask(
            "[[float(l.min()), float(l.max())] for k in (0, 1) for l in"
            " [__import__('numpy').concatenate(w.graticule()[n][0])[:, k] for n in"
            " ('right ascension', 'declination')]]"
        )
    )
    after = shown(notebook)
    assert joined[:2, 0].max() < after[0]
    assert joined[:2, 1].min() > after[1]
    for name in LINES:
        wait_for(notebook, name)
    # The whole detector again, by the key.
    page.locator(CANVAS).first.focus()
    page.keyboard.press("0")
    page.wait_for_function("window.upDrawn.at(-1).range.x[1] > 600")
    page.wait_for_timeout(200)
    assert notebook.ask("w.wait(60)")
    assert labels(notebook, "declination") == first


def test_layers_are_shown_and_hidden_by_their_boxes(notebook):
    legend = notebook.page.get_by_role("group", name="layers")
    for name in ("declination", "stars"):
        box = legend.get_by_label(name, exact=True)
        box.uncheck()
        wait_for(notebook, name, there=False)
        assert name in notebook.ask("list(w.layers_hidden)")
    wait_for(notebook, "right ascension")
    for name in ("declination", "stars"):
        legend.get_by_label(name, exact=True).check()
        wait_for(notebook, name)
    # And by a program.
    notebook.do("w.layers_hidden = ('right ascension',)")
    wait_for(notebook, "right ascension", there=False)
    # The style and the number of lines have controls.
    notebook.page.get_by_role("button", name="degrees").click()
    assert notebook.ask("w.style") == "degrees"
    notebook.do("w.wait(60)")
    assert all("\N{DEGREE SIGN}" in label for label in labels(notebook, "declination"))


def test_what_is_drawn_becomes_a_region(notebook, tmp_path):
    page = notebook.page
    page.get_by_role("button", name="Circle").click()
    drag(notebook, notebook.at(300, 300), notebook.at(360, 300))
    wait_for(notebook, "regions")
    # Until the kernel has it, the page draws it by itself.
    until(lambda: notebook.ask("len(w.regions)"))
    (circle,) = notebook.ask("[[r.center.x, r.center.y, r.radius] for r in w.regions]")
    assert circle == pytest.approx([300, 300, 60], abs=1)
    path = tmp_path / "drawn.reg"
    notebook.do(f"w.save_regions({str(path)!r}, 'sky')")
    assert "circle(" in path.read_text()
    page.get_by_role("button", name="Undo").click()
    wait_for(notebook, "regions", there=False)
    assert notebook.ask("len(w.regions)") == 0
    page.get_by_placeholder("path of a catalogue").fill(str(path))
    page.get_by_role("button", name="Load regions").click()
    wait_for(notebook, "regions")
    page.get_by_placeholder("path of a catalogue").fill("/nowhere.csv")
    page.get_by_role("button", name="Add catalogue").click()
    page.get_by_text("it cannot be read").first.wait_for()


def test_a_page_that_is_loaded_again_shows_the_same(notebook):
    notebook.do("w.look((50.0, 550.0), (60.0, 560.0)); w.wait(60)")
    before = labels(notebook, "right ascension")
    notebook.reload()
    notebook.page.locator(CANVAS).first.wait_for()
    notebook.note()
    for name in ("stars", *LINES):
        wait_for(notebook, name)
    assert labels(notebook, "right ascension") == before
    notebook.do("w.fit()")
    notebook.page.wait_for_function("window.upDrawn.at(-1)?.range.x[1] > 600")
    notebook.page.mouse.move(*notebook.at(200, 200))
    notebook.page.wait_for_function(f"{TOLD}.startsWith('05:2')")


def test_a_file_with_no_wcs_is_shown_with_a_sentence(lab, chromium, practice_archive):
    path = practice_archive / "uncal" / "jw99009001001_02101_00001_nrs1_uncal.fits"
    cells = ["from upramp_widgets import WcsOverlay", f"w = WcsOverlay({str(path)!r})\nw"]
    with lab.open(chromium, cells, name="spectra.ipynb") as opened:
        opened.note()
        opened.run()
        opened.page.locator(CANVAS).first.wait_for()
        opened.page.locator(".up-status", has_text="does not say where it looks").wait_for()
        opened.page.wait_for_function("window.upDrawn.at(-1)?.tiles.length > 0")
        assert opened.complaints == []
