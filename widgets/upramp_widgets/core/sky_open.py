"""Open the sky of whatever an image comes as."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import InputError, UsageError

from .sky import Sky
from .sky_facts import facts_of_exposure, facts_of_model
from .sky_pointing import projection_of_pointing
from .sky_projection import Projection, projection_of_fits, projection_of_gwcs

if TYPE_CHECKING:
    from upramp.exposure import Exposure

    from .sky_facts import Facts

__all__ = ["open_sky"]

_DETECTOR_PIXELS: Final = frozenset(
    {"uncal", "ramp", "rate", "rateints", "cal", "calints", "guider-uncal", "guider-cal"}
)
"""Products whose pixels are those of the detector."""
_WIDEST: Final = 10 / 3600
"""Degrees a pixel; the mission's widest are below a tenth of it."""


def open_sky(
    image: Any,
    *,
    shape: tuple[int, ...] | None = None,
    slit: int | str | None = None,
    inputs: tuple[float, ...] = (),
) -> Sky:
    """Find out where the pixels of an image look.

    Parameters
    ----------
    image
        A file's path, an `upramp.exposure.Exposure`, a data model of
        stdatamodels or one of its slits, a gwcs.WCS, an astropy.wcs.WCS, a
        FITS header, or a Sky, which is given back.
    shape
        Shape of the image, (..., ny, nx), where the above does not know it.
    slit
        Which slit of a product with several: its place, from 0, or its name.
    inputs
        What the gwcs takes after x and y.

    Returns
    -------
    Sky
        Its coordinates. From a file: those of the gwcs in it; else, for an
        imager, those of the pointing keywords with the mission's aperture
        file; else those of the FITS WCS keywords. ``source`` tells which.

    Raises
    ------
    InputError
        If it does not say where it looks.
    UsageError
        If ``image`` is nothing of the above.
    """
    if isinstance(image, Sky):
        return image
    if isinstance(image, (str, os.PathLike)):
        from upramp.exposure import open_exposure

        with open_exposure(Path(image)) as exposure:
            return _of_exposure(exposure, slit, inputs)
    if hasattr(image, "hdus") and hasattr(image, "source"):
        return _of_exposure(image, slit, inputs)
    if hasattr(image, "meta") or hasattr(image, "slits"):
        return _of_model(image, slit, inputs)
    if hasattr(image, "forward_transform"):
        return Sky(projection_of_gwcs(image, shape, inputs))
    return _of_fits(image, shape)


def _of_fits(image: Any, shape: tuple[int, ...] | None) -> Sky:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    if isinstance(image, Header):
        image = _read_keywords("the FITS header", image)
    if not isinstance(image, WCS):
        raise UsageError(
            f"an object of type {type(image).__name__}",
            "it is no image, model or WCS",
            "give a file, an exposure, a data model, a gwcs or a FITS WCS",
        )
    return Sky(projection_of_fits(image, shape))


# ---- data models --------------------------------------------------------------------------


def _of_model(model: Any, slit: int | str | None, inputs: tuple[float, ...]) -> Sky:
    slits = getattr(model, "slits", None)
    whole = model
    if slits is not None and len(slits):
        names = [str(getattr(one, "name", None) or number) for number, one in enumerate(slits)]
        model = slits[_which(str(_name_of(model)), names, slit)]
    data = getattr(model, "data", None)
    shape = () if data is None else tuple(data.shape)
    facts = facts_of_model(whole, shape)
    wcs = getattr(model.meta, "wcs", None)
    if wcs is not None:
        projection = projection_of_gwcs(wcs, shape, inputs, subject=facts.subject)
    else:
        projection = projection_of_pointing(facts)
    return Sky(projection, epoch=facts.epoch, pointing=facts.pointing)


def _name_of(model: Any) -> Any:
    return getattr(model.meta, "filename", None) or type(model).__name__


def _which(subject: str, names: list[str], slit: int | str | None) -> int:
    if slit is None and len(names) == 1:
        return 0
    if isinstance(slit, str) and slit in names:
        return names.index(slit)
    if isinstance(slit, int) and 0 <= slit < len(names):
        return slit
    listed = ", ".join(names[:8]) + (" and more" if len(names) > 8 else "")
    problem = "it has several slits" if slit is None else f"it has no slit {slit!r}"
    raise InputError(subject, problem, f"choose one of {listed}")


# ---- files --------------------------------------------------------------------------------


