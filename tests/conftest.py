"""Fixtures that any room's tests may ask for.

practice_archive
    A practice archive of the default programs, made once for the source that
    makes it and kept in ``.practice`` (or ``UPRAMP_TEST_PRACTICE``).
forget_crds
    Makes the crds package forget what other tests showed it; for tests that
    call the official packages by themselves.
chromium
    A headless browser in which no name leads anywhere but to this machine.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdist.scheduler import LoadScopeScheduling

PROJECT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    # A shell's background jobs ignore Ctrl-C, and so would the commands that tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        from hypothesis import settings
    except ImportError:
        return
    # How long an example takes is the machine's affair: no test judges a time.
    settings.register_profile("upramp", deadline=None)
    settings.load_profile("upramp")


# Modules here share a hub, a kernel, an archive or official products, which take long to make.
KEPT_TOGETHER = (
    *("tests/hub/", "tests/kernel/", "tests/notebooks/", "tests/practice/", "tests/widgets/"),
    *("tests/peers/test_later_practice.py", "tests/peers/test_practice_truth.py"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log) -> LoadScopeScheduling | None:
    """Share tests out one by one, but keep some modules on one worker.

    The marks ``xdist_group`` are of no help: they change a name that pytest 9.2
    no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return (
                nodeid.split("::", maxsplit=1)[0] if nodeid.startswith(KEPT_TOGETHER) else nodeid
            )

    return Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(autouse=True, scope="module")
def what_is_there_is_not_searched_for_rubbish():
    """Spare the official pipelines half their time here: they collect after every step.

    A process that runs tests holds millions of objects, and each is looked at each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def practice_archive() -> Path:
    from upramp.practice import make_archive
    from upramp.practice.archive import simulator_version

    kept = Path(os.environ.get("UPRAMP_TEST_PRACTICE", PROJECT / ".practice"))
    folder = kept / simulator_version()
    folder.mkdir(parents=True, exist_ok=True)
    # Several pytest workers may ask at once; what is there is not made again.
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_archive(folder)
    return folder


@pytest.fixture(scope="session")
def forget_crds() -> Callable[[], None]:
    """Give a call that makes the crds package forget the caches of other tests.

    It remembers mappings by name, and by itself never looks whether CRDS_PATH
    or CRDS_CONTEXT have changed.
    """

    def forget() -> None:
        from crds.core import utils

        utils.clear_function_caches()

    return forget


# Of a module and not of the session: while it is open, this thread has an event loop.
@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()
