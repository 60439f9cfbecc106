"""A true light curve fitted to a measured one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Fit:
    """How deep a dip is by the true one, its error, the level outside, and chi squared."""

    scale: float
    error: float
    level: float
    chi_squared: float


def fit_light(flux, error, curve):
    """Fit a level and the depth of a true curve, one outside the transit."""
    design = np.stack([np.ones_like(curve), curve - 1], axis=1) / error[:, None]
    (level, slope), *_ = np.linalg.lstsq(design, flux / error, rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    residual = flux / error - design @ (level, slope)
    return Fit(slope / level, np.sqrt(covariance[1, 1]) / level, level, (residual**2).sum())


def bottom(curve):
    """Give the mean depth of the part where the planet is wholly before the star."""
    return 1 - curve[curve < 1 - 0.9 * (1 - curve.min())].mean()
