"""Products of the fused engine, with the metadata that the official pipeline gives them."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from upramp.detector1.gain_scale import scale_by_gain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from upramp.detector1.ols import Rates
    from upramp.detector1.ols_optional import OptionalResults

__all__ = [
    "chisq_model",
    "finalize",
    "optional_model",
    "optional_name",
    "ramp_model",
    "rate_models",
    "scale_rates",
]

_IFU: Final = frozenset({"NRS_IFU", "MIR_MRS"})
_LAMPS: Final = frozenset({"NRS_AUTOWAVE", "NRS_LAMP"})


def rate_models(ramp: Any, rates: Rates) -> tuple[Any, Any]:
    """Make the products of the slopes.

    Parameters
    ----------
    ramp
        Metadata of the ramp, as a ``RampModel``.
    rates
        The slopes.

    Returns
    -------
    rate, rateints
        Data models.
    """
    from stdatamodels.jwst import datamodels

    rate = datamodels.ImageModel()
    rate.update(ramp)
    _fill(rate, rates.rate, rates.rate_dq)
    rate.meta.bunit_data = rate.meta.bunit_err = "DN/s"
    rate.meta.cal_step.ramp_fit = "COMPLETE"
    kind = rate.meta.exposure.type
    if kind in _IFU or (kind in _LAMPS and rate.meta.instrument.lamp_mode == "IFU"):
        rate = datamodels.IFUImageModel(rate)
    rateints = datamodels.CubeModel()
    rateints.update(ramp)
    _fill(rateints, rates.rateints, rates.rateints_dq)
    rateints.int_times = ramp.int_times
    rateints.meta.bunit_data = rateints.meta.bunit_err = "DN/s"
    rateints.meta.cal_step.ramp_fit = "COMPLETE"
    return rate, rateints


def _fill(model: Any, planes: NDArray[np.float32], dq: NDArray[np.uint32]) -> None:
    model.data, model.err, model.var_poisson, model.var_rnoise = planes
    model.dq = dq


def scale_rates(model: Any, factor: float | None) -> str:
    """Do the step gain_scale to a product.

    Parameters
    ----------
    model
        The product.
    factor
        GAINFACT, if there is one.

    Returns
    -------
    str
        COMPLETE or SKIPPED.
    """
    if factor is None:
        model.meta.cal_step.gain_scale = "SKIPPED"
        return "SKIPPED"
    scale_by_gain(factor, model.data, model.err, model.var_poisson, model.var_rnoise)
    model.meta.exposure.gain_factor = factor
    model.meta.cal_step.gain_scale = "COMPLETE"
    return "COMPLETE"


def ramp_model(
    ramp: Any,
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    pixeldq: NDArray[np.uint32],
    *,
    zeroframe: NDArray[np.float32] | None,
    refout: NDArray[np.float32] | None,
    dark_current: NDArray[np.float32] | None,
) -> Any:
    """Make the product of the corrected ramp.

    Parameters
    ----------
    ramp
        Its metadata, as a ``RampModel``; not changed.
    data, groupdq
        (nints, ngroups, ny, nx).
    pixeldq
        (ny, nx).
    zeroframe
        (nints, ny, nx), if there is one.
    refout
        (nints, ngroups, ny, nx / 4): MIRI's reference output, if there is one.
    dark_current
        (ny, nx), if the dark gave one.
    """
    product = ramp.copy()
    product.data, product.groupdq, product.pixeldq = data, groupdq, pixeldq
    if zeroframe is not None:
        product.zeroframe = zeroframe
    if refout is not None:
        product.refout = refout
    if dark_current is not None:
        product.average_dark_current = dark_current
    return product


def chisq_model(ramp: Any, chisq: NDArray[np.float32]) -> Any:
    """Make the product of chi squared of the LIKELY fit.

    Parameters
    ----------
    ramp
        Metadata of the ramp, as a ``RampModel``.
    chisq
        (ny, nx).
    """
    from stdatamodels.jwst import datamodels

    model = datamodels.ImageModel()
    model.update(ramp)
    model.data = chisq
    return model


def optional_model(ramp: Any, results: OptionalResults) -> Any:
    """Make the product of what the fit OLS_C knows of segments.

    Parameters
    ----------
    ramp
        Metadata of the ramp, as a ``RampModel``.
    results
        The arrays.
    """
    from stdatamodels.jwst import datamodels

    model = datamodels.RampFitOutputModel(**results.named())
    model.update(ramp)
    return model


def optional_name(parameters: Mapping[str, Any], suffix: str) -> str | None:
    """Name the file of what the fit tells beside slopes, where a user has named it.

    Parameters
    ----------
    parameters
        Of the fit.
    suffix
        What the name ends with; it replaces one that the user's name has.

    Returns
    -------
    str or None
        None where it is to be named as other products are.
    """
    given = parameters["opt_name"]
    if not given or parameters["output_use_model"]:
        return None
    from jwst.lib.suffix import remove_suffix

    stem, separator = remove_suffix(os.path.splitext(os.path.basename(given))[0])  # noqa: PTH119, PTH122
    return f"{stem}{separator or '_'}{suffix}.fits"


def finalize(
    model: Any,
    *,
    status: Mapping[str, str],
    references: Mapping[str, str],
    context: str,
    log: Iterable[str],
) -> None:
    """Write into a model what the official steps write: status, references, versions, log.

    Parameters
    ----------
    model
        The model.
    status
        COMPLETE, SKIPPED or FAILED by step.
    references
        Names of the files used, or N/A, by type.
    context
        The CRDS context.
    log
        Lines of the log.
    """
    from stdatamodels.jwst import datamodels

    version = metadata.version("jwst")
    _, plus, commit = version.partition("+g")
    model.meta.calibration_software_version = version
    model.meta.calibration_software_revision = commit if plus else "RELEASE"
    is_ramp = isinstance(model, datamodels.RampModel)
    for step, what in status.items():
        # The official dark step, when it is skipped, calls itself otherwise than the schema.
        if hasattr(model.meta.cal_step, step) or (step == "dark_current" and is_ramp):
            setattr(model.meta.cal_step, step, what)
    for kind, name in references.items():
        if hasattr(model.meta.ref_file, kind):
            getattr(model.meta.ref_file, kind).name = name
    if references:
        model.meta.ref_file.crds.sw_version = metadata.version("crds")
        model.meta.ref_file.crds.context_used = context
    if not hasattr(model, "cal_logs"):
        model.cal_logs = {}
    model.cal_logs.calwebb_detector1 = list(log)
