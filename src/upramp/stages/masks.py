"""A user's mask of groups, read from its file.

The mask is a FITS image of group flags (`upramp.dq.GROUP`), in an extension
GROUPDQ, MASK or SCI or in the primary part: of shape (nints, ngroups, ny, nx),
or (ny, nx), which means every group after the first. Its flags are added to
those that the pipeline set; if its header says MASKMODE = 'REPLACE', the
pipeline's jumps that it does not have are taken back as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

if TYPE_CHECKING:
    import os

    from upramp.detector1.pipeline import Mask

__all__ = ["load_mask", "root"]

_NAMES: Final = ("GROUPDQ", "MASK", "SCI", "PRIMARY", "0")
_MODES: Final = {"ADD": False, "REPLACE": True}
_KEYWORD: Final = "MASKMODE"
_DRAWN_ON: Final = "MASKOF"


def load_mask(
    path: str | os.PathLike[str], shape: tuple[int, ...], exposure: str = ""
) -> tuple[Mask, dict[str, Any]]:
    """Read a mask.

    Parameters
    ----------
    path
        The file.
    shape
        Of the exposure's ramp: (nints, ngroups, ny, nx).
    exposure
        Its file's name; a mask that says that it was drawn on another is refused.

    Returns
    -------
    mask : upramp.detector1.pipeline.Mask
        What sets the flags.
    record : dict
        What the provenance says of it: file, hash, shape, mode.

    Raises
    ------
    InputError
        If the file cannot be read, holds no flags, or is not of the exposure.
    UsageError
        If it asks for a mode that there is not.
    """
    from upramp.detector1.pipeline import Mask
    from upramp.exposure import open_exposure
    from upramp.references import sha256_of

    with open_exposure(path) as file:
        name = next((n for n in _NAMES if n in file.arrays), None)
        if name is None:
            raise InputError(path, "it holds no image", "give a FITS image of group flags")
        flags = np.array(file[name])
        mode = str(file.header.get(_KEYWORD) or "ADD").strip().upper()
        drawn_on = str(file.header.get(_DRAWN_ON) or "").strip()
    if exposure and drawn_on and root(exposure) != root(drawn_on):
        raise InputError(
            path,
            f"it was drawn on {drawn_on}, not on {exposure}",
            f"give a mask of this exposure, or take {_DRAWN_ON} out of its header",
        )
    if flags.shape not in {tuple(shape), tuple(shape[-2:])}:
        raise InputError(
            path,
            f"its image {name} is {flags.shape} where the exposure calls for {tuple(shape)} or "
            f"{tuple(shape[-2:])}",
            "give a mask of this exposure",
        )
    if flags.dtype.kind not in "iu" or (flags.size and (flags.min() < 0 or flags.max() > 255)):
        raise InputError(
            path,
            "its values are no group flags",
            "give whole numbers from 0 to 255, such as 4 for JUMP_DET",
        )
    if mode not in _MODES:
        raise UsageError(path, f"its {_KEYWORD} is {mode!r}", f"make it {' or '.join(_MODES)}")
    flags = np.ascontiguousarray(flags, np.uint8)
    record = {
        "file": Path(path).name,
        "sha256": sha256_of(path),
        "shape": list(flags.shape),
        "mode": mode,
        "flagged": int(np.count_nonzero(flags)),
    }
    return Mask(flags, replaces=_MODES[mode]), record


def root(name: str) -> str:
    """Give what names of one exposure's products have in common: all before the kind.

    Parameters
    ----------
    name
        Of a file.
    """
    stem = name.split(".", 1)[0]
    return stem.rpartition("_")[0] or stem
