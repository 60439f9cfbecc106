"""Several pictures as one picture, and several pages as one page."""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING

from PIL import Image

from upramp_widgets.core.picture import palette_png

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["page_of", "picture_of"]


def picture_of(parts: Sequence[bytes | Image.Image]) -> bytes:
    """Put pictures beside one another.

    Parameters
    ----------
    parts
        From left to right: PNGs, or images of Pillow. At least one.

    Returns
    -------
    bytes
        A PNG; the picture itself where there is one PNG alone.
    """
    if len(parts) == 1 and isinstance(parts[0], bytes):
        return parts[0]
    images = [
        (Image.open(io.BytesIO(part)) if isinstance(part, bytes) else part).convert("RGB")
        for part in parts
    ]
    size = sum(image.width for image in images), max(image.height for image in images)
    whole = Image.new("RGB", size, images[0].getpixel((0, 0)))
    across = 0
    for image in images:
        whole.paste(image, (across, 0))
        across += image.width
    return palette_png(whole)


def page_of(title: str, pages: Mapping[str, str]) -> str:
    """Put pages beside one another.

    Parameters
    ----------
    title
        Of the whole.
    pages
        HTML by what it is called, from left to right. At least one.

    Returns
    -------
    str
        HTML; the page itself where there is one alone.
    """
    if len(pages) == 1:
        return next(iter(pages.values()))
    frames = "".join(
        f'<iframe title="{html.escape(name)}" srcdoc="{html.escape(page)}" '
        'style="border:0;height:100vh;flex:1"></iframe>'
        for name, page in pages.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title></head>\n"
        f'<body style="margin:0;display:flex">{frames}</body></html>\n'
    )
