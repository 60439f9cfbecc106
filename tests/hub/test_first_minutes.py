"""A new user in the browser: from the first login to a calibrated exposure."""

from __future__ import annotations

import pytest
from hosted_hub import HostedHub

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.slow]

for package in ("jupyterhub", "jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

EXPOSURE = "jw99008001001_02101_00001_nis"
IS_BUSY = """
    Array.from(document.querySelectorAll('.jp-InputPrompt'))
        .some(e => e.textContent.includes('*'))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory, practice_archive):
    running = HostedHub(tmp_path_factory.mktemp("hub"), archive=practice_archive)
    yield running
    running.stop()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.problems = []
    context.on(
        "console",
        lambda said: page.problems.append(said.text) if said.type == "error" else None,
    )
    context.on(
        "requestfailed",  # but for what a page asked that is left before the answer
        lambda failed: (
            None if "ABORTED" in str(failed.failure) else page.problems.append(failed.url)
        ),
    )
    yield page
    context.close()


def test_from_the_first_login_to_a_calibrated_exposure(hub, page, tmp_path):
    page.goto(hub.url)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", hub.password)
    page.keyboard.press("Enter")
    page.get_by_text("Later").first.click()
    page.wait_for_url("**/user/admin/upramp/welcome")
    page.get_by_role("searchbox").fill("niriss")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    page.get_by_role("button", name="Open in the stage 1 notebook").first.click()
    page.wait_for_url("**/lab/tree/notebooks/**")
    page.wait_for_selector(".jp-Notebook .cm-content")
    assert EXPOSURE in page.url
    page.wait_for_selector(".jp-NotebookPanel-toolbar :text('Calibration')")
    # What is run before the kernel is ready, JupyterLab may forget.
    page.wait_for_selector("text=Calibration | Idle")
    page.get_by_role("menuitem", name="Run").first.click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    page.wait_for_selector(".jp-OutputArea-output img")
    for _ in range(150):
        page.wait_for_timeout(1000)
        if not page.evaluate(IS_BUSY):
            break
    page.keyboard.press("Control+s")
    folder = hub.state / "homes" / "admin" / "notebooks" / "stage"
    products = sorted(p.name for p in (folder / "calibrated").glob("*.fits"))
    assert products == [f"{EXPOSURE}_{kind}.fits" for kind in ("ramp", "rate", "rateints")]
    page.wait_for_timeout(1500)
    (notebook,) = folder.glob("*.ipynb")
    text = notebook.read_text()
    assert '"output_type": "error"' not in text
    assert '"engine": "upramp"' in text  # what made it is kept in the notebook
    assert not [problem for problem in page.problems if "favicon" not in problem], page.problems
