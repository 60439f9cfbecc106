"""Sign-in by a provider of OpenID Connect: the whole flow, and all that is refused in it."""

from __future__ import annotations

import itertools
import json
import re
import stat
import urllib.parse

import jwt
import pytest
from accounts_hub import Browser, Hub
from cryptography.hazmat.primitives.asymmetric import rsa
from oidc_provider import Provider
from proxy_process import free_port, stopping, until

from upramp.errors import UsageError
from upramp_hub.oidc import Client, ProviderError, discover
from upramp_hub.settings import Settings

pytestmark = pytest.mark.hub

for package in ("jupyterhub", "oauthenticator", "jwt"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

NUMBERS = itertools.count()
ELSEWHERE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def module_provider():
    with stopping(Provider()) as running:
        yield running


@pytest.fixture(scope="module")
def hub(tmp_path_factory, module_provider):
    folder = tmp_path_factory.mktemp("hub")
    secret = folder / "secret"
    secret.touch(0o600)
    secret.write_text(module_provider.secret + "\n")
    port = free_port()
    module_provider.redirects.add(f"http://127.0.0.1:{port}/hub/oauth_callback")
    hub = Hub(
        folder,
        port,
        UPRAMP_HUB_AUTHENTICATOR="oidc",
        UPRAMP_HUB_OIDC_ISSUER=module_provider.issuer,
        UPRAMP_HUB_OIDC_CLIENT_ID=module_provider.client,
        UPRAMP_HUB_OIDC_CLIENT_SECRET_FILE=str(secret),
        UPRAMP_HUB_OIDC_ALLOWED_GROUPS="astronomers, hub staff",
        UPRAMP_HUB_OIDC_ADMIN_GROUPS="hub staff",
        UPRAMP_HUB_OIDC_TITLE="The Institute",
    )
    with stopping(hub) as running:
        yield running


@pytest.fixture
def provider(module_provider):
    yield module_provider
    module_provider.lie = {}
    module_provider.down = False
    module_provider.code_lifetime = 60


@pytest.fixture
def person(provider):
    def make(groups=("astronomers",), **claims):
        number = next(NUMBERS)
        name = f"person{number}"
        provider.people[name] = {
            "sub": f"subject-{number}",
            "preferred_username": name,
            "groups": list(groups),
            **claims,
        }
        return name

    return make


def begun(browser, following="/hub/home"):
    """Go from the hub to the provider, and give its form."""
    query = urllib.parse.urlencode({"next": following})
    answer = browser.get(f"/hub/oauth_login?{query}")
    assert answer.status == 302
    form = browser.get(answer.location)
    assert form.status == 200, form.text
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.text)), answer.location


def agreed(browser, provider, name, following="/hub/home"):
    """Sign in at the provider, and give the address that it sends back to."""
    form, _ = begun(browser, following)
    answer = browser.request("POST", f"{provider.issuer}/consent", {**form, "person": name})
    assert answer.status == 303, answer.text
    return answer.location


def sign_in(browser, provider, name, following="/hub/home"):
    return browser.get(agreed(browser, provider, name, following))


# ---- who is let in


def test_the_whole_flow(hub, provider, person):
    name = person(["astronomers", "proposal-1234"])
    browser = Browser(hub)
    assert "Sign in with The Institute" in browser.get("/hub/login").words
    _, address = begun(browser)
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{hub.url}/hub/oauth_callback"]
    assert set(asked["scope"][0].split()) >= {"openid"}
    answer = sign_in(browser, provider, name, "/hub/home?a=b")
    assert (answer.status, answer.location) == (302, "/hub/home?a=b")
    home = browser.get("/hub/home")
    assert home.status == 200
    assert name in home.words
    browser.get("/hub/spawn")
    file = hub.folder / f"{name}.environment"
    until(file.exists)
    told = json.loads(file.read_text())
    assert told["UPRAMP_PROPOSALS"] == "1234"
    assert not [k for k, v in told.items() if "access_token" in v.lower()]


def test_members_of_the_admins_groups_administrate_and_others_do_not(hub, provider, person):
    for groups, status in ((["hub staff"], 200), (["astronomers"], 403)):
        browser = Browser(hub)
        assert sign_in(browser, provider, person(groups)).status == 302
        assert browser.get("/hub/admin").status == status


