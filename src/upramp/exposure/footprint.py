"""Where on the sky an exposure looks, and how that is known."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

from .hdus import parse_header
from .metadata_tree import embedded_asdf, require_sound_tree

if TYPE_CHECKING:
    from .exposure import Exposure

__all__ = ["Footprint", "find_footprint"]

Corners = tuple[tuple[float, float], ...]

_MAX_SCALE: Final = 10.0
"""Arcseconds a pixel; the mission's widest are below one."""
_SAMPLES: Final = 40
_POINTING: Final = ("V2_REF", "V3_REF", "RA_REF", "DEC_REF", "ROLL_REF")
_IMAGERS: Final = {
    "NRCALONG": "NRCA5_FULL",
    "NRCBLONG": "NRCB5_FULL",
    "NIS": "NIS_CEN",
    "MIRIMAGE": "MIRIM_FULL",
    "GUIDER1": "FGS1_FULL",
    "GUIDER2": "FGS2_FULL",
} | {f"NRC{module}{number}": f"NRC{module}{number}_FULL" for module in "AB" for number in "1234"}
"""Detectors that see the sky undispersed, with the aperture that spans them."""

_SIAF_NAMES: Final = {"NIRCAM": "NIRCam", "NIRSPEC": "NIRSpec"}


@dataclass(frozen=True)
class Footprint:
    """Corners on the sky.

    Attributes
    ----------
    corners : tuple of (float, float)
        Right ascension and declination (ICRS, degrees), in order around the
        footprint; empty where it is not known.
    source : str
        What the corners come from, or why there are none.
    regions : int
        How many parts of the product have a region of their own; `corners`
        are the first one's.
    """

    corners: Corners
    source: str
    regions: int = 1


def find_footprint(exposure: Exposure) -> Footprint:
    """Find the footprint of an exposure, by the best source there is.

    In this order: the S_REGION keyword; the gwcs of the ASDF extension; the
    pointing keywords with the mission's aperture file (SIAF, through pysiaf);
    the FITS WCS keywords.

    Parameters
    ----------
    exposure
        Any product.

    Returns
    -------
    Footprint
        The corners and their source, or the reasons why there are none.
    """
    reasons = []
    for attempt in (_from_region, _from_gwcs, _from_pointing, _from_keywords):
        found = attempt(exposure)
        if isinstance(found, Footprint):
            return found
        reasons.append(found)
    return Footprint((), "; ".join(reason for reason in reasons if reason), 0)


