"""Pictures of coronagraphy: a star before and after it is subtracted, and what is beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .companion_limits import companion_limits, signal_to_noise
from .coronagraph_images import (
    arrows,
    brightness,
    colour_bar,
    exposures_of,
    mark,
    read_image,
    scale_bar,
)
from .drawing import Picture, figure, first, picture_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["combined", "limits", "references", "rolls", "subtraction"]

_ROLLS: Final = ("#13294b", "#d1495b", "#2a9d8f", "#e08e0b")
_MOST: Final = 5


def subtraction(calints: Sequence[Path], psfsub: Sequence[Path], *, half: float = 3.0) -> Picture:
    """Picture a star behind its coronagraph, and what is left of it, on one scale.

    Parameters
    ----------
    calints
        Calibrated exposures, those of reference stars among them.
    psfsub
        The target's, without the star; of each that has both, a row is drawn.
    half
        Half the side of what is drawn, arcseconds.

    Returns
    -------
    Picture
        With the scatter of pixels in the field before and after in ``data``, in the unit
        of the image.

    Raises
    ------
    UsageError
        If there is none.
    """
    first(psfsub, "subtracted exposure")
    pairs = [
        (read_image(one), read_image(after))
        for after in psfsub
        for one in exposures_of(after, calints)
    ][: len(_ROLLS)]
    if not pairs:
        raise UsageError(
            "subtraction", "no exposure is there before and after it", "calibrate it here"
        )
    drawn = figure(8.8, 0.3 + 3.9 * len(pairs))
    rows = drawn.subplots(len(pairs), 2, squeeze=False)
    data = []
    less = []
    for axes, (before, after) in zip(rows, pairs, strict=True):
        boxes = [before.cut(half), after.cut(half)]
        found = [_scatter(box.data) for box in boxes]
        data.append({"exposure": before.root, "before": found[0], "after": found[1]})
        less.append(found[0] / found[1] if found[1] > 0 else float("nan"))
        norm = brightness(boxes[0].data, _scatter(boxes[1].data))
        for where, box, name in zip(axes, boxes, ("before", "after"), strict=True):
            shown = where.imshow(
                box.data, origin="lower", norm=norm, cmap="magma", extent=box.extent
            )
            where.set(xlabel="along rows (arcsec)", ylabel="along columns (arcsec)")
            where.set_title(f"{before.root} {name}", fontsize=8)
        colour_bar(shown, list(axes), before.unit)
    text = (
        f"{_counted(len(pairs))} of {pairs[0][0].target} before and after the star was "
        f"subtracted: pixels within {half:g} arcsec scatter "
        f"{', '.join(f'{one:.3g}' for one in less)} times less"
    )
    return picture_of(drawn, text, {"exposures": data})


def _scatter(image: Any) -> float:
    finite = image[np.isfinite(image)]
    return float(np.std(finite)) if finite.size else float("nan")


def _counted(exposures: int) -> str:
    return f"{exposures} exposure{'' if exposures == 1 else 's'}"


def _quiet(image: Any) -> float:
    """Give the scatter of most pixels, whatever a few of them hold."""
    finite = image[np.isfinite(image)]
    away = np.abs(finite - np.median(finite)) if finite.size else finite
    return 1.4826 * float(np.median(away)) if finite.size else float("nan")


def references(calints: Sequence[Path], psfalign: Sequence[Path], *, half: float = 3.0) -> Picture:
    """Picture reference stars, and what each by itself would leave of the target's star.

    Parameters
    ----------
    calints
        Calibrated exposures, those of the target among them.
    psfalign
        Reference stars aligned with an exposure of the target, of which the first are drawn.
    half
        Half the side of what is drawn, arcseconds.

    Returns
    -------
    Picture
        With the brightness that each one's star has to be multiplied with to match the
        target's, and the scatter of what is left, in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = first(psfalign, "aligned reference star")
    targets = [read_image(one, integration=0) for one in exposures_of(path, calints)]
    if not targets:
        raise UsageError(path.name, "the exposure it was aligned with is not there", "give it too")
    target = targets[0].cut(half)
    aligned = [one.cut(half) for one in read_image(path).each()]
    # Spread over the stack: its neighbours are integrations of one exposure.
    chosen = np.unique(np.linspace(0, len(aligned) - 1, min(_MOST, len(aligned))).round())
    stars = [aligned[int(number)] for number in chosen]
    drawn = figure(1.0 + 1.6 * len(stars), 3.8)
    rows = drawn.subplots(2, len(stars), squeeze=False)
    factors, left = [], []
    for column, star in enumerate(stars):
        good = np.isfinite(star.data) & np.isfinite(target.data)
        one, two = star.data[good], target.data[good]
        factor = float(one @ two / (one @ one)) if one.any() else float("nan")
        rest = np.where(good, target.data - factor * star.data, np.nan)
        factors.append(factor)
        left.append(_scatter(rest))
        norm = brightness(target.data, left[0])
        for axes, image in zip(rows[:, column], (star.data, rest), strict=True):
            shown = axes.imshow(
                image, origin="lower", norm=norm, cmap="magma", extent=target.extent
            )
            axes.tick_params(labelleft=column == 0)
        rows[0, column].set_title(f"number {int(chosen[column]) + 1}", fontsize=9)
    rows[0, 0].set_ylabel("reference star\n(arcsec)")
    rows[1, 0].set_ylabel("target minus it\n(arcsec)")
    colour_bar(shown, rows.ravel().tolist(), targets[0].unit)
    text = (
        f"{len(stars)} of {len(aligned)} images of reference stars, aligned with "
        f"{targets[0].root}: the best one by itself leaves a scatter of {min(left):.3g} "
        f"{targets[0].unit}, the star has {_scatter(target.data):.3g}"
    )
    data = {"factors": factors, "scatter": left, "images": [int(one) + 1 for one in chosen]}
    return picture_of(drawn, text, data)


