"""The pages of a home, of a real server: what they show, to whom, and what they refuse."""

from __future__ import annotations

import ast
import html
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import markupsafe
import pytest
from home_server import TOKEN, HomeServer, location
from proxy_process import stopping
from test_home_exposures import make

pytestmark = pytest.mark.hub

pytest.importorskip("jupyter_server", reason="the hub's packages are not installed")

from upramp_hub.home.handlers import ROUTES  # noqa: E402 - needs what is asked for above

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ONE = "jw1_nrcalong_uncal.fits"
HOSTILE = "\"><img src=x onerror=alert(1)>'{{7*7}}_uncal.fits"
COPY = "notebooks/stage/detector1.ipynb"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    (folder / "uncal").mkdir()
    (folder / "crds").mkdir()
    make(folder / "uncal" / ONE)
    make(folder / "uncal" / HOSTILE, FILTER="<script>", INSTRUME="MIRI")
    make(folder / "uncal" / "jw3_guider_uncal.fits", EXP_TYPE="FGS_ACQ1", INSTRUME="FGS")
    (folder / "uncal" / "jw9_uncal.fits").write_bytes(b"<b>no FITS</b>")
    (folder / "secret_uncal.fits").write_text("not in the list")
    return folder


@pytest.fixture(scope="module")
def server(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ada")
    with stopping(HomeServer(folder, archive, JUPYTERHUB_USER="<i>ada</i>")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(server):
    return server.browser()


def address(pattern):
    return pattern.replace("([a-z.]+)", "style.css")


# ---- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[0])
@pytest.mark.parametrize("token", [None, "0" * 32])
def test_no_route_answers_without_a_login(server, route, token):
    pattern, handler = route
    for method in METHODS:
        # Also not by what a page of another origin may ask for.
        for headers in ({}, {"Accept": "text/html", "Sec-Fetch-Mode": "no-cors"}):
            status, _, content = server.ask(method, address(pattern), token=token, headers=headers)
            ours = method.lower() in vars(handler) or method == "OPTIONS"
            assert status in ({401, 403} if ours else {401, 403, 405}), (method, status)
            assert ONE.encode() not in content


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[0])
def test_a_browser_that_comes_to_see_a_page_is_sent_to_the_login(server, route):
    pattern, handler = route
    if "get" not in vars(handler):
        return
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    status, answer, content = server.ask("GET", address(pattern), headers=headers)
    if handler.shown:
        assert status == 302
        assert urllib.parse.urlsplit(location(answer)).path == "/user/ada/login"
        assert content == b""
    else:
        assert status == 403


@pytest.mark.parametrize("path", ["open", "copy", "updates"])
@pytest.mark.parametrize("field", [None, "", "2|aaaaaaaa|bbbb|1"])
def test_a_forged_form_is_refused_and_does_nothing(server, browser, path, field):
    fields = {"exposure": ONE, "notebook": "stage/detector1.ipynb", "copy": COPY, "choice": "keep"}
    status, _, _ = browser.post(f"/upramp/welcome/{path}", **{**fields, "_xsrf": field})
    assert status == 403
    assert not (server.home / "notebooks").exists()


def test_pages_are_in_no_frame_and_load_nothing_from_elsewhere(browser):
    for path in ("/upramp/welcome", "/upramp/welcome/updates?copy=x"):
        _, headers, text = browser.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        for link in re.findall(r'(?:src|href|action)="([^"]*)"', text):
            assert link.startswith(("/user/ada/", "#")), link
        assert "<style" not in text
        assert " style=" not in text
        assert not re.search(r"<script(?! src)", text)


# ---- what they show ---------------------------------------------------------------------------


def test_the_first_visit_leads_to_the_welcome_and_later_ones_to_the_lab(server, browser):
    first = browser.get("/upramp/start")
    assert (first[0], location(first[1])) == (302, "/user/ada/upramp/welcome")
    assert location(browser.get("/upramp/start")[1]) == "/user/ada/lab"
    (server.home / ".local/share/upramp/welcomed").unlink()
    assert location(browser.get("/upramp/start")[1]) == "/user/ada/upramp/welcome"


def test_the_servers_own_address_leads_there(server):
    answer = server.ask("GET", "/", token=TOKEN)
    assert answer[0] == 302
    assert urllib.parse.urlsplit(location(answer[1])).path == "/user/ada/upramp/start"


def test_the_welcome_lists_what_there_is(browser):
    status, headers, text = browser.get("/upramp/welcome")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "NIRCAM F356W" in text
    assert "1\u20134 of 4." in text
    assert text.count("Open in the stage 1 notebook") == 2
    assert text.count("Stage 1 does not take exposures of this kind") == 1
    assert text.count("It cannot be read: ") == 1
    assert "Stage 1: from ramps to slopes" in text
    # What is not there yet is said to be, and is no link.
    for step in ("drawing it on the ramps", "one notebook over many exposures"):
        before, after = text.split(step)
        assert before.rstrip().endswith('<span class="tag">Coming</span>')
        assert "<a" not in after[: after.index("</li>")]


def test_whatever_is_in_the_archive_is_shown_as_text(browser):
    text = browser.get("/upramp/welcome")[2]
    assert "<img src=x" not in text
    assert "<script>" not in text
    assert "<b>no FITS" not in text
    assert "<i>ada" not in text
    assert "49_uncal" not in text
    assert str(markupsafe.escape(HOSTILE)) in text
    found = browser.get(f"/upramp/welcome?{urllib.parse.urlencode({'find': '<b>none'})}")[2]
    assert "None of 4 exposures matches “&lt;b&gt;none”" in found


def test_the_snippet_of_a_hostile_name_is_one_text(browser, archive):
    text = browser.get(f"/upramp/welcome?{urllib.parse.urlencode({'find': 'miri'})}")[2]
    (code,) = re.findall(r"upramp\.open\((.*?)\)\nexposure", html.unescape(text), re.DOTALL)
    import ast

    assert ast.literal_eval(code) == str(archive / "uncal" / HOSTILE)


@pytest.mark.parametrize("start", ["-1", "x", "99999999999999", "1e3", "٣", "3"])
def test_a_page_that_there_is_not_is_answered(browser, start):
    found = browser.get(f"/upramp/welcome?{urllib.parse.urlencode({'from': start})}")
    assert found[0] == 200


def test_pictures_are_of_the_list_only(browser):
    query = urllib.parse.urlencode({"exposure": ONE})
    status, headers, _ = browser.get(f"/upramp/welcome/picture?{query}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    for name in ("../secret_uncal.fits", "/etc/passwd", "", "jw9_uncal.fits", "x"):
        query = urllib.parse.urlencode({"exposure": name})
        assert browser.get(f"/upramp/welcome/picture?{query}")[0] == 404
    assert browser.get("/upramp/welcome/picture")[0] == 400


@pytest.mark.parametrize("name", ["..", "handlers.py", "..style.css", "welcome.html"])
def test_only_style_and_script_are_given(browser, name):
    assert browser.get(f"/upramp/welcome/static/{name}")[0] == 404
    assert browser.get("/upramp/welcome/static/style.css")[0] == 200


# ---- what they do -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../secret_uncal.fits", "/etc/passwd", "", f"./{ONE}", f"{ONE} "]
)
def test_only_an_exposure_of_the_list_is_opened(server, browser, name):
    before = sorted(server.home.rglob("*"))
    status, _, text = browser.post("/upramp/welcome/open", exposure=name)
    assert status == 404
    assert "the archive has no such exposure" in text
    assert sorted(server.home.rglob("*")) == before


@pytest.mark.parametrize("name", ["../detector1.ipynb", "/etc/passwd", "", "<b>"])
def test_only_a_notebook_of_the_list_is_copied(browser, name):
    status, _, text = browser.post("/upramp/welcome/copy", notebook=name)
    assert status == 404
    assert "carries no such notebook" in text
    assert "<b>" not in text


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".ssh/id", "<b>"])
def test_only_a_copy_that_is_known_is_compared_or_kept(browser, path):
    query = urllib.parse.urlencode({"copy": path})
    for answer in (
        browser.get(f"/upramp/welcome/updates?{query}"),
        browser.post("/upramp/welcome/updates", copy=path, choice="keep"),
        browser.post("/upramp/welcome/updates", copy=path, choice="beside"),
    ):
        assert answer[0] == 404
        assert "no copy that is known" in answer[2]
        assert "<b>" not in answer[2]


