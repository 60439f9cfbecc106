"""DS9 regions in and out, on the sky or in pixels."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from upramp.errors import InputError, UsageError

from .sky_outlines import shape_name
from .sky_plane import ARCSEC

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from .sky import Sky
    from .sky_plane import Float

__all__ = ["Frame", "ReadRegions", "converted", "parse_regions", "read_regions", "write_regions"]

Frame = Literal["sky", "pixel"]

_LARGEST: Final = 16 << 20
_MOST_LINES: Final = 200_000
_LONGEST: Final = 120
"""Characters of a line that a problem shows."""
_FRAMES: Final = frozenset({
    "image", "icrs", "fk5", "fk4", "galactic", "ecliptic", "j2000", "b1950", "physical",
    "linear", "amplifier", "detector", "wcs",
})  # fmt: skip
"""What stands alone in a line and holds for those that follow."""


@dataclass(frozen=True)
class ReadRegions:
    """What a file of regions holds.

    Attributes
    ----------
    regions : tuple of regions.Region
        Those that were read, in order.
    problems : tuple of str
        A sentence for every line that was not.
    """

    regions: tuple[Any, ...]
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.regions)


def read_regions(path: str | os.PathLike[str]) -> ReadRegions:
    """Read a file of DS9 regions.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it cannot be read, or is no text, or is larger than any.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(path, "it is larger than any file of regions", "cut it down")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, f"it cannot be read ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(path, "it is no text", "give a file of DS9 regions") from None
    return parse_regions(text)


def parse_regions(text: str) -> ReadRegions:
    """Read DS9 regions from text, line by line, so that none spoils the others.

    Parameters
    ----------
    text
        As DS9 writes it. Pixels there are counted from 1, in what comes out
        from 0.

    Raises
    ------
    InputError
        If it has more lines than any.
    """
    lines = [part for line in text.splitlines() for part in _parts(line)]
    if len(lines) > _MOST_LINES:
        raise InputError("the regions", f"they are {len(lines)} lines", "cut them down")
    shared, frame = "", ""
    found: list[Any] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.lower().startswith("global"):
            shared = line
        elif line.lower() in _FRAMES:
            frame = line
        else:
            got, problem = _parse_line(f"{shared}\n{frame}\n{line}")
            found += got
            if problem:
                problems.append(f"Line {number}, {line[:_LONGEST]!r}, was not read: {problem}.")
    return ReadRegions(tuple(found), tuple(problems))


def write_regions(
    path: str | os.PathLike[str],
    regions: Iterable[Any],
    *,
    sky: Sky | None = None,
    frame: Frame | None = None,
) -> list[str]:
    """Write regions as DS9 reads them.

    Parameters
    ----------
    path
        The file.
    regions
        Of the package regions.
    sky
        The image's coordinates; needed to change from pixels to the sky or back.
    frame
        "sky" or "pixel": what all become; None leaves them.

    Returns
    -------
    list of str
        A sentence for every region that could not be written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    UsageError
        If a change is wanted and there is no sky.
    """
    from upramp.atomic import write_text

    blocks, problems = [], []
    for number, region in enumerate(regions, 1):
        try:
            own = region if frame is None else converted(region, sky, frame)
            blocks.append(_serialized(own))
        except UsageError as error:
            problems.append(f"Region {number} was not written: {error.subject}, {error.problem}.")
    write_text(Path(path), "# Region file format: DS9\n" + "".join(blocks))
    return problems


def converted(region: Any, sky: Sky | None, frame: Frame) -> Any:
    """Change a region from pixels to the sky or back.

    Polygons, lines and points go by their corners, exactly. Circles, ellipses
    and rectangles keep their kind, with the scale and the direction that hold
    at their middle.

    Parameters
    ----------
    region
        Of the package regions.
    sky
        The image's coordinates.
    frame
        "sky" or "pixel".

    Raises
    ------
    UsageError
        If there is no sky, or the shape has no such change, or is where the
        image sees no sky.
    """
    if frame not in ("sky", "pixel"):
        raise UsageError(f"frame {frame!r}", "there is none", "use sky or pixel")
    if ("Sky" in type(region).__name__) == (frame == "sky"):
        return region
    if sky is None:
        raise UsageError("the region", "the image has no sky to change it with", "give one")
    return _Changer(sky, frame).changed(region)


# ---- text ---------------------------------------------------------------------------------


def _parts(line: str) -> Iterator[str]:
    """Cut a line at semicolons outside of texts in braces or quotes."""
    line = line.strip()
    if line.startswith("#"):
        return
    depth, start, quote = 0, 0, ""
    for at, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and depth == 0 and "#" in line[:at]:
            quote = char
        elif char in "{}":
            depth = max(depth + (1 if char == "{" else -1), 0)
        elif char == ";" and depth == 0:
            if part := line[start:at].strip():
                yield part
            start = at + 1
    if part := line[start:].strip():
        yield part


def _parse_line(text: str) -> tuple[list[Any], str]:
    from regions import Regions

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = list(Regions.parse(text, format="ds9"))
        except Exception as error:  # noqa: BLE001 - the package's errors have no common base
            return [], str(error).splitlines()[0] if str(error) else type(error).__name__
    if not found:
        said = str(caught[0].message) if caught else "it holds no region"
        return [], said.removesuffix(", skipping.").rstrip(".")
    if not all(_is_finite(region) for region in found):
        return [], "its numbers are not finite"
    return found, ""


