"""Pictures of aperture masking: interferograms, their fringes, and a companion in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .binary_fit import binary_pulls, fit_binary, map_of_places, read_fringes
from .drawing import Picture, figure, first, picture_of, stretched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from .binary_fit import Binary, Fringes

__all__ = ["companion", "fringes", "interferograms"]

_BEFORE: Final = "#8a8a8a"
_STAR: Final = "#e08e0b"
_AFTER: Final = "#13294b"
_NOISE: Final = 1e-6
"""Of the power at no frequency: the least that is drawn."""


def interferograms(calints: Sequence[Path], *, most: int = 3) -> Picture:
    """Picture the image that the mask makes of each star, and the power of its fringes.

    Each pair of holes has two spots in the power, one opposite the other. Spots that are
    weak or smeared, or that are more than there are pairs, tell of a bad exposure.

    Parameters
    ----------
    calints
        Calibrated exposures, of which the first ones are drawn.
    most
        So many of them.

    Returns
    -------
    Picture
        With each one's target, role and highest mean in ``data``, in its unit.

    Raises
    ------
    UsageError
        If there is none.
    """
    first(calints, "calibrated exposure")
    shown = list(calints)[: max(most, 1)]
    drawn = figure(8.6, 0.3 + 3.7 * len(shown))
    rows = drawn.subplots(len(shown), 2, squeeze=False)
    told = []
    for (left, right), path in zip(rows, shown, strict=True):
        image, facts = _mean_image(path)
        stretched(left, image, label=facts["unit"], percentiles=(5, 100), cmap="magma")
        left.set(xlabel="column", ylabel="row")
        left.set_title(f"{facts['target']} ({facts['role']})", fontsize=10)
        _power(right, image)
        told.append(facts)
    drawn.suptitle("mean of all integrations, and the power of its fringes", fontsize=11)
    text = "interferograms of " + ", ".join(
        f"{one['target']} ({one['role']}), {one['integrations']} integrations, "
        f"highest mean {one['peak']:.4g} {one['unit']}"
        for one in told
    )
    return picture_of(drawn, text, {"exposures": told})


def _mean_image(path: Path) -> tuple[NDArray[np.float32], dict[str, Any]]:
    import upramp

    with upramp.open(path) as product:
        cube = np.array(product.data, np.float32)
        header = product.header
        unit = str(header.get("BUNIT") or "MJy/sr")
        star = bool(header.get("IS_PSF"))
        target = str(header.get("TARGPROP") or header.get("TARGNAME") or path.name)
    cube = cube.reshape(-1, *cube.shape[-2:])
    good = np.isfinite(cube)
    count = good.sum(axis=0)
    total = np.where(good, cube, 0).sum(axis=0)
    image = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return image, {
        "target": target,
        "role": "reference star" if star else "science",
        "integrations": len(cube),
        "unit": unit,
        "peak": float(np.nanmax(image)) if good.any() else float("nan"),
    }


def _power(axes: Axes, image: NDArray[np.float32]) -> None:
    """Draw the power spectrum of an image, up to half a cycle a pixel."""
    from matplotlib.colors import LogNorm

    filled = np.where(np.isfinite(image), image, 0).astype(np.float64)
    # Edges of the window would draw a cross through the middle.
    window = np.hanning(filled.shape[0])[:, None] * np.hanning(filled.shape[1])[None, :]
    power = np.abs(np.fft.fftshift(np.fft.fft2((filled - np.median(filled)) * window))) ** 2
    top = float(power.max())
    drawn = axes.imshow(
        power / top if top > 0 else np.full(power.shape, _NOISE),
        origin="lower",
        norm=LogNorm(_NOISE, 1),
        cmap="viridis",
        extent=(-0.5, 0.5, -0.5, 0.5),
    )
    axes.figure.colorbar(drawn, ax=axes, label="power / power at no frequency")
    axes.set(xlabel="cycles per column", ylabel="cycles per row")


def fringes(
    ami_oi: Sequence[Path], psf_ami_oi: Sequence[Path], aminorm_oi: Sequence[Path]
) -> Picture:
    """Picture squared visibilities and closure phases, before and after the reference star.

    A lone star has visibilities of one and closure phases of zero. What the instrument
    takes away from that shows in the reference star; what is left after it, is the target.

    Parameters
    ----------
    ami_oi
        Fringes of the target.
    psf_ami_oi
        Fringes of the reference star, if there was one.
    aminorm_oi
        Fringes of the target, calibrated by those of the star.

    Returns
    -------
    Picture
        With medians of the squared visibilities and scatters of the closure phases (degrees)
        of all that there are in ``data``.

    Raises
    ------
    UsageError
        If there are none of a target.
    InputError
        If one holds no fringes.
    """
    all_of_them = {"target": read_fringes(first(ami_oi, "fringes of a target"))}
    for name, files in (("reference star", psf_ami_oi), ("calibrated", aminorm_oi)):
        if files:
            all_of_them[name] = read_fringes(files[0])
    styles = {
        "target": {"fmt": "o", "mfc": "none", "color": _BEFORE, "label": "target, before"},
        "reference star": {"fmt": "^", "mfc": "none", "color": _STAR, "label": "reference star"},
        "calibrated": {"fmt": "o", "color": _AFTER, "label": "target, calibrated"},
    }
    if len(all_of_them) == 1:
        styles["target"]["label"] = "target, not calibrated"
    drawn = figure(8.6, 6.6)
    upper, lower = drawn.subplots(2, 1)
    # Side by side: fringes of one baseline would hide each other.
    for aside, (name, one) in zip((-0.02, 0.0, 0.02), all_of_them.items(), strict=False):
        style: dict[str, Any] = {"ms": 5, "capsize": 2, "lw": 1, **styles[name]}
        upper.errorbar(one.lengths + aside, one.squared, one.squared_errors, **style)
        lower.errorbar(one.longest + aside, one.phases, one.phase_errors, **style)
    upper.axhline(1, color="#c9c9c9", lw=1, zorder=0)
    lower.axhline(0, color="#c9c9c9", lw=1, zorder=0)
    upper.set(xlabel="baseline (m)", ylabel="squared visibility")
    lower.set(xlabel="longest baseline of the triangle (m)", ylabel="closure phase (degrees)")
    # Beside what is drawn, where it hides nothing.
    upper.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    data = {
        name: {
            "squared_visibility": float(np.median(one.squared)),
            "closure_phase": float(np.sqrt(np.mean(one.phases**2))),
        }
        for name, one in all_of_them.items()
    }
    last = "calibrated" if "calibrated" in all_of_them else "target"
    found, after = all_of_them[last], data[last]
    when = "after calibration" if last == "calibrated" else "with no star to calibrate them"
    text = (
        f"fringes of {found.target}: {len(found.squared)} baselines, median squared visibility "
        f"{after['squared_visibility']:.3f} {when}; {len(found.phases)} closure phases "
        f"of {after['closure_phase']:.2f} degrees rms"
    )
    if star := data.get("reference star"):
        text += f", the reference star's {star['closure_phase']:.2f}"
    return picture_of(drawn, text, data)


def companion(aminorm_oi: Sequence[Path], *, field: float = 0.35) -> Picture:
    """Picture where a companion fits calibrated fringes, and how well the best one does.

    Parameters
    ----------
    aminorm_oi
        Calibrated fringes, of which the first are drawn.
    field
        Half the side of the square that is searched, arcseconds.

    Returns
    -------
    Picture
        With separation, angle and contrast of the best companion and their errors in
        ``data``, and how well it fits beside a star alone (chi-squared for each degree of
        freedom).

    Raises
    ------
    UsageError
        If there is none, or the square has no side.
    InputError
        If it holds no fringes.
    """
    path = first(aminorm_oi, "calibrated fringes")
    if not np.isfinite(field) or field <= 0:
        raise UsageError("field", f"it cannot be {field}", "give arcseconds, such as 0.35")
    measured = read_fringes(path)
    found = fit_binary(measured, field)
    drawn = figure(9.4, 4.4)
    left, right = drawn.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_map(left, measured, found, field)
    _draw_fit(right, measured, found)
    data = {
        "separation": found.separation,
        "separation_error": found.separation_error,
        "angle": found.angle,
        "angle_error": found.angle_error,
        "contrast": found.contrast,
        "contrast_error": found.contrast_error,
        "chi_squared": found.chi_squared,
        "chi_squared_alone": found.alone,
    }
    text = (
        f"best companion of {measured.target}: {1000 * found.separation:.1f} ± "
        f"{1000 * found.separation_error:.1f} mas at {found.angle:.2f} ± {found.angle_error:.2f} "
        f"degrees east of north, {found.contrast:.4f} ± {found.contrast_error:.4f} of the star's "
        f"light; reduced chi-squared {found.chi_squared:.3g}, of a star alone {found.alone:.3g}"
    )
    return picture_of(drawn, text, data)


def _draw_map(axes: Axes, measured: Fringes, found: Binary, field: float) -> None:
    from matplotlib.colors import LogNorm

    offsets, chi, _ = map_of_places(measured, field)
    half = (offsets[1] - offsets[0]) / 2
    edges = (offsets[0] - half, offsets[-1] + half)
    low = max(min(float(chi.min()), found.chi_squared), 1e-3)
    drawn = axes.imshow(
        chi,
        origin="lower",
        extent=(*edges, *edges),
        norm=LogNorm(low, max(float(chi.max()), 1.01 * low)),
        cmap="magma_r",
    )
    axes.figure.colorbar(drawn, ax=axes, label="reduced chi-squared, best contrast")
    axes.plot(0, 0, "*", color=_STAR, ms=11, mec="white")
    axes.plot(found.east, found.north, "o", ms=15, mfc="none", mec="#2a9d8f", mew=2)
    axes.set(xlabel="east of the star (arcsec)", ylabel="north of the star (arcsec)")
    axes.set(xlim=edges[::-1], ylim=edges)
    axes.set_title("where a companion fits", fontsize=10)


def _draw_fit(axes: Axes, measured: Fringes, found: Binary) -> None:
    """Draw closure phases beside those of the best companion."""
    pulls = binary_pulls(measured, found.east, found.north, found.contrast)[
        -len(measured.phases) :
    ]
    model = measured.phases - pulls * measured.phase_errors * np.sqrt(measured.redundancy)
    axes.errorbar(
        model, measured.phases, measured.phase_errors, fmt="o", ms=4, capsize=2, color=_AFTER
    )
    ends = np.array([min(model.min(), 0), max(model.max(), 0)]) * 1.1
    axes.plot(ends, ends, color=_BEFORE, lw=1, zorder=0)
    axes.set(xlabel="closure phase of the best companion (degrees)", ylabel="measured (degrees)")
    axes.set_title("how well the best one fits", fontsize=10)
