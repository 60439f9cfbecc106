"""What pictures of coronagraphy are drawn of: images around a star, with the sky's directions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.colors import AsinhNorm
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

__all__ = [
    "Around",
    "Box",
    "arrows",
    "brightness",
    "colour_bar",
    "exposures_of",
    "mark",
    "read_image",
    "scale_bar",
]

_MIRROR: Final = 6.5
"""Metres: what sets the width of a point of light."""
_FILTER: Final = re.compile(r"F(\d{3,4})[A-Z]*\d?")
_LIGHT: Final = "#f4f1de"


@dataclass(frozen=True)
class Box:
    """A piece of an image around a star.

    Parameters
    ----------
    data
        (n, n).
    extent
        Left, right, bottom and top, arcseconds from the star.
    """

    data: NDArray[np.float32] = field(repr=False)
    extent: tuple[float, float, float, float]


@dataclass(frozen=True)
class Around:
    """An exposure of a star, or a stack of them.

    Parameters
    ----------
    path
        Its file.
    cube
        (integrations, ny, nx).
    star
        Column and row where the star is put, from zero.
    pixel
        Side of a pixel, arcseconds.
    sky
        (2, 2): degrees to the east and to the north for each column and row.
    target, filter, unit
        As its header has them.
    janskys
        Of one of its units in one of its pixels.
    """

    path: Path
    cube: NDArray[np.float32] = field(repr=False)
    star: tuple[float, float]
    pixel: float
    sky: NDArray[np.float64] = field(repr=False)
    target: str
    filter: str
    unit: str
    janskys: float

    @property
    def root(self) -> str:
        """The exposure's name, without the suffix of a product."""
        return "_".join(self.path.name.split("_")[:4])

    @property
    def mean(self) -> NDArray[np.float32]:
        """The mean of its integrations, of what is a number."""
        good = np.isfinite(self.cube)
        count = good.sum(axis=0)
        total = np.where(good, self.cube, 0).sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)

    @property
    def north(self) -> float:
        """Where north is: degrees from up, counterclockwise, from -180 to 180."""
        x, y = self.offset(1.0, 0.0)
        return float(np.degrees(np.arctan2(-x, y)))

    def each(self) -> list[Around]:
        """Give its images one by one."""
        return [replace(self, cube=one[None]) for one in self.cube]

    def offset(self, separation: float, angle: float) -> tuple[float, float]:
        """Give where something is beside the star.

        Parameters
        ----------
        separation
            Arcseconds.
        angle
            Degrees east of north.

        Returns
        -------
        tuple of float
            Arcseconds along columns and rows.
        """
        east, north = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        x, y = separation / 3600 * (np.linalg.inv(self.sky) @ np.array([east, north]))
        return float(x) * self.pixel, float(y) * self.pixel

    def resolved(self, wavelength: float | None) -> float:
        """Give a wavelength over the mirror's diameter, arcseconds.

        Parameters
        ----------
        wavelength
            Micrometres; None for what the filter's name says.

        Raises
        ------
        UsageError
            If it says none.
        """
        if wavelength is None:
            found = _FILTER.fullmatch(self.filter)
            if found is None:
                raise UsageError(
                    f"filter {self.filter}", "it says no wavelength", "give wavelength"
                )
            wavelength = int(found[1]) / 100
        if not wavelength > 0:
            raise UsageError("wavelength", f"it cannot be {wavelength}", "give micrometres")
        return float(np.degrees(wavelength * 1e-6 / _MIRROR) * 3600)

    def cut(self, half: float) -> Box:
        """Give what is around the star; what is off the image is no number.

        Parameters
        ----------
        half
            Half the side, arcseconds.

        Raises
        ------
        UsageError
            If it has no side.
        """
        if not np.isfinite(half) or half < self.pixel:
            raise UsageError("half", f"it cannot be {half}", "give arcseconds, such as 3")
        image = self.mean
        ny, nx = image.shape
        reach = min(int(np.ceil(half / self.pixel)), max(ny, nx))
        column, row = round(self.star[0]), round(self.star[1])
        box = np.full((2 * reach + 1, 2 * reach + 1), np.nan, np.float32)
        top, left = row - reach, column - reach
        rows = slice(max(top, 0), max(min(row + reach + 1, ny), 0))
        columns = slice(max(left, 0), max(min(column + reach + 1, nx), 0))
        piece = image[rows, columns]
        box[
            rows.start - top : rows.start - top + piece.shape[0],
            columns.start - left : columns.start - left + piece.shape[1],
        ] = piece
        ends = np.array([-reach - 0.5, reach + 0.5])
        x = (column - self.star[0] + ends) * self.pixel
        y = (row - self.star[1] + ends) * self.pixel
        return Box(box, (float(x[0]), float(x[1]), float(y[0]), float(y[1])))


