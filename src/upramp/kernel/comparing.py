"""The two engines side by side, for notebooks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .markup import Card

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["compare_with_official"]


def compare_with_official(
    result: Any,
    exposure: Any,
    output_dir: str | os.PathLike[str],
    *,
    asked: bool = True,
    overrides: Mapping[str, Any] | None = None,
) -> Card:
    """Calibrate with the official pipeline too, and compare the products bit for bit.

    Parameters
    ----------
    result
        What an engine gave, with its products written.
    exposure
        The exposure that it gave it for, or its path.
    output_dir
        The official products go into its folder ``stsci``.
    asked
        Whether to do it at all: it takes the official pipeline's time.
    overrides
        What the result was made with.

    Returns
    -------
    Card
        The verdict on each product.
    """
    if not asked:
        return Card(
            "Not compared with the official pipeline",
            notes=["Set compare to True to run it on the same exposure, and compare bit by bit."],
        )
    from upramp.stages import calibrate
    from upramp.stages.compare import compare

    began = time.monotonic()
    official = calibrate(
        exposure, engine="stsci", overrides=overrides, output_dir=Path(output_dir) / "stsci"
    )
    seconds = time.monotonic() - began
    other = {path.name: path for path in official.products}
    found = [compare(path, other[path.name]) for path in result.products if path.name in other]
    identical = sum(one.identical for one in found)
    return Card(
        f"{identical} of {len(found)} products are identical to the official pipeline's",
        [(one.a.name, one.verdict) for one in found],
        notes=[f"The official pipeline took {seconds:.1f} s."],
        data=found,
    )
