"""The pages of a home: the welcome, copies of notebooks, and what is new in them.

Names of exposures and notebooks that a page sends back are looked up in the
lists that the page was made from; nothing is opened by a path that came in.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from upramp.errors import UprampError, printable

from .errors import HomeError
from .prepare import greet, is_new

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .copies import Copies
    from .exposures import Catalogue
    from .inside import Inside

__all__ = ["ROUTES", "Copy", "Home", "Open", "Picture", "Start", "Static", "Updates", "Welcome"]

_HERE: Final = Path(__file__).resolve().parent
_PAGE: Final = 24
_STAGE_1: Final = "stage/detector1.ipynb"
_STATIC: Final = {"style.css": "text/css", "welcome.js": "text/javascript"}
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["printable"] = printable
_templates.filters["runs"] = lambda changes: [
    list(run) for _, run in groupby(changes, key=lambda each: each.what == "same")
]


@dataclass(frozen=True)
class Home:
    """What the pages are made from.

    Parameters
    ----------
    inside
        The user's home.
    copies
        Their copies of notebooks.
    catalogue
        The archive's exposures; None if there is no archive in a folder.
    archive
        How the archive is called, for a sentence.
    problems
        What could not be prepared, as sentences.
    """

    inside: Inside
    copies: Copies
    catalogue: Catalogue | None
    archive: str
    problems: Sequence[str] = ()


class _Page(JupyterHandler):
    """A page that its owner alone sees."""

    @property
    def home(self) -> Home:
        found: Home = self.settings["upramp_home"]
        return found

    @property
    def content_security_policy(self) -> str:
        """All that a page loads comes from here, and none is in another's frame."""
        return _POLICY

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")

    def get_login_url(self) -> str:
        """Send to the login who comes with a browser to see a page, and nobody else."""
        mode = self.request.headers.get("Sec-Fetch-Mode")
        shows = "text/html" in self.request.headers.get("Accept", "")
        if self.current_user or not self.shown or not shows or mode not in {None, "navigate"}:
            raise web.HTTPError(403)
        return super().get_login_url()

    shown = True
    """Whether a browser goes to this address by itself."""

    @web.authenticated
    def options(self, *_: str) -> None:
        """Refuse what a page of another origin asks first, as all else, without a login."""
        self.set_status(204)
        self.finish()

    def show(self, template: str, status: int = 200, **values: Any) -> None:
        self.set_status(status)
        hub = os.environ.get("JUPYTERHUB_BASE_URL", "")
        text = _templates.get_template(template).render(
            base=self.address(),
            here=self.address("upramp", "welcome"),
            lab=self.lab,
            hub=url_path_join(hub, "hub/home") if hub else "",
            user=os.environ.get("JUPYTERHUB_USER", ""),
            # Tornado's own form field: what it holds is made of this session's cookie.
            xsrf_token=self.xsrf_token.decode(),
            **values,
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(text)

    def address(self, *parts: str) -> str:
        return url_path_join(self.base_url, *parts)

    def lab(self, path: str = "") -> str:
        """Give the address under which JupyterLab shows a file of the home."""
        tree = f"lab/tree/{quote(path, errors='surrogateescape')}" if path else "lab"
        return self.address(tree)

    async def done(self, work: Callable[[], str]) -> str | None:
        """Do what touches the disk; None if it failed, which has been told then."""
        try:
            return await asyncio.to_thread(work)
        except UprampError as error:
            self.show("trouble.html", 404 if isinstance(error, HomeError) else 507, error=error)
        except OSError as error:
            problem = UprampError(
                "your home", f"the disk refused ({error.strerror})", "try again, or tell the hub"
            )
            self.show("trouble.html", 507, error=problem)
        return None


class Start(_Page):
    """Where a server's owner comes in: to the welcome once, to JupyterLab from then on."""

    @web.authenticated
    async def get(self) -> None:
        """Send there."""
        home = self.home
        if await asyncio.to_thread(is_new, home.inside):
            await asyncio.to_thread(greet, home.inside)
            self.redirect(self.address("upramp", "welcome"))
        else:
            self.redirect(self.lab())


class Welcome(_Page):
    """The welcome: exposures of the archive, notebooks, and the way through them."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        home = self.home
        text = self.get_query_argument("find", "")[:200]
        first = self.get_query_argument("from", "0")
        start = int(first) if first.isascii() and first.isdecimal() and len(first) < 9 else 0
        listing, trouble = None, ""
        if home.catalogue is None:
            trouble = (
                f"The archive of this hub is {home.archive or 'not set'}, which is no folder here."
            )
        else:
            try:
                listing = await home.catalogue.search(text, start, _PAGE)
            except OSError as error:
                trouble = f"The archive cannot be listed ({error.strerror})."
        originals = await asyncio.to_thread(home.copies.originals)
        notebooks = [
            (each, home.copies.place(name), home.copies.is_there(home.copies.place(name)))
            for name, each in originals.items()
        ]
        self.show(
            "welcome.html",
            listing=listing,
            trouble=trouble,
            find=text,
            first=start,
            page=_PAGE,
            query=urlencode,
            problems=home.problems,
            notebooks=notebooks,
            stage_1=_STAGE_1 if _STAGE_1 in originals else "",
            standings=await asyncio.to_thread(home.copies.look),
        )


class Static(_Page):
    """Style and script of the pages."""

    shown = False

    @web.authenticated
    def get(self, name: str) -> None:
        """Give one.

        Parameters
        ----------
        name
            Of the file.
        """
        kind = _STATIC.get(name)
        if kind is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Cache-Control", "private, max-age=600")
        self.finish((_HERE / "static" / name).read_bytes())


class Picture(_Page):
    """A small picture of an exposure: ``?exposure=NAME``."""

    shown = False
    _track_activity = False

    @web.authenticated
    async def get(self) -> None:
        """Give it."""
        catalogue = self.home.catalogue
        name = self.get_query_argument("exposure", strip=False)
        try:
            found = None if catalogue is None else await catalogue.picture(name)
        except OSError as error:
            raise web.HTTPError(404) from error
        if found is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", "image/png")
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(found)


class Open(_Page):
    """Opens an exposure in a copy of the notebook of stage 1."""

    shown = False

    @web.authenticated
    async def post(self) -> None:
        """Make the copy, unless it is there, and go to it."""
        home = self.home
        name = self.get_body_argument("exposure", strip=False)

        def work() -> str:
            files = {} if home.catalogue is None else home.catalogue.files()
            if name not in files:
                raise HomeError(name, "the archive has no such exposure", "choose one of the list")
            return home.copies.take(_STAGE_1, name)

        path = await self.done(work)
        if path is not None:
            self.redirect(self.lab(path), status=303)


class Copy(_Page):
    """Copies a notebook into the user's own."""

    shown = False

    @web.authenticated
    async def post(self) -> None:
        """Make the copy, unless it is there, and go to it."""
        name = self.get_body_argument("notebook", strip=False)
        path = await self.done(lambda: self.home.copies.take(name))
        if path is not None:
            self.redirect(self.lab(path), status=303)


class Updates(_Page):
    """What is new in an original, beside what the user changed: ``?copy=PATH``."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        path = self.get_query_argument("copy", strip=False)
        try:
            comparison = await asyncio.to_thread(self.home.copies.compare, path)
        except UprampError as error:
            self.show("trouble.html", 404, error=error)
            return
        self.show("updates.html", comparison=comparison, copy=comparison.standing.copy)

    @web.authenticated
    async def post(self) -> None:
        """Keep the user's copy, or put the new original beside it."""
        copies = self.home.copies
        path = self.get_body_argument("copy", strip=False)
        choice = self.get_body_argument("choice")
        if choice not in {"keep", "beside"}:
            raise web.HTTPError(400, "choice is to be keep or beside")

        def work() -> str:
            if choice == "beside":
                return copies.take_beside(path)
            copies.keep(path)
            return ""

        beside = await self.done(work)
        if beside is not None:
            there = self.lab(beside) if beside else self.address("upramp", "welcome")
            self.redirect(there if beside else f"{there}#notebooks", status=303)


ROUTES: Final[tuple[tuple[str, type[JupyterHandler]], ...]] = (
    (r"/upramp/start", Start),
    (r"/upramp/welcome", Welcome),
    (r"/upramp/welcome/static/([a-z.]+)", Static),
    (r"/upramp/welcome/picture", Picture),
    (r"/upramp/welcome/open", Open),
    (r"/upramp/welcome/copy", Copy),
    (r"/upramp/welcome/updates", Updates),
)
"""Every route of the home; a test asks each of them without a login."""
