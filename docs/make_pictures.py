"""Draw the pictures of the README and of these pages from a practice archive.

``python docs/make_pictures.py ARCHIVE [--work DIR]``: takes four dithered
exposures through stage 1 and the official stages 2 and 3, and draws what came out
beside what went in. Nothing is retouched: every picture can be made again.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

import upramp
from upramp import dq, practice

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

IMAGES = Path(__file__).parent / "images"
DITHERS = "jw99001001001_02101_0000{}_nrcalong"
PAPER = "white"
INK = "#22262e"
ACCENT = "#d6452b"
FLAGGED = "#2b5fd6"
NO_VALUE = "#3a7d44"
NO_SKY = "#d9dce1"


def main() -> None:
    """Calibrate what the pictures need, where it is not there yet, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="what `upramp practice ARCHIVE` made")
    parser.add_argument("--work", type=Path, default=Path("docs-work"), help="for products")
    parser.add_argument("--only", help="draw this picture only")
    options = parser.parse_args()
    for name, value in practice.environment(options.archive).items():
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    options.work.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(exist_ok=True)
    plt.rcParams.update(
        {"font.size": 9, "text.color": INK, "axes.edgecolor": INK, "axes.titlesize": 9.5}
    )
    draw: dict[str, Callable[[Path, Path], None]] = {
        "detectors": detectors,
        "stage1": stage1,
        "cosmic-ray": cosmic_ray,
        "mosaic": mosaic,
        "terminal": terminal,
    }
    for name in [options.only] if options.only else draw:
        draw[name](options.archive, options.work)
        written = IMAGES / f"{name}.png"
        sys.stdout.write(f"{written} {written.stat().st_size // 1000} kB\n")


# ---- products -----------------------------------------------------------------


def first_stage(archive: Path, work: Path, root: str) -> Path:
    """Calibrate an exposure, corrected ramp included; give its rate product."""
    rate = work / f"{root}_rate.fits"
    if not (rate.exists() and (work / f"{root}_ramp.fits").exists()):
        upramp.calibrate(
            archive / "uncal" / f"{root}_uncal.fits",
            output_dir=work,
            save_ramp=True,
        )
    return rate


def later_stages(archive: Path, work: Path) -> Path:
    """Take four dithers through the official stages 2 and 3; give the mosaic."""
    mosaic_file = work / "nircam-long_i2d.fits"
    if mosaic_file.exists():
        return mosaic_file
    rates = [first_stage(archive, work, DITHERS.format(k)) for k in range(1, 5)]
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Image2Pipeline, Image3Pipeline

    for rate in rates:
        Image2Pipeline.call(str(rate), save_results=True, output_dir=str(work))
    cals = [rate.name.replace("_rate", "_cal") for rate in rates]
    association = asn_from_list(cals, rule=DMS_Level3_Base, product_name="nircam-long")
    (work / "asn.json").write_text(association.dump()[1])
    catalogue = str(archive / "truth" / "reference_catalog.ecsv")
    Image3Pipeline.call(
        str(work / "asn.json"),
        save_results=True,
        output_dir=str(work),
        steps={"tweakreg": {"abs_refcat": catalogue}},
    )
    return mosaic_file


# ---- pictures -----------------------------------------------------------------


def detectors(archive: Path, _work: Path) -> None:
    """Each detector: its first group as read, and what ten groups or so add to it."""
    drawn = ("nircam-long", "nircam-short", "niriss", "miri-full", "nirspec", "fgs")
    programs = {program.name: program for program in practice.list_programs()}
    figure, axes = plt.subplots(2, len(drawn), figsize=(10.2, 3.75), layout="constrained")
    for (above, below), name in zip(axes.T, drawn, strict=True):
        plan = programs[name].exposures[0]
        with upramp.open(archive / "uncal" / f"{plan.root}_uncal.fits") as exposure:
            first, last = (np.array(exposure.data[0, group], np.float32) for group in (0, -1))
            rows, columns = first.shape
        _show(above, first, (0.5, 99.7), "gray")
        _show(below, last - first, (2, 99.7), "gray")
        above.set_title(f"{plan.detector}, {rows} x {columns}", fontsize=8.5)
        for axis in (above, below):
            axis.set_xticks([])
            axis.set_yticks([])
    axes[0, 0].set_ylabel("first group", fontsize=8.5)
    axes[1, 0].set_ylabel("last minus first", fontsize=8.5)
    _save(figure, "detectors")