@pytest.mark.parametrize("name", [ONE, HOSTILE])
def test_an_exposure_is_opened_in_a_copy_of_its_own(server, browser, name):
    status, headers, _ = browser.post("/upramp/welcome/open", exposure=name)
    assert status == 303
    path = location(headers).removeprefix("/user/ada/lab/tree/")
    content = json.loads((server.home / path).read_bytes())
    (line,) = [
        line for cell in content["cells"] for line in cell["source"] if line.startswith("inputs")
    ]
    assert ast.literal_eval(line.partition(" = ")[2].partition("  #")[0]) == [name]
    assert html.escape(path) in browser.get("/upramp/welcome")[2]
    # As JupyterLab asks for it.
    answer = server.ask("GET", f"/api/contents/{urllib.parse.quote(path)}", token=TOKEN)
    assert (answer[0], json.loads(answer[2])["type"]) == (200, "notebook")


def test_an_update_is_shown_and_the_user_decides(server, browser):
    """The installed original is not to be changed: here the copy's record is of an older one."""
    assert browser.post("/upramp/welcome/copy", notebook="stage/detector1.ipynb")[0] == 303
    file = server.home / COPY
    older = json.loads(file.read_bytes())
    older["cells"][0]["source"] = "# <u>An older title</u>"
    mine = json.loads(json.dumps(older))
    mine["cells"].append({"cell_type": "code", "id": "mine", "metadata": {}, "source": "<mine>"})
    file.write_text(json.dumps(mine))
    import hashlib

    private = server.home / ".local/share/upramp"
    base = json.dumps(older).encode()
    digest = hashlib.sha256(base).hexdigest()
    (private / "originals" / f"{digest}.ipynb").write_bytes(base)
    records = json.loads((private / "copies.json").read_text())
    for record in records:
        if record["path"] == COPY:
            record["base"] = digest
    (private / "copies.json").write_text(json.dumps(records))
    saved = file.read_bytes()

    text = browser.get("/upramp/welcome")[2]
    assert "There is a newer version of the notebook" in text
    query = urllib.parse.urlencode({"copy": COPY})
    status, _, text = browser.get(f"/upramp/welcome/updates?{query}")
    assert status == 200
    new, yours = text.split("Changed by you")
    assert "<del>- # &lt;u&gt;An older title&lt;/u&gt;</del>" in new
    assert "<ins>+ # Stage 1: from ramps to slopes</ins>" in new
    assert "<ins>+ &lt;mine&gt;</ins>" in yours
    assert "<mine>" not in text

    assert browser.post("/upramp/welcome/updates", copy=COPY, choice="overwrite")[0] == 400
    status, headers, _ = browser.post("/upramp/welcome/updates", copy=COPY, choice="beside")
    assert status == 303
    beside = location(headers).removeprefix("/user/ada/lab/tree/")
    assert beside == "notebooks/stage/detector1-new.ipynb"
    assert b"An older title" not in (server.home / beside).read_bytes()
    assert "There is a newer version of the notebook" not in browser.get("/upramp/welcome")[2]
    assert browser.post("/upramp/welcome/updates", copy=COPY, choice="keep")[0] == 303
    assert file.read_bytes() == saved


