"""Whether a product says anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from upramp.dq import PIXEL

__all__ = ["has_value"]


def has_value(product: Any) -> bool:
    """Tell whether any pixel of a product that sees light has a value.

    The official pipeline may make a product of nothing, and say nothing about it.

    Parameters
    ----------
    product
        A data model with ``data`` and ``dq`` or ``pixeldq``.
    """
    # Reference pixels see no light: they never saturate, so they may be all that is left.
    quality = product.pixeldq if product.hasattr("pixeldq") else product.dq
    sees_light = (np.asarray(quality) & PIXEL["REFERENCE_PIXEL"]) == 0
    planes = np.asarray(product.data).reshape(-1, *product.data.shape[-2:])
    # One plane for all integrations, or one for each.
    sees_light = sees_light.reshape(-1, *sees_light.shape[-2:])
    sees_light = np.broadcast_to(sees_light, planes.shape)
    return any((np.isfinite(p) & m).any() for p, m in zip(planes, sees_light, strict=True))
