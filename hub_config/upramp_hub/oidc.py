"""Sign-in by an institution's provider of OpenID Connect.

The code flow with PKCE is ``oauthenticator``'s. Added here is what it leaves
to whoever deploys it: the endpoints are discovered, the provider's word (the
signed ``id_token``) is checked and has to speak of the same person as the
answer of ``userinfo``, a name belongs to the person who had it first, and who
leaves the allowed groups is out at the next look, not at the next sign-in.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jwt
from jupyterhub import orm
from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Unicode

from upramp.atomic import write_text
from upramp.errors import UprampError, UsageError

from .accounts.authenticator import Answer, say_how_signed_in, tell_proposals
from .accounts.errors import AccountError, RefusedError
from .accounts.names import is_name, normalised
from .settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyterhub.handlers import BaseHandler
    from jupyterhub.spawner import Spawner
    from jupyterhub.user import User

    from .settings import Settings

__all__ = ["Client", "OidcAuthenticator", "ProviderError", "configure_oidc", "discover"]

_PREFIX: Final = f"{PREFIX}OIDC_"
_EVERYBODY: Final = "*"
_CACHE: Final = "oidc-provider.json"
_PATIENCE: Final = 10.0
_CALLBACK: Final = "/hub/oauth_callback"
# With a shared secret (HS256) or none, whoever knows the client could sign.
_SIGNATURES: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
_KEYS_AGE: Final = 60.0


class ProviderError(UprampError):
    """An institution's provider does not answer, or not as such providers do."""


class _UnreachableError(ProviderError):
    """It does not answer at all."""


class _IdentityError(AccountError):
    """A provider's word of who somebody is cannot be believed."""

    status = 403


# ---- what is configured


@dataclass(frozen=True)
class Client:
    """The hub as the provider knows it, and whom it lets in.

    Parameters
    ----------
    issuer
        The provider's address, as it calls itself.
    identity, secret
        What the hub is known to it by.
    callback
        Where the provider sends people back to.
    username_claim
        Which of the things it says of a person becomes their name.
    domain
        What is cut from the end of that, with the ``@`` before it; empty for nothing.
    groups_claim
        Which of the things it says are a person's groups.
    allowed_groups
        Who may sign in: members of one of these; ``*`` for everybody it knows.
    admin_groups
        Who administrates.
    scopes
        What is asked for.
    title
        What the provider is called on the page for signing in.
    """

    issuer: str
    identity: str
    secret: str
    callback: str
    allowed_groups: frozenset[str]
    admin_groups: frozenset[str] = frozenset()
    username_claim: str = "preferred_username"
    domain: str = ""
    groups_claim: str = "groups"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    title: str = "your institution"

    @classmethod
    def from_environment(
        cls, settings: Settings, environment: Mapping[str, str] | None = None
    ) -> Client:
        """Read the client from variables that begin with ``UPRAMP_HUB_OIDC_``.

        Parameters
        ----------
        settings
            The hub's, for where it is reached.
        environment
            Variables; None for this process's.

        Raises
        ------
        UsageError
            If one is missing or cannot be.
        """
        environment = os.environ if environment is None else environment

        def needed(name: str, what: str) -> str:
            value = environment.get(_PREFIX + name, "").strip()
            if not value:
                raise UsageError(_PREFIX + name, "it is not set", f"set it to {what}")
            return value

        def given(name: str, default: str) -> str:
            return environment.get(_PREFIX + name, "").strip() or default

        callback = given("CALLBACK_URL", settings.url + _CALLBACK)
        client = cls(
            issuer=needed("ISSUER", "the provider's address"),
            identity=needed("CLIENT_ID", "what the provider calls this hub"),
            secret=_secret(Path(needed("CLIENT_SECRET_FILE", "a file with the client's secret"))),
            callback=callback,
            allowed_groups=frozenset(
                _listed(
                    needed("ALLOWED_GROUPS", "the groups that may sign in, or * for everybody")
                )
            ),
            admin_groups=frozenset(_listed(given("ADMIN_GROUPS", ""))),
            username_claim=given("USERNAME_CLAIM", cls.username_claim),
            domain=given("DOMAIN", "").removeprefix("@").lower(),
            groups_claim=given("GROUPS_CLAIM", cls.groups_claim),
            scopes=_listed(given("SCOPES", ",".join(cls.scopes))),
            title=given("TITLE", cls.title),
        )
        _check_private(f"{_PREFIX}ISSUER={client.issuer}", client.issuer)
        _check_private(f"{_PREFIX}CALLBACK_URL={callback}", callback)
        if not callback.endswith(_CALLBACK):
            raise UsageError(
                f"{_PREFIX}CALLBACK_URL={callback}",
                "it is not an address of this hub's",
                f"end it with {_CALLBACK}",
            )
        if "openid" not in client.scopes:
            raise UsageError(f"{_PREFIX}SCOPES", "openid is not among them", "add it")
        return client


