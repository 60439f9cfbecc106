"""What all pictures are drawn with: figures without a display, scales, and files to draw from."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["Picture", "Pictures", "figure", "first", "picture_of", "stretched", "thinned"]

_MOST_PIXELS: Final = 1024
_TICKS: Final = 6


@dataclass(frozen=True)
class Picture:
    """A picture, and what it shows in words.

    Parameters
    ----------
    png
        The image.
    text
        What it shows, for who cannot see it.
    data
        The numbers that are drawn.
    """

    png: bytes = field(repr=False)
    text: str
    data: dict[str, Any] = field(repr=False, default_factory=dict)

    def __repr__(self) -> str:
        return self.text

    def _repr_png_(self) -> bytes:
        return self.png


class Pictures(tuple[Any, ...]):
    """Pictures of one kind, a product each, shown one below the other.

    Where one could not be drawn, what says why is in its place.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for one in self:
            display(one)  # type: ignore[no-untyped-call] # IPython says no types of it


def figure(width: float, height: float) -> Figure:
    """Make an empty figure.

    Parameters
    ----------
    width, height
        In inches, of 100 pixels each.
    """
    # Without pyplot: it keeps every figure, and draws by whatever backend there is.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="compressed")


def picture_of(drawn: Figure, text: str, data: dict[str, Any] | None = None) -> Picture:
    """Finish a picture.

    Parameters
    ----------
    drawn
        The figure.
    text
        What it shows, in a sentence.
    data
        The numbers that are drawn, as far as somebody may ask for them.
    """
    _take_as_written(drawn)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", metadata={"Software": None})
    return Picture(buffer.getvalue(), text, data or {})


def _take_as_written(drawn: Figure) -> None:
    """Draw names of files and targets as they are: a dollar in one begins no formula."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        # Numbers on logarithmic axes become formulas of matplotlib's own, when they are drawn.
        if isinstance(text, Text) and "$" in text.get_text().replace("$\\mathdefault{", ""):
            text.set_parse_math(False)


def thinned(array: NDArray[Any]) -> tuple[NDArray[Any], tuple[float, float, float, float]]:
    """Give an image with no more pixels than a picture shows, and its extent in whole pixels.

    Parameters
    ----------
    array
        The image, (ny, nx).

    Returns
    -------
    numpy.ndarray
        Its pixels, some rows and columns left out where there are too many, float32.
    tuple of float
        Left, right, bottom, top for ``imshow``.
    """
    ny, nx = array.shape
    step = max(1, -(-max(array.shape) // _MOST_PIXELS))
    return np.asarray(array[::step, ::step], np.float32), (-0.5, nx - 0.5, -0.5, ny - 0.5)


def stretched(
    axes: Axes,
    array: NDArray[Any],
    *,
    label: str = "",
    percentiles: tuple[float, float] = (1, 99.7),
    cmap: str = "viridis",
    extent: tuple[float, float, float, float] | None = None,
    aspect: Literal["equal", "auto"] = "equal",
) -> Any:
    """Draw an image on a scale that shows faint and bright things.

    Parameters
    ----------
    axes
        Where.
    array
        The image, (ny, nx); what is not a number is left out.
    label
        Its unit, beside the scale.
    percentiles
        Of its values, at the ends of the scale.
    cmap
        The colours.
    extent
        Its edges on the axes; None for pixels.
    aspect
        ``equal`` for images, ``auto`` for spectra, which are long and narrow.

    Returns
    -------
    matplotlib.image.AxesImage
        What was drawn.
    """
    from matplotlib.colors import AsinhNorm

    shown, edges = thinned(array)
    finite = shown[np.isfinite(shown)]
    low, middle, high = (
        np.percentile(finite, (percentiles[0], 50, percentiles[1])) if finite.size else (0, 0.5, 1)
    )
    # Whatever the unit, the ends of the scale must differ.
    least = max(1e-6 * float(max(abs(low), abs(high))), 1e-30)
    norm = AsinhNorm(
        max(float(middle - low), least), vmin=float(low), vmax=float(max(high, low + least))
    )
    drawn = axes.imshow(
        shown, origin="lower", norm=norm, cmap=cmap, extent=extent or edges, aspect=aspect
    )
    bar = axes.figure.colorbar(drawn, ax=axes, label=label)
    ticks = _round_values(np.asarray(norm.inverse(np.linspace(0, 1, _TICKS))))
    # By itself a scale of this kind has ticks at powers of ten, of which there may be none.
    bar.set_ticks(ticks, labels=[f"{tick + 0.0:.6g}" for tick in ticks], minor=False)
    bar.minorticks_off()
    return drawn


def _round_values(values: NDArray[Any]) -> list[float]:
    """Give values with no more digits than tell them apart, within those at the ends."""
    low, high = float(values[0]), float(values[-1])
    steps = np.diff(values)
    found: list[float] = []
    for number, value in enumerate(values):
        step = float(steps[max(number - 1, 0) : number + 1].min())
        digits = -int(np.floor(np.log10(step))) if step > 0 else 6
        rounded = round(float(value), digits)
        if low <= rounded <= high and rounded not in found:
            found.append(rounded)
    return found


def first(files: Sequence[str | os.PathLike[str]], what: str) -> Path:
    """Give the first of some files.

    Parameters
    ----------
    files
        The files.
    what
        What they are.

    Raises
    ------
    UsageError
        If there is none.
    """
    if not files:
        raise UsageError(what, "there is none to draw", "look above for why it was not made")
    return Path(files[0])
