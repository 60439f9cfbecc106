"""The pages of accounts in a real JupyterHub: what they do, and whom they do not let in."""

from __future__ import annotations

import itertools
import json
import re
import threading
import urllib.parse

import pytest
from accounts_hub import CHEAP, PASSWORD, Browser, Hub
from proxy_process import stopping, until

from upramp_hub.accounts import Accounts, first_administrator, passwords

pytestmark = pytest.mark.hub

for package in ("jupyterhub", "tornado"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

OTHER = "nine violet kangaroos"
NUMBERS = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def _cheap():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COST", CHEAP)
        yield


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    (folder / "state").mkdir(mode=0o700)
    first = first_administrator(folder / "state")
    with stopping(Hub(folder)) as running:
        running.first = first
        running.accounts = Accounts(running.state)
        yield running


@pytest.fixture
def person(hub):
    """Make accounts, each with a name of its own."""

    def make(*, administrator=False, groups=(), password=PASSWORD):
        name = f"person-{next(NUMBERS)}"
        secret = hub.accounts.invite("x", name=name, groups=groups, administrator=administrator)
        hub.accounts.accept(secret, "", password)
        return name

    return make


@pytest.fixture
def administrator(hub, person):
    browser = Browser(hub)
    browser.name = person(administrator=True)
    assert browser.sign_in(browser.name).status == 302
    return browser


def token_of(address):
    return urllib.parse.urlsplit(address).fragment


def link_in(answer):
    found = re.search(r'id="link">(.*?)<', answer.text)
    assert found, answer.words
    return found[1]


# ---- what they do


def test_the_first_administrator_signs_in_and_is_led_to_a_password_of_their_own(hub):
    name, password = hub.first
    browser = Browser(hub)
    answer = browser.sign_in(name, password, "/hub/home")
    assert answer.status == 302
    assert answer.location == "/hub/password?next=%2Fhub%2Fhome"
    page = browser.get(answer.location)
    assert "password that the hub made up" in page.words
    assert 'href="/hub/home">Later' in page.text
    form = {"old": password, "new": OTHER, "again": OTHER, "next": "/hub/home"}
    changed = browser.send("/hub/password", form)
    assert (changed.status, changed.location) == (302, "/hub/home")
    assert browser.signed_in()
    assert Browser(hub).sign_in(name, password).status == 403
    assert Browser(hub).sign_in(name, OTHER).location == "/hub/home"


def test_an_invited_person_chooses_name_and_password_and_is_in(hub, administrator):
    made = administrator.send("/hub/accounts", {"groups": "proposal-1234, ramp", "own": PASSWORD})
    assert made.status == 200
    address = link_in(made)
    assert address.startswith(f"{hub.url}/hub/accept#")
    guest = Browser(hub)
    page = guest.send("/hub/accept", {"token": token_of(address)})
    assert page.status == 200
    assert page.hidden("token") == token_of(address)
    assert "proposal-1234, ramp" in page.words
    form = {
        "token": token_of(address),
        "name": "Vera.Rubin",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    accepted = guest.send("/hub/accept", form)
    assert accepted.status == 303, accepted.said
    assert accepted.location == "/hub/spawn"  # without the secret
    assert guest.signed_in()
    listed = administrator.get("/hub/accounts")
    assert "vera.rubin" in listed.words
    again = Browser(hub).send("/hub/accept", form)
    assert again.status == 403
    assert "used" in again.said


def test_groups_are_those_of_jupyterhub_and_a_server_is_told_its_proposals(hub, person):
    (hub.state / "proposals.toml").write_text('[groups]\nstaff = ["9999"]\n')
    name = person(groups=["proposal-00042", "staff", "other"])
    browser = Browser(hub)
    browser.sign_in(name)
    browser.get("/hub/spawn")
    file = hub.folder / f"{name}.environment"
    until(file.exists)
    assert json.loads(file.read_text())["UPRAMP_PROPOSALS"] == "42,9999"


def test_a_change_of_groups_counts_at_the_next_start(hub, administrator, person):
    name = person(groups=["proposal-1"])
    path = f"/hub/accounts/of/{name}"
    form = {"action": "groups", "groups": "proposal-2 proposal-3", "own": PASSWORD}
    changed = administrator.send(path, form)
    assert changed.status == 303, changed.said
    assert "were changed" in administrator.get(changed.location).words
    browser = Browser(hub)
    browser.sign_in(name)
    browser.get("/hub/spawn")
    file = hub.folder / f"{name}.environment"
    until(file.exists)
    assert json.loads(file.read_text())["UPRAMP_PROPOSALS"] == "2,3"


def test_a_reset_voids_password_and_sessions_at_once(hub, administrator, person):
    name = person()
    user = Browser(hub)
    user.sign_in(name)
    done = administrator.send(f"/hub/accounts/of/{name}", {"action": "reset", "own": PASSWORD})
    address = link_in(done)
    assert not user.signed_in()
    assert Browser(hub).sign_in(name).status == 403
    page = user.send("/hub/accept", {"token": token_of(address)})
    assert f"reset the account {name}" in page.words
    form = {"token": token_of(address), "password": OTHER, "again": OTHER, "name": "ignored"}
    assert user.send("/hub/accept", form).status == 303
    assert user.signed_in()
    assert Browser(hub).sign_in(name, OTHER).status == 302


def test_a_removed_user_is_out_and_the_name_stays_theirs(hub, administrator, person):
    name = person()
    user = Browser(hub)
    user.sign_in(name)
    done = administrator.send(f"/hub/accounts/of/{name}", {"action": "remove", "own": PASSWORD})
    assert (done.status, done.location) == (303, "/hub/accounts?done=removed")
    assert not user.signed_in()
    assert Browser(hub).sign_in(name).status == 403
    secret = hub.accounts.invite("x")
    form = {"token": secret, "name": name, "password": PASSWORD, "again": PASSWORD}
    refused = Browser(hub).send("/hub/accept", form)
    assert refused.status == 409
    assert "taken" in refused.said


def test_jupyterhub_s_own_removal_removes_the_account_too(hub, administrator, person):
    name = person()
    Browser(hub).sign_in(name)
    xsrf = administrator.get("/hub/accounts").hidden("_xsrf")
    done = administrator.request("DELETE", f"/hub/api/users/{name}?_xsrf={xsrf}")
    assert done.status == 204, done.text
    assert hub.accounts.find(name) is None
    assert Browser(hub).sign_in(name).status == 403


def test_an_administrator_can_be_made_and_unmade(hub, administrator, person):
    name = person()
    user = Browser(hub)
    user.sign_in(name)
    assert user.get("/hub/accounts").status == 403
    path = f"/hub/accounts/of/{name}"
    form = {"action": "administrator", "administrator": "yes", "own": PASSWORD}
    assert administrator.send(path, form).status == 303
    assert user.get("/hub/accounts").status == 200
    assert administrator.send(path, {**form, "administrator": "no"}).status == 303
    assert user.get("/hub/accounts").status == 403


def test_a_robot_whom_a_service_made_has_a_server_and_nobody_signs_in_as_it(hub, administrator):
    query = f"_xsrf={administrator.get('/hub/accounts').hidden('_xsrf')}"
    json_sent = {"Content-Type": "application/json"}
    path = "/hub/api/users/robot-001"
    assert administrator.request("POST", f"{path}?{query}", {}, json_sent).status == 201
    started = administrator.request("POST", f"{path}/server?{query}", {}, json_sent)
    assert started.status in {201, 202}, started.text
    assert (hub.folder / "robot-001.environment").exists()
    for password in ("", PASSWORD):
        assert Browser(hub).sign_in("robot-001", password).status == 403


# ---- a change of password ends what was begun with the old one


def test_a_change_of_password_ends_other_sessions_and_tokens_but_not_the_server(hub, person):
    name = person()
    here, elsewhere = Browser(hub), Browser(hub)
    here.sign_in(name)
    elsewhere.sign_in(name)
    here.get("/hub/spawn")
    file = hub.folder / f"{name}.environment"
    until(file.exists)
    of_server = json.loads(file.read_text())["JUPYTERHUB_API_TOKEN"]
    xsrf = elsewhere.get("/hub/token").text.split('xsrf_token: "')[1].split('"')[0]
    made = elsewhere.request(
        "POST",
        f"/hub/api/users/{name}/tokens?_xsrf={xsrf}",
        # A thief calls it what the hub calls those of servers.
        {},
        {"Content-Type": "application/json"},
    )
    assert made.status in {200, 201}, made.text
    stolen = json.loads(made.text)["token"]

    def works(token):
        answer = Browser(hub).get("/hub/api/user", Authorization=f"token {token}")
        return answer.status == 200

    assert works(stolen)
    assert works(of_server)
    changed = here.send("/hub/password", {"old": PASSWORD, "new": OTHER, "again": OTHER})
    assert changed.status == 303, changed.said
    assert here.signed_in()
    assert not elsewhere.signed_in()
    assert not works(stolen)
    assert works(of_server)


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"old": "wrong", "new": OTHER, "again": OTHER}, 403, "wrong"),
        ({"old": PASSWORD, "new": OTHER, "again": OTHER + "x"}, 400, "two different"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, 400, "too short"),
        ({"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}, 409, "old one"),
        ({}, 403, "wrong"),
    ],
)
def test_what_is_wrong_with_a_new_password_is_said(hub, person, form, status, words):
    browser = Browser(hub)
    browser.sign_in(person())
    answer = browser.send("/hub/password", form)
    assert answer.status == status
    assert words in answer.said
    assert browser.signed_in()


