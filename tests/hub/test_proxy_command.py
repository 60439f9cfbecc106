"""The proxy as a command: its options, and how it starts and ends."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from proxy_process import (
    PATIENCE,
    TOKEN,
    Proxy,
    application,
    environment,
    free_port,
    stopping,
    until,
)
from proxy_server import server


def command(*options, **changes):
    return subprocess.run(
        [sys.executable, "-m", "upramp_hub.proxy", *options],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def refused(done, *words):
    assert done.returncode == 2
    assert not done.stdout
    (line,) = done.stderr.splitlines()  # one sentence, no traceback
    assert line.endswith(".")
    for word in words:
        assert word in line
    return True


@pytest.mark.parametrize(
    "option",
    [
        "--ssl-key",
        "--ssl-cert",
        "--ssl-ca",
        "--ssl-request-cert",
        "--ssl-reject-unauthorized",
        "--ssl-ciphers",
        "--api-ssl-key",
        "--api-ssl-cert",
        "--client-ssl-key",
        "--client-ssl-reject-unauthorized",
        "--redirect-port",
    ],
)
def test_tls_is_refused_whole(option):
    assert refused(command("--port", "0", option, "/x"), option, "no TLS", "internal_ssl")


def test_what_jupyterhub_asks_for_with_internal_ssl_is_refused():
    pytest.importorskip("jupyterhub", reason="JupyterHub is not installed")
    from jupyterhub.proxy import ConfigurableHTTPProxy

    asked = ConfigurableHTTPProxy(auth_token="x")
    files = {"keyfile": "/k", "certfile": "/c", "cafile": "/a"}
    asked.app = type(
        "App",
        (),
        {
            "internal_proxy_certs": {"proxy-api": files, "proxy-client": files},
            "internal_trust_bundles": {"proxy-api-ca": "/b", "proxy-client-ca": "/b"},
        },
    )()
    options = asked._get_ssl_options()
    assert "--api-ssl-key" in options
    assert refused(command("--port", "0", *options), "no TLS")


def test_metrics_are_refused():
    assert refused(command("--metrics-port=9"), "--metrics-port", "no metrics")


def test_unknown_options_are_refused():
    assert refused(command("--storage-backend", "redis"), "--storage-backend", "no such option")
    assert refused(command("--def", "http://127.0.0.1"), "--def")  # nothing is guessed
    assert refused(command("stray"), "stray")


@pytest.mark.parametrize("value", ["", "x", "-1", "65536", "8e3", "٨٠"])
@pytest.mark.parametrize("option", ["--port", "--api-port"])
def test_a_port_is_a_port(option, value):
    assert refused(command(f"{option}={value}"), option, "is no port")


@pytest.mark.parametrize("option", ["--default-target", "--error-target"])
@pytest.mark.parametrize("value", ["hub", "https://hub", "http://", "http://hub:x"])
def test_a_target_is_a_target(option, value):
    assert refused(command(option, value), value)


def test_without_a_token_it_does_not_start():
    assert refused(command("--port", "0", CONFIGPROXY_AUTH_TOKEN=""), "CONFIGPROXY_AUTH_TOKEN")


def test_help_names_every_option():
    done = command("--help")
    assert done.returncode == 0
    for option in (
        "--ip",
        "--port",
        "--api-ip",
        "--api-port",
        "--default-target",
        "--error-target",
    ):
        assert option in done.stdout


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert refused(command("--port", port), f"127.0.0.1:{port}", "another program")
        done = command("--port", "0", "--api-port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: another program listens there" in done.stderr


def test_an_address_that_is_not_this_machines():
    assert refused(command("--ip", "192.0.2.1", "--port", "0"), "192.0.2.1:0", "no such address")


def test_the_interfaces_port_follows_the_other():
    for _ in range(5):  # the next port may be somebody's
        proxy = None
        try:
            proxy = Proxy(port=0, api_port=0)
            port = proxy.port
        finally:
            if proxy:
                proxy.stop()
        done = subprocess.Popen(
            [sys.executable, "-m", "upramp_hub.proxy", "--port", str(port)],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        first = done.stderr.readline()
        second = done.stderr.readline()
        done.terminate()
        done.communicate(timeout=PATIENCE)
        if "another program" not in first:
            break
    assert f"users at http://127.0.0.1:{port}" in first
    assert f"hub at http://127.0.0.1:{port + 1}/api/routes" in second


@pytest.mark.parametrize("ip", ["", "*"])
def test_all_of_the_machines_addresses(ip):
    # With port 0, each kind of address would get a port of its own.
    with stopping(Proxy("--ip", ip, port=free_port())) as proxy:
        answers = proxy.raw(b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert answers.startswith(b"HTTP/1.1 404")


def test_hosts_as_the_first_segment(ada):
    with stopping(Proxy("--host-routing")) as proxy:
        proxy.route("/ada.hub.example/user/ada", ada.url)
        ask = "GET /user/ada/x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
        for host, status in (
            ("ada.hub.example", 200),
            ("ADA.hub.example:8000", 200),
            ("eve.hub.example", 404),
            ("ada.hub.example@eve.example", 404),
        ):
            answer = proxy.raw(ask.format(host).encode())
            assert answer.startswith(b"HTTP/1.1 %d" % status), host


def test_servers_may_be_told_nothing_of_the_client(ada):
    with stopping(Proxy("--no-x-forward", "--default-target", ada.url)) as proxy:
        answer = proxy.raw(b"GET /echo HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert b"x-forwarded" not in answer.lower()


def test_a_target_may_have_a_path(ada):
    with stopping(Proxy("--default-target", f"{ada.url}/below/")) as proxy:
        answer = proxy.raw(b"GET /echo?x HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert b'"target": "/below/echo?x"' in answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_with_everything_open(ada, number):
    async def scenario(proxy):
        async with aiohttp.ClientSession() as client:
            websockets = [await client.ws_connect(f"{proxy.url}/user/ada/ws") for _ in range(20)]
            stream = await client.get(f"{proxy.url}/user/ada/endless")
            await stream.content.readuntil(b"\n\n")
            code = await asyncio.to_thread(proxy.stop, number)
            heard = [(await websocket.receive()).type for websocket in websockets]
            stream.close()
            return code, heard

    proxy = Proxy()
    proxy.route("/user/ada", ada.url)
    log = proxy.log
    code, heard = asyncio.run(scenario(proxy))
    assert code == 0
    assert set(heard) <= {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    assert not log.exists()
    until(lambda: ada.seen["endless"] == "left")


def test_an_answer_on_its_way_arrives_before_it_ends(ada):
    async def scenario(proxy):
        async with aiohttp.ClientSession() as client:
            answer = asyncio.ensure_future(client.get(f"{proxy.url}/user/ada/sleep/0.5"))
            await asyncio.sleep(0.2)
            proxy.process.terminate()
            return await (await answer).text()

    proxy = Proxy()
    proxy.route("/user/ada", ada.url)
    assert asyncio.run(scenario(proxy)) == "awake"
    assert proxy.process.wait(PATIENCE) == 0
    proxy.stop()


def test_it_ends_with_nothing_on_its_conscience():
    proxy = Proxy()
    proxy.process.terminate()
    assert proxy.process.wait(PATIENCE) == 0
    assert proxy.log.read_text().splitlines()[-1].endswith("asked to end")
    proxy.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_can_be_started_again_at_once_on_the_same_ports(number):
    """Also after it was killed under load, when the system still holds its connections."""
    with stopping(application(server())) as ada:
        first = Proxy()
        first.route("/user/ada", ada.url)
        ports = {"port": first.port, "api_port": first.api_port}
        with socket.create_connection(("127.0.0.1", first.port)) as client:
            client.sendall(b"GET /user/ada/endless HTTP/1.1\r\nHost: hub\r\n\r\n")
            assert client.recv(100)
            first.stop(number)
            with stopping(Proxy(**ports)) as second:
                assert second.api()[1] == {}  # the hub registers them anew
                second.route("/user/ada", ada.url)
                answer = second.raw(
                    b"GET /user/ada/echo HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
                )
        assert answer.startswith(b"HTTP/1.1 200")


def test_it_takes_the_files_it_may_have():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    script = 'ulimit -S -n 64 && exec "$0" -m upramp_hub.proxy --port 0 --api-port 0'
    process = subprocess.Popen(
        ["sh", "-c", script, sys.executable], env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert "users at" in process.stderr.readline()
        raised, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert raised == min(hard, 65536)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft


def test_the_token_is_not_among_the_arguments():
    with stopping(Proxy()) as proxy:
        process = Path("/proc") / str(proxy.process.pid)
        assert TOKEN.encode() not in (process / "cmdline").read_bytes()
        assert TOKEN not in proxy.log.read_text()
