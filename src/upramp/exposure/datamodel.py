"""An exposure as the official data model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from astropy.io import fits

from upramp.errors import InputError

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
        If it is no JWST product, or its metadata cannot be read.
    """
    from stdatamodels.jwst import datamodels

    name = _model_name(exposure)
    kind = getattr(datamodels, name, None)
    if not isinstance(kind, type) or not issubclass(kind, datamodels.JwstDataModel):
        raise InputError(
            exposure.path, f"it is of the unknown data model {name}", "check where it comes from"
        )
    try:
        # The descriptor reads what was checked, decompressed if need be.
        with (
            exposure.source.file() as file,
            fits.open(file, memmap=False, lazy_load_hdus=False) as hdulist,
        ):
            for keyword, inferred in exposure.inferred.items():
                hdulist[0].header[keyword] = inferred.value
            model = kind(hdulist)
            _detach(hdulist)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            exposure.path, "it does not fit into memory", "use a machine with more"
        ) from error
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:120]
        raise InputError(
            exposure.path,
            f"its metadata cannot be read ({type(error).__name__}: {first})",
            "fetch the product again",
        ) from error
    model.meta.filename = exposure.path.name
    return model


def _model_name(exposure: Exposure) -> str:
    if exposure.kind in ("guider-uncal", "guider-cal"):
        return _WITHOUT_MODEL[exposure.kind]
    name = exposure.header.text("DATAMODL") or _WITHOUT_MODEL.get(exposure.kind)
    if name is None:
        raise InputError(
            exposure.path, f"it is a {exposure.kind}, no JWST product", "give a JWST product"
        )
    return name


def _detach(hdulist: fits.HDUList) -> None:
    """Read the data of every HDU while the file is open."""
    for hdu in hdulist:
        _ = hdu.data