@pytest.mark.parametrize("groups", [[], ["others"], ["Astronomers"], "astronomers, x", None, {}])
def test_who_is_in_no_allowed_group_is_refused(hub, provider, person, groups):
    name = person()
    provider.people[name]["groups"] = groups
    browser = Browser(hub)
    answer = sign_in(browser, provider, name)
    assert answer.status == 403
    assert browser.get("/hub/home").status == 302


def test_one_group_may_be_given_as_itself(hub, provider, person):
    name = person()
    provider.people[name]["groups"] = "astronomers"
    assert sign_in(Browser(hub), provider, name).status == 302


@pytest.mark.parametrize(
    "claim",
    [
        None,
        "",
        7,
        ["ada"],
        "../ada",
        "ada@elsewhere.org",
        "\u212aelvin",
        "\u0430da",
        "a/b",
        "a" * 40,
    ],
)
def test_what_cannot_be_a_name_is_refused(hub, provider, person, claim):
    answer = sign_in(Browser(hub), provider, person(preferred_username=claim))
    assert answer.status == 403
    assert "cannot be the name" in answer.words


def test_a_name_is_its_first_owner_s(hub, provider, person):
    first, second = person(), person()
    assert sign_in(Browser(hub), provider, first).status == 302
    provider.people[second]["preferred_username"] = first.upper()
    answer = sign_in(Browser(hub), provider, second)
    assert answer.status == 403
    assert "somebody else" in answer.words
    assert sign_in(Browser(hub), provider, first).status == 302


# ---- what is forged


def test_an_answer_without_this_browser_s_state_is_refused(hub, provider, person):
    mine = agreed(Browser(hub), provider, person())
    victim = Browser(hub)
    # Without any sign-in begun, and with another begun: a code of somebody else's is not taken.
    assert victim.get(mine).status == 400
    begun(victim)
    answer = victim.get(mine)
    assert answer.status == 400
    assert "state mismatch" in answer.words
    assert victim.get("/hub/home").status == 302


def test_a_state_that_was_changed_is_refused(hub, provider, person):
    browser = Browser(hub)
    address = agreed(browser, provider, person())
    for changed in (re.sub(r"state=[^&]*", "state=x", address), address.split("&state")[0]):
        assert browser.get(changed).status == 400
    assert browser.get("/hub/home").status == 302


def test_a_forged_a_used_and_an_expired_code_are_refused(hub, provider, person):
    name = person()
    browser = Browser(hub)
    forged = re.sub(r"code=[^&]*", "code=forged", agreed(browser, provider, name))
    answer = browser.get(forged)
    assert answer.status == 403
    assert "does not accept the code" in answer.words
    provider.code_lifetime = -1
    assert sign_in(browser, provider, name).status == 403
    provider.code_lifetime = 60
    used = agreed(browser, provider, name)
    assert browser.get(used).status == 302
    again = Browser(hub)
    form, _ = begun(again)
    replayed = re.sub(r"state=[^&]*", f"state={urllib.parse.quote(form['state'])}", used)
    assert again.get(replayed).status == 403
    assert again.get("/hub/home").status == 302


def test_a_code_that_was_stolen_is_no_use_in_another_browser(hub, provider, person):
    stolen = agreed(Browser(hub), provider, person())
    thief = Browser(hub)
    form, _ = begun(thief)
    # With a state of the thief's own, but without the verifier that the code is bound to.
    address = re.sub(r"state=[^&]*", f"state={urllib.parse.quote(form['state'])}", stolen)
    assert thief.get(address).status == 403
    assert thief.get("/hub/home").status == 302


