"""The home of a user, over a real hub: found by its owner at the first start, closed to others."""

from __future__ import annotations

import urllib.request

import pytest
from proxy_process import stopping
from spawner_hub import SpawnerHub, is_root
from test_home_exposures import make

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from upramp_hub.home.handlers import ROUTES  # noqa: E402 - needs what is asked for above

ONE = "jw1_nrcalong_uncal.fits"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    extra = '\nc.Spawner.default_url = "/upramp/start"\n'
    with stopping(SpawnerHub(tmp_path_factory.mktemp("hub"), extra)) as running:
        make(running.folder / "archive" / "uncal" / ONE).chmod(0o666)
        running.start_server("ada")
        yield running


def log_in(hub, name, monkeypatch):
    """Log in with what says that it shows pages, as browsers do."""
    build = urllib.request.build_opener

    def browser(*handlers):
        opener = build(*handlers)
        opener.addheaders.append(("Accept", "text/html,*/*;q=0.8"))
        return opener

    monkeypatch.setattr(urllib.request, "build_opener", browser)
    return hub.log_in(name)


def test_a_new_user_sees_the_welcome_after_the_login(hub, monkeypatch):
    get = log_in(hub, "ada", monkeypatch)
    status, _, text = get("/user/ada/")
    assert status == 200
    assert "Welcome, ada" in text
    assert ONE in text
    assert 'href="/hub/home"' in text
    status, _, text = get("/user/ada/")
    assert status == 200
    assert "<title>JupyterLab</title>" in text
    assert get("/user/ada/upramp/welcome")[0] == 200


def test_nobody_else_sees_it_or_does_anything_in_it(hub, monkeypatch):
    get = log_in(hub, "eve", monkeypatch)
    for pattern, handler in ROUTES:
        path = "/user/ada" + pattern.replace("([a-z.]+)", "style.css")
        if "get" in vars(handler):
            status, _, text = get(path)
            assert status == 403
            assert ONE not in text
        if "post" in vars(handler):
            assert get(path, f"exposure={ONE}&copy=x&choice=keep".encode())[0] == 403


def test_the_archive_and_the_originals_are_read_from_the_home_and_not_written(hub):
    code = (
        "import os\n"
        "for folder, name in (('archive/uncal', 'exposure.txt'), "
        "('notebooks-originals/stage', 'detector1.ipynb')):\n"
        "    folder = os.path.expanduser(f'~/{folder}')\n"
        "    open(f'{folder}/{name}').read()\n"
        "    for each in (name, 'new'):\n"
        "        try:\n"
        "            open(f'{folder}/{each}', 'a').close()\n"
        "        except OSError as error:\n"
        "            print(error.strerror)\n"
    )
    printed, error = hub.run("ada", code)
    assert error is None, printed
    # Servers of a hub that is not root are that hub's user, whose files these may be.
    if is_root():
        said = printed.splitlines()
        assert len(said) == 4
        assert set(said) <= {"Read-only file system", "Permission denied"}
