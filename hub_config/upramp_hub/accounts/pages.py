"""What people see of accounts: sign-in, an accepted invitation, their password, the list.

Reading a page changes nothing. Whatever changes something is a form that is
sent with the token that JupyterHub binds to a session, and what gives or takes
power also asks for the administrator's own password: the pages share their
origin with users' servers, whose scripts can send any form that a session alone
would do for.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from jupyterhub import roles
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LoginHandler
from jupyterhub.utils import get_browser_protocol, maybe_future
from tornado import web
from tornado.httputil import url_concat

from .authenticator import AccountsAuthenticator, Answer, address_of
from .errors import AccountError, ConflictError, RefusedError, in_words
from .names import check_groups, normalised, split_groups
from .passwords import SHORTEST
from .store import LIFETIME, Account

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jupyterhub.user import User

    from .gate import Gate
    from .store import Accounts

__all__ = ["HANDLERS"]

_HERE: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
"""What a browser on the hub's own machine calls it."""

_DONE: Final = {
    "groups": "The groups were changed.",
    "administrator": "It was changed who administrates.",
    "removed": "The account was removed. Its home is still there.",
    "withdrawn": "The invitation was taken back.",
    "password": "Your password was changed. Everywhere else you are signed out.",
}


def _for_administrators(
    method: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    @functools.wraps(method)
    async def guarded(self: _Page, *args: str) -> None:
        # Asked of the accounts themselves: what JupyterHub knows may be minutes old.
        account = self.accounts.find(self.current_user.name)
        if account is None or not account.administrator or not account.has_password:
            raise Answer(
                RefusedError("This page", "it is for administrators", "ask one for what you need")
            )
        await method(self, *args)

    # Whoever is not signed in is sent to do so, or refused if it is a form.
    return cast("Callable[..., Awaitable[None]]", web.authenticated(guarded))


class _Page(BaseHandler):
    """A page about accounts."""

    # Another page's script may not even read these, as the forms' tokens are in them.
    _xsrf_safe_methods = frozenset({"HEAD", "OPTIONS"})

    authenticator: AccountsAuthenticator

    @property
    def accounts(self) -> Accounts:
        return self.authenticator.accounts

    @property
    def gate(self) -> Gate:
        return self.authenticator.gate

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "strict-origin")
        self.set_header("X-Content-Type-Options", "nosniff")

    def field(self, name: str) -> str:
        """Give a field of the form; only what is in the body, never in the address."""
        return str(self.get_body_argument(name, "", strip=False))

    async def show(
        self, template: str, error: AccountError | None = None, /, **values: Any
    ) -> None:
        if error is not None:
            self.set_status(error.status)
            for name, value in Answer(error).headers.items():
                self.set_header(name, value)
        done = _DONE.get(self.get_query_argument("done", ""))
        self.finish(
            await self.render_template(
                template,
                error=None if error is None else str(error),
                done=done if error is None else None,
                shortest=SHORTEST,
                **values,
            )
        )

    async def confirm(self, password: str) -> None:
        """Refuse who cannot say the password of whom they are signed in as."""
        name = self.current_user.name
        if await self.gate.verify(name, password, address_of(self)) is None:
            raise RefusedError("Your own password", "it is wrong", "type the one you sign in with")

    async def stop_servers(self, user: User) -> None:
        for name, spawner in list(user.spawners.items()):
            if spawner.pending:
                raise ConflictError(
                    f"The server of {user.name}", "it is starting or stopping", "try again then"
                )
            if spawner.active:
                await self.stop_single_user(user, name)

    def address_to_accept(self, secret: str) -> str:
        public = self.settings.get("public_url")
        scheme = public.scheme if public else get_browser_protocol(self.request)
        host = public.netloc if public else self.request.host
        return f"{scheme}://{host}{self.hub.base_url}accept#{secret}"


class SignIn(LoginHandler):
    """JupyterHub's own sign-in, which here logs no name that is none."""

    authenticator: AccountsAuthenticator
    _form: dict[str, str] | None = None

    async def post(self) -> None:
        """Sign in, or say why not."""
        if not {"username", "password"} <= set(self.request.body_arguments):
            raise Answer(AccountError("The form", "it has no name and no password", "type them"))
        await super().post()

    def render_template(self, name: str, **values: Any) -> Any:
        """Draw a page; what is wrong with a sign-in is said in its form.

        Parameters
        ----------
        name
            The page. For some errors there is one that speaks of servers.
        **values
            What is in it.
        """
        # Where the first password was printed, only who sits there can look.
        values.setdefault("is_here", self.request.host_name in _HERE)
        failed = self.request.method == "POST" and re.fullmatch(r"\d+\.html", name)
        return super().render_template("error.html" if failed else name, **values)

    async def login_user(self, data: dict[str, str] | None = None) -> User | None:
        """Sign in with a form's fields.

        Parameters
        ----------
        data
            The fields.
        """
        self._form = data or {}
        name = normalised(self._form.get("username", ""))
        # People type passwords in the field of the name, and what fails is logged.
        known = self.authenticator.accounts.find(name) is not None
        return await super().login_user({"username": name if known else "(unknown)"})

    def authenticate(self, data: dict[str, str]) -> Awaitable[dict[str, Any] | None]:
        """Judge the form that was sent.

        Parameters
        ----------
        data
            What is logged of it.
        """
        form = self._form or data
        found = self.authenticator.get_authenticated_user(self, form)
        return maybe_future(found)  # type: ignore[no-any-return]

    def get_next_url(self, user: User | None = None, default: str | None = None) -> str:
        """Give where to go; to the password's page first who has one that the hub made up.

        Parameters
        ----------
        user
            Who signed in.
        default
            Where to go if nothing else is asked for.
        """
        address: str = super().get_next_url(user, default)
        if user is not None and self.request.method == "POST":
            account = self.authenticator.accounts.find(user.name)
            if account is not None and account.must_change:
                return url_concat(f"{self.hub.base_url}password", {"next": address})
        return address


