"""The practice archive's references: what each detector and each mode needs.

Each file holds the simulated detector's true character, in the layout that
stdatamodels expects. Large planes whose precision allows are kept as scaled
16-bit integers, a FITS convention that every reader undoes.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upramp.atomic import replacing
from upramp.dq import PIXEL

from . import irs2, miri
from .exposures import MADE_ON

if TYPE_CHECKING:
    from pathlib import Path

    from .character import Character
    from .geometry import Subarray
    from .instruments import Detector

__all__ = [
    "dark",
    "flat",
    "gain",
    "ipc",
    "irs2_weights",
    "linearity",
    "mask",
    "pixel_area",
    "read_noise",
    "reset",
    "rscd",
    "saturation",
    "slitless_background",
    "superbias",
]

Float = NDArray[np.float32]


def mask(
    path: Path, detector: Detector, subarray: Subarray, character: Character, *, raw_irs2: bool
) -> None:
    """Write the bad-pixel mask."""
    dq = character.dq
    if raw_irs2:
        dq = irs2.interleave(dq, np.uint32(PIXEL["REFERENCE_PIXEL"]))
    _write(path, "MASK", detector, subarray, [_whole_dq(dq)], model="MaskModel")


def saturation(path: Path, detector: Detector, subarray: Subarray, character: Character) -> None:
    """Write the threshold in raw DN; reference pixels are not checked."""
    dq = np.where(character.light, 0, PIXEL["NO_SAT_CHECK"]).astype(np.uint32)
    planes = [_scaled("SCI", character.saturation), _whole_dq(dq)]
    _write(path, "SATURATION", detector, subarray, planes, model="SaturationModel")


def superbias(
    path: Path, detector: Detector, subarray: Subarray, character: Character, *, raw_irs2: bool
) -> None:
    """Write the bias in DN."""
    bias = character.bias
    if raw_irs2:
        bias = irs2.interleave(bias, np.float32(detector.bias))
    planes = [_scaled("SCI", bias), _whole_dq(np.zeros(bias.shape, np.uint32))]
    _write(path, "SUPERBIAS", detector, subarray, planes, model="SuperBiasModel")


def linearity(
    path: Path, detector: Detector, subarray: Subarray, character: Character, *, inverse: bool
) -> None:
    """Write the polynomial from measured to linear DN, and the inverse's where asked for."""
    a, b = character.quadratic, character.cubic
    coefficients = np.stack([np.zeros_like(a), np.ones_like(a), a, b])
    if detector.technology == "miri":
        # No bias is subtracted before MIRI's correction: the same polynomial,
        # of the signal above bias, written in raw DN and kept near them.
        c = character.bias
        coefficients = np.stack(
            [a * c**2 - b * c**3, 1 - 2 * a * c + 3 * b * c**2, a - 3 * b * c, b]
        )
    elif not b.any():
        coefficients = coefficients[:3]
    dq = np.where(character.light, 0, PIXEL["NO_LIN_CORR"]).astype(np.uint32)
    planes = [_plain("COEFFS", coefficients), _whole_dq(dq)]
    if inverse:
        # Reversion of the series x + a x^2 + b x^3 (Abramowitz & Stegun 3.6.25).
        reverted = [
            np.zeros_like(a),
            np.ones_like(a),
            -a,
            2 * a * a - b,
            5 * a * b - 5 * a**3,
            14 * a**4 - 21 * a * a * b + 3 * b * b,
        ]
        planes.append(_plain("INV_COEFFS", np.stack(reverted)))
    _write(path, "LINEARITY", detector, subarray, planes, model="LinearityModel")


def dark(
    path: Path,
    detector: Detector,
    subarray: Subarray,
    character: Character,
    *,
    frame_time: float,
    frames: int,
    pattern: str,
) -> None:
    """Write the dark signal, DN accumulated by the end of each frame."""
    times = frame_time * np.arange(1, frames + 1, dtype=np.float32)
    rate = character.dark / character.gain
    ramp = times[:, None, None] * rate
    keywords = {
        "NFRAMES": 1,
        "GROUPGAP": 0,
        "NGROUPS": frames,
        "NINTS": 1,
        "READPATT": pattern,
        "TFRAME": frame_time,
        "TGROUP": frame_time,
        "AVDRKCUR": round(float(np.median(character.dark[character.light])), 6),
    }
    model = "DarkModel"
    if detector.technology == "miri":
        ramp = np.stack([ramp, ramp])
        keywords["NINTS"] = 2
        model = "DarkMIRIModel"
    dq_shape = (2, 1, *rate.shape) if detector.technology == "miri" else rate.shape
    large = rate.size > 1_000_000
    cube = ramp.astype(np.float32)
    planes = [
        _scaled("SCI", cube) if large else _plain("SCI", cube),
        _whole_dq(np.zeros(dq_shape, np.uint32)),
    ]
    _write(path, "DARK", detector, subarray, planes, keywords, model=model)


