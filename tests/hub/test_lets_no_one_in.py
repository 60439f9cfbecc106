"""One user against another, over the whole hub as it is started for people."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape

import aiohttp
import pytest
from hosted_hub import HostedHub
from running_routes import routes_of
from yarl import URL

from upramp_hub.accounts import Accounts
from upramp_hub.robot.cells import Cell

pytestmark = pytest.mark.hub

for package in ("jupyterhub", "jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

PASSWORDS = {"ada": "seven quiet lanterns", "bob": "nine violet kangaroos"}
SERVER_PATHS = [
    "lab",
    "tree",
    "files/secret.txt",
    "api/contents",
    "api/contents/secret.txt",
    "api/kernels",
    "api/sessions",
    "api/terminals",
    "api/status",
    "lab/api/workspaces",
]
EXAMPLES = {
    r"([0-9a-f-]{36})": "0" * 8 + 3 * "-0000" + "-" + "0" * 12,
    r"([a-z.]+)": "welcome.css",
    r"([a-z0-9.-]{1,32})": "ada",
}
"""What stands where a route has a pattern."""
FOR_EVERYBODY = {
    *((method, "/hub/login") for method in ("GET", "POST")),
    *((method, "/hub/accept") for method in ("GET", "POST")),
    *((method, "/health") for method in ("GET", "HEAD")),
    *((method, "/hub/api/health") for method in ("GET", "HEAD")),
}
"""Who signs in has not signed in yet; an invitation is asked for by its secret; whether the hub
is well, a monitor asks without one (and is told no more: see below)."""


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Give each method and address that a handler of upramp's answers, in hub or server."""
    found = set()
    for what, prefix in (("hub", ""), ("server", "/user/ada")):
        for pattern, module, methods in routes_of(what, tmp_path_factory.mktemp(what)):
            if not module.startswith("upramp"):
                continue
            path = pattern
            for each, example in EXAMPLES.items():
                path = path.replace(each, example)
            assert not set(path) & set("()[]{}^$*+"), f"give an example for {pattern}"
            found |= {(method, prefix + path) for method in methods}
    # One of each of those that there are: pages, what scripts ask, and what a hub adds late.
    assert found >= {
        ("GET", "/hub/accounts"),
        ("GET", "/user/ada/upramp/welcome"),
        ("PUT", "/user/ada/upramp/activity/warning"),
        ("GET", "/health"),
    }
    return sorted(found)


HUB_PATHS = [
    ("GET", "users"),
    ("GET", "users/ada"),
    ("GET", "users/ada/tokens"),
    ("POST", "users/ada/tokens"),
    ("POST", "users/ada/server"),
    ("DELETE", "users/ada/server"),
    ("DELETE", "users/ada"),
    ("POST", "users/ada/activity"),
    ("POST", "users/eve"),
    ("GET", "groups"),
    ("POST", "groups/proposal-1"),
    ("GET", "services"),
    ("GET", "proxy"),
    ("POST", "proxy"),
    ("POST", "shutdown"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    # As behind a web server on this machine, where users' kernels are too.
    running = HostedHub(tmp_path_factory.mktemp("hub"), trusted="127.0.0.1")
    accounts = Accounts(running.state)
    for name, password in PASSWORDS.items():
        accounts.accept(accounts.invite("admin", name=name), "", password)
    asyncio.run(start(running, "ada"))
    (running.state / "homes" / "ada" / "secret.txt").write_text("what ada found")
    yield running
    running.stop()


async def start(hub, name):
    async with hub.visitor(name, PASSWORDS[name]) as visitor:
        await visitor.start_server({}, 120, lambda: None)


async def status(visitor, method, path, **more):
    """Give the status of an answer, asked as a script of the user's own page would."""
    url = URL(hub_url(visitor) + path, encoded=True)
    headers = {**visitor._fetch(path), **more.pop("headers", {})}
    body = {} if method in {"POST", "PUT", "PATCH"} else None
    async with visitor._client.request(
        method, url, json=body, headers=headers, allow_redirects=False, **more
    ) as answer:
        text = await answer.text(errors="replace")
        assert "what ada found" not in text
        return answer.status, answer.headers.get("Location", "")


def hub_url(visitor):
    return visitor._base


@pytest.mark.parametrize("who", ["nobody", "bob"])
@pytest.mark.parametrize("path", SERVER_PATHS)
def test_a_server_answers_its_owner_alone(hub, who, path):
    async def scenario():
        if who == "nobody":
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"{hub.url}/user/ada/{path}", allow_redirects=False) as answer,
            ):
                return answer.status, answer.headers.get("Location", "")
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            return await status(bob, "GET", f"/user/ada/{path}")

    code, where = asyncio.run(scenario())
    if code == 302:  # a page sends to the login, and to nowhere else
        assert where.startswith("/hub/api/oauth2/authorize"), where
    else:
        assert code in {401, 403, 404}, code