def _listed(text: str) -> tuple[str, ...]:
    # Names of groups may hold spaces, so only commas are between them.
    return tuple(filter(None, (each.strip() for each in text.split(","))))


def _secret(file: Path) -> str:
    try:
        readable = file.stat().st_mode & 0o007
        secret = file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise UsageError(file, f"it cannot be read ({error})", "name another file") from error
    if readable:
        raise UsageError(file, "everybody here can read the secret in it", f"chmod o= {file}")
    if not secret:
        raise UsageError(file, "it is empty", "write the client's secret in it")
    return secret


def _check_private(subject: str, address: str) -> None:
    """Refuse an address over which others could listen in."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_this_machine(parts.hostname or ""):
        return
    raise UsageError(
        subject, "passwords and codes would be open to the network", "use an https:// address"
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# ---- what the provider says of itself


def discover(issuer: str, state: Path) -> dict[str, Any]:
    """Ask a provider where its endpoints are.

    What it said last is kept: while it is away nobody can sign in, but the hub
    can be started for those who are.

    Parameters
    ----------
    issuer
        The provider's address.
    state
        The hub's private folder.

    Returns
    -------
    dict
        Its document (OpenID Connect Discovery 1.0, section 3).

    Raises
    ------
    ProviderError
        If it does not answer and never did, or says what cannot be.
    """
    kept = state / _CACHE
    try:
        text = _fetched(issuer)
    except _UnreachableError:
        document = _kept(kept, issuer)
        if document is None:
            raise
        return document
    document = _checked_document(text, issuer)
    write_text(kept, json.dumps(document))
    kept.chmod(0o600)
    return document


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        """Follow nothing: where it leads is not who was asked."""


def _fetched(issuer: str) -> str:
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(address, timeout=_PATIENCE) as answer:  # its scheme was checked
            return bytes(answer.read(1 << 20)).decode("utf-8")
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise _unreachable(address, error) from error
        raise ProviderError(
            address, f"it answers {error.code}", f"correct {_PREFIX}ISSUER"
        ) from error
    except UnicodeDecodeError as error:
        raise _strange(issuer, "it is no text") from error
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: OSError) -> _UnreachableError:
    return _UnreachableError(address, f"it does not answer ({error})", "see whether it is up")


def _strange(issuer: str, problem: str) -> ProviderError:
    return ProviderError(f"The provider {issuer}", problem, f"correct {_PREFIX}ISSUER")


def _kept(file: Path, issuer: str) -> dict[str, Any] | None:
    try:
        return _checked_document(file.read_text("utf-8"), issuer)
    except (OSError, ValueError, ProviderError):
        return None


def _checked_document(text: str, issuer: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _strange(issuer, "what it says of itself is not JSON") from error
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise _strange(issuer, "it calls itself otherwise")
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        address = document.get(name)
        if not isinstance(address, str):
            raise _strange(issuer, f"it has no {name}")
        try:
            _check_private(f"The provider's {name}", address)
        except UsageError as error:
            raise _strange(issuer, f"its {name} is not an https:// address") from error
    return document


# ---- who is who


class OidcAuthenticator(GenericOAuthenticator):
    """Signs in whom an institution's provider vouches for."""

    state = Unicode(help="The hub's private folder.").tag(config=True)
    issuer = Unicode(help="The provider, as it calls itself.").tag(config=True)
    jwks_url = Unicode(help="Where its keys are.").tag(config=True)
    domain = Unicode(help="What is cut from the end of a name, after an @.").tag(config=True)

    _keys: jwt.PyJWKSet | None = None
    _keys_at = 0.0

    def normalize_username(self, username: str) -> str:
        """Give a name as it is kept.

        Parameters
        ----------
        username
            As the provider wrote it.
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

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Make a name of what the provider says.

        Parameters
        ----------
        user_info
            What it says of a person.

        Raises
        ------
        Answer
            If it cannot be one.
        """
        claim = user_info.get(self.username_claim)
        name = normalised(claim) if isinstance(claim, str) else ""
        if self.username_claim == "email" and user_info.get("email_verified") is not True:
            name = ""  # anybody could write anybody's address there
        if self.domain:
            name, at, domain = name.rpartition("@")
            if not at or domain != self.domain:
                name = ""
        if not is_name(name):
            raise Answer(
                RefusedError(
                    f"What your institution gives as your name ({self.username_claim})",
                    "cannot be the name of an account here",
                    "ask the hub's administrators",
                )
            )
        return name

    async def get_token_info(
        self, handler: BaseHandler | None, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Turn a code into tokens, and believe them only if the provider signed them for us.

        Parameters
        ----------
        handler
            The page that was asked.
        params
            What is sent to the provider.

        Raises
        ------
        Answer
            If the code or the answer is refused.
        """
        try:
            info: dict[str, Any] = await super().get_token_info(handler, params)
        except HTTPClientError as error:
            if not 400 <= error.code < 500:
                raise
            raise _refused("your institution does not accept the code") from error
        if "id_token" in info or params["grant_type"] == "authorization_code":
            await self._check_identity(info.get("id_token"))
        return info

    async def _check_identity(self, token: Any) -> None:
        try:
            key = await self._key_of(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(_SIGNATURES),
                audience=self.client_id,
                issuer=self.issuer,
                leeway=60,  # no two clocks are alike
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            self.log.warning("An id_token is refused: %s", error)
            raise _refused("what your institution says is not signed, or not for this hub") from (
                error
            )
        if claims.get("azp", self.client_id) != self.client_id:
            raise _refused("what your institution says is for another service")

    async def _key_of(self, token: Any) -> jwt.PyJWK:
        if not isinstance(token, str):
            raise jwt.InvalidTokenError("there is none")
        identity = jwt.get_unverified_header(token).get("kid")
        found = self._key(identity)
        # Keys change; but who sends unknown ones does not make us ask each time.
        if found is None and time.monotonic() - self._keys_at > (_KEYS_AGE if self._keys else 0):
            answer = await self.httpfetch(
                self.jwks_url, "Fetching keys", validate_cert=self.validate_server_cert
            )
            self._keys, self._keys_at = jwt.PyJWKSet.from_dict(answer), time.monotonic()
            found = self._key(identity)
        if found is None:
            raise jwt.InvalidKeyError("the provider has no such key")
        return found

    def _key(self, identity: str | None) -> jwt.PyJWK | None:
        keys = [k for k in (self._keys.keys if self._keys else ()) if k.public_key_use != "enc"]
        if identity is None:
            return keys[0] if len(keys) == 1 else None
        return next((each for each in keys if each.key_id == identity), None)

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Ask the provider about the person; it has to be the one whom its signed word names.

        Parameters
        ----------
        token_info
            The tokens.

        Raises
        ------
        Answer
            If it is not.
        """
        found: dict[str, Any] = await super().token_to_user(token_info)
        signed = token_info.get("id_token")
        if signed is not None:  # its signature was checked when it came
            claims = jwt.decode(signed, options={"verify_signature": False})
            if not isinstance(found, dict) or found.get("sub") != claims["sub"]:
                raise _refused("your institution speaks of two different people")
        return found

    async def check_allowed(self, username: str, auth_model: dict[str, Any]) -> bool:
        """Tell whether somebody may sign in; their name is theirs from then on.

        Parameters
        ----------
        username
            Their name.
        auth_model
            What is known of them.

        Raises
        ------
        Answer
            If the name is somebody else's.
        """
        if not await super().check_allowed(username, auth_model):
            return False
        subject = str(auth_model["auth_state"][self.user_auth_state_key]["sub"])
        owner = [self.issuer, subject]
        file = Path(self.state) / "oidc-people.json"
        people = json.loads(file.read_text("utf-8")) if file.exists() else {}
        if people.setdefault(username, owner) != owner:
            self.log.warning("%s is the name of two people at %s", username, self.issuer)
            raise Answer(
                RefusedError(
                    f"The name {username!r}",
                    "it was somebody else's here before it was yours",
                    "ask the hub's administrators",
                )
            )
        write_text(file, json.dumps(people))
        file.chmod(0o600)
        return True

    async def refresh_user(
        self, user: User, handler: BaseHandler | None = None, **more: Any
    ) -> bool | dict[str, Any]:
        """Ask the provider anew about somebody who is signed in.

        While it does not answer, they stay.

        Parameters
        ----------
        user
            Who.
        handler
            The page that is asked, if it is one.
        **more
            What JupyterHub gives besides.
        """
        say_how_signed_in(handler)
        try:
            found: bool | dict[str, Any] = await super().refresh_user(user, handler, **more)
        except (HTTPClientError, OSError) as error:
            self.log.warning("%s does not answer about %s: %s", self.issuer, user.name, error)
            return True
        if isinstance(found, dict) and not await self._still(user.name, found):
            # JupyterHub asks this at a sign-in only.
            for token in list(user.orm_user.api_tokens):
                user.db.delete(token)
            user.orm_user.cookie_id = orm.new_token()
            user.db.commit()
            self.log.warning("%s may no longer be here", user.name)
            return False
        return found

    async def _still(self, name: str, auth_model: dict[str, Any]) -> bool:
        try:
            return await self.check_allowed(name, auth_model)
        except web.HTTPError:
            return False

    def pre_spawn_start(self, user: User, spawner: Spawner) -> None:
        """Tell a server its user's proposals.

        Parameters
        ----------
        user
            The server's user.
        spawner
            What starts it.
        """
        tell_proposals(user, spawner, Path(self.state))


def _refused(problem: str) -> Answer:
    return Answer(_IdentityError("This sign-in", problem, "begin anew from the hub's first page"))


def configure_oidc(
    c: Any, settings: Settings, environment: Mapping[str, str] | None = None
) -> None:
    """Choose and set up the authenticator of OpenID Connect.

    Parameters
    ----------
    c
        What JupyterHub's configuration file calls so.
    settings
        The hub's.
    environment
        Variables; None for this process's.

    Raises
    ------
    UsageError
        If a variable is missing or cannot be.
    ProviderError
        If the provider cannot be found.
    """
    client = Client.from_environment(settings, environment)
    document = discover(client.issuer, settings.state)
    c.JupyterHub.authenticator_class = OidcAuthenticator
    ours = c.OidcAuthenticator
    ours.state = str(settings.state)
    ours.issuer = client.issuer
    ours.jwks_url = document["jwks_uri"]
    ours.domain = client.domain
    ours.manage_groups = True
    ours.client_id = client.identity
    ours.client_secret = client.secret
    ours.oauth_callback_url = client.callback
    ours.authorize_url = document["authorization_endpoint"]
    ours.token_url = document["token_endpoint"]
    ours.userdata_url = document["userinfo_endpoint"]
    # What a provider that says nothing takes is in the head (Discovery, section 3).
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    ours.basic_auth = "client_secret_basic" in methods
    ours.enable_pkce = True
    ours.validate_server_cert = True
    ours.scope = list(client.scopes)
    ours.login_service = client.title
    ours.username_claim = client.username_claim
    ours.auth_state_groups_key = _GroupsOf(client.groups_claim)
    ours.allow_all = _EVERYBODY in client.allowed_groups
    ours.allowed_groups = set(client.allowed_groups - {_EVERYBODY})
    ours.admin_groups = set(client.admin_groups)
    # The tokens, by which groups are looked up again, are kept encrypted.
    ours.enable_auth_state = True
    c.CryptKeeper.keys = [settings.secret("auth_state_key")]


class _GroupsOf:
    """Finds a person's groups in what the provider said."""

    def __init__(self, claim: str) -> None:
        self._claim = claim

    def __call__(self, auth_state: dict[str, Any]) -> set[str]:
        found = auth_state[OidcAuthenticator.user_auth_state_key].get(self._claim) or []
        # One group may be given as itself; a text is not to fall apart into letters.
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list):
            return set()
        return {each for each in found if isinstance(each, str) and 0 < len(each) <= 255}
