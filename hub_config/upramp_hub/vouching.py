"""Who may say where a request comes from, on a machine that users' kernels share.

The hub's own port, and the proxy's, can be reached by every process of the
machine. Whoever counts wrong passwords by what ``X-Forwarded-For`` says must
know who wrote it: the proxy proves itself to the hub, and a web server on the
same machine proves itself to the proxy.
"""

from __future__ import annotations

import hmac
from typing import Final

__all__ = ["HEADER", "WEB_SERVER", "is_vouched_for", "is_web_server", "voucher", "web_secret"]

HEADER: Final = "X-Upramp-Through-Proxy"
WEB_SERVER: Final = "X-Upramp-Web-Server"


def voucher(token: str) -> str:
    """Give what the proxy sends along to the hub, and to nobody else.

    Parameters
    ----------
    token
        The secret of proxy and hub, which cannot be found from it.
    """
    return _proof(token, b"this came through the proxy")


def is_vouched_for(shown: str | None, token: str) -> bool:
    """Say whether it was the proxy that asked.

    Parameters
    ----------
    shown
        The header's value; None where there was none.
    token
        The secret of proxy and hub.
    """
    return _is_same(shown, token and voucher(token))


def web_secret(token: str) -> str:
    """Give what a web server on this machine sends along to the proxy.

    Parameters
    ----------
    token
        The secret of proxy and hub, which cannot be found from it.
    """
    return _proof(token, b"a web server asks")


def is_web_server(shown: str | None, token: str) -> bool:
    """Say whether it was a web server that belongs to the hub.

    Parameters
    ----------
    shown
        The header's value; None where there was none.
    token
        The secret of proxy and hub.
    """
    return _is_same(shown, token and web_secret(token))


def _proof(token: str, words: bytes) -> str:
    return hmac.new(token.encode(), words, "sha256").hexdigest()


def _is_same(shown: str | None, expected: str) -> bool:
    """Compare in a time that tells nothing; where no secret is known, nothing is the same."""
    return bool(shown and expected) and hmac.compare_digest(str(shown).encode(), expected.encode())
