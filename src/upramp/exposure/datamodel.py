"""An exposure as the official data model."""

from __future__ import annotations

import re
import textwrap
import warnings
from typing import TYPE_CHECKING, Any, Final

from astropy.io import fits

from upramp.errors import InputError

from .kinds import with_article
from .metadata_tree import embedded_asdf, require_sound_tree
from .requirements import DECISIVE

if TYPE_CHECKING:
    from .exposure import Exposure

__all__ = ["to_datamodel"]

_WITHOUT_MODEL: Final = {
    "uncal": "Level1bModel",
    "ramp": "RampModel",
    "guider-uncal": "GuiderRawModel",
    "guider-cal": "GuiderCalModel",
    "rate": "ImageModel",
    "rateints": "CubeModel",
}

_DROPPED: Final = re.compile(r"While validating (\S+) the following error occurred")


def to_datamodel(exposure: Exposure) -> Any:
    """Read an exposure into the data model of ``stdatamodels``.

    The class is the one that the file names; guide-star exposures, which name
    the generic one, get the guide function's own. A raw exposure without the
    mission's metadata is built from its arrays and keywords, the inferred
    ones included (`Exposure.inferred` lists them).

    Parameters
    ----------
    exposure
        The product.

    Returns
    -------
    stdatamodels.jwst.datamodels.JwstDataModel
        The model, wholly in memory; it does not depend on the file.

    Raises
    ------
    InputError
        If it is no JWST product, its metadata cannot be read, or a keyword that
        decides how it is calibrated has a value that the data model drops.
    """
    from stdatamodels.jwst import datamodels

    name = _model_name(exposure)
    kind = getattr(datamodels, name, None)
    if not isinstance(kind, type) or not issubclass(kind, datamodels.JwstDataModel):
        raise InputError(
            exposure.path, f"it is of the unknown data model {name}", "check where it comes from"
        )
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
    _refuse_dropped(exposure, model, caught)
    model.meta.filename = exposure.path.name
    return model


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


def _refuse_dropped(exposure: Exposure, model: Any, caught: list[warnings.WarningMessage]) -> None:
    """Refuse values that the model dropped, for what its tree says or for nothing.

    Dropped values of keywords that decide nothing are warned of, as the
    official packages do.
    """
    places = {
        path: name
        for name in (DECISIVE if caught else ())
        for path in model.find_fits_keyword(name)
    }
    for warning in caught:
        found = _DROPPED.match(str(warning.message))
        name = places.get(found[1]) if found else None
        if name is not None:
            value = exposure.header.get(name)
            raise InputError(
                exposure.path,
                f"its {name} is {value}, which the mission's data model does not take",
                "fetch the product again, or put the keyword right",
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


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