class Password(_Page):
    """Where a user changes their own password."""

    @web.authenticated
    async def get(self) -> None:
        """Show the form."""
        await self._show()

    @web.authenticated
    async def post(self) -> None:
        """Change the password; every other session and token of the user ends."""
        user = self.current_user
        try:
            await self._change(user)
        except AccountError as error:
            await self._show(error)
            return
        self.authenticator.end_sessions(user)
        if self.field("stop"):
            try:
                await self.stop_servers(user)
            except AccountError as error:
                self.log.warning("After a change of password: %s", error)
        self.set_session_cookie()
        self.set_hub_cookie(user)
        self.log.info("%s changed their password", user.name)
        if self.get_argument("next", ""):
            self.redirect(self.get_next_url(user))
        else:
            self.redirect(f"{self.hub.base_url}password?done=password", status=303)

    async def _change(self, user: User) -> None:
        old, new = self.field("old"), self.field("new")
        if new != self.field("again"):
            raise AccountError(
                "The new password", "you typed two different ones", "type one twice"
            )
        await self.confirm(old)
        await self.gate.run(self.accounts.change_password, user.name, old, new)

    async def _show(self, error: AccountError | None = None) -> None:
        account = self.accounts.find(self.current_user.name)
        await self.show(
            "password.html",
            error,
            must_change=account is not None and account.must_change,
            next=self._validate_next_url(self.get_argument("next", "")),
            running=any(each.active for each in self.current_user.spawners.values()),
        )


class Accept(_Page):
    """Where somebody who was invited chooses a name and a password.

    The secret is in the part of the address that browsers keep to themselves (after ``#``), and
    comes in a form: whole addresses are written in logs, of this hub and of what is before it.
    """

    async def get(self) -> None:
        """Show where the invitation is to be given, which the page does itself."""
        await self._show()

    async def post(self) -> None:
        """Show what an invitation is to; with a password, use it and sign in."""
        if "password" not in self.request.body_arguments:
            await self._show()
            return
        try:
            account = await self._accept()
        except AccountError as error:
            await self._show(error)
            return
        user = await self.auth_to_user(self.authenticator.model_of(account))
        # A new password ends what was begun with the old one.
        self.authenticator.end_sessions(user)
        self.gate.welcome(account.name, address_of(self))
        self.set_session_cookie()
        self.set_hub_cookie(user)
        self.log.info("%s accepted an invitation", account.name)
        self.redirect(self.get_next_url(user), status=303)

    async def _accept(self) -> Account:
        secret, password = self.field("token").strip(), self.field("password")
        name = normalised(self.field("name"))
        invitation = self.accounts.invitation(secret)  # before a hash is computed for anybody
        if password != self.field("again"):
            raise AccountError("The password", "you typed two different ones", "type one twice")
        if invitation.name is None and self.find_user(name) is not None:
            raise ConflictError(f"The name {name!r}", "it is taken", "choose another")
        return await self.gate.run(self.accounts.accept, secret, name, password)

    async def _show(self, error: AccountError | None = None) -> None:
        secret, invitation = self.field("token").strip(), None
        if secret:
            try:
                invitation = self.accounts.invitation(secret)
            except AccountError as refusal:
                error = error or refusal
        await self.show(
            "accept.html",
            error,
            invitation=invitation,
            secret=secret,
            chosen=self.field("name"),
        )