# ---- whom they do not let in

READ = ["/hub/accounts", "/hub/accounts/of/admin", "/hub/password"]
SENT = [
    ("/hub/accounts", {"name": "mallory"}),
    ("/hub/accounts/invitation", {"identity": "x"}),
    ("/hub/accounts/of/admin", {"action": "reset"}),
    ("/hub/password", {"old": PASSWORD, "new": OTHER, "again": OTHER}),
]


def test_every_route_is_among_those_that_are_tried():
    from upramp_hub.accounts.pages import HANDLERS

    tried = {path for path, _ in SENT} | {"/hub/login", "/hub/accept"}
    for pattern, _ in HANDLERS:
        assert any(re.fullmatch(f"/hub{pattern}", path) for path in tried), pattern
        assert len([p for p in tried if re.fullmatch(f"/hub{pattern}", p)]) == 1


@pytest.mark.parametrize("path", READ)
def test_without_a_login_a_page_sends_to_it(hub, path):
    answer = Browser(hub).get(path)
    assert answer.status == 302
    assert answer.location.startswith("/hub/login?next=")


@pytest.mark.parametrize(("path", "form"), SENT)
def test_without_a_login_a_form_is_refused(hub, path, form):
    assert Browser(hub).send(path, form, page="/hub/login").status == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [path for path, _ in SENT])
