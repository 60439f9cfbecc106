"""Masks in files: FITS as ``upramp calibrate --mask`` reads it, ASDF, regions of DS9."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP
from upramp.errors import InputError, UsageError
from upramp.references import sha256_of

from . import mask_asdf, mask_fits, mask_regions
from .mask_record import digest

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from .mask import MaskModel
    from .mask_history import Change
    from .mask_paint import Plane
    from .mask_runs import SavedMask

__all__ = ["load", "read", "save"]

_WRITERS: Final = {
    ".fits": mask_fits.write,
    ".asdf": mask_asdf.write,
    ".reg": mask_regions.write,
}
_JUMP: Final = GROUP["JUMP_DET"]


def save(model: MaskModel, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Write a mask: see `MaskModel.save`.

    Parameters
    ----------
    model
        The mask.
    path
        Where to.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            path, "masks are FITS, ASDF or regions", "end its name in .fits, .asdf or .reg"
        )
    record = model.record()
    write(model, path, record)
    return {**record, "file": path.name, "file_sha256": sha256_of(path)}


def read(path: str | os.PathLike[str]) -> SavedMask:
    """Read a mask that was saved with both its layers.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it cannot be read, or lacks the layers.
    """
    path = Path(path)
    saved = mask_asdf.read(path) if _is_asdf(path) else mask_fits.read(path)
    if saved is None:
        raise InputError(
            path,
            "it does not tell automatic from manual flags",
            "open the exposure and load this file as its mask",
        )
    return _sound(path, saved)


def load(model: MaskModel, path: str | os.PathLike[str]) -> Change:
    """Take over a mask from a file: see `MaskModel.load`.

    Parameters
    ----------
    model
        The mask that takes it over.
    path
        The file.
    """
    path = Path(path)
    if path.suffix.lower() == ".reg":
        return mask_regions.load(model, path)
    saved = mask_asdf.read(path) if _is_asdf(path) else mask_fits.read(path)
    if saved is None:
        return _load_plain(model, path)
    if saved.flags.shape != model.shape:
        raise InputError(
            path,
            f"its mask is {saved.flags.shape} where the exposure calls for {model.shape}",
            "give a mask of this exposure",
        )
    _sound(path, saved)
    with model.step(f"load {path.name}") as step:
        model.clear()
        for plane, positions, codes in saved.painted():
            model.put(plane, positions, codes)
    return step.summary(model.shape[3])


def _is_asdf(path: Path) -> bool:
    return path.suffix.lower() == ".asdf"


def _sound(path: Path, saved: SavedMask) -> SavedMask:
    problem = saved.problem()
    if problem is None and digest(saved.automatic()) != saved.automatic_sha256:
        problem = "its flags were changed after it was saved"
    if problem is not None:
        raise InputError(path, problem, "save the mask again")
    return saved


def _load_plain(model: MaskModel, path: Path) -> Change:
    from upramp.stages.masks import load_mask

    mask, _ = load_mask(path, model.shape)
    flags = mask.flags
    first = 1 if flags.ndim == 2 else 0  # an image means every group after the first
    with model.step(f"load {path.name}") as step:
        for integration in range(model.shape[0]):
            for group in range(first, model.shape[1]):
                plane = flags if flags.ndim == 2 else flags[integration, group]
                _impose(model, (integration, group), plane, replaces=mask.replaces)
    return step.summary(model.shape[3])


def _impose(model: MaskModel, plane: Plane, flags: NDArray[np.uint8], *, replaces: bool) -> None:
    """Set the flags of a plane; erase jumps that it has not, if these are to be replaced."""
    wanted = np.ascontiguousarray(flags).reshape(-1)
    automatic = np.ascontiguousarray(model.automatic[plane]).reshape(-1)
    concerned = wanted != 0
    if replaces:
        concerned |= (automatic & _JUMP) != 0
        for place, codes in model.paint.patches(plane):
            concerned[place] |= codes != 0
    positions = np.flatnonzero(concerned)
    wanted, automatic = wanted[positions], automatic[positions]
    codes = model.paint.read(plane, positions)
    added, removed = wanted, np.zeros_like(wanted)
    if replaces:
        # By hand only what differs, so that the others still follow a threshold.
        codes &= np.uint16(0xFFFF - _JUMP - (_JUMP << 8))
        added = wanted & ~(automatic & np.uint8(_JUMP))
        removed = automatic & ~wanted & np.uint8(_JUMP)
    codes &= ~(added.astype(np.uint16) << 8)
    codes |= added | (removed.astype(np.uint16) << 8)
    model.put(plane, positions, codes)