class List(_Page):
    """All accounts and invitations, and the form to invite."""

    @_for_administrators
    async def get(self) -> None:
        """Show them."""
        await self._show()

    @_for_administrators
    async def post(self) -> None:
        """Invite somebody."""
        name = normalised(self.field("name")) or None
        try:
            await self.confirm(self.field("own"))
            secret = self.accounts.invite(
                self.current_user.name,
                name=name,
                groups=split_groups(self.field("groups")),
                administrator=bool(self.field("administrator")),
            )
        except AccountError as error:
            await self._show(error)
            return
        self.log.info("%s invited %s", self.current_user.name, name or "somebody")
        await self._show(link=self.address_to_accept(secret), invited=name)

    async def _show(self, error: AccountError | None = None, **more: Any) -> None:
        await self.show(
            "accounts.html",
            error,
            accounts=self.accounts.all(),
            seen={each.name: _day(each) for each in self.users.values()},
            invitations=[(each, _moment(each.expires)) for each in self.accounts.invitations()],
            lifetime=in_words(LIFETIME) if LIFETIME < 86400 else f"{LIFETIME / 86400:.0f} days",
            typed={key: self.field(key) for key in ("name", "groups", "administrator")}
            if error
            else {},
            **more,
        )


class Withdraw(_Page):
    """Takes an invitation back: no power is given, so the session is enough."""

    @_for_administrators
    async def post(self) -> None:
        """Take it back."""
        self.accounts.withdraw(self.field("identity"))
        self.log.info("%s took an invitation back", self.current_user.name)
        self.redirect(f"{self.hub.base_url}accounts?done=withdrawn", status=303)


class One(_Page):
    """One account: its groups, a new password, its removal."""

    @_for_administrators
    async def get(self, name: str) -> None:
        """Show it.

        Parameters
        ----------
        name
            Whose.
        """
        await self._show(name)

    @_for_administrators
    async def post(self, name: str) -> None:
        """Change it.

        Parameters
        ----------
        name
            Whose.
        """
        actions = {
            "groups": self._groups,
            "administrator": self._administrator,
            "reset": self._reset,
            "remove": self._remove,
        }
        action = actions.get(self.field("action"), self._nothing)
        try:
            self.accounts.get(name)
            await self.confirm(self.field("own"))
            await action(name)
        except AccountError as error:
            await self._show(name, error)

    async def _nothing(self, name: str) -> None:
        raise AccountError(f"The form for {name}", "it asks for nothing there is", "load it anew")

    async def _groups(self, name: str) -> None:
        groups = self.accounts.set_groups(name, check_groups(split_groups(self.field("groups"))))
        user = self.find_user(name)
        if user is not None:
            user.sync_groups(list(groups))
        self.log.info("%s gave %s the groups %s", self.current_user.name, name, list(groups))
        self._back(name, "groups")

    async def _administrator(self, name: str) -> None:
        administrator = self.field("administrator") == "yes"
        self.accounts.set_administrator(name, administrator)
        user = self.find_user(name)
        if user is not None:
            user.admin = administrator
            roles.assign_default_roles(self.db, entity=user)
            self.db.commit()
        what = "an administrator" if administrator else "no administrator"
        self.log.info("%s made %s %s", self.current_user.name, name, what)
        self._back(name, "administrator")

    async def _reset(self, name: str) -> None:
        self._not_oneself(name, "change your password on its own page")
        secret = self.accounts.reset(name, self.current_user.name)
        self.log.info("%s reset the password of %s", self.current_user.name, name)
        user, trouble = self.find_user(name), None
        if user is not None:
            self.authenticator.end_sessions(user)
            if self.field("stop"):
                try:
                    await self.stop_servers(user)
                except AccountError as error:
                    trouble = error  # the address below is shown all the same, or it is lost
        await self._show(name, trouble, link=self.address_to_accept(secret))

    async def _remove(self, name: str) -> None:
        self._not_oneself(name, "have another administrator do it")
        self.accounts.check_removable(name)
        user = self.find_user(name)
        if user is None:
            self.accounts.remove(name)
        else:
            self.authenticator.end_sessions(user)
            await self.stop_servers(user)
            self.authenticator.delete_user(user)
            await user.delete_spawners()
            self.users.delete(user)
        self.log.info("%s removed %s", self.current_user.name, name)
        self.redirect(f"{self.hub.base_url}accounts?done=removed", status=303)

    def _not_oneself(self, name: str, instead: str) -> None:
        if name == self.current_user.name:
            raise ConflictError(f"The account {name!r}", "it is your own", instead)

    def _back(self, name: str, done: str) -> None:
        self.redirect(f"{self.hub.base_url}accounts/of/{name}?done={done}", status=303)

    async def _show(self, name: str, error: AccountError | None = None, **more: Any) -> None:
        account = self.accounts.find(name)
        if account is None:
            raise web.HTTPError(404)
        user = self.find_user(name)
        await self.show(
            "accounts_one.html",
            error,
            account=account,
            own=name == self.current_user.name,
            running=user is not None and any(each.active for each in user.spawners.values()),
            **more,
        )


def _day(user: User) -> str:
    return f"{user.last_activity:%Y-%m-%d}" if user.last_activity else ""


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


HANDLERS: Final[list[tuple[str, type[BaseHandler]]]] = [
    (r"/login", SignIn),
    (r"/accept", Accept),
    (r"/password", Password),
    (r"/accounts", List),
    (r"/accounts/invitation", Withdraw),
    (r"/accounts/of/([a-z0-9.-]{1,32})", One),
]
"""All pages of this package, by address below the hub's."""