LIES = {
    "another's signature": {"key": ELSEWHERE},
    "a key that there is not": {"key": ELSEWHERE, "kid": "mine"},
    "no signature": {"key": None, "alg": "none"},
    "the client's secret as key": {
        "key": "of the client, made long enough to be a key",
        "alg": "HS256",
    },
    "for another client": {"id_token": {"aud": "somebody-else"}},
    "for two, by another": {"id_token": {"aud": ["upramp", "x"], "azp": "x"}},
    "from another provider": {"id_token": {"iss": "https://evil.example"}},
    "long ago": {"id_token": {"exp": 1_000_000_000}},
    "not yet": {"id_token": {"iat": 4_000_000_000, "nbf": 4_000_000_000}},
    "of another person": {"id_token": {"sub": "somebody else"}},
    "userinfo of another person": {"info": {"sub": "somebody else"}},
    "none at all": {"no id_token": True},
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_an_identity_that_is_not_signed_for_us_is_refused(hub, provider, person, lie):
    name = person()
    provider.lie = LIES[lie]
    browser = Browser(hub)
    answer = sign_in(browser, provider, name)
    assert answer.status == 403, answer.words
    assert browser.get("/hub/home").status == 302
    provider.lie = {}
    assert sign_in(browser, provider, name).status == 302


def test_keys_are_fetched_again_when_there_is_a_new_one_but_not_for_everybody(
    hub, provider, person
):
    assert sign_in(Browser(hub), provider, person()).status == 302
    provider.asked.clear()
    provider.lie = {"key": ELSEWHERE, "kid": "unknown"}
    for _ in range(3):
        assert sign_in(Browser(hub), provider, person()).status == 403
    assert provider.asked.count("/jwks") <= 1


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "///evil.example",
    ],
)
def test_nobody_is_sent_elsewhere(hub, provider, person, following):
    answer = sign_in(Browser(hub), provider, person(), following)
    assert answer.status == 302
    read = re.sub(r"[\t\r\n]", "", answer.location).replace("\\", "/")
    target = urllib.parse.urlsplit(urllib.parse.urljoin(hub.url, read))
    assert target.netloc == f"127.0.0.1:{hub.port}"


def test_a_refusal_by_the_provider_is_said_as_text(hub, provider):
    browser = Browser(hub)
    form, _ = begun(browser)
    answer = browser.request("POST", f"{provider.issuer}/consent", {**form, "person": "nobody"})
    assert "error=access_denied" in answer.location
    assert browser.get(answer.location).status == 400
    said = browser.get("/hub/oauth_callback?error=x&error_description=%3Cscript%3Ealert(1)")
    assert "<script>alert(1)" not in said.text


# ---- what changes at the provider


def test_who_leaves_the_groups_is_out_at_the_next_look_and_while_it_is_down_people_stay(
    hub, provider, person
):
    name, other = person(), person()
    browser, stays = Browser(hub), Browser(hub)
    sign_in(browser, provider, name)
    sign_in(stays, provider, other)
    provider.people[name]["groups"] = []
    # A start looks at once, whatever was looked at when.
    answer = browser.get("/hub/spawn")
    assert answer.status == 403, answer.words
    assert "login again" in answer.words
    assert browser.get("/hub/home").status == 302
    provider.down = True
    hub.restart()  # the endpoints are remembered, and all is looked at anew
    assert stays.get("/hub/home").status == 200
    provider.down = False
    provider.revoke()
    hub.restart()
    assert stays.get("/hub/home").status == 302


def test_neither_secrets_nor_codes_are_written_openly(hub, provider, person):
    browser = Browser(hub)
    address = agreed(browser, provider, person())
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["code"][0]
    assert browser.get(address).status == 302
    token = provider._used[code]
    for file in (hub.log, *hub.state.iterdir(), *hub.folder.glob("*.sqlite*")):
        content = file.read_bytes()
        for each in (code, token, provider.secret):
            assert each.encode() not in content, (file, each)
    for file in hub.state.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


# ---- what is configured


@pytest.fixture
def variables(tmp_path):
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("of the client\n")
    return {
        "UPRAMP_HUB_OIDC_ISSUER": "https://sso.example.org/realms/stars",
        "UPRAMP_HUB_OIDC_CLIENT_ID": "hub",
        "UPRAMP_HUB_OIDC_CLIENT_SECRET_FILE": str(secret),
        "UPRAMP_HUB_OIDC_ALLOWED_GROUPS": "astronomers, the staff ,,",
    }


def test_variables_are_read(variables, tmp_path):
    client = Client.from_environment(Settings(state=tmp_path), variables)
    assert client.secret == "of the client"
    assert client.allowed_groups == {"astronomers", "the staff"}
    assert client.callback == "http://127.0.0.1:8000/hub/oauth_callback"
    assert client.username_claim == "preferred_username"