def _from_region(exposure: Exposure) -> Footprint | str:
    headers = [
        parse_header(exposure.source, hdu.raw) for hdu in exposure.hdus if b"S_REGION" in hdu.raw
    ]
    if not headers:
        return "no S_REGION"
    try:
        text = str(headers[0]["S_REGION"])
    except Exception:  # noqa: BLE001 - astropy raises many kinds on damaged cards
        return "S_REGION is damaged"
    numbers = re.findall(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", text)
    values = [float(number) for number in numbers]
    if not text.upper().startswith("POLYGON") or len(values) < 6 or len(values) % 2:
        return "S_REGION is no polygon"
    corners = tuple(zip(values[::2], values[1::2], strict=True))
    return _checked(corners, "S_REGION keyword", len(headers))


def _from_gwcs(exposure: Exposure) -> Footprint | str:
    try:
        content = embedded_asdf(exposure.source, exposure.hdus)
        if content is None:
            return "no ASDF extension"
        if b"gwcs" not in content:
            return "no gwcs"
        require_sound_tree(exposure.source, content)
        corners = _gwcs_corners(content)
    except InputError as error:
        return f"no gwcs that can be read ({error.problem})"
    except Exception as error:  # noqa: BLE001 - asdf, yaml and gwcs raise many kinds
        return f"the gwcs cannot be evaluated ({type(error).__name__})"
    return _checked(corners, "gwcs") if corners else "no gwcs with a bounding box"


def _gwcs_corners(content: bytes) -> Corners:
    import asdf

    with (
        warnings.catch_warnings(),
        _quiet("asdf"),
        # Lazily: the arrays of the tree are in the other extensions, out of reach here.
        asdf.open(io.BytesIO(content), lazy_load=True) as tree,
    ):
        warnings.simplefilter("ignore")
        slits = tree.tree.get("slits") or [{}]
        own = tree.tree.get("meta", {}).get("wcs")
        wcs = own if own is not None else slits[0].get("meta", {}).get("wcs")
        if wcs is None or wcs.bounding_box is None:
            return ()
        corners = np.asarray(wcs.footprint(axis_type="spatial"), dtype=float).reshape(-1, 2)
        if not np.isfinite(corners).all():
            corners = _box_around(wcs)
    return tuple((float(ra), float(dec)) for ra, dec in corners)


def _box_around(wcs: Any) -> np.ndarray[Any, Any]:
    """Box in right ascension and declination around what a spectrum's gwcs covers.

    At the corners of a dispersed slit there may be no light, so no sky either.
    """
    (left, right), (low, high) = wcs.bounding_box.bounding_box(order="F")
    x, y = np.meshgrid(np.linspace(left, right, _SAMPLES), np.linspace(low, high, _SAMPLES))
    ra, dec = (np.asarray(axis, dtype=float) for axis in wcs(x, y)[:2])
    seen = np.isfinite(ra) & np.isfinite(dec)
    if not seen.any():
        return np.empty((0, 2))
    ra, dec = ra[seen], dec[seen]
    # Counted from a point inside, so that a box across 0 h stays small.
    offset = (ra - ra[0] + 180) % 360 - 180
    west, east = ra[0] + offset.min(), ra[0] + offset.max()
    south, north = dec.min(), dec.max()
    return np.array([(east, south), (west, south), (west, north), (east, north)])


def _from_pointing(exposure: Exposure) -> Footprint | str:
    pointing = [exposure.header.number(name) for name in _POINTING]
    if None in pointing:
        missing = [name for name, value in zip(_POINTING, pointing, strict=True) if value is None]
        return f"no pointing ({', '.join(missing)} missing)"
    if exposure.exp_type is None or exposure.kind not in ("uncal", "ramp", "rate", "rateints"):
        return "no product in the detector's own pixels"
    instrument, detector = exposure.instrument or "", exposure.detector or ""
    try:
        with _quiet("pysiaf"):
            found = _project(exposure, instrument, detector, pointing)
    except Exception as error:  # noqa: BLE001 - pysiaf raises many kinds on unknown names
        return f"the aperture file has no answer ({type(error).__name__})"
    return found


def _project(
    exposure: Exposure, instrument: str, detector: str, pointing: list[float | None]
) -> Footprint | str:
    import pysiaf
    from pysiaf.utils.rotations import attitude_matrix

    apertures = pysiaf.Siaf(_SIAF_NAMES.get(instrument, instrument))
    if detector in _IMAGERS:
        name = _IMAGERS[detector]
        aperture = apertures[name]
        v2, v3 = _window_corners(exposure, aperture)
        how = f"{name} of the aperture file, the subarray's window and the pointing"
    else:
        # A dispersed detector shows what its slit or slicer sees.
        name = exposure.header.text("PPS_APER") or exposure.header.text("APERNAME") or ""
        if name not in apertures.apernames:
            return f"no aperture {name or '(PPS_APER missing)'} in the aperture file"
        aperture = apertures[name]
        v2, v3 = (np.asarray(side, dtype=float) for side in aperture.corners("tel"))
        how = f"{name} of the aperture file and the pointing"
    aperture.set_attitude_matrix(attitude_matrix(*pointing))
    ra, dec = aperture.tel_to_sky(v2, v3)
    corners = tuple((float(a), float(d)) for a, d in zip(ra, dec, strict=True))
    return _checked(corners, how)


def _window_corners(exposure: Exposure, aperture: Any) -> tuple[Any, Any]:
    subarray = exposure.subarray
    sizes = (subarray.xstart, subarray.ystart, subarray.xsize, subarray.ysize)
    x, y, width, height = (1.0 if value is None else float(value) for value in sizes)
    if None in sizes:
        width, height = float(aperture.XSciSize), float(aperture.YSciSize)
    # Pixel centres are whole numbers, so edges are halves.
    left, low = x - 0.5, y - 0.5
    across = np.array([left, left + width, left + width, left])
    up = np.array([low, low, low + height, low + height])
    corners: tuple[Any, Any] = aperture.sci_to_tel(across, up)
    return corners


def _from_keywords(exposure: Exposure) -> Footprint | str:
    science = next((hdu for hdu in exposure.hdus if hdu.name == "SCI" and hdu.is_image), None)
    if science is None:
        return "no science array"
    if b"CRVAL1" not in science.raw or len(science.shape) < 2:
        return "no FITS WCS"
    try:
        from astropy.wcs import WCS
        from astropy.wcs.utils import proj_plane_pixel_scales

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(parse_header(exposure.source, science.raw), naxis=2)
            if not wcs.has_celestial:
                return "the FITS WCS is not celestial"
            # Where CDELT is missing, the standard makes it a degree.
            scale = float(np.max(proj_plane_pixel_scales(wcs))) * 3600
            if not scale < _MAX_SCALE:
                return f"the FITS WCS has pixels of {scale:.3g} arcsec, which no instrument has"
            rows, columns = science.shape[-2:]
            corners = wcs.calc_footprint(axes=(columns, rows), center=False)
    except Exception as error:  # noqa: BLE001 - wcslib's errors have no common base
        return f"the FITS WCS cannot be evaluated ({type(error).__name__})"
    return _checked(tuple((float(ra), float(dec)) for ra, dec in corners), "FITS WCS keywords")


def _checked(corners: Corners, source: str, regions: int = 1) -> Footprint | str:
    good = all(math.isfinite(ra) and math.isfinite(dec) and abs(dec) <= 90 for ra, dec in corners)
    if not good or not corners:
        return f"{source} gives no place on the sky"
    return Footprint(tuple((ra % 360, dec) for ra, dec in corners), source, regions)


@contextlib.contextmanager
def _quiet(name: str) -> Any:
    # These packages report what a description has no use for.
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