def rolls(
    psfsub: Sequence[Path],
    *,
    half: float = 3.0,
    candidate: tuple[float, float] | None = None,
) -> Picture:
    """Picture the subtracted exposures side by side, with north and east in each.

    What turns with the sky is beside the star; what stays is left of the star.

    Parameters
    ----------
    psfsub
        The target's exposures without the star.
    half
        Half the side of what is drawn, arcseconds.
    candidate
        Separation in arcseconds and position angle in degrees of something to be marked.

    Returns
    -------
    Picture
        With the angle of north in each in ``data``: degrees from up, counterclockwise.

    Raises
    ------
    UsageError
        If there is none, or the candidate is nowhere.
    """
    first(psfsub, "subtracted exposure")
    images = [read_image(one) for one in psfsub[: len(_ROLLS)]]
    drawn = figure(1.0 + 4.2 * len(images), 4.4) if len(images) < 3 else figure(9, 3.2)
    row = drawn.subplots(1, len(images), squeeze=False)[0]
    norm = brightness(images[0].cut(half).data, _scatter(images[0].cut(half).data))
    for axes, image in zip(row, images, strict=True):
        box = image.cut(half)
        shown = axes.imshow(box.data, origin="lower", norm=norm, cmap="magma", extent=box.extent)
        arrows(axes, image, half)
        if candidate is not None:
            mark(axes, image.offset(*_checked(candidate)), half)
        axes.set(xlabel="arcsec", ylabel="arcsec")
        axes.set_title(image.root, fontsize=8)
    colour_bar(shown, list(row), images[0].unit)
    angles = [one.north for one in images]
    text = (
        f"{_counted(len(images))} of {images[0].target} without the star, north at "
        f"{', '.join(f'{one:.1f}' for one in angles)} degrees from up"
    )
    return picture_of(drawn, text, {"north": angles, "exposures": [one.root for one in images]})


def _checked(candidate: tuple[float, float]) -> tuple[float, float]:
    separation, angle = candidate
    if not np.isfinite(separation) or not np.isfinite(angle) or separation <= 0:
        raise UsageError(
            f"candidate {candidate}", "it is nowhere", "give its separation (arcsec) and its angle"
        )
    return separation, angle


