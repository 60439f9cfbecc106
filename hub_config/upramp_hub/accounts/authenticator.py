"""What JupyterHub asks about the hub's own accounts."""

from __future__ import annotations

import ipaddress
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Bool, Unicode

from upramp.errors import InputError
from upramp_hub import proposals
from upramp_hub.vouching import HEADER, is_vouched_for

from .attempts import Attempts
from .errors import AccountError, LockedOutError
from .gate import Gate
from .names import is_name, normalised
from .store import Accounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyterhub.handlers import BaseHandler
    from jupyterhub.spawner import Spawner
    from jupyterhub.user import User

    from .store import Account

__all__ = ["AccountsAuthenticator", "Answer", "address_of", "say_how_signed_in", "tell_proposals"]


class AccountsAuthenticator(Authenticator):
    """Signs in whom the hub itself knows."""

    state = Unicode(help="The hub's private folder, where the accounts are.").tag(config=True)

    vouched = Bool(
        help="""Whether an address is believed only from the hub's own proxy, which proves itself.

        Where users' kernels reach the hub's port, and the proxy is the hub's own."""
    ).tag(config=True)

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts."""
        return Accounts(Path(self.state))

    @cached_property
    def gate(self) -> Gate:
        """Where passwords are judged."""
        return Gate(self.accounts, Attempts(self.accounts.database))

    # ---- what JupyterHub calls

    def get_handlers(self, app: Any) -> list[tuple[str, type[BaseHandler]]]:
        """Give the pages; JupyterHub looks at these before its own.

        Parameters
        ----------
        app
            The hub.
        """
        from .pages import HANDLERS

        return [*HANDLERS, *super().get_handlers(app)]

    def normalize_username(self, username: str) -> str:
        """Give a name as it is kept.

        Parameters
        ----------
        username
            As somebody or something wrote it.
        """
        return normalised(username)

    def validate_username(self, username: str) -> bool:
        """Tell whether a name can be one.

        Parameters
        ----------
        username
            As it is kept.
        """
        return is_name(username)

    async def authenticate(
        self, handler: BaseHandler, data: dict[str, str]
    ) -> dict[str, Any] | None:
        """Give who signs in, None if name and password do not belong together.

        Parameters
        ----------
        handler
            The page that was asked.
        data
            The form's fields ``username`` and ``password``.
        """
        try:
            account = await self.gate.verify(
                data["username"], data["password"], address_of(handler)
            )
        except AccountError as error:
            raise Answer(error) from error
        if account is None:
            return None
        user = handler.find_user(account.name)
        if user is not None and self.accounts.take_signed_out(account.name):
            self.end_sessions(user)  # those of before; this one begins
        return self.model_of(account)

    async def refresh_user(
        self,
        user: User,
        handler: BaseHandler | None = None,
    ) -> bool | dict[str, Any]:
        """Give what a user is now, False if they may no longer be here.

        Parameters
        ----------
        user
            The user.
        handler
            The page that is asked, if it is one.
        """
        say_how_signed_in(handler)
        account = self.accounts.find(user.name)
        if account is None:
            # Robots are users whom a service made and speaks for: without a password, so that
            # nobody signs in as one.
            return not self.accounts.was_removed(user.name)
        if not account.has_password:
            return False
        if self.accounts.take_signed_out(user.name):
            self.end_sessions(user)
            return False
        return self.model_of(account)

    def delete_user(self, user: User) -> None:
        """Remove the account of a user whom JupyterHub's own page or interface removes.

        Parameters
        ----------
        user
            The user.
        """
        super().delete_user(user)
        if self.accounts.find(user.name) is not None:
            self.accounts.remove(user.name)

    def pre_spawn_start(self, user: User, spawner: Spawner) -> None:
        """Tell a server its user's proposals, and remember the token that it gets.

        Parameters
        ----------
        user
            The server's user.
        spawner
            What starts it.
        """
        tell_proposals(user, spawner, Path(self.state))
        token = orm.APIToken.find(user.db, spawner.api_token)
        if token is not None:
            others = [each.hashed for each in user.orm_user.api_tokens]
            self.accounts.remember_server_token(user.name, token.hashed, others)

    # ---- what the pages call

    def model_of(self, account: Account) -> dict[str, Any]:
        """Give an account as JupyterHub takes it.

        Parameters
        ----------
        account
            The account.
        """
        return {
            "name": account.name,
            "admin": account.administrator,
            "groups": list(account.groups),
            "auth_state": None,
        }

    def end_sessions(self, user: User) -> None:
        """Make every cookie and token of a user worthless, except those of running servers.

        A server keeps the token it was started with, or a running cell's server could no
        longer be reached by its own user. Which these are was noted when they were given: a
        token's name and scopes are chosen by whoever makes one.

        Parameters
        ----------
        user
            The user.
        """
        kept = self.accounts.server_tokens(user.name)
        for token in list(user.orm_user.api_tokens):
            if token.hashed not in kept:
                user.db.delete(token)
        for code in user.db.query(orm.OAuthCode).filter_by(user_id=user.id):
            user.db.delete(code)
        user.orm_user.cookie_id = orm.new_token()
        user.db.commit()


def tell_proposals(user: User, spawner: Spawner, state: Path) -> None:
    """Put a user's proposals in the environment of the server that is started.

    Parameters
    ----------
    user
        The server's user.
    spawner
        What starts it.
    state
        The hub's private folder.
    """
    groups = [group.name for group in user.orm_user.groups]
    try:
        found = proposals.proposals_of(groups, state)
    except InputError as error:
        # Nobody's server is to stay down for a slip in that file; it gives less, and it is said.
        spawner.log.warning("%s Only groups named after proposals count.", error)
        found = proposals.proposals_of(groups)
    # Not changed in place: it may be one that all spawners share.
    spawner.environment = {
        **spawner.environment,
        proposals.VARIABLE: proposals.written(found),
    }


def say_how_signed_in(handler: BaseHandler | None) -> None:
    """Make a page know that it was not asked with a token.

    JupyterHub 6.1 looks at an attribute that it only sets where one was: who may no longer be
    here would be told of an internal error.

    Parameters
    ----------
    handler
        The page, if it is one.
    """
    if handler is not None and not hasattr(handler, "_token_authenticated"):
        handler._token_authenticated = False  # noqa: SLF001  # see above


class Answer(web.HTTPError):
    """An error as the answer of a page.

    Parameters
    ----------
    error
        What went wrong.
    """

    def __init__(self, error: AccountError) -> None:
        super().__init__(error.status)
        # Both are what JupyterHub looks for on an error: what to show, and what to send along.
        self.jupyterhub_message = str(error)
        self.headers: dict[str, str] = {}
        if isinstance(error, LockedOutError):
            self.headers["Retry-After"] = str(math.ceil(max(error.wait, 1)))


def address_of(handler: BaseHandler) -> str:
    """Give the address that a request comes from.

    It is the last that a proxy we trust says, as the ones before it are what the
    client says. ``X-Real-Ip``, which tornado would believe, is the client's too.
    A kernel that comes to the hub's port itself is on this machine, whatever it says.

    Parameters
    ----------
    handler
        The page that was asked.
    """
    trusted: Sequence[str] = handler.app.trusted_downstream_ips
    connection = handler.request.connection.context
    peer = str(getattr(connection, "_orig_remote_ip", None) or handler.request.remote_ip)
    told = ",".join(handler.request.headers.get_list("X-Forwarded-For"))
    if not told or not _is_ours(peer, trusted):
        return peer
    if handler.authenticator.vouched and not is_vouched_for(
        handler.request.headers.get(HEADER), handler.app.proxy.auth_token
    ):
        return peer
    for address in reversed([each.strip() for each in told.split(",")]):
        if address not in trusted:
            return address
    return peer


def _is_ours(peer: str, trusted: Sequence[str]) -> bool:
    try:
        return peer in trusted or not ipaddress.ip_address(peer).is_global
    except ValueError:  # the peer of a Unix socket
        return True