def gain(path: Path, detector: Detector, subarray: Subarray, character: Character) -> None:
    """Write electrons per DN."""
    _write(path, "GAIN", detector, subarray, [_scaled("SCI", character.gain)], model="GainModel")


def read_noise(path: Path, detector: Detector, subarray: Subarray, character: Character) -> None:
    """Write the noise of the difference of two reads, DN."""
    planes = [_scaled("SCI", character.read_noise)]
    _write(path, "READNOISE", detector, subarray, planes, model="ReadnoiseModel")


def ipc(path: Path, detector: Detector, subarray: Subarray) -> None:
    """Write the kernel that undoes the coupling of neighbours, to second order."""
    a = detector.ipc
    kernel = np.zeros((5, 5))
    coupling = np.array([[0, a, 0], [a, -4 * a, a], [0, a, 0]])
    kernel[2, 2] = 1
    kernel[1:4, 1:4] -= coupling
    for dy in range(3):
        for dx in range(3):
            kernel[dy : dy + 3, dx : dx + 3] += coupling[dy, dx] * coupling
    planes = [_plain("SCI", kernel.astype(np.float32))]
    _write(path, "IPC", detector, subarray, planes, model="IPCModel")


def flat(
    path: Path, detector: Detector, subarray: Subarray, character: Character, area: Float
) -> None:
    """Write the response to even light in DN, relative to the mean pixel's."""
    response = character.efficiency * area * np.float32(detector.gain) / character.gain
    bad = character.dq & np.uint32(PIXEL["DEAD"]) > 0
    dq = np.where(bad, PIXEL["NO_FLAT_FIELD"], 0).astype(np.uint32)
    response = np.where(character.light & ~bad, response, np.float32(1))
    error = np.full_like(response, 1e-4)
    planes = [_scaled("SCI", response), _scaled("ERR", error), _whole_dq(dq)]
    _write(path, "FLAT", detector, subarray, planes, model="FlatModel")


def slitless_background(
    path: Path, detector: Detector, subarray: Subarray, seen: Float, exposure_type: str
) -> None:
    """Write what the sky alone gives through a grism, DN/s."""
    planes = [
        _scaled("SCI", seen),
        _scaled("ERR", np.zeros_like(seen)),
        _whole_dq(np.zeros(seen.shape, np.uint32)),
    ]
    keywords = {
        "EXP_TYPE": exposure_type,
        "FILTER": next(iter(detector.filters)),
        "PUPIL": detector.pupil,
        "BUNIT": "DN/s",
    }
    _write(path, "BKG", detector, subarray, planes, keywords, model="WfssBkgModel")


def pixel_area(
    path: Path, detector: Detector, subarray: Subarray, area: Float, nominal: float
) -> None:
    """Write each pixel's area relative to the nominal one (steradians)."""
    keywords = {"PIXAR_SR": nominal, "PIXAR_A2": nominal / (np.pi / 180 / 3600) ** 2}
    _write(
        path, "AREA", detector, subarray, [_scaled("SCI", area)], keywords, model="PixelAreaModel"
    )


def reset(
    path: Path, detector: Detector, subarray: Subarray, *, pattern: str, groups: int
) -> None:
    """Write MIRI's reset anomaly, DN by integration and group."""
    shape = subarray.size[1], subarray.size[0]
    cube = np.stack(
        [
            np.stack([miri.reset_anomaly(detector, i, g, shape) for g in range(groups)])
            for i in range(2)
        ]
    )
    light = np.ones(shape, bool)
    first = max(detector.border[2] - (subarray.start[0] - 1), 0)
    last = subarray.start[0] - 1 + subarray.size[0] - (detector.shape[1] - detector.border[3])
    light[:, :first] = False
    light[:, shape[1] - max(last, 0) :] = False
    keywords = {"NINTS": 2, "NGROUPS": groups, "READPATT": pattern}
    planes = [_scaled("SCI", cube * light), _whole_dq(np.zeros(shape, np.uint32))]
    _write(path, "RESET", detector, subarray, planes, keywords, model="ResetModel")


