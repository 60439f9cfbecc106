"""What runs inside each user's server: activity, endings of kernels, and fast websockets.

An extension of Jupyter Server, which the hub's spawners load. It imports
nothing of the hub, and its routes answer nobody who is not logged in.
"""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "upramp_hub.server"}]


def _link_jupyter_server_extension(app: Any) -> None:
    from .extension import link

    link(app)


def _load_jupyter_server_extension(app: Any) -> None:
    from .extension import load

    load(app)
