"""A provider of OpenID Connect, as small as the standards allow.

Discovery, the code flow with PKCE (RFC 7636, S256 only), signed id_tokens
(RS256), keys and userinfo. Codes are used once, hold for a minute and belong
to a client, an address to return to and a challenge. Tests can make it lie.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import time
import urllib.parse

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from proxy_process import application


class Provider:
    def __init__(self, client="upramp", secret="of the client"):
        self.client, self.secret = client, secret
        self.redirects = set()
        self.people = {}
        self.code_lifetime = 60
        self.lie = {}
        """What is put in place of true claims: of id_token, header and userinfo, and the key."""
        self.down = False
        self.asked = []
        self.keys = {"first": _new_key()}
        self._codes, self._tokens, self._used = {}, {}, {}
        app = web.Application(middlewares=[self._watch])
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/authorize", self._authorize),
                web.post("/consent", self._consent),
                web.post("/token", self._token),
                web.get("/userinfo", self._userinfo),
                web.get("/jwks", self._jwks),
            ]
        )
        self._server = application(app)
        self.issuer = self._server.url

    def stop(self):
        self._server.stop()

    @web.middleware
    async def _watch(self, request, handler):
        self.asked.append(request.path)
        if self.down:
            raise web.HTTPServiceUnavailable
        return await handler(request)

    async def _discovery(self, request):
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                **self.lie.get("discovery", {}),
            }
        )

    async def _authorize(self, request):
        asked = request.query
        if asked.get("client_id") != self.client or asked.get("redirect_uri") not in (
            self.redirects
        ):
            # Nobody is sent to an address that is not the client's (RFC 6749, 4.1.2.1).
            raise web.HTTPBadRequest(text="unknown client or address")
        if (
            asked.get("response_type") != "code"
            or asked.get("code_challenge_method") != "S256"
            or not asked.get("code_challenge")
            or "openid" not in asked.get("scope", "").split()
        ):
            return self._back(asked, error="invalid_request")
        fields = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">'
            for k, v in asked.items()
        )
        return web.Response(
            text=f'<form method="post" action="/consent">{fields}<input name="person"></form>',
            content_type="text/html",
        )

    async def _consent(self, request):
        asked = await request.post()
        if asked["redirect_uri"] not in self.redirects:
            raise web.HTTPBadRequest
        if asked["person"] not in self.people:
            return self._back(asked, error="access_denied")
        code = secrets.token_urlsafe()
        self._codes[code] = (
            *(asked["person"], asked["redirect_uri"], asked["code_challenge"]),
            time.time() + self.code_lifetime,
        )
        return self._back(asked, code=code)

    def _back(self, asked, **what):
        what["state"] = asked.get("state", "")
        raise web.HTTPSeeOther(f"{asked['redirect_uri']}?{urllib.parse.urlencode(what)}")

    async def _token(self, request):
        given = f"{self.client}:{self.secret}".encode()
        if request.headers.get("Authorization") != f"Basic {base64.b64encode(given).decode()}":
            return web.json_response({"error": "invalid_client"}, status=401)
        form = await request.post()
        code = form.get("code")
        if code in self._used:  # somebody has it who should not: RFC 6749, 4.1.2
            self._tokens.pop(self._used[code], None)
        person, redirect, challenge, until = self._codes.pop(code, (None, None, None, 0))
        verifier = form.get("code_verifier", "").encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if (
            form.get("grant_type") != "authorization_code"
            or person is None
            or form.get("redirect_uri") != redirect
            or digest != challenge
            or time.time() >= until
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe()
        self._tokens[token] = person
        self._used[code] = token
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.people[person]["sub"],
            "aud": self.client,
            "iat": now,
            "exp": now + 300,
            **self.lie.get("id_token", {}),
        }
        identity = self.lie.get("kid", next(reversed(self.keys)))
        key = self.lie.get("key", next(reversed(self.keys.values())))
        algorithm = self.lie.get("alg", "RS256")
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "openid profile email",
            "id_token": jwt.encode(claims, key, algorithm, headers={"kid": identity}),
        }
        if self.lie.get("no id_token"):
            del answer["id_token"]
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _userinfo(self, request):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.json_response({**self.people[self._tokens[token]], **self.lie.get("info", {})})

    async def _jwks(self, request):
        found = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": name}
            for name, key in self.keys.items()
        ]
        return web.json_response({"keys": [{**each, "use": "sig"} for each in found]})

    def revoke(self):
        self._tokens.clear()

    def new_key(self, name):
        self.keys[name] = _new_key()


def _new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
