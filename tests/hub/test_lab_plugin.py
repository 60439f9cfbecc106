"""The hub's part of JupyterLab's page, in Chromium, on a real server with real kernels."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from proxy_process import environment, until

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.slow]

pytest.importorskip("jupyterlab", reason="the hub's packages are not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PICTURES = os.environ.get("UPRAMP_TEST_PICTURES")
"""Where pictures of the pages are put, if anywhere."""

TOKEN = "a-token-of-the-tests-of-the-page"
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "one", "metadata": {}, "source": "1 + 1"}
        | {"outputs": [], "execution_count": None}
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class Lab:
    """JupyterLab as a hub's spawner starts it, but for the hub."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.home.mkdir()
        self.log = folder / "lab.log"
        (self.home / "ramp.ipynb").write_text(json.dumps(NOTEBOOK))
        (self.home / "notes.txt").write_text("first\n")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"),
                    *("--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"),
                    "--ServerApp.jpserver_extensions=upramp_hub.server=True",
                    "--LabApp.extension_manager=readonly",
                    # Not even to be told of news would it ask another machine.
                    "--LabApp.news_url=",
                    f"--ServerApp.root_dir={self.home}",
                    *(["--allow-root"] if os.geteuid() == 0 else []),
                ],
                cwd=self.home,
                env=environment(
                    HOME=str(self.home),
                    JUPYTER_CONFIG_DIR=str(folder / "config"),
                    JUPYTER_DATA_DIR=str(folder / "data"),
                    JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
                    JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
                    JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"),
                ),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def address():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            found = re.search(r"http://127\.0\.0\.1:\d+/", self.log.read_text())
            return found and found[0]

        self.url = until(address, 60)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def activity(self):
        return self.ask("GET", "upramp/activity")

    def warn(self, seconds):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        self.ask("PUT", "upramp/activity/warning", {"stop_at": moment.isoformat()})

    def kernels(self):
        """Give the processes of all kernels."""
        return [
            each
            for each in psutil.Process(self.process.pid).children(recursive=True)
            if any("ipykernel" in part for part in each.cmdline())
        ]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


@pytest.fixture
def page(chromium, lab):
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(30_000)
    found = context.new_page()
    found.errors, found.elsewhere = [], []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    found.on("console", lambda said: said.type == "error" and found.errors.append(said.text))

    def note(request):
        if not request.url.startswith((lab.url, "blob:", "data:")):
            found.elsewhere.append(request.url)

    found.on("request", note)
    yield found
    assert found.errors == []
    assert found.elsewhere == []
    context.close()
    with contextlib.suppress(urllib.error.HTTPError):
        lab.ask("DELETE", "upramp/activity/warning")
    for session in lab.ask("GET", "api/sessions"):
        lab.ask("DELETE", f"api/sessions/{session['id']}")


def show(page, lab, path):
    page.goto(f"{lab.url}lab/tree/{path}?reset&token={TOKEN}")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator("#upramp-notices").wait_for(state="attached")


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def strip(page):
    return page.get_by_role("region", name="Messages of the hub")


def ask_again(page):
    """Have the page ask its server now, as it does when it comes to the front."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def wait(page, what, patience=30):
    """Wait until something is true; the page's requests are let through meanwhile."""
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end, what
        page.wait_for_timeout(50)


def left(page):
    minutes, seconds = strip(page).get_by_role("timer").inner_text().split(":")
    return 60 * int(minutes) + int(seconds)


def test_nothing_is_shown_while_there_is_nothing_to_tell(lab, page):
    show(page, lab, "notes.txt")
    page.locator(".cm-content").wait_for()
    assert not strip(page).is_visible()
    top = page.locator("#jp-top-panel").bounding_box()["y"]
    assert top == 0
    picture(page, "lab-quiet")


def test_a_warning_counts_down_saves_and_the_button_keeps_the_server(lab, page):
    show(page, lab, "notes.txt")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("second")
    assert (lab.home / "notes.txt").read_text() == "first\n"
    lab.warn(590)
    ask_again(page)
    strip(page).get_by_role("timer").wait_for()
    assert "because nobody is using it" in strip(page).inner_text()
    wait(page, lambda: (lab.home / "notes.txt").read_text() == "first\nsecond")
    strip(page).get_by_text("What you changed has been saved").first.wait_for()
    # The save was the page's own doing, and no sign of its user.
    assert lab.activity()["stop_at"] is not None
    first = left(page)
    assert 570 < first <= 590
    wait(page, lambda: left(page) < first - 1)
    status = strip(page).get_by_role("status")
    assert status.get_attribute("aria-live") == "polite"
    spoken = status.inner_text()
    assert "stops in 10 minutes" in spoken
    # While seconds are counted down, nothing is read out.
    before = left(page)
    wait(page, lambda: left(page) < before - 1)
    assert status.inner_text() == spoken
    picture(page, "lab-warning")
    # It is nobody's who works here with a keyboard alone to be without it.
    button = strip(page).get_by_role("button", name="Keep it for another hour")
    button.focus()
    picture(page, "lab-warning-focus")
    page.keyboard.press("Enter")
    strip(page).get_by_text("is kept until").first.wait_for()
    picture(page, "lab-kept")
    found = lab.activity()
    kept = datetime.fromisoformat(found["extended_until"]) - datetime.fromisoformat(found["now"])
    assert 3500 < kept.total_seconds() <= 3600
    assert found["stop_at"] is None
    assert strip(page).get_by_role("timer").count() == 0