def test_other_methods_are_refused(hub, method, path):
    assert Browser(hub).request(method, path).status in {403, 405}


@pytest.mark.parametrize(("path", "form"), [each for each in SENT if "accounts" in each[0]])
def test_a_user_who_is_no_administrator_is_refused(hub, person, path, form):
    browser = Browser(hub)
    browser.sign_in(person())
    before = hub.accounts.all(), hub.accounts.invitations()
    assert browser.send(path, {**form, "own": PASSWORD}, page="/hub/password").status == 403
    if "invitation" not in path:
        assert browser.get(path).status == 403
    assert (hub.accounts.all(), hub.accounts.invitations()) == before


@pytest.mark.parametrize(("path", "form"), [*SENT, ("/hub/login", {"username": "admin"})])
@pytest.mark.parametrize("token", [None, "", "2|1:0|forged"])
def test_a_form_without_the_session_s_token_is_refused(hub, administrator, path, form, token):
    before = hub.accounts.all(), hub.accounts.invitations()
    form = {**form, "own": PASSWORD, "password": PASSWORD}
    answer = administrator.request(
        "POST", path, form if token is None else {**form, "_xsrf": token}
    )
    assert answer.status == 403
    assert (hub.accounts.all(), hub.accounts.invitations()) == before


def test_a_form_with_the_token_of_another_session_is_refused(hub, administrator, person):
    other = Browser(hub)
    other.sign_in(person())
    foreign = other.get("/hub/password").hidden("_xsrf")
    form = {"name": "mallory", "own": PASSWORD, "_xsrf": foreign}
    assert administrator.request("POST", "/hub/accounts", form).status == 403
    assert hub.accounts.find("mallory") is None


