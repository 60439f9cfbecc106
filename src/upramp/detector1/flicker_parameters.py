"""How an exposure is cleaned of flicker noise, and whether it can be here.

Source: jwst/clean_flicker_noise/clean_flicker_noise_step.py and
clean_flicker_noise.py (``_check_input``, ``_standardize_parameters``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .inputs import Readout

__all__ = ["CHANNELS", "FULL", "Cleaning", "chooses", "plan", "refused", "supported"]

FULL: Final = 2048
"""Pixels along a side of a whole near-infrared detector."""

CHANNELS: Final = 4
"""Its amplifiers."""

_BY_FOURIER: Final = frozenset({"NRS_MSASPEC", "NRS_IFU", "NRS_FIXEDSLIT", "NRS_BRIGHTOBJ"})
_AUTOMATIC: Final = frozenset({"NIS_IMAGE", "NRC_IMAGE"})
_PRODUCTS: Final = ("save_mask", "save_background", "save_noise")


@dataclass(frozen=True)
class Cleaning:
    """How an exposure is cleaned.

    Parameters
    ----------
    axis
        1 if lines are rows, 0 if they are columns.
    channels
        Into how many parts a line is cut.
    level
        Whether the sky's level is measured before stripes are.
    model
        Whether the level is a model of the sky instead of one number.
    box
        Rows and columns of a cell of that model.
    n_sigma
        Standard deviations from the level from where on a pixel has signal.
    flat
        What groups are divided by before, (ny, nx) float32 without zeros or NaN.
    """

    axis: int
    channels: int = 1
    level: bool = True
    model: bool = False
    box: Sequence[int] | None = None
    n_sigma: float = 2.0
    flat: NDArray[np.float32] | None = None


def refused(parameters: Mapping[str, Any], exp_type: str) -> str | None:
    """Say why an exposure cannot be cleaned at all, neither here nor officially.

    Parameters
    ----------
    parameters
        Of the step.
    exp_type
        EXP_TYPE.

    Returns
    -------
    str or None
        The reason: the step then has failed, and changes nothing.
    """
    if parameters["fit_method"] == "fft" and exp_type not in _BY_FOURIER:
        return f"fit_method fft is not for {exp_type}"
    if exp_type.startswith("MIR") and exp_type != "MIR_IMAGE":
        return f"it is not for {exp_type}"
    return None


def chooses(parameters: Mapping[str, Any], exp_type: str) -> bool:
    """Tell whether some parameters are to be chosen by what the exposure shows.

    Parameters
    ----------
    parameters
        Of the step.
    exp_type
        EXP_TYPE.
    """
    return bool(parameters["autoparam"]) and exp_type in _AUTOMATIC


def supported(parameters: Mapping[str, Any], exp_type: str) -> str | None:
    """Say why the official step has to clean an exposure.

    Parameters
    ----------
    parameters
        Of the step.
    exp_type
        EXP_TYPE.

    Returns
    -------
    str or None
        The reason; None if `measure` or `clean_by_model` can.
    """
    median_image = str(parameters["background_method"]).lower() == "median_image"
    median_image &= not chooses(parameters, exp_type)
    soss = exp_type == "NIS_SOSS"
    # What the official step looks at before it says that there is nothing it can do.
    if soss and median_image:
        return "background_method median_image needs the traces of SOSS"
    if refused(parameters, exp_type):
        return None
    own_mask = str(parameters["user_mask"]).lower() != "none"
    science = parameters["mask_science_regions"] and not own_mask
    reasons = {
        **{
            f"{name} asks for a product of the official step": parameters[name]
            for name in _PRODUCTS
        },
        "fit_method fft is not among what is fused": parameters["fit_method"] == "fft",
        "background_method median_image needs stages 2 and 3": median_image,
        "mask_science_regions needs the slits' places on the sky": (
            science and exp_type.startswith("NRS")
        ),
        "mask_science_regions needs the traces of SOSS": science and soss,
        "mask_science_regions needs the flags of the flat": science and exp_type == "MIR_IMAGE",
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def plan(
    parameters: Mapping[str, Any],
    readout: Readout,
    shape: Sequence[int],
    flat: NDArray[np.float32] | None = None,
) -> Cleaning:
    """Choose how an exposure is cleaned.

    Parameters
    ----------
    parameters
        Of the step.
    readout
        How the exposure was taken.
    shape
        Of a frame: (ny, nx).
    flat
        What groups are divided by before, without zeros or NaN.
    """
    miri = readout.exp_type.startswith("MIR")
    # What flickers in the mid-infrared are columns, whichever way they are read.
    axis = 0 if miri else abs(readout.slowaxis) - 1
    by_channel = parameters["fit_by_channel"] and readout.subarray.upper() == "FULL" and not miri
    method = str(parameters["background_method"]).lower()
    return Cleaning(
        axis=axis,
        channels=CHANNELS if by_channel and shape[axis] == FULL else 1,
        level=method != "none",
        model=method == "model",
        box=parameters["background_box_size"],
        n_sigma=parameters["n_sigma"],
        flat=flat,
    )
