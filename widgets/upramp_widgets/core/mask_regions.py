"""Masks as regions: outlines of what is flagged, and what regions flag."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from upramp.atomic import write_text
from upramp.dq import GROUP
from upramp.errors import InputError, UsageError

from .mask_outlines import Outline, outlines
from .mask_paint import cleared, marked
from .mask_pixels import Pixels
from .mask_record import chosen, flag_bit
from .mask_region_shapes import pixels_of
from .mask_tags import Tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from .mask import MaskModel
    from .mask_history import Change

__all__ = ["Layer", "RegionList", "from_regions", "load", "to_regions", "write"]

Layer = Literal["manual", "mask"]
RegionList: TypeAlias = Any
"""``regions.Regions``, whose package is imported when it is needed."""

_TITLE: Final = "# upramp mask: integrations, groups count from 0"
_COLOURS: Final = {"JUMP_DET": "red", "SATURATED": "magenta", "DO_NOT_USE": "blue"}
_OTHER_COLOUR: Final = "yellow"
_Piece: TypeAlias = tuple[Outline, Tags]


def _pieces(
    model: MaskModel,
    layer: Layer,
    groups: int | Iterable[int] | None = None,
    integrations: int | Iterable[int] | None = None,
    bits: Iterable[str] | None = None,
) -> list[_Piece]:
    """Outlines and their tags; what is the same in several groups comes once."""
    if layer not in {"manual", "mask"}:
        raise UsageError("layer", f"there is no {layer!r}", "use 'manual' or 'mask'")
    named = list(GROUP) if bits is None else [bits] if isinstance(bits, str) else list(bits)
    numbers = {name: flag_bit(name) for name in named}
    wanted = chosen("groups", groups, model.shape[1])
    found: dict[tuple[int, str, bool, Outline], list[int]] = {}
    for integration in chosen("integrations", integrations, model.shape[0]):
        for group in wanted:
            for image, erased in _layers(model, layer, integration, group):
                present = int(np.bitwise_or.reduce(image, axis=None))
                for name, bit in numbers.items():
                    if present & bit:
                        for one in outlines((image & bit) != 0):
                            key = integration, name, erased, one
                            found.setdefault(key, []).append(group)
    return [
        (one, Tags((integration,), tuple(where), name, erased))
        for (integration, name, erased, one), where in found.items()
    ]


def _layers(
    model: MaskModel, layer: Layer, integration: int, group: int
) -> Iterator[tuple[NDArray[np.uint8], bool]]:
    if layer == "mask":
        yield model.flags(integration, group), False
        return
    images = np.zeros((2, *model.image_shape), np.uint8)
    touched = False
    for place, codes in model.paint.patches((integration, group)):
        images[0].reshape(-1)[place] = marked(codes)
        images[1].reshape(-1)[place] = cleared(codes)
        touched = True
    if touched:
        yield images[0], False
        yield images[1], True


def to_regions(
    model: MaskModel,
    layer: Layer,
    *,
    groups: int | Iterable[int] | None,
    integrations: int | Iterable[int] | None,
    bits: Iterable[str] | None,
) -> RegionList:
    """Give outlines of a mask: see `MaskModel.to_regions`.

    Parameters
    ----------
    model
        The mask.
    layer, groups, integrations, bits
        What of it.
    """
    from regions import (
        PixCoord,
        PolygonPixelRegion,
        RectanglePixelRegion,
        RegionMeta,
        Regions,
        RegionVisual,
    )

    made = []
    for outline, tags in _pieces(model, layer, groups, integrations, bits):
        look = {
            "meta": RegionMeta({"tag": tags.texts(), "include": True}),
            "visual": RegionVisual({"color": _colour(tags)}),
        }
        rectangle = outline.rectangle
        if rectangle is None:
            x, y = np.array(outline.vertices).T
            made.append(PolygonPixelRegion(PixCoord(x, y), **look))
        else:
            x, y, width, height = rectangle
            made.append(RectanglePixelRegion(PixCoord(x, y), width, height, **look))
    return Regions(made)


def _colour(tags: Tags) -> str:
    return _COLOURS.get(tags.bit or "", _OTHER_COLOUR)


def write(model: MaskModel, path: Path, record: Mapping[str, Any]) -> None:
    """Write regions around what was done by hand, whole or not at all.

    Parameters
    ----------
    model
        The mask.
    path
        Where to.
    record
        What is to be said of it, from `MaskModel.record`.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    lines = ["# Region file format: DS9", _TITLE, f"# sha256 of the mask: {record['sha256']}"]
    lines.append("image")  # where the centre of the first pixel is (1, 1)
    for outline, tags in _pieces(model, "manual"):
        rectangle = outline.rectangle
        if rectangle is None:
            numbers = [value + 1 for vertex in outline.vertices for value in vertex]
            shape = "polygon"
        else:
            x, y, width, height = rectangle
            numbers, shape = [x + 1, y + 1, width, height, 0], "box"
        marks = " ".join(f"tag={{{text}}}" for text in tags.texts())
        look = f"color={_colour(tags)}" + (" dash=1" if tags.erased else "")
        lines.append(
            f"{shape}({','.join(f'{number:.10g}' for number in numbers)}) # {look} {marks}"
        )
    write_text(path, "\n".join(lines) + "\n")