def _of_exposure(exposure: Exposure, slit: int | str | None, inputs: tuple[float, ...]) -> Sky:
    facts = facts_of_exposure(exposure)
    reasons: list[str] = []
    file = _asdf_of(exposure, reasons)
    wcs, shape = _gwcs_in(file, exposure, facts.shape, slit)
    if wcs is not None:
        projection = projection_of_gwcs(wcs, shape, inputs, subject=facts.subject)
        projection = replace(projection, behind=file)
    else:
        projection = _without_gwcs(exposure, facts, reasons)
    return Sky(projection, epoch=facts.epoch, pointing=facts.pointing)


def _asdf_of(exposure: Exposure, reasons: list[str]) -> Any:
    """Open the ASDF file in a FITS file if it has a gwcs; None where there is none."""
    import asdf

    from upramp.exposure.metadata_tree import embedded_asdf, require_sound_tree

    try:
        content = embedded_asdf(exposure.source, exposure.hdus)
        if content is None or b"gwcs" not in content:
            return None
        require_sound_tree(exposure.source, content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Lazily: most arrays of the tree are in other extensions, out of reach here.
            return asdf.open(io.BytesIO(content), lazy_load=True)
    except InputError as error:
        reasons.append(error.problem)
    except Exception as error:  # noqa: BLE001 - asdf, yaml and gwcs raise many kinds
        reasons.append(f"its gwcs cannot be read: {type(error).__name__}")
    return None


def _gwcs_in(
    file: Any, exposure: Exposure, shape: tuple[int, ...], slit: int | str | None
) -> tuple[Any, tuple[int, ...]]:
    """Find the gwcs in an ASDF file, None where there is none, and the shape it is for."""
    tree = {} if file is None else file.tree
    wcs, slits = tree.get("meta", {}).get("wcs"), tree.get("slits") or []
    if wcs is None and slits:
        names = [str(one.get("name") or number) for number, one in enumerate(slits)]
        number = _which(str(exposure.path), names, slit)
        wcs = slits[number].get("meta", {}).get("wcs")
        shape = exposure.hdu(("SCI", number + 1)).shape
    return wcs, shape


def _without_gwcs(exposure: Exposure, facts: Facts, reasons: list[str]) -> Projection:
    damage = "; ".join(reasons)
    for attempt in (_by_pointing, _by_keywords):
        try:
            projection = attempt(exposure, facts)
        except InputError as error:
            reasons.append(error.problem)
        else:
            # Whoever trusts the overlay should know that a better WCS was lost.
            source = f"{projection.source} ({damage})" if damage else projection.source
            return replace(projection, source=source)
    raise InputError(
        exposure.path,
        f"it does not say where it looks ({'; '.join(reasons)})",
        "run assign_wcs on it, or give a product that has a WCS",
    )


def _by_pointing(exposure: Exposure, facts: Facts) -> Projection:
    if exposure.kind not in _DETECTOR_PIXELS:
        raise InputError(exposure.path, "its pixels are not the detector's", "run assign_wcs")
    return projection_of_pointing(facts)


def _by_keywords(exposure: Exposure, facts: Facts) -> Projection:
    from upramp.exposure.hdus import parse_header

    if facts.dispersed:
        raise InputError(
            exposure.path, f"FITS keywords do not describe {facts.exp_type}", "run assign_wcs"
        )
    images = [hdu for hdu in exposure.hdus if hdu.is_image and len(hdu.shape) >= 2]
    image = next((hdu for hdu in images if hdu.name == "SCI"), images[0] if images else None)
    if image is None or b"CRVAL1" not in image.raw:
        raise InputError(exposure.path, "there is no FITS WCS", "run assign_wcs")
    wcs = _read_keywords(facts.subject, parse_header(exposure.source, image.raw))
    if facts.detector and wcs.has_celestial and not _is_plausible(wcs):
        raise InputError(
            exposure.path,
            "its FITS WCS has pixels of a size that no instrument has",
            "run assign_wcs",
        )
    return projection_of_fits(wcs, image.shape, subject=facts.subject)


def _read_keywords(subject: str, header: Any) -> Any:
    from astropy.wcs import WCS

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(header)
            return wcs if wcs.naxis == 2 or not wcs.has_celestial else wcs.celestial
    except Exception as error:
        # The errors of wcslib have no common base.
        raise InputError(
            subject, f"its FITS WCS cannot be read ({type(error).__name__})", "check its keywords"
        ) from error


def _is_plausible(wcs: Any) -> bool:
    from astropy.wcs.utils import proj_plane_pixel_scales

    # Where CDELT is missing, the standard makes it a degree.
    return bool(max(proj_plane_pixel_scales(wcs)) < _WIDEST)
