"""Small grey pictures of images, as PNG, without a plotting package."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from upramp.exposure import Exposure

__all__ = ["exposure_thumbnail", "png", "thumbnail"]

_SIDE: Final = 256
_LEVELS: Final = 255


def thumbnail(image: Any) -> str:
    """Picture an image, stretched so that faint things show.

    Parameters
    ----------
    image
        (..., ny, nx): of more dimensions the first plane is shown.

    Returns
    -------
    str
        A PNG as base64; empty if there is nothing to see.
    """
    import numpy as np

    plane = np.asarray(image)
    if plane.ndim < 2 or not plane.size or plane.dtype.kind not in "fiub":
        return ""
    plane = plane.reshape(-1, *plane.shape[-2:])[0]
    step = max(1, -(-max(plane.shape) // _SIDE))
    return _encoded(np.asarray(plane[::step, ::step], np.float32))


def exposure_thumbnail(exposure: Exposure) -> str:
    """Picture what an exposure on disk shows, reading a few rows of it.

    Parameters
    ----------
    exposure
        Ramps (last minus first group of the first integration) or images.

    Returns
    -------
    str
        A PNG as base64; empty if there is nothing to see.
    """
    import numpy as np

    shape = exposure.shape
    if len(shape) < 2 or not all(shape):
        return ""
    if not exposure.is_ramp or len(shape) != 4:
        return thumbnail(exposure.data)
    step = max(1, -(-max(shape[-2:]) // _SIDE))
    rows = []
    for row in range(0, shape[-2], step):
        groups = exposure.read_rows(0, slice(row, row + 1))
        rows.append(groups[-1, 0, ::step] - groups[0, 0, ::step] * (len(groups) > 1))
    return _encoded(np.array(rows, np.float32))


def _encoded(values: NDArray[np.float32]) -> str:
    import numpy as np

    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    low, middle, high = np.percentile(finite, (1, 50, 99.5)).tolist()
    span = max(high - low, 1e-30)
    softening = max((middle - low) / span, 0.02)
    with np.errstate(all="ignore"):
        share = np.clip((values - low) / span, 0, 1)
        stretched = np.arcsinh(share / softening) / np.arcsinh(1 / softening)
    stretched[~np.isfinite(values)] = 0
    # Row 0 is at the bottom, as astronomers draw it.
    grey = (stretched[::-1] * _LEVELS).astype(np.uint8)
    return base64.b64encode(png(grey)).decode("ascii")


def png(grey: NDArray[np.uint8]) -> bytes:
    """Encode an image of grey levels.

    Parameters
    ----------
    grey
        (ny, nx), uint8; the first row is the uppermost.

    Returns
    -------
    bytes
        A PNG, of 8 bits without alpha.
    """
    height, width = grey.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    lines = b"".join(b"\0" + row.tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(lines, 6)),
            chunk(b"IEND", b""),
        )
    )