def test_a_script_of_a_user_s_server_cannot_read_the_pages(hub, administrator):
    for path in ("/hub/accounts", "/hub/password"):
        answer = administrator.get(
            path, **{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status == 403
        assert answer.hidden("_xsrf") is None


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/hub/accounts", {"name": "mallory", "administrator": "yes"}),
        ("/hub/accounts/of/admin", {"action": "reset"}),
        ("/hub/accounts/of/admin", {"action": "remove"}),
        ("/hub/accounts/of/admin", {"action": "groups", "groups": "x"}),
        ("/hub/accounts/of/admin", {"action": "administrator", "administrator": "no"}),
    ],
)
def test_power_is_neither_given_nor_taken_without_the_administrator_s_password(
    hub, administrator, path, form
):
    before = hub.accounts.all(), hub.accounts.invitations()
    answer = administrator.send(path, {**form, "own": "a guess at the password"})
    assert answer.status == 403
    assert "Your own password" in answer.said
    assert (hub.accounts.all(), hub.accounts.invitations()) == before


def test_an_unknown_action_is_refused(hub, administrator):
    answer = administrator.send("/hub/accounts/of/admin", {"action": "promote", "own": PASSWORD})
    assert answer.status == 400


def test_nobody_removes_or_resets_themselves(hub, administrator):
    for action in ("remove", "reset"):
        path = f"/hub/accounts/of/{administrator.name}"
        answer = administrator.send(path, {"action": action, "own": PASSWORD})
        assert answer.status == 409
        assert "your own" in answer.said


def test_reading_changes_nothing(hub, administrator, person):
    name = person()
    secret = hub.accounts.invite("x", name="reader-of-nothing")
    before = hub.accounts.all(), hub.accounts.invitations()
    identity = before[1][0].identity
    for path in (
        f"/hub/accounts?name=mallory&own={PASSWORD.replace(' ', '+')}",
        f"/hub/accounts/invitation?identity={identity}",
        f"/hub/accounts/of/{name}?action=remove&own={PASSWORD.replace(' ', '+')}",
        f"/hub/accept?token={secret}&password={OTHER.replace(' ', '+')}",
        "/hub/password?old=a&new=b&again=b",
    ):
        administrator.get(path)
        assert (hub.accounts.all(), hub.accounts.invitations()) == before


@pytest.mark.parametrize(
    "path",
    [
        "/hub/accounts/of/..%2f..%2fadmin",
        "/hub/accounts/of/../admin",
        "/hub/accounts/of/admin%00",
        "/hub/accounts/of/%E2%84%AAelvin",
        "/hub/accounts/of/no-such-person",
    ],
)
def test_a_path_that_is_no_name_is_no_page(administrator, path):
    assert administrator.get(path).status == 404


@pytest.mark.parametrize(
    "name",
    ["../../etc", "a/b", "a..b", "ada%2f", "\u212aelvin", "\u0430dmin", "root", "1234", "a", "-a"],
)
def test_names_that_are_more_than_names_are_refused(hub, administrator, name):
    answer = administrator.send("/hub/accounts", {"name": name, "own": PASSWORD})
    assert answer.status == 400
    assert "name" in answer.said
    assert "<script" not in answer.said
    secret = hub.accounts.invite("x")
    form = {"token": secret, "name": name, "password": PASSWORD, "again": PASSWORD}
    refused = Browser(hub).send("/hub/accept", form)
    assert refused.status == 400


def test_what_was_typed_comes_back_as_text(administrator):
    typed = '"><script>alert(1)</script>'
    answer = administrator.send("/hub/accounts", {"name": typed, "groups": typed, "own": PASSWORD})
    assert answer.status == 400
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_the_kelvin_sign_signs_nobody_in(hub):
    name = "kelvin"
    hub.accounts.accept(hub.accounts.invite("x", name=name), "", PASSWORD)
    assert Browser(hub).sign_in("\u212aelvin").status == 403
    assert Browser(hub).sign_in("Kelvin ").status == 302