def load(model: MaskModel, path: Path) -> Change:
    """Draw the regions of a file of DS9, in one step.

    Parameters
    ----------
    model
        The mask.
    path
        The file.

    Raises
    ------
    InputError
        If it cannot be read, or has a region that cannot be drawn.
    """
    from regions import Regions

    remedy = "save it from DS9 in image coordinates"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is no text" if isinstance(error, ValueError) else "it cannot be read"
        raise InputError(path, why, "give a file of regions") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it warns of what it leaves out
            found = Regions.parse(text, format="ds9")
    except Exception as error:  # the parser raises many kinds
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(path, f"its regions cannot be read ({first})", remedy) from error
    if not len(found) and _TITLE not in text:
        raise InputError(path, "it holds no regions", remedy)
    try:
        with model.step(f"load {path.name}") as step:
            from_regions(model, found)
    except UsageError as error:
        problem = f"a region cannot be drawn ({error.subject}: {error.problem})"
        raise InputError(path, problem, error.remedy) from error
    return step.summary(model.shape[3])


def from_regions(
    model: MaskModel, regions: Iterable[Any], *, wcs: Any = None, **where: Any
) -> Change:
    """Draw regions: see `MaskModel.from_regions`.

    Parameters
    ----------
    model
        The mask.
    regions
        The regions.
    wcs
        With which regions on the sky are drawn.
    **where
        As for `MaskModel.flag`.
    """
    shape = model.image_shape
    parts: dict[Tags, tuple[list[Pixels], list[Pixels]]] = {}
    for region in regions:
        pixels = pixels_of(region, shape, wcs)
        meta = getattr(region, "meta", {})
        included, excluded = parts.setdefault(Tags.read(meta.get("tag", ())), ([], []))
        (included if meta.get("include", True) not in {False, "-"} else excluded).append(pixels)
    with model.step("regions") as step:
        for tags, (included, excluded) in parts.items():
            if not included:
                raise UsageError(
                    "regions", "they only exclude pixels", "give one that includes some"
                )
            own: dict[str, Any] = {
                name: value
                for name, value in (
                    ("integrations", tags.integrations),
                    ("groups", tags.groups),
                    ("bit", tags.bit),
                    ("erase", tags.erased or None),
                )
                if value is not None
            }
            pixels = Pixels.union(shape, included) - Pixels.union(shape, excluded)
            model.flag(pixels, **{**where, **own}, label="regions")
    return step.summary(model.shape[3])