def stage1(archive: Path, work: Path) -> None:
    """One exposure: raw, flagged, calibrated, true."""
    root = DITHERS.format(1)
    rate = upramp.open(first_stage(archive, work, root))
    ramp = upramp.open(work / f"{root}_ramp.fits")
    with upramp.open(archive / "uncal" / f"{root}_uncal.fits") as exposure:
        last = np.array(exposure.data[0, -1], np.float32)
    flux, gain = _truth(archive, root), _gain(rate.path)
    jumps = (ramp.groupdq[0] & dq.GROUP["JUMP_DET"] > 0).any(axis=0)
    saturated = (ramp.groupdq[0] & dq.GROUP["SATURATED"] > 0).any(axis=0)
    flags = np.ones((*jumps.shape, 3), np.float32)
    # A lone pixel would vanish at this size: each is drawn with its neighbours.
    flags[_grown(jumps)] = mpl.colors.to_rgb(FLAGGED)
    flags[saturated] = mpl.colors.to_rgb(ACCENT)
    figure, axes = plt.subplots(2, 2, figsize=(7.6, 7.95), layout="constrained")
    raw, flagged, slope, truth = axes.flat
    _show(raw, last, (0.5, 99.5), "gray")
    raw.set_title("raw: the last of ten groups, DN")
    flagged.imshow(flags, origin="lower", interpolation="nearest")
    flagged.set_title("flagged: jumps (blue), saturation (red)")
    limits = np.nanpercentile(flux / gain, (1, 99.3))
    scale = {"vmin": limits[0] - 0.05, "vmax": limits[1]}
    for axis, image, title in (
        (slope, np.array(rate.data), "calibrated: the rate product, DN/s"),
        (truth, flux / gain, "true: the light that went in, DN/s, same scale"),
    ):
        shown = axis.imshow(
            _stretched(image, **scale), origin="lower", cmap="magma", vmin=0, vmax=1
        )
        shown.cmap.set_bad(NO_VALUE)
        axis.set_title(title)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    _save(figure, "stage1")


def cosmic_ray(archive: Path, work: Path) -> None:
    """Draw the ramp of a pixel that a cosmic ray hit, raw and corrected."""
    roots = [DITHERS.format(k) for k in range(1, 5)]
    _, root, y, x, hit = max(_telling_pixels(archive, work, roots), key=lambda found: found[0])
    rate = upramp.open(first_stage(archive, work, root))
    ramp = upramp.open(work / f"{root}_ramp.fits")
    flux, gain = _truth(archive, root), _gain(rate.path)
    with upramp.open(archive / "uncal" / f"{root}_uncal.fits") as exposure:
        counts = np.array(exposure.data[0, :, y, x], np.float64)
        times = exposure.group_time * np.arange(1, len(counts) + 1)
    values = np.array(ramp.data[0, :, y, x], np.float64)
    jump = np.flatnonzero(ramp.groupdq[0, :, y, x] & dq.GROUP["JUMP_DET"])
    slope, true = float(rate.data[y, x]), float((flux / gain)[y, x])
    figure, (raw, corrected) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    raw.plot(times, counts, "o-", color=INK, lw=1, ms=4.5)
    raw.set_title(f"raw counts of pixel x = {x}, y = {y}")
    raw.set_ylabel("DN")
    corrected.plot(times, values, "o", color=INK, ms=5, label="groups after all corrections")
    corrected.plot(
        times[jump],
        values[jump],
        "o",
        mfc="none",
        mec=ACCENT,
        ms=12,
        mew=1.6,
        label="group that the jump step flagged",
    )
    # The fit joins no two sides of a jump: one slope, two offsets.
    for k, part in enumerate((slice(0, jump[0]), slice(jump[0], len(times)))):
        middle = times[part].mean(), values[part].mean()
        ends = times[part][[0, -1]]
        corrected.plot(
            ends,
            middle[1] + slope * (ends - middle[0]),
            color=ACCENT,
            lw=1.8,
            zorder=1,
            label=f"fitted slope {slope:.2f} DN/s (true {true:.2f})" if k == 0 else None,
        )
    corrected.set_title(
        f"a cosmic ray left {hit['energy'] / gain[y, x]:.0f} DN before group {hit['group'] + 1}"
    )
    corrected.legend(frameon=False, fontsize=8)
    for axis in (raw, corrected):
        axis.set_xlabel("seconds since reset")
        axis.spines[["top", "right"]].set_visible(False)
    _save(figure, "cosmic-ray")


def mosaic(archive: Path, work: Path) -> None:
    """Stage 3 of four dithers, beside one of them."""
    from astropy.table import Table

    product = upramp.open(later_stages(archive, work))
    single = upramp.open(work / f"{DITHERS.format(1)}_rate.fits")
    image = np.array(product.data)
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 5.1), layout="constrained")
    for axis, pixels in zip(axes, (np.array(single.data), image), strict=True):
        low, high = np.nanpercentile(pixels, (35, 99.3))
        axis.imshow(
            _stretched(pixels, vmin=low, vmax=high), origin="lower", cmap="magma", vmin=0, vmax=1
        ).cmap.set_bad(NO_SKY)
        axis.set_xticks([])
        axis.set_yticks([])
    found = len(Table.read(work / "nircam-long_cat.ecsv", format="ascii.ecsv"))
    axes[0].set_title("one exposure after stage 1, DN/s")
    axes[1].set_title(f"four of them after stage 3, MJy/sr; {found} sources in its catalogue")
    _save(figure, "mosaic")


