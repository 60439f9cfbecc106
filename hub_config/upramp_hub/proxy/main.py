"""The command: options as *configurable-http-proxy* has them, and a process that ends cleanly."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from upramp.errors import UprampError, UsageError
from upramp_hub.ports import are_held

from .interface import Interface
from .pages import ErrorPages
from .routes import Route, RouteTable, target_of
from .web import Forwarder, client_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Options", "main", "read_options", "serve"]

_LOG: Final = logging.getLogger(__name__)

_TOKEN: Final = "CONFIGPROXY_AUTH_TOKEN"  # noqa: S105 - the variable's name

_GRACE: Final = 2.0
"""Seconds that answers on their way have once the proxy is asked to end."""

_IDLE: Final = 75.0
"""Seconds that a client may keep a connection without a whole request on it."""

_LONGEST: Final = 2**15
"""Bytes that a line of a request's head may have: cookies and the state of a login are long."""

_DESCRIPTORS: Final = 65536
"""Files that are enough: a websocket takes two."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass(frozen=True)
class Options:
    """What the proxy is started with.

    Parameters
    ----------
    token
        What the hub has to know.
    ip
        The address that users reach; empty for all of the machine's.
    port
        Its port; 0 for any that is free, which the log then says.
    api_ip
        The address that the hub reaches.
    api_port
        Its port; None for the one after ``port``.
    default_target
        Where requests go that no other route takes; None for nowhere.
    error_target
        Where pages for errors are, the status being added; None for none.
    host_routing
        Whether the host that was asked for is a path's first segment.
    x_forward
        Whether servers are told whom a request comes from.
    log_level
        The least that is logged.
    """

    token: str
    ip: str = "127.0.0.1"
    port: int = 8000
    api_ip: str = "127.0.0.1"
    api_port: int | None = None
    default_target: str | None = None
    error_target: str | None = None
    host_routing: bool = False
    x_forward: bool = True
    log_level: str = "info"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("the proxy", message, "see --help")


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Read the command line.

    Parameters
    ----------
    arguments
        Without the program's name.
    environment
        Where the token is.

    Raises
    ------
    UsageError
        If an option is unknown, or one that this proxy does not have.
    """
    parser = _Parser(prog="python -m upramp_hub.proxy", allow_abbrev=False, description=__doc__)
    add = parser.add_argument
    add("--ip", default=Options.ip, help="address for users; '' or '*' for all")
    add("--port", type=_port, default=Options.port, help="port for users (%(default)s)")
    add("--api-ip", default=Options.api_ip, help="address for the hub (%(default)s)")
    add("--api-port", type=_port, help="port for the hub (the one after --port)")
    add("--default-target", help="where requests go that no other route takes")
    add("--error-target", help="where the hub's pages for errors are")
    add("--host-routing", action="store_true", help="take the host as a path's first segment")
    add("--no-x-forward", dest="x_forward", action="store_false", help="add no X-Forwarded-*")
    add("--log-level", type=str.lower, choices=sorted(_LEVELS), default=Options.log_level)
    found, unknown = parser.parse_known_args(list(arguments))
    _refuse(unknown)
    token = environment.get(_TOKEN, "")
    if not token:
        raise UsageError(
            _TOKEN,
            "it is not set, so anyone on this machine could lead users elsewhere",
            "set it to a secret that the hub knows too",
        )
    return Options(
        token=token,
        **{
            **vars(found),
            "ip": "" if found.ip == "*" else found.ip,
            "default_target": found.default_target and target_of(found.default_target),
            "error_target": found.error_target and target_of(found.error_target),
        },
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _refuse(unknown: Sequence[str]) -> None:
    """Say what an option would need that is not here: TLS half done is worse than none."""
    for option in unknown:
        name = option.partition("=")[0]
        if name.startswith(("--ssl-", "--api-ssl-", "--client-ssl-", "--redirect-")):
            problem = "this proxy has no TLS, so neither internal_ssl nor certificates"
        elif name.startswith("--metrics-"):
            problem = "this proxy has no metrics"
        else:
            problem = "this proxy has no such option"
        raise UsageError(name, problem, "leave it out, or use configurable-http-proxy 5 or later")


async def serve(options: Options) -> None:
    """Run the proxy until it is asked to end.

    Parameters
    ----------
    options
        What it is started with.

    Raises
    ------
    UsageError
        If an address cannot be listened on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    routes = RouteTable()
    if options.default_target:
        routes.add((), Route(options.default_target))
    async with client_session() as session, contextlib.AsyncExitStack() as stack:
        pages = ErrorPages(session, options.error_target)
        forwarder = Forwarder(
            routes,
            session,
            pages,
            host_routing=options.host_routing,
            forwarded=options.x_forward,
            token=options.token or "",
        )
        api = _server(Interface(routes, options.token).handle)
        public = _server(forwarder.handle)
        address = await _listen(stack, public, options.ip, options.port)
        api_port = address[1] + 1 if options.api_port is None else options.api_port
        api_address = await _listen(stack, api, options.api_ip, api_port)
        # Only now: whoever waits for this line finds both.
        _LOG.info("users at http://%s:%d", *address)
        _LOG.info("hub at http://%s:%d/api/routes", *api_address)
        await stop.wait()
        _LOG.info("asked to end")
        forwarder.tunnels.close()


def _server(handle: Any) -> web.Server:
    return web.Server(
        handle,
        # A client that leaves takes its request to the server with it.
        handler_cancellation=True,
        keepalive_timeout=_IDLE,
        access_log=None,
        logger=_library_log(),
        auto_decompress=False,
        max_line_size=_LONGEST,
        max_field_size=_LONGEST,
    )


def _library_log() -> logging.Logger:
    """Give the log of the HTTP library, without a traceback for each client's nonsense."""
    log = logging.getLogger("upramp_hub.proxy.http")
    if not log.filters:
        log.addFilter(
            lambda record: (
                not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
            )
        )
    return log


async def _listen(
    stack: contextlib.AsyncExitStack, server: web.Server, ip: str, port: int
) -> tuple[str, int]:
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_GRACE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(
            runner, ip or None, port, backlog=1024, reuse_port=are_held() or None
        ).start()
    except OSError as error:
        problem = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "this user may not listen there",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, f"it cannot be listened on ({error.strerror or error})")
        raise UsageError(f"{ip or '*'}:{port}", problem, "choose another") from error
    host, bound, *_ = runner.addresses[0]
    return str(host), int(bound)


def _allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # fewer users then, but users
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Without the program's name; None for this process's.

    Returns
    -------
    int
        What the shell is told.
    """
    os.umask(0o077)
    try:
        options = read_options(sys.argv[1:] if arguments is None else arguments, os.environ)
        logging.basicConfig(
            level=_LEVELS[options.log_level],
            format="%(asctime)s %(levelname)s %(message)s",
            stream=sys.stderr,
        )
        _allow_descriptors()
        asyncio.run(serve(options))
    except UprampError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return error.exit_code
    return 0