def rscd(path: Path, detector: Detector, modes: list[tuple[str, str]]) -> None:
    """Write how many groups to leave out after a reset, for each subarray and pattern."""
    from astropy.io import fits

    rows = [(name, pattern, 1, miri.settling_groups(detector)) for name, pattern in modes]
    table = np.array(
        rows,
        [("subarray", "S17"), ("readpatt", "S12"), ("group_skip1", "i4"), ("group_skip", "i4")],
    )
    hdu = fits.BinTableHDU(table, name="RSCD_GROUP_SKIP")
    _write(path, "RSCD", detector, None, [hdu], model="RSCDModel")


def irs2_weights(path: Path, detector: Detector) -> None:
    """Write the frequency weights of the IRS2 correction, packed with gzip."""
    from astropy.io import fits

    output, pixels = irs2.correction_weights()
    names = [f"{kind}_{k}" for kind in ("alpha", "beta") for k in range(4)]
    table = np.zeros(irs2.WEIGHT_ROWS, [(name, "f4") for name in names])
    for k in range(4):
        table[f"alpha_{k}"], table[f"beta_{k}"] = output, pixels
    quality = np.zeros(0, [("OUTPUT", "u2"), ("ODD_EVEN", "u2"), ("MASK", "u4")])
    hdus = [fits.BinTableHDU(table, name="IRS2"), fits.BinTableHDU(quality, name="DQ")]
    _write(path, "REFPIX", detector, None, hdus, model="IRS2Model", packed=True)


def _write(
    path: Path,
    reftype: str,
    detector: Detector,
    subarray: Subarray | None,
    planes: list[Any],
    keywords: dict[str, Any] | None = None,
    *,
    model: str,
    packed: bool = False,
) -> None:
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    header = primary.header
    header["DATE"] = MADE_ON
    header["TELESCOP"] = "JWST"
    header["INSTRUME"] = detector.instrument
    header["DETECTOR"] = detector.name
    for keyword, value in (("MODULE", detector.module), ("CHANNEL", detector.channel)):
        if value is not None:
            header[keyword] = value
    header["REFTYPE"] = reftype
    header["DATAMODL"] = model
    header["PEDIGREE"] = "SIMULATION"
    header["AUTHOR"] = "upramp"
    header["DESCRIP"] = "Simulated; the practice archive of upramp"
    header["USEAFTER"] = "1900-01-01T00:00:00"
    header["HISTORY"] = "SIMULATION: not flight calibration"
    if subarray is not None:
        header["SUBARRAY"] = subarray.name
        header["SUBSTRT1"], header["SUBSTRT2"] = subarray.start
        header["SUBSIZE1"], header["SUBSIZE2"] = subarray.size
        header["FASTAXIS"], header["SLOWAXIS"] = detector.fastaxis, detector.slowaxis
    for keyword, value in (keywords or {}).items():
        header[keyword] = value
    hdus = fits.HDUList([primary, *planes])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        if packed:
            content = io.BytesIO()
            hdus.writeto(content)
            # No name and no time in the packed file: they would change its bytes.
            with temporary.open("wb") as file, gzip.GzipFile("", "wb", 6, file, 0) as stream:
                stream.write(content.getbuffer())
        else:
            hdus.writeto(temporary)


def _plain(name: str, data: NDArray[Any]) -> Any:
    from astropy.io import fits

    return fits.ImageHDU(data, name=name)


def _scaled(name: str, data: Float) -> Any:
    """Make an image of 16-bit integers that spans the data's range."""
    from astropy.io import fits

    low, high = float(data.min()), float(data.max())
    hdu = fits.ImageHDU(np.asarray(data, np.float64), name=name)
    if low == high:
        hdu.scale("uint8", bscale=1.0, bzero=low)
        return hdu
    step = (high - low) / 65000
    hdu.scale("int16", bscale=step, bzero=low + 32500 * step)
    return hdu


def _whole_dq(dq: NDArray[np.generic]) -> Any:
    """Make the DQ plane, as bytes where one scale brings its values into a byte."""
    from astropy.io import fits

    values = np.unique(dq)
    lowest = int(np.bitwise_or.reduce(values)) or 1
    factor = lowest & -lowest
    if int(values[-1]) // factor > 255:
        return _plain("DQ", dq.astype(np.uint32))
    if factor < 256 and int(values[-1]) < 256:
        return _plain("DQ", dq.astype(np.uint8))
    hdu = fits.ImageHDU(dq.astype(np.float64), name="DQ")
    hdu.scale("uint8", bscale=float(factor), bzero=0.0)
    return hdu