def test_no_route_of_ours_is_open_without_a_login(hub, ours):
    async def scenario():
        found = {}
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            for method, path in ours:
                async with client.request(method, hub.url + path, allow_redirects=False) as answer:
                    where = answer.headers.get("Location", "")
                    found[method, path] = (answer.status, where)
        return found

    found = asyncio.run(scenario())
    assert not {
        route: answer
        for route, answer in found.items()
        if not (
            answer[0] in {200, 400, 403, 503}
            if route in FOR_EVERYBODY
            else is_refused(*route, *answer, ("/hub/api/oauth2/authorize", "/hub/login"))
        )
    }


def is_refused(method, _path, code, where, logins):
    """Say so: a page sends to the login and nowhere else, all others say no."""
    if code == 302:
        return method in {"GET", "HEAD"} and where.startswith(logins)
    return code in {401, 403}


def test_no_route_of_ours_serves_another_user(hub, ours):
    async def scenario():
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            return {
                (method, path): await status(bob, method, path)
                for method, path in ours
                if path.startswith("/user/ada/")
            }

    found = asyncio.run(scenario())
    assert found
    assert not {
        route: answer
        for route, answer in found.items()
        if not is_refused(*route, *answer, "/hub/api/oauth2/authorize")
    }


def test_a_page_of_another_s_server_ends_in_a_refusal(hub):
    async def scenario():
        async with (
            hub.visitor("bob", PASSWORDS["bob"]) as bob,
            bob._client.get(f"{hub.url}/user/ada/lab", headers=bob._navigation()) as answer,
        ):
            assert answer.status == 403
            assert "what ada found" not in await answer.text()

    asyncio.run(scenario())


@pytest.mark.parametrize(("method", "path"), HUB_PATHS)
@pytest.mark.parametrize("who", ["nobody", "bob"])
def test_the_hub_s_interface_serves_nobody_else_s_users(hub, who, method, path):
    async def scenario():
        if who == "bob":
            async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
                return (await status(bob, method, f"/hub/api/{path}"))[0]
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{hub.url}/hub/api/{path}", json={}) as answer,
        ):
            return answer.status

    code = asyncio.run(scenario())
    if (who, method, path) in {("bob", "GET", "users"), ("bob", "GET", "groups")}:
        assert code in {200, 403}  # of what is listed, nothing is another's: see below
    elif (who, method, path) == ("bob", "GET", "services"):
        assert code in {200, 403}
    else:
        assert code in {401, 403, 404}, code


def test_lists_hold_nobody_else(hub):
    async def scenario():
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            for path in ("users", "groups", "services"):
                url = f"{hub.url}/hub/api/{path}"
                async with bob._client.get(url, headers=bob._fetch(url)) as answer:
                    assert "ada" not in await answer.text()

    asyncio.run(scenario())


def test_websockets_of_another_s_kernels_and_other_origins_are_refused(hub):
    async def scenario():
        async with hub.visitor("ada", PASSWORDS["ada"]) as ada:
            await ada.open_lab()
            kernel = await ada.start_kernel()
            channel = f"{hub.url}/user/ada/api/kernels/{kernel}/channels"
            own = await ada.connect(kernel)
            await own.run(Cell("print('mine', 1)", "mine", lambda answer: answer == 1), 60)
            for origin in ("http://evil.example", "null", f"http://localhost:{hub.port}"):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await ada._client.ws_connect(channel, origin=origin)
                assert refused.value.status == 403
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await bob._client.ws_connect(channel, origin=hub.url)
            assert refused.value.status in {401, 403}

    asyncio.run(scenario())


@pytest.mark.parametrize("token", [None, "", "0" * 32])
def test_a_request_without_the_session_s_token_is_refused(hub, token):
    async def scenario():
        async with hub.visitor("ada", PASSWORDS["ada"]) as ada:
            await ada.open_lab()
            for method, path in (
                ("POST", "/user/ada/api/kernels"),
                ("PUT", "/user/ada/api/contents/new.txt"),
                ("POST", "/user/ada/upramp/activity/extend"),
                ("DELETE", "/hub/api/users/ada/server"),
                ("POST", "/hub/api/users/ada/tokens"),
            ):
                headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
                if token is not None:
                    headers["X-XSRFToken"] = token
                async with ada._client.request(
                    method, hub.url + path, json={}, headers=headers
                ) as answer:
                    assert answer.status == 403, (method, path, await answer.text())
            assert hub.servers()

    asyncio.run(scenario())