def terminal(archive: Path, work: Path) -> None:
    """Draw what ``upramp info`` prints, as a terminal shows it."""
    rate = first_stage(archive, work, DITHERS.format(1))
    command = ["upramp", "info", rate.name]
    done = subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name("upramp")), *command[1:]],
        cwd=work,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [f"$ {' '.join(command)}", *done.stdout.rstrip().splitlines()]
    width, height = 0.072 * max(len(line) for line in lines) + 0.4, 0.155 * len(lines) + 0.35
    figure = plt.figure(figsize=(width, height), facecolor="#1d2129")
    for k, line in enumerate(lines):
        figure.text(
            0.2 / width,
            1 - (0.2 + 0.155 * k) / height,
            line,
            va="top",
            family="monospace",
            fontsize=8.6,
            color="#8fd694" if k == 0 else "#e6e8ec",
            parse_math=False,
        )
    figure.savefig(IMAGES / "terminal.png", dpi=110, facecolor=figure.get_facecolor())
    plt.close(figure)


# ---- helpers ------------------------------------------------------------------


def _truth(archive: Path, root: str) -> NDArray[np.float32]:
    from astropy.io import fits

    return np.array(fits.getdata(archive / "truth" / f"{root}_truth.fits", "FLUX"), np.float32)


def _gain(rate: Path) -> NDArray[np.float32]:
    """Electrons per DN, from the very reference that a product was made with."""
    from astropy.io import fits

    from upramp.references import best_references

    with upramp.open(rate) as product:
        gain = best_references(product, ["gain"])["gain"].path
    return np.array(fits.getdata(gain, "SCI"), np.float32)


def _telling_pixels(
    archive: Path, work: Path, roots: list[str]
) -> Iterator[tuple[float, str, int, int, Any]]:
    """Find pixels that one cosmic ray hit in mid-ramp, by how well light and hit are both seen."""
    from astropy.io import fits

    for root in roots:
        rate = upramp.open(first_stage(archive, work, root))
        ramp = upramp.open(work / f"{root}_ramp.fits")
        gain = _gain(rate.path)
        light = 40 * _truth(archive, root) / gain
        jump = ramp.groupdq[0] & dq.GROUP["JUMP_DET"] > 0
        usable = (rate["DQ"] & dq.PIXEL["DO_NOT_USE"]) == 0
        hits = fits.getdata(archive / "truth" / f"{root}_truth.fits", "HITS")
        for hit in hits[(hits["group"] >= 3) & (hits["group"] <= 7) & (hits["kind"] == 0)]:
            y, x = int(hit["y"]), int(hit["x"])
            step = float(hit["energy"] / gain[y, x])
            only = np.flatnonzero(jump[:, y, x]).tolist() == [int(hit["group"])]
            alone = np.count_nonzero((hits["y"] == y) & (hits["x"] == x)) == 1
            if only and alone and usable[y, x]:
                yield min(float(light[y, x]), step), root, y, x, hit


def _show(axis: Any, image: NDArray[Any], percentiles: tuple[float, float], cmap: str) -> None:
    low, high = np.nanpercentile(image, percentiles)
    axis.imshow(image, origin="lower", cmap=cmap, vmin=low, vmax=high)


def _stretched(image: NDArray[Any], vmin: float, vmax: float) -> NDArray[Any]:
    """Map to 0..1 so that faint and bright light are both seen (asinh)."""
    fraction = np.clip((image - vmin) / (vmax - vmin), 0, 1)
    return np.asarray(np.arcsinh(fraction * 12) / np.arcsinh(12))


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask))


def _save(figure: Any, name: str) -> None:
    """Write a PNG of few colours: noise does not compress, and nobody sees 24 bits of it."""
    from PIL import Image

    canvas = BytesIO()
    figure.savefig(canvas, dpi=100, facecolor=PAPER)
    plt.close(figure)
    named = [mpl.colors.to_rgb(c) for c in (PAPER, INK, ACCENT, FLAGGED, NO_VALUE, NO_SKY)]
    ramps = [plt.get_cmap(c)(np.linspace(0, 1, 56))[:, :3] for c in ("gray", "magma")]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(255 * np.vstack([named, *ramps])).astype(np.uint8).tobytes())
    with Image.open(canvas) as image:
        full = image.convert("RGB")
    few = full.quantize(palette=palette, dither=Image.Dither.NONE)
    # Pillow rounds before it looks for the nearest colour: paper is to stay paper.
    indices = np.where((np.asarray(full) == 255).all(axis=2), np.uint8(0), np.asarray(few))
    exact = Image.fromarray(indices, mode="P")
    exact.putpalette(palette.getpalette() or [])
    exact.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