def read_image(path: Path, integration: int | None = None) -> Around:
    """Read an image of a star, with where the star is and how the sky lies.

    The star is where the telescope puts it: at the reference place of its aperture, which
    is the middle of the coronagraph's mask.

    Parameters
    ----------
    path
        A product of stage 2 or 3.
    integration
        Which one; None for all.

    Raises
    ------
    InputError
        If it has no place on the sky.
    """
    import upramp

    with upramp.open(path) as product:
        header = product.header
        data = np.array(product.data, np.float32)
        sky = _directions(header)
        place = header.get("CRPIX1"), header.get("CRPIX2")
        words = {
            "target": str(header.get("TARGPROP") or header.get("TARGNAME") or "a star"),
            "filter": str(header.get("FILTER") or ""),
            "unit": str(header.get("BUNIT") or ""),
        }
        area = float(header.get("PIXAR_SR") or 0.0)
        star = _star(header, sky, place)
    if sky is None or star is None or not abs(float(np.linalg.det(sky))) > 0:
        raise InputError(path, "it says nothing of its place on the sky", "run stage 2 on it")
    pixel = float(3600 * np.sqrt(abs(np.linalg.det(sky))))
    # MJy/sr; of other units nothing is known in Jy.
    janskys = 1e6 * area if area > 0 and words["unit"] == "MJy/sr" else float("nan")
    cube = data.reshape(-1, *data.shape[-2:])
    if integration is not None:
        cube = cube[integration : integration + 1]
    return Around(path, cube, star, pixel, sky, janskys=janskys, **words)


