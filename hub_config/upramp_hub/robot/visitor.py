"""A visitor of a hub: the requests that a browser would send, with its cookies."""

from __future__ import annotations

import asyncio
import json
import re
import time
from html import unescape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from .errors import RobotError
from .kernel import Kernel
from .messages import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable

    from .logins import Login

__all__ = ["Visitor"]

_KERNELS: Final = ("upramp", "python3")
"""Kernels that are asked for: the first of these that there is."""

_POLL: Final = 0.25
_RETRY: Final = 5.0
"""Seconds until a hub that is full is asked again, where it does not say itself."""

_LONGEST: Final = 300
"""Characters of an answer that are told."""

_AGENT: Final = "upramp-robot"
_ERROR: Final = re.compile(r'(?s)class="(?:login_error|error)">(.*?)</(?:p|div)>')
_HIDDEN: Final = re.compile(r"(?s)<(script|noscript|style|head).*?</\1>|<[^>]*>")
_FIELD: Final = re.compile(r'name="_xsrf"\s+value="([^"]+)"')


class Visitor:
    """One robot before the hub.

    Parameters
    ----------
    url
        Where the hub is.
    login
        Its account.
    """

    def __init__(self, url: str, login: Login) -> None:
        self.login = login
        self.throttled = 0
        """How often the hub asked it to come again later."""

        # One address, one path below it; names may hold anything that a path must not.
        self._base = url.rstrip("/")
        self._name = quote(login.name, safe="")
        self._home = f"{self._base}/user/{self._name}/"
        headers = {"User-Agent": _AGENT}
        if login.token:
            headers["Authorization"] = f"token {login.token}"
        self._client = aiohttp.ClientSession(
            # Hubs are met under an address as well as a name, and their cookies hold quotes.
            cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()

    # ---- in and out

    async def log_in(self) -> None:
        """Fill in the form of the hub.

        Raises
        ------
        RobotError
            If the hub does not let it in.
        """
        if self.login.token:
            # A service makes its users where they are not: 409 says that they are.
            await self._api("POST", f"users/{self._name}", {201, 409})
            return
        page = await self._page("/hub/login")
        found = _FIELD.search(page or "")
        form = {"username": self.login.name, "password": self.login.password}
        if found:
            form["_xsrf"] = unescape(found[1])
        async with self._client.post(
            self._url("/hub/login"),
            data=form,
            headers=self._navigation(),
            allow_redirects=False,
        ) as answer:
            if answer.status != 302:
                raise self._refusal("the login", answer, await answer.text(errors="replace"))
        await self._page("/hub/home")

    async def log_out(self) -> None:
        """Log out, and see that the hub no longer knows this visitor.

        Raises
        ------
        RobotError
            If it still does.
        """
        if self.login.token:
            return
        await self._page("/hub/logout")
        async with self._client.get(
            self._url("/hub/home"), headers=self._navigation(), allow_redirects=False
        ) as answer:
            if answer.status != 302 or "/login" not in answer.headers.get("Location", ""):
                raise RobotError(
                    "the logout", "the hub still lets it in", "see which cookies it clears"
                )

    # ---- the server

    async def start_server(
        self, options: dict[str, Any], patience: float, first: Callable[[], None]
    ) -> list[str]:
        """Ask for a server and listen to its start; where there is no room, ask again later.

        Parameters
        ----------
        options
            What the form of the spawn page would send.
        patience
            Seconds in which there has to be room.
        first
            Called when the first event of the start is there.

        Returns
        -------
        list of str
            What the events said.

        Raises
        ------
        RobotError
            If the hub refuses, there is no room in time, or the start fails.
        """
        end = time.monotonic() + patience
        while True:
            # The hub answers when the start is over or takes long: the events come meanwhile.
            asking = asyncio.create_task(self._ask_for_server(options))
            try:
                said = await self._events_during(asking, first)
                status, refusal, wait = await asking
            finally:
                asking.cancel()
            if status in {201, 202}:
                said = said or await self._events(first)
                if said:
                    return said
                raise RobotError(
                    "the progress", "the hub has none of a start that it took", "see its log"
                )
            if status != 429 or time.monotonic() + wait > end:
                raise refusal
            self.throttled += 1
            await asyncio.sleep(wait)

    async def _ask_for_server(self, options: dict[str, Any]) -> tuple[int, RobotError, float]:
        path = f"/hub/api/users/{self._name}/server"
        body = {"user_options": options}
        async with self._client.post(
            self._url(path), json=body, headers=self._fetch(path)
        ) as answer:
            refusal = self._refusal("the server", answer, await answer.text(errors="replace"))
            return answer.status, refusal, _seconds(answer.headers.get("Retry-After"))

    async def _events_during(
        self, asking: asyncio.Task[Any], first: Callable[[], None]
    ) -> list[str]:
        while not (await asyncio.wait({asking}, timeout=_POLL))[0]:
            if said := await self._events(first):
                return said
        return []

    async def _events(self, first: Callable[[], None]) -> list[str]:
        """Listen to a start until it is over; nothing is said where there is none."""
        path = f"/hub/api/users/{self._name}/server/progress"
        said: list[str] = []
        async with self._client.get(self._url(path), headers=self._fetch(path)) as stream:
            if stream.status in {400, 404}:
                return []
            if stream.status != 200:
                text = await stream.text(errors="replace")
                raise self._refusal("the progress", stream, text)
            async for line in stream.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if not said:
                    first()
                said.append(str(event.get("message", "")))
                if event.get("ready"):
                    # Only the hub knows how it writes this name in an address.
                    self._home = str(URL(self._base).join(URL(event["url"], encoded=True)))
                    return said
                if event.get("failed"):
                    raise RobotError(
                        "the server", f"it did not start: {said[-1]}", "see the hub's log"
                    )
        raise RobotError(
            "the progress",
            "its events ended before the server was ready",
            "see whether the proxy lets event streams pass",
        )

    async def open_lab(self) -> None:
        """Open the page that the server shows first, through the hub's own login to it.

        Raises
        ------
        RobotError
            If it does not come.
        """
        if await self._page(f"{self._home}lab", missing_ok=True) is None:
            await self._page(f"{self._home}api/status")  # a server without JupyterLab

    async def start_kernel(self) -> str:
        """Start a kernel: the calibration kernel where there is one.

        Returns
        -------
        str
            Its identity.

        Raises
        ------
        RobotError
            If none starts.
        """
        specs = await self._server("GET", "api/kernelspecs", {200})
        known = [name for name in _KERNELS if name in specs["kernelspecs"]]
        if not known:
            raise RobotError(
                "the kernel",
                f"the server has neither of {' and '.join(_KERNELS)}",
                "install the kernelspec: upramp kernel install --sys-prefix",
            )
        kernel = await self._server("POST", "api/kernels", {201}, {"name": known[0]})
        return str(kernel["id"])

    async def connect(self, kernel: str) -> Kernel:
        """Open the websocket of a kernel.

        Parameters
        ----------
        kernel
            Its identity.

        Raises
        ------
        RobotError
            If it does not open, or not with the protocol that is asked for.
        """
        path = f"{self._home}api/kernels/{quote(kernel, safe='')}/channels"
        websocket = await self._client.ws_connect(
            self._url(path),
            protocols=[PROTOCOL],
            origin=str(URL(self._base).origin()),
            headers={"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Site": "same-origin"},
            max_msg_size=0,
        )
        return Kernel(websocket)

    async def has_server(self) -> bool:
        """Say whether the login's server runs, or is being started."""
        user = await self._api("GET", f"users/{self._name}", {200, 404})
        return "" in user.get("servers", {})

    async def stop_server(self) -> None:
        """Stop the server, and wait until it is gone.

        Raises
        ------
        RobotError
            If the hub refuses.
        """
        path = f"users/{self._name}/server"
        await self._api("DELETE", path, {202, 204, 400, 404})
        while True:
            user = await self._api("GET", f"users/{self._name}", {200})
            if "" not in user.get("servers", {}):
                return
            await asyncio.sleep(_POLL)

    # ---- requests

    def _url(self, path: str) -> URL:
        return URL(path if "://" in path else self._base + path, encoded=True)

    def _navigation(self) -> dict[str, str]:
        return {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}

    def _fetch(self, path: str) -> dict[str, str]:
        """Give the headers of a script's request: with the XSRF token of where it goes."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        cookie = self._client.cookie_jar.filter_cookies(self._url(path)).get("_xsrf")
        if cookie is not None:
            headers["X-XSRFToken"] = cookie.value
        return headers

    async def _page(self, path: str, *, missing_ok: bool = False) -> str | None:
        async with self._client.get(self._url(path), headers=self._navigation()) as answer:
            text = await answer.text(errors="replace")
            if answer.status == 404 and missing_ok:
                return None
            if answer.status != 200:
                raise self._refusal(path, answer, text)
            return text

    async def _api(self, method: str, path: str, expected: set[int]) -> Any:
        return await self._ask(method, f"/hub/api/{path}", expected)

    async def _server(
        self, method: str, path: str, expected: set[int], body: dict[str, str] | None = None
    ) -> Any:
        return await self._ask(method, f"{self._home}{path}", expected, body)

    async def _ask(
        self, method: str, path: str, expected: set[int], body: dict[str, str] | None = None
    ) -> Any:
        async with self._client.request(
            method, self._url(path), json=body, headers=self._fetch(path), allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
            if answer.status not in expected:
                raise self._refusal(f"{method} {path}", answer, text)
            return json.loads(text) if text else None

    def _refusal(self, subject: str, answer: aiohttp.ClientResponse, text: str) -> RobotError:
        return RobotError(
            subject,
            f"the hub answers {answer.status} {answer.reason or ''}: {_words(text)[:_LONGEST]}",
            "see the hub's log",
        )


def _words(text: str) -> str:
    """Give what an answer says: the message of an interface's, the error of a page."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        pass
    error = _ERROR.search(text)
    visible = _HIDDEN.sub(" ", error[1] if error else text)
    return unescape(" ".join(visible.split()))


def _seconds(text: str | None) -> float:
    return min(float(text), 60.0) if text and text.isascii() and text.isdigit() else _RETRY