def test_a_form_without_its_fields_is_a_mistake_in_words(hub):
    for form in ({}, {"username": "ada"}, {"password": PASSWORD}):
        answer = Browser(hub).send("/hub/login", form)
        assert answer.status == 400
        assert "no name and no password" in answer.words


def test_the_name_of_a_user_that_jupyterhub_knows_otherwise_cannot_be_chosen(hub, administrator):
    xsrf = administrator.get("/hub/accounts").hidden("_xsrf")
    made = administrator.request(
        "POST", f"/hub/api/users/left-over?_xsrf={xsrf}", {}, {"Content-Type": "application/json"}
    )
    assert made.status == 201, made.text
    secret = hub.accounts.invite("x")
    form = {"token": secret, "name": "left-over", "password": PASSWORD, "again": PASSWORD}
    refused = Browser(hub).send("/hub/accept", form)
    assert (refused.status, "taken" in refused.said) == (409, True)


# ---- where one is sent


def test_a_password_made_beside_the_hub_ends_what_was_signed_in(hub, person):
    name = person()
    browser = Browser(hub)
    assert browser.sign_in(name, PASSWORD).status == 302
    assert browser.get("/hub/home").status == 200
    password = hub.accounts.make_new_password(name)
    # Signed in anew first: that one stays, what was there before goes.
    fresh = Browser(hub)
    assert fresh.sign_in(name, password).status == 302
    until(lambda: browser.get("/hub/home").status == 302, 5)
    assert "/hub/login" in browser.get("/hub/home").location
    assert fresh.get("/hub/home").status in {200, 302}
    assert "/hub/login" not in (fresh.get("/hub/home").location or "")


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    " //evil.example",
    "http://127.0.0.1@evil.example/",
]


@pytest.mark.parametrize("following", ELSEWHERE)
def test_nobody_is_sent_elsewhere(hub, person, following):
    browser = Browser(hub)
    # One that has to be changed, so that the address is handed on through two pages.
    name = person()
    password = hub.accounts.make_new_password(name)
    answer = browser.sign_in(name, password, following)
    assert answer.status == 302
    form = {"old": password, "new": OTHER, "again": OTHER, "next": following}
    page = browser.get(answer.location)
    changed = browser.send("/hub/password", form)
    secret = hub.accounts.reset(name, "x")
    form = {"token": secret, "password": PASSWORD, "again": PASSWORD, "next": following}
    accepted = browser.send("/hub/accept", form)
    handed_on = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.location).query)["next"]
    for location in (answer.location, *handed_on, changed.location, accepted.location):
        # As a browser reads it: without tabs and line ends, a backslash as a slash.
        read = re.sub(r"[\t\r\n]", "", location).replace("\\", "/")
        target = urllib.parse.urlsplit(urllib.parse.urljoin(hub.url, read))
        assert target.netloc == f"127.0.0.1:{hub.port}", location
    later = re.search(r'href="([^"]*)">Later', page.text)
    assert later is None or re.match(r"/(?![/\\])", later[1]), later[1]


# ---- too many wrong passwords


def test_a_guesser_has_to_wait_and_the_user_elsewhere_does_not(hub, person):
    name = person()
    at_home = Browser(hub, "198.51.100.7")
    assert at_home.sign_in(name).status == 302
    guesser = Browser(hub, "203.0.113.66")
    answers = [guesser.sign_in(name, f"guess number {n}") for n in range(6)]
    assert [each.status for each in answers] == [403] * 5 + [429]
    assert answers[0].said == "Invalid username or password"
    assert re.search(r"too many wrong passwords; try again in \d+ seconds\.", answers[-1].said)
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    # The right password does not help, and tells nothing.
    assert guesser.sign_in(name).status == 429
    assert Browser(hub, "198.51.100.7").sign_in(name).status == 302
    # What a client says itself about where it is does not count.
    for liar in ({"X-Real-Ip": "192.0.2.1"}, {}):
        browser = Browser(hub, "192.0.2.1, 203.0.113.66")
        xsrf = browser.get("/hub/login").hidden("_xsrf")
        form = {"username": name, "password": "guess", "_xsrf": xsrf}
        assert browser.request("POST", "/hub/login", form, liar).status in {403, 429}
        assert browser.sign_in(name, "guess").status == 429