def _directions(header: Any) -> NDArray[np.float64] | None:
    """Give degrees to the east and north for each column and row."""
    found = np.array(
        [[header.get(f"CD{i}_{j}", np.nan) for j in (1, 2)] for i in (1, 2)], np.float64
    )
    if np.isfinite(found).all():
        return found
    steps = [header.get("CDELT1", np.nan), header.get("CDELT2", np.nan)]
    turned = np.array(
        [[header.get(f"PC{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)], np.float64
    )
    found = np.array(steps, np.float64)[:, None] * turned
    return found if np.isfinite(found).all() else None


def _star(
    header: Any, sky: NDArray[np.float64] | None, place: tuple[Any, Any]
) -> tuple[float, float] | None:
    """Give where the target's coordinates are; a degree of the sphere is flat enough here."""
    if sky is None or None in place:
        return None
    column, row = float(place[0]) - 1, float(place[1]) - 1
    if header.get("ROLL_REF") is not None:
        # A single exposure: the mask's middle, wherever the target is said to be.
        return column, row
    numbers = [header.get(name) for name in ("TARG_RA", "TARG_DEC", "CRVAL1", "CRVAL2")]
    if None in numbers:
        return column, row
    ra, dec, ra_0, dec_0 = (float(one) for one in numbers)
    east = ((ra - ra_0 + 180) % 360 - 180) * np.cos(np.radians(dec))
    x, y = np.linalg.inv(sky) @ np.array([east, dec - dec_0])
    return column + float(x), row + float(y)


def exposures_of(product: Path, calints: Sequence[Path]) -> list[Path]:
    """Give the calibrated exposure that a product of stage 3 is of.

    Parameters
    ----------
    product
        Such as ``jw01234001001_02101_00001_nrcalong_a3001_psfsub.fits``.
    calints
        Calibrated exposures.

    Returns
    -------
    list of Path
        With one or none in it.
    """
    return [one for one in calints if product.name.startswith(f"{one.name.rpartition('_')[0]}_")][
        :1
    ]


def brightness(image: NDArray[Any], quiet: float) -> AsinhNorm:
    """Give a scale of brightness that shows faint things beside bright ones, and below zero.

    Parameters
    ----------
    image
        What is to be shown.
    quiet
        Below that, the scale is linear.
    """
    from matplotlib.colors import AsinhNorm

    finite = image[np.isfinite(image)]
    top = float(np.percentile(finite, 99.9)) if finite.size else 1.0
    width = quiet if np.isfinite(quiet) and quiet > 0 else 1.0
    return AsinhNorm(width, vmin=-3 * width, vmax=max(top, 5 * width))


def colour_bar(drawn: AxesImage, axes: Sequence[Axes], label: str) -> None:
    """Put a scale of brightness beside images, with numbers that do not hide each other.

    Parameters
    ----------
    drawn
        An image on a scale of `brightness`.
    axes
        What it is the scale of.
    label
        Its unit.
    """
    low, high = drawn.get_clim()
    # Below zero one number is enough: the scale goes three scatters down.
    powers = [10.0**power for power in range(-12, 13)]
    below = max((-one for one in powers if one < -low), key=abs, default=0.0)
    ticks = [below, 0.0, *(one for one in powers if abs(below) <= one <= high)]
    bar = axes[0].figure.colorbar(drawn, ax=list(axes), label=label, ticks=ticks)
    bar.ax.yaxis.set_major_formatter(
        lambda value, _: f"{value:.0f}" if abs(value) >= 1 else f"{value:g}"
    )
    bar.ax.minorticks_off()


def mark(axes: Axes, offset: tuple[float, float], half: float) -> None:
    """Draw a ring around a place.

    Parameters
    ----------
    axes
        Where; in arcseconds from the star.
    offset
        Arcseconds along columns and rows.
    half
        Half the side of what is drawn, arcseconds.
    """
    from matplotlib.patches import Circle

    axes.add_patch(Circle(offset, 0.11 * half, fill=False, color="#7fdbff", lw=2))


def arrows(axes: Axes, image: Around, half: float) -> None:
    """Draw where north and east are, into a corner.

    Parameters
    ----------
    axes
        Where; in arcseconds from the star.
    image
        Whose sky it is.
    half
        Half the side of what is drawn, arcseconds.
    """
    long = 0.16 * half
    foot = np.array([0.72, 0.72]) * half
    for name, angle in (("N", 0.0), ("E", 90.0)):
        tip = foot + np.array(image.offset(long, angle))
        axes.annotate(
            "",
            xy=(tip[0], tip[1]),
            xytext=(foot[0], foot[1]),
            arrowprops={"arrowstyle": "->", "color": _LIGHT, "lw": 1.5},
        )
        at = foot + np.array(image.offset(1.45 * long, angle))
        axes.text(at[0], at[1], name, color=_LIGHT, ha="center", va="center", fontsize=9)
    axes.set(xlim=(-half, half), ylim=(-half, half))


def scale_bar(axes: Axes, half: float) -> None:
    """Draw a bar of one arcsecond, or as much as there is room for, into a corner.

    Parameters
    ----------
    axes
        Where; in arcseconds from the star.
    half
        Half the side of what is drawn, arcseconds.
    """
    long = next((one for one in (1.0, 0.5, 0.2, 0.1) if one < 0.7 * half), half / 2)
    left, low = -0.9 * half, -0.9 * half
    axes.plot([left, left + long], [low, low], color=_LIGHT, lw=2.5)
    axes.text(
        left + long / 2, low + 0.03 * half, f"{long:g}″", color=_LIGHT, ha="center", va="bottom"
    )