def test_typing_takes_the_warning_back_and_the_open_page_alone_does_not(lab, page):
    show(page, lab, "notes.txt")
    page.locator(".cm-content").wait_for()
    lab.warn(500)
    ask_again(page)
    strip(page).get_by_role("timer").wait_for()
    # JupyterLab asks for kernels, terminals and files every ten seconds.
    page.wait_for_timeout(11_000)
    assert lab.activity()["stop_at"] is not None
    page.locator(".cm-content").click()
    strip(page).wait_for(state="hidden")
    assert lab.activity()["stop_at"] is None


def test_it_can_be_dismissed_and_comes_back_for_the_last_minute(lab, page):
    show(page, lab, "notes.txt")
    lab.warn(63)
    ask_again(page)
    strip(page).get_by_role("timer").wait_for()
    strip(page).get_by_role("button", name="Dismiss").click()
    assert not strip(page).is_visible()
    strip(page).get_by_role("timer").wait_for()
    assert left(page) <= 60
    assert lab.activity()["stop_at"] is not None


def test_what_cannot_be_saved_is_named_and_saved_again_before_the_end(lab, page):
    show(page, lab, "notes.txt")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" third")
    page.route("**/api/contents/notes.txt*", lambda route: route.fulfill(status=507, json={}))
    lab.warn(45)
    ask_again(page)
    strip(page).get_by_text("Not saved: notes.txt").first.wait_for()
    picture(page, "lab-not-saved")
    assert page.get_by_text("File Save Error").first.is_visible()
    page.unroute("**/api/contents/notes.txt*")
    page.locator(".jp-Dialog button", has_text="Close").click()
    wait(page, lambda: (lab.home / "notes.txt").read_text().endswith(" third"), 40)
    strip(page).get_by_text("What you changed has been saved").first.wait_for()
    # The browser itself says that it got no answer; nothing else went wrong.
    page.errors[:] = [each for each in page.errors if "507" not in each]


def test_a_kernel_that_is_killed_is_explained_and_one_restarted_is_not(lab, page):
    show(page, lab, "ramp.ipynb")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    picture(page, "lab-notebook")
    wait(
        page, lambda: lab.activity()["kernels"] and lab.activity()["kernels"][0]["state"] == "idle"
    )
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output", has_text="2").wait_for()
    page.wait_for_timeout(2500)  # so that the kernel's memory was looked at
    (kernel,) = lab.kernels()
    kernel.send_signal(signal.SIGKILL)
    told = strip(page).get_by_text("The kernel was killed (SIGKILL)").first
    told.wait_for()
    assert "ramp.ipynb" in strip(page).inner_text()
    assert "Run the cells again" in strip(page).inner_text()
    picture(page, "lab-kernel-killed")
    # It stays until it is dismissed, and is told nowhere else: no dialog is in the way.
    page.wait_for_timeout(1500)
    picture(page, "lab-kernel-told")
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".upramp-notice").count() == 1
    assert page.locator(".jp-OutputArea-output", has_text="was killed").count() == 0
    strip(page).get_by_role("button", name="Dismiss").click()
    assert not strip(page).is_visible()
    wait(page, lambda: len(lab.kernels()) == 1)
    session = lab.ask("GET", "api/sessions")[0]
    wait(page, lambda: lab.ask("GET", f"api/kernels/{session['kernel']['id']}"))
    lab.ask("POST", f"api/kernels/{session['kernel']['id']}/restart", {})
    page.wait_for_timeout(2000)
    assert not strip(page).is_visible()


def test_a_kernel_that_dies_under_a_cell_is_explained_there_and_nowhere_else(lab, page):
    show(page, lab, "ramp.ipynb")
    editor = page.locator(".jp-Notebook .cm-content").first
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("import os, time; print('runs', flush=True); time.sleep(60)")
    wait(page, lambda: any(k["state"] == "idle" for k in lab.activity()["kernels"]))
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output", has_text="runs").wait_for()
    lab.kernels()[0].send_signal(signal.SIGKILL)
    page.locator(".jp-OutputArea-output", has_text="The kernel was killed").wait_for()
    page.wait_for_timeout(2500)  # as long as a dialog, or the strip, may take
    picture(page, "lab-kernel-died-in-cell")
    assert page.locator(".jp-Dialog").count() == 0
    assert not strip(page).is_visible()
    # JupyterLab's debugger had asked the kernel that died.
    page.errors[:] = [each for each in page.errors if "debugger" not in each]


def test_on_a_server_without_the_hubs_part_it_stays_silent(lab, page):
    page.route("**/upramp/**", lambda route: route.fulfill(status=404, json={}))
    asked = []
    page.on("request", lambda request: "/upramp/" in request.url and asked.append(request.url))
    show(page, lab, "notes.txt")
    page.locator(".cm-content").wait_for()
    wait(page, lambda: asked)
    assert not strip(page).is_visible()
    page.errors[:] = [each for each in page.errors if "404" not in each]


def test_who_is_signed_out_and_what_does_not_answer_is_told_until_it_is_over(lab, page):
    show(page, lab, "notes.txt")
    page.route("**/upramp/**", lambda route: route.fulfill(status=403, json={}))
    ask_again(page)
    strip(page).get_by_text("You are signed out").first.wait_for()
    assert strip(page).get_by_role("link", name="Sign in").is_visible()
    page.unroute("**/upramp/**")
    page.route("**/upramp/**", lambda route: route.abort())
    for _ in range(3):  # one that is slow once is not gone
        ask_again(page)
        page.wait_for_timeout(300)
    strip(page).get_by_text("does not answer").first.wait_for()
    # Without a hub there is nowhere to start it again.
    assert strip(page).get_by_role("link").count() == 0
    page.unroute("**/upramp/**")
    ask_again(page)
    strip(page).wait_for(state="hidden")
    page.errors[:] = [e for e in page.errors if "403" not in e and "ERR_FAILED" not in e]