def test_a_narrow_token_opens_what_it_says_and_no_more(hub):
    async def scenario():
        async with hub.visitor("ada", PASSWORDS["ada"]) as ada:
            body = {"scopes": ["access:servers!user=ada", "read:users:name!user=ada"]}
            url = f"{hub.url}/hub/api/users/ada/tokens"
            async with ada._client.post(url, json=body, headers=ada._fetch(url)) as answer:
                assert answer.status == 201
                token = json.loads(await answer.text())["token"]
        async with aiohttp.ClientSession(headers={"Authorization": f"token {token}"}) as client:
            for method, path, expected in (
                ("GET", "/user/ada/api/contents", 200),
                ("GET", "/hub/api/users/ada", 200),
                ("DELETE", "/hub/api/users/ada/server", 403),
                ("GET", "/hub/api/users/bob", 404),
                ("GET", "/hub/metrics", 403),
            ):
                async with client.request(method, hub.url + path) as answer:
                    assert answer.status == expected, path

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "place",
    [
        "http://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "https:evil.example",
        "/hub/../..//evil.example",
        "\thttp://evil.example",
    ],
)
def test_a_login_leads_nowhere_else(hub, place):
    async def scenario():
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            url = URL(f"{hub.url}/hub/login").with_query(next=place)
            async with bob._client.get(
                url, headers=bob._navigation(), allow_redirects=False
            ) as answer:
                where = URL(answer.headers.get("Location", "/"))
                assert where.host in {None, "127.0.0.1"}
                assert not str(where).startswith(("//", "/\\"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "path",
    [
        "/user/bob/../ada/api/contents",
        "/user/bob/%2e%2e/ada/api/contents",
        "/user/bob%2f..%2fada/api/contents",
        "/user/ada%00/api/contents",
        "/user/bob/api/contents/..%2f..%2fada%2fsecret.txt",
        "/user/bob/files/..%2fada%2fsecret.txt",
        "/user/bob/api/contents/%2fetc%2fshadow",
    ],
)
def test_paths_play_no_tricks(hub, path):
    async def scenario():
        async with hub.visitor("bob", PASSWORDS["bob"]) as bob:
            if "/user/bob/api" in path or "/files/" in path:
                if not any("homes/bob" in str(p.environ().get("HOME")) for p in hub.servers()):
                    await bob.start_server({}, 120, lambda: None)
                await bob.open_lab()
            return (await status(bob, "GET", path))[0]

    assert asyncio.run(scenario()) in {302, 400, 401, 403, 404}


@pytest.mark.parametrize("beyond", [0, 1], ids=["proxy", "hub"])
def test_whoever_guesses_cannot_pretend_to_be_elsewhere_each_time(hub, beyond):
    async def scenario():
        url = f"http://127.0.0.1:{hub.port + beyond}/hub/login"
        form = {"username": f"someone{beyond}", "password": "a guess"}
        codes = []
        for number in range(6):
            address = {"X-Forwarded-For": f"203.0.113.{number}"}
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar, headers=address) as client:
                async with client.get(url) as page:
                    assert page.status == 200
                    xsrf = next(each.value for each in jar if each.key == "_xsrf")
                async with client.post(url, data={**form, "_xsrf": xsrf}) as said:
                    codes.append(said.status)
        return codes

    assert asyncio.run(scenario()) == [403, 403, 403, 403, 403, 429]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_are_for_this_site_alone_and_not_for_scripts(hub, scheme):
    async def scenario():
        jar = aiohttp.CookieJar(unsafe=True)
        headers = {"X-Forwarded-Proto": scheme}
        url = f"{hub.url}/hub/login"
        async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as client:
            async with client.get(url) as page:
                xsrf = re.search(r'name="_xsrf" value="([^"]+)"', await page.text())[1]
                sent = f"_xsrf={page.cookies['_xsrf'].value}"
            form = {"username": "bob", "password": PASSWORDS["bob"], "_xsrf": unescape(xsrf)}
            async with client.post(
                url, data=form, headers={"Cookie": sent}, allow_redirects=False
            ) as said:
                assert said.status == 302
                return [str(each) for each in said.cookies.values() if each.value]

    cookies = asyncio.run(scenario())
    assert any("jupyterhub-hub-login" in each for each in cookies)
    for each in cookies:
        assert "SameSite=Lax" in each, each
        if not each.startswith("Set-Cookie: _xsrf"):  # scripts of the page read that one
            assert ("Secure" in each) == (scheme == "https"), each
            assert "HttpOnly" in each, each


def test_another_site_s_page_gets_nothing_done(hub):
    async def scenario():
        async with hub.visitor("ada", PASSWORDS["ada"]) as ada:
            await ada.open_lab()
            for method, path in (
                ("POST", "/user/ada/api/kernels"),
                ("GET", "/user/ada/api/contents/secret.txt"),
                ("POST", "/hub/api/users/ada/tokens"),
                ("GET", "/hub/api/user"),
            ):
                headers = {
                    "Origin": "http://evil.example",
                    "Referer": "http://evil.example/page",
                    "Sec-Fetch-Site": "cross-site",
                    "Sec-Fetch-Mode": "cors",
                }
                async with ada._client.request(
                    method, hub.url + path, json=None, headers=headers
                ) as answer:
                    text = await answer.text()
                    allowed = answer.headers.get("Access-Control-Allow-Origin", "")
                    # What is not refused, the browser keeps from that page.
                    assert answer.status in {401, 403, 404} or not allowed, (path, text)
                    assert method == "GET" or answer.status in {401, 403}, (path, answer.status)

    asyncio.run(scenario())


def test_health_says_no_more_than_that_to_nobody(hub):
    async def scenario():
        async with aiohttp.ClientSession() as client, client.get(f"{hub.url}/health") as answer:
            # The archive of these tests is empty, which is not healthy; why, is not for everybody.
            assert answer.status == 503
            assert json.loads(await answer.text()) == {"status": "failing"}
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{hub.url}/hub/metrics") as answer,
        ):
            assert answer.status == 403

    asyncio.run(scenario())
