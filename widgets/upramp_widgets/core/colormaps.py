"""Colormaps as tables of 256 colours, without a plotting library.

Each is kept as eighteen colours with straight lines between them; the browser
is given the same eighteen.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLORMAPS", "NODES", "table"]

NODES: Final[dict[str, str]] = {
    "gray": "000000 ffffff",
    # Sampled from the perceptually uniform maps of Smith, van der Walt and Firing (CC0).
    "viridis": (
        "440154 481769 472a7a 433d84 3d4e8a 355e8d 2e6d8e 297b8e 23898e "
        "1f978b 21a585 2eb37c 46c06f 65cb5e 89d548 b0dd2f d8e219 fde725"
    ),
    "inferno": (
        "000004 0a0722 1e0c45 380962 510e6c 69166e 801f6c 982766 b0315b "
        "c63d4d d94d3d e9612b f47918 fa9407 fcb014 f8cd37 f2ea69 fcffa4"
    ),
    "magma": (
        "000004 090720 1a1042 311165 4a1079 621980 792282 912b81 aa337d "
        "c23b75 d9466b ec5860 f7725c fc8e64 feaa74 fec68a fde2a3 fcfdbf"
    ),
    # Nunez, Anderton and Renslow, PLoS ONE 13 (2018).
    "cividis": (
        "00224e 002d68 163770 2e416d 3f4c6c 4e566c 5c616e 696b71 767676 "
        "838179 928c78 a09875 afa471 bfb06b cfbd62 dfca57 f0d846 fee838"
    ),
    # Blue below, red above, light in the middle: for differences and residuals.
    "diverging": "12306b 2f66ac 6ea6d0 b9d8ea f5f5f2 f4c4a8 dd8064 b53a3c 6b1026",
}

COLORMAPS: Final = (*NODES, *(f"{name}_r" for name in NODES))
"""Names of the colormaps; those with ``_r`` run the other way."""


@cache
def table(name: str) -> NDArray[np.uint8]:
    """Give a colormap's colours.

    Parameters
    ----------
    name
        One of `COLORMAPS`.

    Returns
    -------
    ndarray
        uint8, (256, 3), red, green and blue; read-only.

    Raises
    ------
    UsageError
        If there is no colormap of that name.
    """
    if name not in COLORMAPS:
        raise UsageError("cmap", f"there is no {name!r}", f"give one of {COLORMAPS}")
    nodes = np.array(
        [list(bytes.fromhex(node)) for node in NODES[name.removesuffix("_r")].split()]
    )
    at = np.linspace(0, 255, len(nodes))
    colours = np.stack([np.interp(np.arange(256), at, part) for part in nodes.T], axis=1)
    found = np.rint(colours).astype(np.uint8)
    if name.endswith("_r"):
        found = found[::-1].copy()
    found.flags.writeable = False
    return found  # type: ignore[no-any-return]
