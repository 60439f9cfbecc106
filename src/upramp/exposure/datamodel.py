"""An exposure as the official data model."""

from __future__ import annotations

import textwrap
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from astropy.io import fits

from upramp.errors import InputError

from .kinds import with_article
from .light_asdf import is_plain
from .metadata_tree import embedded_asdf, require_sound_tree
from .requirements import DECISIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exposure import Exposure

__all__ = ["has_plain_metadata", "to_datamodel", "to_metadata_model"]

_WITHOUT_MODEL: Final = {
    "uncal": "Level1bModel",
    "ramp": "RampModel",
    "guider-uncal": "GuiderRawModel",
    "guider-cal": "GuiderCalModel",
    "rate": "ImageModel",
    "rateints": "CubeModel",
}

_ZEROS: Final = {"PIXELDQ": np.uint32, "DQ": np.uint32, "GROUPDQ": np.uint8}
"""Types of images that hold flags; the others hold float32."""


def to_datamodel(exposure: Exposure, choose: Callable[[Any], type] | None = None) -> Any:
    """Read an exposure into the data model of ``stdatamodels``.

    The class is the one that the file names; guide-star exposures, which name
    the generic one, get the guide function's own. A raw exposure without the
    mission's metadata is built from its arrays and keywords, the inferred
    ones included (`Exposure.inferred` lists them).

    Parameters
    ----------
    exposure
        The product.
    choose
        Given a model without images, gives the class to read the file into;
        None for its own.

    Returns
    -------
    stdatamodels.jwst.datamodels.JwstDataModel
        The model, wholly in memory; it does not depend on the file.

    Raises
    ------
    InputError
        If it is no JWST product, its metadata cannot be read, or the model
        differs from the header in a keyword that decides how it is calibrated.
    """
    kind = _kind_of(exposure)
    if choose is not None:
        kind = choose(_opened(exposure, kind, arrays=False))
    return _opened(exposure, kind, arrays=True)


def to_metadata_model(exposure: Exposure, name: str) -> Any:
    """Read all of an exposure but its images into a data model.

    Parameters
    ----------
    exposure
        The product.
    name
        The class of ``stdatamodels.jwst.datamodels`` that it is to be:
        ``RampModel`` for a raw exposure that becomes a ramp.

    Returns
    -------
    stdatamodels.jwst.datamodels.JwstDataModel
        The model: metadata, tables, history. In place of each image it holds
        a single zero.

    Raises
    ------
    InputError
        As for `to_datamodel`.
    """
    from stdatamodels.jwst import datamodels

    _kind_of(exposure)
    return _opened(exposure, getattr(datamodels, name), arrays=False)


def has_plain_metadata(exposure: Exposure) -> bool:
    """Tell whether an exposure's metadata are numbers and texts alone: no WCS, no units.

    Parameters
    ----------
    exposure
        The product.
    """
    content = embedded_asdf(exposure.source, exposure.hdus)
    return content is None or is_plain(content)


def _kind_of(exposure: Exposure) -> Any:
    from stdatamodels.jwst import datamodels

    name = _model_name(exposure)
    kind = getattr(datamodels, name, None)
    if not isinstance(kind, type) or not issubclass(kind, datamodels.JwstDataModel):
        raise InputError(
            exposure.path, f"it is of the unknown data model {name}", "check where it comes from"
        )
    return kind


def _opened(exposure: Exposure, kind: Any, *, arrays: bool) -> Any:
    content = embedded_asdf(exposure.source, exposure.hdus)
    if content is not None:
        require_sound_tree(exposure.source, content)
    try:
        # The descriptor reads what was checked, decompressed if need be.
        with (
            exposure.source.file() as file,
            fits.open(file, memmap=False, lazy_load_hdus=False) as hdulist,
        ):
            for keyword, inferred in exposure.inferred.items():
                hdulist[0].header[keyword] = inferred.value
            if not arrays:
                _drop_images(hdulist)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model = kind(hdulist)
            _detach(hdulist)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            exposure.path, "it does not fit into memory", "use a machine with more"
        ) from error
    except Exception as error:
        raise InputError(
            exposure.path,
            f"its metadata cannot be read ({_reason(error)})",
            "fetch the product again",
        ) from error
    _require_agreement(exposure, model)
    for warning in caught:
        # Of what decides nothing, as the official packages have it; a refusal needs no other word.
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    model.meta.filename = exposure.path.name
    return model


def _drop_images(hdulist: fits.HDUList) -> None:
    """Put a single zero in place of every image, before any is read."""
    for hdu in hdulist[1:]:
        if hdu.is_image and (axes := hdu.header["NAXIS"]):
            # Where astropy keeps what it has read. Set in the usual way it would change the
            # header, and by the header's checksum the model knows whether its tree is current.
            hdu.__dict__["data"] = np.zeros((1,) * axes, _ZEROS.get(hdu.name, np.float32))


def _model_name(exposure: Exposure) -> str:
    if exposure.kind in ("guider-uncal", "guider-cal"):
        return _WITHOUT_MODEL[exposure.kind]
    name = exposure.header.text("DATAMODL") or _WITHOUT_MODEL.get(exposure.kind)
    if name is None:
        raise InputError(
            exposure.path,
            f"it is {with_article(exposure.kind)}, no JWST product",
            "give a JWST product",
        )
    return name


def _require_agreement(exposure: Exposure, model: Any) -> None:
    """Refuse a model that would calibrate something else than the header says.

    A value that a data model does not take is dropped, and then its tree's
    counts; and where the checksum of the headers in the tree is right, the
    tree counts alone, whatever became of it.
    """
    for name in sorted(DECISIVE):
        told = exposure.header.get(name)
        places = model.find_fits_keyword(name)
        if not all(place.startswith("meta.") for place in places):
            continue  # each slit of several has its own
        values = [model[place] for place in places]
        others = [value for value in values if value is not None]
        if not values or told in values or (told is None and not exposure.has_asdf):
            continue
        if others:
            problem = (
                f"its header says {_card(name, told)} but its ASDF extension says {others[0]}"
            )
        else:
            problem = f"its {name} is {told}, which the mission's data model does not take"
        raise InputError(
            exposure.path, problem, "fetch the product again, or put the keyword right"
        )


def _card(name: str, value: object) -> str:
    return f"no {name}" if value is None else f"{name} is {value}"


def _reason(error: Exception) -> str:
    # stdatamodels raises an error anew with its text alone, which some kinds do not take.
    cause = error.__context__ if isinstance(error, TypeError) and error.__context__ else error
    text = str(cause).removeprefix("ERROR loading embedded ASDF: ")
    first = next((line for line in text.splitlines() if line.strip()), type(cause).__name__)
    return textwrap.shorten(first, 120, placeholder=" ...")


def _detach(hdulist: fits.HDUList) -> None:
    """Read the data of every HDU while the file is open."""
    for hdu in hdulist:
        _ = hdu.data