@pytest.mark.parametrize("name", ["ISSUER", "CLIENT_ID", "CLIENT_SECRET_FILE", "ALLOWED_GROUPS"])
def test_a_missing_variable_is_named_in_one_sentence(variables, tmp_path, name):
    for value in (None, "", "  "):
        variables[f"UPRAMP_HUB_OIDC_{name}"] = value
        if value is None:
            del variables[f"UPRAMP_HUB_OIDC_{name}"]
        with pytest.raises(UsageError, match=f"^UPRAMP_HUB_OIDC_{name}: it is not set; set it to"):
            Client.from_environment(Settings(state=tmp_path), variables)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ISSUER", "http://sso.example.org", "https"),
        ("ISSUER", "http://127.0.0.1.example.org", "https"),
        ("ISSUER", "http://localhost@example.org", "https"),
        ("ISSUER", "ftp://127.0.0.1", "https"),
        ("ISSUER", "sso.example.org", "https"),
        ("CALLBACK_URL", "http://hub.example.org/hub/oauth_callback", "https"),
        ("CALLBACK_URL", "https://hub.example.org/", "end it with /hub/oauth_callback"),
        ("CLIENT_SECRET_FILE", "/nowhere", "cannot be read"),
        ("SCOPES", "profile", "openid"),
    ],
)
def test_a_value_that_cannot_be_is_refused(variables, tmp_path, name, value, words):
    variables[f"UPRAMP_HUB_OIDC_{name}"] = value
    with pytest.raises(UsageError, match=words):
        Client.from_environment(Settings(state=tmp_path), variables)


def test_a_secret_that_everybody_can_read_or_that_is_none_is_refused(variables, tmp_path):
    file = tmp_path / "secret"
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod o="):
        Client.from_environment(Settings(state=tmp_path), variables)
    file.chmod(0o600)
    file.write_text("\n")
    with pytest.raises(UsageError, match="empty"):
        Client.from_environment(Settings(state=tmp_path), variables)


def test_a_provider_is_asked_where_its_endpoints_are_and_remembered(provider, tmp_path):
    found = discover(provider.issuer, tmp_path)
    assert found["token_endpoint"] == f"{provider.issuer}/token"
    provider.down = True
    assert discover(provider.issuer, tmp_path) == found
    (tmp_path / "oidc-provider.json").unlink()
    with pytest.raises(ProviderError, match="does not answer"):
        discover(provider.issuer, tmp_path)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"issuer": "https://evil.example"}, "otherwise"),
        ({"token_endpoint": None}, "no token_endpoint"),
        ({"userinfo_endpoint": "http://example.org/u"}, "userinfo_endpoint is not an https"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri is not an https"),
    ],
)
def test_a_provider_that_says_what_cannot_be_is_refused(provider, tmp_path, lie, words):
    provider.lie = {"discovery": lie}
    with pytest.raises(ProviderError, match=words):
        discover(provider.issuer, tmp_path)
    assert not (tmp_path / "oidc-provider.json").exists()


def test_what_was_remembered_of_another_provider_is_not_used(provider, tmp_path):
    discover(provider.issuer, tmp_path)
    port = free_port()
    with pytest.raises(ProviderError, match="does not answer"):
        discover(f"http://127.0.0.1:{port}", tmp_path)


def test_a_name_may_be_the_part_before_the_institution_s_domain():
    from upramp_hub.oidc import Answer, OidcAuthenticator

    found = OidcAuthenticator(domain="stars.org", username_claim="email")
    told = {"email": "Ada.Lovelace@Stars.org", "email_verified": True}
    assert found.user_info_to_username(told) == "ada.lovelace"
    for changes in (
        {"email": "ada.lovelace@evil.org"},
        {"email": "ada.lovelace@evilstars.org"},
        {"email": "ada.lovelace"},
        {"email": "x@y@stars.org"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
    ):
        with pytest.raises(Answer):
            found.user_info_to_username({**told, **changes})


def test_the_provider_of_the_tests_signs_what_others_can_check(provider):
    token = jwt.encode({"a": 1}, provider.keys["first"], "RS256")
    assert jwt.decode(token, provider.keys["first"].public_key(), ["RS256"]) == {"a": 1}
