"""Scale rates that were taken with another gain than the standard one.

Source: jwst/gain_scale/gain_scale.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scale_by_gain"]


def scale_by_gain(
    gain_factor: float,
    data: NDArray[Any],
    err: NDArray[Any],
    var_poisson: NDArray[Any] | None,
    var_rnoise: NDArray[Any] | None,
) -> None:
    """Scale a rate product, in place.

    Parameters
    ----------
    gain_factor
        GAINFACT of the exposure, or of the gain reference where it has none.
    data, err
        float32 of any shape, DN/s.
    var_poisson, var_rnoise
        float32, (DN/s)^2, or None; they are scaled with the square. Other
        variances are not touched.

    Notes
    -----
    Source: jwst/gain_scale/gain_scale.py. The square is taken in float64 and
    then rounded to the arrays' float32.
    """
    factor = float(gain_factor)  # a numpy scalar would make the products float64
    with np.errstate(all="ignore"):
        data *= factor
        err *= factor
        if var_poisson is not None:
            var_poisson *= factor**2
        if var_rnoise is not None:
            var_rnoise *= factor**2
