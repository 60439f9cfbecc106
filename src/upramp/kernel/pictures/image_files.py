"""What pictures of images read: files before and after a stage, their pixels, sky and scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from upramp.dq import PIXEL
from upramp.errors import UsageError
from upramp.exposure import open_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "COLOURS",
    "image_of",
    "light_of",
    "median_of",
    "one_of",
    "pairs_of",
    "pixel_of",
    "shape_of",
    "sky_of",
    "turn",
    "unit_of",
]

_One = TypeVar("_One")

COLOURS: Final = ("#ff9f1c", "#2ec4b6", "#e71d36", "#a06cd5", "#bfd200", "#00a6fb")
"""Of exposures, one after another."""
_BAD: Final = PIXEL["DO_NOT_USE"]


def one_of(several: Sequence[_One], number: int) -> _One:
    """Give one of several exposures, or say that there is no such one."""
    if not -len(several) <= number < len(several):
        raise UsageError(
            f"exposure {number}", "there is none", f"choose one from 0 to {len(several) - 1}"
        )
    return several[number]


def pairs_of(before: Sequence[Path], after: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Give each exposure before and after a stage, by their common name."""
    pairs = [
        (one, two)
        for one in before
        for two in after
        if two.name.startswith(f"{one.stem.rpartition('_')[0]}_")
    ]
    if not pairs:
        raise UsageError("exposures", "none is there before and after", "look above for why")
    return pairs


def image_of(path: Path) -> tuple[NDArray[np.float32], str]:
    """Give an exposure's image without the pixels that are not to be used, and its unit."""
    with open_exposure(path) as exposure:
        image = np.array(exposure.data, np.float32)
        if image.ndim > 2:
            image = image[0]
        if "DQ" in exposure:
            dq = np.asarray(exposure.dq)
            image[(dq if dq.ndim == 2 else dq[0]) & _BAD != 0] = np.nan
        return image, unit_of(exposure)


def light_of(path: Path) -> str:
    """Give the filters that an exposure's light went through, as its header has them."""
    with open_exposure(path) as exposure:
        found = [str(exposure.header.get(name) or "") for name in ("FILTER", "PUPIL")]
    return " ".join(one for one in found if one not in {"", "CLEAR", "CLEARP"})


def unit_of(exposure: Any) -> str:
    """Give the unit of an exposure's image, as its header has it."""
    return str(exposure.header.get("BUNIT") or "")


def shape_of(image: NDArray[Any]) -> tuple[int, int]:
    """Give rows and columns."""
    return int(image.shape[0]), int(image.shape[1])


def median_of(values: NDArray[Any]) -> float:
    """Give the median of what is a number."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def sky_of(values: NDArray[Any]) -> tuple[float, float]:
    """Give the middle and the scatter of values, stars left out round by round."""
    kept = values[np.isfinite(values)]
    level = scatter = float("nan")
    for _ in range(8):
        if not kept.size:
            break
        level = float(np.median(kept))
        scatter = float(1.4826 * np.median(np.abs(kept - level)))
        kept = kept[np.abs(kept - level) <= 3 * max(scatter, 1e-12)]
    return level, scatter


def turn(start: Any, end: Any) -> Any:
    """Give the shorter way from one angle to another, degrees."""
    return (end - start + 180) % 360 - 180


def pixel_of(wcs: Any, shape: tuple[int, int]) -> float:
    """Give the side of the middle pixel in arcseconds."""
    if wcs is None:
        return float("nan")
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    ra, dec = wcs(np.array([x, x + 1, x]), np.array([y, y, y + 1]), with_bounding_box=False)
    east = turn(ra[0], ra) * np.cos(np.radians(dec[0])) * 3600
    north = (dec - dec[0]) * 3600
    return float(np.sqrt(abs(east[1] * north[2] - east[2] * north[1])))