def test_a_home_that_is_a_trap_is_told_and_not_followed(server, browser, tmp_path):
    (server.home / "notebooks").rename(server.home / "before")
    (server.home / "notebooks").symlink_to(tmp_path)
    try:
        status, _, text = browser.post("/upramp/welcome/open", exposure=ONE)
        assert status == 404
        assert "it is a link or a file, and a folder is needed" in text
        assert browser.get("/upramp/welcome")[0] == 200
        assert list(tmp_path.iterdir()) == []
    finally:
        (server.home / "notebooks").unlink()
        (server.home / "before").rename(server.home / "notebooks")


def test_the_archive_and_the_originals_are_to_be_read(server, archive):
    found = json.loads(server.ask("GET", "/api/contents/archive/uncal", token=TOKEN)[2])
    assert ONE in {each["name"] for each in found["content"]}
    for folder in ("archive/uncal", "notebooks-originals/stage"):
        request = urllib.request.Request(
            f"{server.url}/api/contents/{folder}/new.txt",
            json.dumps({"type": "file", "format": "text", "content": "x"}).encode(),
            {"Authorization": f"token {TOKEN}"},
            method="PUT",
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code == 403
        assert "to be read only" in caught.value.read().decode()
    assert not (archive / "uncal" / "new.txt").exists()
    original = "notebooks-originals/stage/detector1.ipynb"
    assert server.ask("GET", f"/api/contents/{original}?content=0", token=TOKEN)[0] == 200


def test_without_an_archive_the_page_says_so(tmp_path, archive):
    with stopping(HomeServer(tmp_path, archive, UPRAMP_ARCHIVE="mast")) as running:
        text = running.browser().get("/upramp/welcome")[2]
        assert "The archive of this hub is mast, which is no folder here." in text
        assert not (running.home / "archive").exists()
        assert "Stage 1: from ramps to slopes" in text