def limits(
    calints: Sequence[Path],
    psfsub: Sequence[Path],
    *,
    wavelength: float | None = None,
    star: float | None = None,
    part: float = 1.0,
    sigma: float = 5.0,
) -> Picture:
    """Picture how faint a companion could be seen, by its distance from the star.

    Parameters
    ----------
    calints
        Calibrated exposures, those of reference stars among them.
    psfsub
        The target's, without the star.
    wavelength
        Micrometres; None for what the filter's name says.
    star
        The star's brightness without a coronagraph, Jy: limits are shown as contrasts
        too.
    part
        How much of a companion's light an aperture of the width of one wavelength over
        the mirror's diameter holds, behind the coronagraph and after the subtraction.
    sigma
        How sure.

    Returns
    -------
    Picture
        With ``before`` and ``after`` (Jy) of the first exposure in ``data``, and the
        distances that they belong to (arcseconds).

    Raises
    ------
    UsageError
        If there is none, its filter says no wavelength, or a number is none.
    """
    first(psfsub, "subtracted exposure")
    if not 0 < part <= 1:
        raise UsageError("part", f"it cannot be {part}", "give a part of a companion's light")
    drawn = figure(7.6, 5.0)
    axes = drawn.subplots()
    data: dict[str, list[float]] = {}
    for number, path in enumerate(psfsub[: len(_ROLLS)]):
        after = read_image(path)
        befores = [read_image(one) for one in exposures_of(path, calints)]
        for name, image in (("after", after), *(("before", one) for one in befores)):
            width = image.resolved(wavelength)
            found = companion_limits(image.mean, image.star, width / image.pixel, sigma=sigma)
            jansky = found.limit * image.janskys / part
            radius = found.radius * image.pixel
            style = {"color": _ROLLS[number], "ls": "-" if name == "after" else "--"}
            axes.semilogy(radius, jansky, lw=1.4, label=f"{image.root} {name}", **style)
            if number == 0:
                told = f"{width:.2f} arcsec", image.target
                data |= {f"radius_{name}": radius.tolist(), name: jansky.tolist()}
    axes.set(xlabel="separation (arcsec)", ylabel=f"{sigma:g} sigma limit (Jy in an aperture)")
    if star is not None:
        if not star > 0:
            raise UsageError("star", f"it cannot have {star} Jy", "give its brightness")
        whole = float(star)
        right = axes.secondary_yaxis(
            "right",
            functions=(
                lambda light: np.asarray(light, float) / whole,
                lambda ratio: np.asarray(ratio, float) * whole,
            ),
        )
        right.set_ylabel("contrast")
    axes.grid(which="both", color="#eeeeee")
    if not data["radius_after"]:
        text = f"no ring around {told[1]} has enough places to know its noise"
        return picture_of(drawn, text, data)
    axes.legend(fontsize=8)
    near = int(np.argmin(np.abs(np.array(data["radius_after"]) - 1)))
    text = (
        f"a companion of {told[1]} would stand out {sigma:g} sigma if its aperture of {told[0]} "
        f"held {data['after'][near]:.3g} Jy, {data['radius_after'][near]:.2f} arcsec from the star"
    )
    return picture_of(drawn, text, data)


def combined(
    i2d: Sequence[Path], *, half: float = 4.0, candidate: tuple[float, float] | None = None
) -> Picture:
    """Picture the image that all exposures give together, with north and a scale.

    Parameters
    ----------
    i2d
        Combined images, of which the first is drawn.
    half
        Half the side of what is drawn, arcseconds.
    candidate
        Separation in arcseconds and position angle in degrees of something to be marked:
        how it stands out is told.

    Returns
    -------
    Picture
        With the angle of north in ``data`` (degrees from up, counterclockwise), and of a
        candidate the light in its aperture (Jy) and its signal-to-noise ratio.

    Raises
    ------
    UsageError
        If there is none, or the candidate is not on it.
    """
    image = read_image(first(i2d, "combined image"))
    box = image.cut(half)
    drawn = figure(6.8, 5.6)
    axes = drawn.subplots()
    shown = axes.imshow(
        box.data,
        origin="lower",
        norm=brightness(box.data, _quiet(box.data)),
        cmap="magma",
        extent=box.extent,
    )
    colour_bar(shown, [axes], image.unit)
    arrows(axes, image, half)
    scale_bar(axes, half)
    axes.set(xlabel="arcsec", ylabel="arcsec")
    axes.set_title(f"{image.target}, all exposures", fontsize=10)
    data: dict[str, float] = {"north": image.north}
    text = f"all exposures of {image.target} together, north {image.north:.1f} degrees from up"
    if candidate is not None:
        offset = image.offset(*_checked(candidate))
        mark(axes, offset, half)
        place = image.star[0] + offset[0] / image.pixel, image.star[1] + offset[1] / image.pixel
        width = image.resolved(None) / image.pixel
        light, ratio = signal_to_noise(image.mean, image.star, place, width)
        data |= {"light": light * image.janskys, "ratio": ratio}
        text += (
            f"; the candidate's aperture holds {data['light']:.3g} Jy, {ratio:.1f} times the "
            f"scatter at its distance from the star"
        )
    return picture_of(drawn, text, data)
