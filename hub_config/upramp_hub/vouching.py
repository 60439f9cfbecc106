"""How the proxy proves to the hub that a request came through it.

The hub's own port can be reached by every process of the machine, users'
kernels among them. Whoever counts wrong passwords by what
``X-Forwarded-For`` says must know that the proxy wrote it.
"""

from __future__ import annotations

import hmac
from typing import Final

__all__ = ["HEADER", "is_vouched_for", "voucher"]

HEADER: Final = "X-Upramp-Through-Proxy"


def voucher(token: str) -> str:
    """Give what the proxy sends along to the hub, and to nobody else.

    Parameters
    ----------
    token
        The secret of proxy and hub, which cannot be found from it.
    """
    return hmac.new(token.encode(), b"this came through the proxy", "sha256").hexdigest()


def is_vouched_for(shown: str | None, token: str) -> bool:
    """Say whether it was the proxy that asked.

    Parameters
    ----------
    shown
        The header's value; None where there was none.
    token
        The secret of proxy and hub.
    """
    return bool(shown and token) and hmac.compare_digest(
        str(shown).encode(), voucher(token).encode()
    )