def test_an_unknown_name_is_treated_as_one_that_there_is(hub):
    guesser = Browser(hub, "203.0.113.77")
    answers = [guesser.sign_in("nobody-here", f"guess number {n}") for n in range(6)]
    assert [each.status for each in answers] == [403] * 5 + [429]
    assert answers[0].said == "Invalid username or password"


def test_many_at_once_guess_no_more_than_one_after_another(hub, person):
    name = person()
    browsers = [Browser(hub, "203.0.113.88") for _ in range(12)]
    statuses = []

    def guess(browser):
        statuses.append(browser.sign_in(name, "one guess of many").status)

    threads = [threading.Thread(target=guess, args=(each,)) for each in browsers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses)[:5] == [403] * 5
    # As many more may be under way as are looked at together.
    assert statuses.count(403) <= 6
    assert statuses.count(429) >= 6


def test_the_password_s_page_is_no_way_around_it(hub, person):
    name = person()
    browser = Browser(hub, "203.0.113.99")
    browser.sign_in(name)
    form = {"old": "a guess", "new": OTHER, "again": OTHER}
    statuses = [browser.send("/hub/password", form).status for _ in range(6)]
    assert statuses == [403] * 5 + [429]


# ---- what is kept and said


def test_neither_passwords_nor_secrets_are_in_logs_or_files(hub, administrator):
    secret, typo = "Tr0ub4dor-and-friends", "typed-in-the-wrong-field"
    made = administrator.send("/hub/accounts", {"name": "discreet", "own": PASSWORD})
    token = token_of(link_in(made))
    guest = Browser(hub)
    form = {"token": token, "password": secret, "again": secret}
    wrong = {**form, "again": "x"}
    assert guest.send("/hub/accept", wrong).status == 400
    assert guest.send("/hub/accept", form).status == 303
    Browser(hub).sign_in("discreet", secret)
    Browser(hub).sign_in("discreet", secret + "x")
    Browser(hub).sign_in(typo, "whatever")
    Browser(hub).request("POST", "/hub/login", {"username": "discreet", "password": secret})
    written = [hub.log, *hub.state.iterdir(), *hub.folder.glob("*.sqlite*")]
    assert any("discreet" in each.read_text(errors="replace") for each in written)
    for file in written:
        content = file.read_bytes()
        for each in (secret, token, typo, PASSWORD, OTHER):
            assert each.encode() not in content, (file, each)


def test_pages_are_kept_nowhere_and_their_addresses_told_nobody(hub, administrator):
    for browser, path in ((administrator, "/hub/accounts"), (Browser(hub), "/hub/accept")):
        headers = browser.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "strict-origin"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_restart_of_the_hub_signs_nobody_out_and_forgives_nobody(hub, person):
    name = person()
    browser = Browser(hub)
    browser.sign_in(name)
    browser.get("/hub/spawn")
    file = hub.folder / f"{name}.environment"
    until(file.exists)
    token = json.loads(file.read_text())["JUPYTERHUB_API_TOKEN"]
    guesser = Browser(hub, "203.0.113.111")
    for number in range(5):
        guesser.sign_in("somebody", f"guess number {number}")
    with hub.accounts.database.changing() as connection:
        # The wait may be over by the time that the hub is up again.
        connection.execute("UPDATE wrong SET locked = locked + 300")
    hub.restart()
    assert browser.signed_in()
    assert guesser.sign_in("somebody", "guess").status == 429
    # Nor does a server that it started before lose it when its user changes the password.
    browser.send("/hub/password", {"old": PASSWORD, "new": OTHER, "again": OTHER})
    assert Browser(hub).sign_in(name).status == 403
    of_server = Browser(hub).get("/hub/api/user", Authorization=f"token {token}")
    assert of_server.status == 200
