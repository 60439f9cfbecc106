"""Masks of files for a masker: saved ones, and the flags of a product of a masked run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP
from upramp.errors import InputError
from upramp.exposure import open_exposure
from upramp.stages.masks import root

from .core import mask_asdf, mask_fits
from .core.mask import MaskModel

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .core.mask import Change
    from .core.mask_runs import SavedMask

__all__ = ["given", "load", "settings", "tuned_with"]

_JUMP: Final = GROUP["JUMP_DET"]
_TRIED: Final = ("jump.", "ramp_fit.")
_THRESHOLD: Final = "jump.rejection_threshold"


def tuned_with(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Say what the automatic flags of a saved mask were found with.

    Parameters
    ----------
    path
        Any file that can be loaded as a mask.

    Returns
    -------
    dict
        Values by ``step.parameter``; none if the file does not say.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    file = Path(path)
    if file.suffix.lower() == ".reg":
        if not file.is_file():
            raise InputError(file, "there is no such file", "give a mask that exists")
        return {}
    saved: SavedMask | None
    saved = mask_asdf.read(file) if file.suffix.lower() == ".asdf" else mask_fits.read(file)
    return {} if saved is None else dict(saved.provenance)


def settings(tuned: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of a masker's traits by which the same flags are found.

    Parameters
    ----------
    tuned
        Values by ``step.parameter``; what a masker does not try is left out.
    """
    tried = {name: value for name, value in tuned.items() if name.startswith(_TRIED)}
    if _THRESHOLD not in tried:
        return {}
    threshold = float(tried.pop(_THRESHOLD))
    return {"threshold": threshold, "overrides": tried}


def given(mask: MaskModel | str | os.PathLike[str] | None) -> tuple[dict[str, Any], Path | None]:
    """Say what a mask that a masker is given means for it.

    Parameters
    ----------
    mask
        A mask, or the path of one.

    Returns
    -------
    traits : dict
        What it was tuned with, as `settings` gives it.
    path : Path or None
        What it is to be loaded from.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if mask is None:
        return {}, None
    if isinstance(mask, MaskModel):
        return settings(mask.provenance), None
    return settings(tuned_with(mask)), Path(mask)


def load(mask: MaskModel, path: str | os.PathLike[str]) -> Change:
    """Take over a mask from a file, in one step.

    Parameters
    ----------
    mask
        What takes it over.
    path
        What `MaskModel.load` reads; or the ramp product of a run, with a mask or without: all
        jumps become those that it has.

    Returns
    -------
    Change
        What changed.

    Raises
    ------
    InputError
        If it cannot be read, is no mask, or does not fit the exposure.
    """
    flags = _product(Path(path))
    if flags is None:
        _check_exposure(mask, Path(path))
        return mask.load(path)
    if flags.shape != mask.shape:
        raise InputError(
            path,
            f"its flags are {flags.shape} where the exposure calls for {mask.shape}",
            "give a product of this exposure",
        )
    with mask.step(f"load {Path(path).name}") as step:
        for integration in range(mask.shape[0]):
            for group in range(mask.shape[1]):
                _impose(mask, integration, group, flags[integration, group])
    return step.summary(mask.shape[3])


def _check_exposure(mask: MaskModel, path: Path) -> None:
    """Refuse a mask that says that it was drawn on another exposure."""
    own = mask.provenance.get("exposure")
    drawn_on = tuned_with(path).get("exposure")
    if own and drawn_on and root(str(own)) != root(str(drawn_on)):
        raise InputError(
            path, f"it was drawn on {drawn_on}, not on {own}", "give a mask of this exposure"
        )


def _product(path: Path) -> NDArray[np.uint8] | None:
    """Give the flags of a ramp product; None if the file is another."""
    if path.suffix.lower() != ".fits":
        return None
    with open_exposure(path) as file:
        if not (file.is_ramp and "GROUPDQ" in file.arrays and "SCI" in file.arrays):
            return None
        return np.array(file["GROUPDQ"], np.uint8)


def _impose(mask: MaskModel, integration: int, group: int, wanted: NDArray[np.uint8]) -> None:
    """Bring the flags of a group about, by hand only where they are others."""
    now = mask.flags(integration, group)
    for name, bit in GROUP.items():
        added = (wanted & ~now & bit) != 0
        if added.any():
            mask.flag(added, bit=name, groups=group, integrations=integration)
    removed = (now & ~wanted & _JUMP) != 0
    if removed.any():
        mask.flag(removed, erase=True, groups=group, integrations=integration)