def _is_finite(region: Any) -> bool:
    for name in region._params or ():  # noqa: SLF001 - there is no other list of them
        value = getattr(region, name)
        if isinstance(value, str):
            continue
        if hasattr(value, "icrs"):
            parts = [value.spherical.lon.deg, value.spherical.lat.deg]
        elif hasattr(value, "x") and hasattr(value, "y"):
            parts = [value.x, value.y]
        else:
            parts = [getattr(value, "value", value)]
        if not all(np.isfinite(np.asarray(part, float)).all() for part in parts):
            return False
    return True


def _serialized(region: Any) -> str:
    from regions import Regions

    said = io.StringIO()
    with warnings.catch_warnings(record=True), redirect_stdout(said), redirect_stderr(said):
        warnings.simplefilter("always")
        try:
            # The sign says whether it is meant; said again, its word would win over the sign.
            meta = {name: value for name, value in region.meta.items() if name != "include"}
            text = Regions([region.copy(meta=meta)]).serialize(format="ds9", precision=10)
        except Exception as error:
            # The package's errors have no common base.
            raise UsageError(
                f"a {type(region).__name__}",
                f"DS9 has no such region ({type(error).__name__})",
                "use circles, boxes or polygons",
            ) from error
    # One block each: what a region says of itself must not become another's.
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    return _with_own_properties(lines, meant=bool(region.meta.get("include", True)))


def _with_own_properties(lines: list[str], *, meant: bool) -> str:
    """Write a region's properties beside it: as global ones they would be the next one's too."""
    shared = [line.removeprefix("global ") for line in lines if line.startswith("global ")]
    frame, *rest = [line for line in lines if not line.startswith("global ")]
    if not rest:
        raise UsageError("a region", "DS9 has no such shape", "use circles, boxes or polygons")
    written = rest[-1] if meant else f"-{rest[-1]}"
    if shared:
        written += (" " if "#" in written else " # ") + " ".join(shared)
    return f"{frame}\n{written}\n"


# ---- from pixels to the sky and back ------------------------------------------------------


class _Changer:
    """Changes regions to a frame."""

    def __init__(self, sky: Sky, frame: Frame) -> None:
        self._sky = sky
        self._to_sky = frame == "sky"

    def changed(self, region: Any) -> Any:
        import regions

        kind = shape_name(region)
        target = getattr(regions, f"{kind}{'Sky' if self._to_sky else 'Pixel'}Region", None)
        if target is None or "Spherical" in type(region).__name__:
            raise UsageError(
                f"a {type(region).__name__}", "it has no like in the other frame", "use a polygon"
            )
        values: dict[str, Any] = {}
        for name in region._params:  # noqa: SLF001 - there is no other list of them
            values[name] = self._value(region, name, getattr(region, name))
        return target(**values, meta=region.meta, visual=region.visual)

    def _value(self, region: Any, name: str, value: Any) -> Any:
        if name in ("center", "start", "end", "vertices"):
            return self._places(value)
        if name == "text":
            return value
        towards, stretch = self._turned(region, upright="height" in name)
        if name == "angle":
            return towards
        return self._size(region, value, stretch if "radius" not in name else None)

    def _places(self, places: Any) -> Any:
        from astropy.coordinates import SkyCoord
        from regions import PixCoord

        if self._to_sky:
            ra, dec = self._sky.to_sky(places.x, places.y, outside=True)
            self._require(ra, dec)
            return SkyCoord(ra, dec, unit="deg", frame="icrs")
        plain = places.icrs
        x, y = self._sky.to_pixel(plain.ra.deg, plain.dec.deg, outside=True)
        self._require(x, y)
        return PixCoord(x, y) if x.ndim else PixCoord(float(x), float(y))

    def _require(self, *values: Float) -> None:
        if not all(np.isfinite(value).all() for value in values):
            raise UsageError("its place", "the image sees no sky there", "move it")

    def _middle(self, region: Any) -> Float:
        """Give the slopes of the sky at a region's middle, (2, 2), arcseconds a pixel."""
        place = region.center
        if not self._to_sky:
            place = self._places(place)
        slopes = self._sky.slopes(place.x, place.y)
        self._require(slopes)
        return slopes

    def _turned(self, region: Any, *, upright: bool) -> tuple[Any, float]:
        """Give the new angle, and the arcseconds a pixel along the width, or the height."""
        from astropy import units as u

        if not hasattr(region, "angle"):
            return 0 * u.deg, 0.0
        slopes = self._middle(region)
        angle = float(region.angle.to_value("rad"))
        if self._to_sky:
            east, north = slopes @ [math.cos(angle), math.sin(angle)]
            # The width points west at angle 0, and turns towards north.
            new = math.atan2(north, -east)
            along = angle + (math.pi / 2 if upright else 0)
            stretch = float(np.hypot(*(slopes @ [math.cos(along), math.sin(along)])))
        else:
            step = np.linalg.solve(slopes, [-math.cos(angle), math.sin(angle)])
            new = math.atan2(step[1], step[0])
            along = angle + (math.pi / 2 if upright else 0)
            across = np.linalg.solve(slopes, [-math.cos(along), math.sin(along)])
            stretch = float(1 / np.hypot(*across))
        return math.degrees(new) % 360 * u.deg, stretch

    def _size(self, region: Any, value: Any, stretch: float | None) -> Any:
        from astropy import units as u

        scale = math.sqrt(abs(float(np.linalg.det(self._middle(region)))))
        scale = scale if stretch is None else stretch
        if self._to_sky:
            return float(value) * scale * u.arcsec
        return float(value.to_value("rad")) / (scale * ARCSEC)
