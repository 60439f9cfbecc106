"""The routes over HTTP, as JupyterHub drives them."""

from __future__ import annotations

import http.client
import time
from datetime import UTC, datetime, timedelta

import pytest
from proxy_process import TOKEN, Proxy, environment, stopping


@pytest.fixture(scope="module")
def proxy():
    with stopping(Proxy("--default-target", "http://127.0.0.1:9")) as running:
        yield running


def test_there_is_the_hubs_route_from_the_start(proxy):
    status, routes = proxy.api()
    assert status == 200
    assert routes["/"]["target"] == "http://127.0.0.1:9"


def test_a_route_comes_and_goes(proxy):
    data = {
        "target": "http://127.0.0.1:7777",
        "user": "ada",
        "server_name": "",
        "jupyterhub": True,
    }
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert proxy.api("POST", "/user/ada", data) == (201, None)
    status, route = proxy.api(path="/user/ada")
    assert status == 200
    moment = datetime.fromisoformat(route.pop("last_activity"))
    assert before <= moment <= datetime.now(UTC)
    assert route == data
    assert set(proxy.api()[1]) == {"/", "/user/ada"}
    assert proxy.api("DELETE", "/user/ada") == (204, None)
    assert proxy.api("DELETE", "/user/ada")[0] == 404
    assert proxy.api(path="/user/ada")[0] == 404
    assert set(proxy.api()[1]) == {"/"}


def test_a_name_that_has_to_be_encoded(proxy):
    path = "/user/ada%40example.org/my%20server"
    assert proxy.api("POST", path, {"target": "http://127.0.0.1:7777"})[0] == 201
    assert "/user/ada@example.org/my server" in proxy.api()[1]
    assert proxy.api(path=path + "/")[0] == 200
    assert proxy.api("DELETE", path)[0] == 204


def test_a_route_is_replaced(proxy):
    for port in (7001, 7002):
        proxy.route("/user/twice", f"http://127.0.0.1:{port}")
    assert proxy.api(path="/user/twice")[1]["target"] == "http://127.0.0.1:7002"
    assert proxy.api("DELETE", "/user/twice")[0] == 204


@pytest.mark.parametrize("name", ["inactive_since", "inactiveSince"])
def test_routes_that_were_not_used_since(proxy, name):
    proxy.route("/user/old", "http://127.0.0.1:7777")
    time.sleep(0.01)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    for moment in (soon, soon.replace("+00:00", "Z"), soon.replace("+", "%2B"), soon[:19]):
        assert "/user/old" in proxy.api(path=f"?{name}={moment}")[1]
    assert proxy.api(path=f"?{name}=2001-01-01T00:00:00Z") == (200, {})
    assert proxy.api(path=f"?{name}=yesterday")[0] == 400


@pytest.mark.parametrize(
    "token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é", f"{TOKEN} {TOKEN}"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_without_the_token_nothing_is_told_or_changed(proxy, method, token):
    token = token and token.encode().decode("latin-1")
    status, text = proxy.api(method, "/user/eve", {"target": "http://127.0.0.1:1"}, token=token)
    assert status == 403
    assert TOKEN not in text
    assert "/user/eve" not in proxy.api()[1]


def request(proxy, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.api_port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", ["Bearer {}", "Basic {}", "{}", "xtoken {}", "token {} x"])
def test_the_token_is_taken_in_one_form_only(proxy, scheme):
    status, _ = request(proxy, "GET", "/api/routes", Authorization=scheme.format(TOKEN))
    assert status == 403


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/", "/api/routesx", "/metrics", "/api/%72outes", "//api/routes"]
)
def test_there_is_nothing_else(proxy, path):
    assert request(proxy, "GET", path, Authorization=f"token {TOKEN}")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD"])
def test_other_methods(proxy, method):
    assert request(proxy, method, "/api/routes", Authorization=f"token {TOKEN}")[0] == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100000,
        b'{"target": 7}',
        b'{"target": null}',
        b'{"target": ""}',
        b'{"target": "127.0.0.1:80"}',
        b'{"target": "ftp://127.0.0.1"}',
        b'{"target": "http://"}',
        b'{"target": "http://127.0.0.1:99999"}',
        b'{"target": "http://127.0.0.1:0"}',
        b'{"target": "http://[::1"}',
        b'{"target": "http://a:b@127.0.0.1"}',
        b'{"target": "http://127.0.0.1/?x"}',
        b'{"target": "http://127.0.0.1/#x"}',
        b'{"target": "http://127.0.0.1/a b"}',
        b'{"target": "http://127.0.0.1/\\r\\nX-A: b"}',
        b'{"target": "https://127.0.0.1"}',
        b'{"target": "http://127.0.0.1", "x": "' + b"x" * 2**20 + b'"}',
    ],
    ids=lambda body: body[:40].decode("ascii", "replace"),
)
def test_a_bad_description_is_refused_with_a_sentence(proxy, body):
    status, text = proxy.api("POST", "/user/bad", body)
    assert status == 400
    assert text.endswith(".\n")
    assert "/user/bad" not in proxy.api()[1]


@pytest.mark.parametrize("path", ["/user/../x", "/user/%2e%2e/x", "/user/a%2Fb", "/user//b"])
def test_a_bad_path_is_refused(proxy, path):
    status, _ = proxy.api("POST", path, {"target": "http://127.0.0.1:1"})
    assert status == 400


def test_nobody_is_told_the_librarys_version(proxy):
    for path in ("/api/routes", "/nothing"):
        connection = http.client.HTTPConnection("127.0.0.1", proxy.api_port, timeout=20)
        connection.request("GET", path)
        assert connection.getresponse().getheader("Server") == "upramp-hub"
        connection.close()


def test_jupyterhubs_own_client_is_understood(proxy):
    pytest.importorskip("jupyterhub", reason="JupyterHub is not installed")
    import asyncio

    from jupyterhub.proxy import ConfigurableHTTPProxy

    async def scenario():
        class Hub:
            url = "http://127.0.0.1:9"

        client = ConfigurableHTTPProxy(
            auth_token=environment()["CONFIGPROXY_AUTH_TOKEN"], api_url=proxy.api_url, hub=Hub()
        )
        await client.add_route("/user/gräfin@x/", "http://127.0.0.1:7777", {"user": "gräfin@x"})
        there = await client.get_all_routes()
        await client.delete_route("/user/gräfin@x/")
        await client.delete_route("/user/gräfin@x/")  # it warns, no more
        return there, await client.get_all_routes()

    there, after = asyncio.run(scenario())
    (found,) = [route for spec, route in there.items() if spec.startswith("/user/gr")]
    assert found["target"] == "http://127.0.0.1:7777"
    assert found["data"]["user"] == "gräfin@x"
    assert not [spec for spec in after if spec.startswith("/user/gr")]
