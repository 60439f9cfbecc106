"""References as the fused engine uses them: read, cut, prepared once, and kept in memory.

What a correction makes of a reference depends on the file, on where the
exposure lies on its detector, and on how it was read. It is kept under just
these, so that the next exposure of the kind finds it ready.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp import spill
from upramp.detector1.dark import Dark, dark_pixel_dq, prepare_dark
from upramp.detector1.dq_init import combine_masks
from upramp.detector1.inputs import References, with_noise
from upramp.detector1.ipc import cut_kernel
from upramp.detector1.linearity import prepare_coefficients
from upramp.detector1.saturation import prepare_thresholds
from upramp.detector1.superbias import prepare_bias
from upramp.errors import ReferenceFileError, UsageError
from upramp.references import ReferenceCache, Subarray, load_reference, standard_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from upramp.detector1.inputs import Readout
    from upramp.detector1.irs2_layout import Interleave
    from upramp.references import Reference

__all__ = ["RESIDENT", "Chosen", "load_references", "scale_factor"]

RESIDENT: Final = ReferenceCache()
"""References of this process, prepared."""


@dataclass(frozen=True)
class Chosen:
    """The reference files of an exposure.

    Parameters
    ----------
    files
        By step, then by type; types without a file (N/A) are left out.
    window
        The exposure's place on its detector.
    user_dq
        File of flags that dq_init adds to the mask, if any.
    user_sky
        File of the mask that tells clean_flicker_noise where to look, if any.
    flattens
        Whether clean_flicker_noise divides by the flat.
    """

    files: Mapping[str, Mapping[str, Path]]
    window: Subarray
    user_dq: str | None = None
    user_sky: str | None = None
    flattens: bool = False

    def get(self, step: str, kind: str) -> Path | None:
        """Give the file that a step uses."""
        return self.files.get(step, {}).get(kind)


@dataclass(frozen=True)
class _Held:
    """Arrays that are kept together."""

    arrays: tuple[Any, ...]

    @property
    def nbytes(self) -> int:
        return sum(_nbytes(a) for a in self.arrays)

    def in_files(self) -> _Held:
        """Give the same, held in files without a name."""
        return _Held(tuple(_in_file(array) for array in self.arrays))


def _in_file(value: Any) -> Any:
    if isinstance(value, Dark):
        return replace(value, frames=spill.spilled(value.frames))
    return spill.spilled(value) if isinstance(value, np.ndarray) else value


def _nbytes(value: Any) -> int:
    if isinstance(value, Dark):
        return value.frames.nbytes
    return int(getattr(value, "nbytes", 0))


def _hold(*arrays: Any) -> _Held:
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return _Held(arrays)


def _cut(reference: Reference, name: str, window: Subarray, *, rows: int) -> NDArray[Any]:
    """Give an array as the exposure's pixels have it, contiguous."""
    array = reference.arrays[name]
    same = array.shape[-2:] == (rows, window.xsize)
    if same and (rows != window.ysize or "SUBSTRT1" not in reference.keywords):
        # Interleaved reference pixels (IRS2), or a reference of just this subarray.
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(reference.cut(name, window))


def _flags(reference: Reference, shape: tuple[int, ...], window: Subarray) -> NDArray[np.uint32]:
    dq = standard_flags(reference)
    if dq is None:
        return np.zeros(shape, np.uint32)
    if dq.shape[-2:] == shape[-2:]:
        return np.ascontiguousarray(dq)
    own = reference.subarray
    x, y = window.xstart - own.xstart, window.ystart - own.ystart
    return np.ascontiguousarray(dq[..., y : y + shape[-2], x : x + shape[-1]])


class _Loader:
    """Loads what an exposure needs, through the resident cache."""

    def __init__(self, chosen: Chosen, readout: Readout, shape: tuple[int, ...]) -> None:
        self.chosen = chosen
        self.readout = readout
        window = chosen.window
        self.ngroups, self.interleaved_ny, self.nx = shape[1:]
        # The rows of what is used after interleaved reference pixels are taken out.
        self.ny = window.ysize
        self._tag = f"{window.xstart},{window.ystart},{self.nx},{self.ny}"

    def held(
        self, step: str, kind: str, tag: str, make: Callable[[Reference], _Held]
    ) -> tuple[Any, ...]:
        """Give what ``make`` makes of a step's reference; nothing for N/A."""
        path = self.chosen.get(step, kind)
        if path is None:
            return ()

        def load(file: str | PathLike[str]) -> _Held:
            made = make(load_reference(file, kind))
            return made.in_files() if spill.wanted() else made

        return RESIDENT.get(path, f"{kind}/{tag}/{self._tag}", load).arrays

    # ---- one for each type --------------------------------------------------

    def mask(self, reference: Reference) -> _Held:
        shape = (self.interleaved_ny, self.nx)
        return _hold(_flags(reference, shape, self.chosen.window))

    def saturation(self, reference: Reference) -> _Held:
        data = _cut(reference, "SCI", self.chosen.window, rows=self.ny)
        dq = _flags(reference, data.shape, self.chosen.window)
        if self.readout.is_irs2:
            from upramp.detector1.saturation_irs2 import prepare_threshold

            return _hold(*prepare_threshold(data, dq))
        return _hold(*prepare_thresholds(data, dq))

    def superbias(self, reference: Reference) -> _Held:
        data = _cut(reference, "SCI", self.chosen.window, rows=self.interleaved_ny)
        dq = _flags(reference, data.shape, self.chosen.window)
        prepared = data[None] if not np.isnan(data).any() else prepare_bias(data)
        if self.readout.is_irs2:
            from upramp.detector1.irs2_layout import deinterleave

            data = deinterleave(data, self.layout())  # as saturation uses it
        return _hold(data, prepared, dq)

    def linearity(self, reference: Reference, *, inverse: bool) -> _Held:
        data = _cut(reference, "COEFFS", self.chosen.window, rows=self.ny)
        dq = _flags(reference, data.shape[-2:], self.chosen.window)
        coefficients, flags = prepare_coefficients(data, dq)
        back = None
        if inverse and "INV_COEFFS" in reference.arrays:
            data = _cut(reference, "INV_COEFFS", self.chosen.window, rows=self.ny)
            back, more = prepare_coefficients(data, dq)
            flags = flags | more
        return _hold(coefficients, back, flags)

    def dark(self, reference: Reference) -> _Held:
        keywords = reference.keywords
        frames = reference.arrays["SCI"]
        if frames.shape[-2:] != (self.ny, self.nx):
            raise ReferenceFileError(
                reference.path,
                f"its frames are {frames.shape[-1]} x {frames.shape[-2]} pixels where the "
                f"exposure's are {self.nx} x {self.ny}",
                "give another file as `override_dark`",
            )
        dark = prepare_dark(
            np.ascontiguousarray(frames),
            _whole(reference, "NFRAMES"),
            _whole(reference, "GROUPGAP"),
            self.ngroups,
            int(self.readout.nframes or 1),
            self.readout.groupgap,
        )
        dq = standard_flags(reference)
        flags = np.zeros((self.ny, self.nx), np.uint32) if dq is None else dark_pixel_dq(dq)
        return _hold(
            dark,
            np.ascontiguousarray(flags, np.uint32),
            reference.arrays.get("AVDRKCUR"),
            keywords.get("AVDRKCUR"),
        )

    def image(self, reference: Reference) -> _Held:
        data = _cut(reference, "SCI", self.chosen.window, rows=self.ny)
        return _hold(data, reference.keywords.get("GAINFACT"))

    def ipc(self, reference: Reference) -> _Held:
        window = self.chosen.window
        weights = np.ascontiguousarray(reference.arrays["SCI"], np.float32)
        place = (window.xstart, window.ystart, self.nx, self.ny)
        return _hold(cut_kernel(weights, self.readout.instrument, *place))

    def flat(self, reference: Reference) -> _Held:
        from upramp.detector1.flicker_background import fill_flat

        return _hold(fill_flat(_cut(reference, "SCI", self.chosen.window, rows=self.ny)))

    def layout(self) -> Interleave:
        from upramp.detector1.irs2_layout import Interleave

        readout = self.readout
        return Interleave(readout.detector, readout.nrs_normal or 0, readout.nrs_reference or 0)

    def irs2(self, reference: Reference) -> _Held:
        from upramp.detector1.refpix_irs2 import TABLE_ROWS, Correction

        columns = _columns(reference.tables["IRS2"])
        names = [[f"{kind}_{k}" for k in range(4)] for kind in ("alpha", "beta")]
        for name in (*names[0], *names[1]):
            rows = len(columns.get(name, ()))
            if rows != TABLE_ROWS:
                raise ReferenceFileError(
                    reference.path,
                    f"its table has {rows} rows in the column {name} instead of {TABLE_ROWS}",
                    "give another file as `override_refpix`",
                )
        alpha, beta = ([columns[name] for name in four] for four in names)
        bad = _columns(reference.tables.get("DQ"))
        listed = tuple(bad[name] for name in ("output", "odd_even", "mask")) if bad else None
        return _hold(Correction(self.layout(), alpha, beta), listed)

    def reset(self, reference: Reference) -> _Held:
        data = _cut(reference, "SCI", self.chosen.window, rows=self.ny)
        dq = _flags(reference, (self.ny, self.nx), self.chosen.window)
        flags = np.bitwise_or.reduce(dq.reshape(-1, self.ny, self.nx), axis=0)
        shape = (_whole(reference, "NINTS"), _whole(reference, "NGROUPS"))
        planes = data.reshape((-1, *data.shape[-3:]))
        return _hold(np.ascontiguousarray(planes), np.ascontiguousarray(flags), shape)

    def rscd(self, reference: Reference) -> _Held:
        table = reference.tables.get("RSCD_GROUP_SKIP")
        rows = [] if table is None else [_row(record, table.dtype.names) for record in table]
        return _hold(rows)


def _columns(table: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    names = () if table is None else table.dtype.names or ()
    return {name.lower(): table[name] for name in names if table is not None}


def _row(record: Any, names: tuple[str, ...] | None) -> dict[str, Any]:
    row = {}
    for name in names or ():
        value = record[name]
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace")
        row[name.lower()] = value.strip() if isinstance(value, str) else value
    return row


def _whole(reference: Reference, keyword: str) -> int:
    value = reference.keywords.get(keyword)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ReferenceFileError(
            reference.path,
            f"its {keyword} is {value!r}, no whole number",
            f"give another file as `override_{reference.reftype}`",
        )
    return value


def load_references(
    chosen: Chosen,
    readout: Readout,
    shape: tuple[int, int, int, int],
    read_user_dq: Callable[[str], NDArray[Any]],
    read_sky: Callable[[str], NDArray[np.bool_]],
) -> References:
    """Load the references of an exposure, or find them in memory.

    Parameters
    ----------
    chosen
        Their files.
    readout
        How the exposure was taken.
    shape
        Of its ramps: (nints, ngroups, ny, nx).
    read_user_dq
        Reads the file of flags that a user adds to the mask.
    read_sky
        Reads the file of a user's mask of the sky.

    Raises
    ------
    ReferenceFileError
        If a file is damaged or does not fit the exposure.
    """
    load = _Loader(chosen, readout, shape)
    found: dict[str, Any] = {}

    def keep(names: str, arrays: tuple[Any, ...]) -> None:
        found.update(zip(names.split(), arrays, strict=False))

    keep("mask", load.held("dq_init", "mask", "", load.mask))
    if chosen.user_dq and "mask" in found:
        try:
            found["mask"] = combine_masks(found["mask"], read_user_dq(chosen.user_dq))
        except UsageError as error:
            raise UsageError(chosen.user_dq, error.problem, error.remedy) from error
    tag = "irs2" if readout.is_irs2 else ""
    keep("threshold threshold_dq", load.held("saturation", "saturation", tag, load.saturation))
    keep("raw_bias", load.held("saturation", "superbias", "", load.superbias)[:1])
    keep("ipc", load.held("ipc", "ipc", "", load.ipc))
    keep("_ bias bias_dq", load.held("superbias", "superbias", "", load.superbias))
    inverse = (readout.nframes or 1) > 1 and not readout.read_times
    make = partial(load.linearity, inverse=inverse)
    keep(
        "coefficients inverse linearity_dq",
        load.held("linearity", "linearity", f"inverse={inverse}", make),
    )
    tag = f"{readout.nframes},{readout.groupgap},{shape[1]}"
    keep("dark dark_dq dark_image dark_scalar", load.held("dark_current", "dark", tag, load.dark))
    for step in ("ramp_fit", "jump"):
        keep("gain gain_factor", load.held(step, "gain", "", load.image))
        keep("readnoise", load.held(step, "readnoise", "", load.image)[:1])
    keep("reset reset_dq reset_shape", load.held("reset", "reset", "", load.reset))
    keep("rscd", load.held("rscd", "rscd", "", load.rscd))
    keep("picture_frame", load.held("picture_frame", "pictureframe", "", load.image)[:1])
    if readout.is_irs2:
        if chosen.get("refpix", "refpix") is None:
            raise ReferenceFileError(
                "refpix",
                "there is no such reference for this exposure, and without it reference pixels "
                "stay between the others",
                "give a file as `override_refpix`",
            )
        keep("irs2 irs2_bad", load.held("refpix", "refpix", readout.detector, load.irs2))
    waves = chosen.get("emicorr", "emicorr")
    if waves is not None:
        from .emicorr_reference import read_interference

        found["emicorr"] = RESIDENT.get(waves, "emicorr", read_interference)
    if chosen.flattens:
        keep("flat", load.held("clean_flicker_noise", "flat", "filled", load.flat))
    if chosen.user_sky is not None:
        found["sky"] = read_sky(chosen.user_sky)
    found.pop("_", None)
    return _noise(chosen, References(**found), readout)


def scale_factor(chosen: Chosen) -> float | None:
    """Give GAINFACT as gain_scale finds it, where its gain is not that of the ramp fit.

    Parameters
    ----------
    chosen
        The files.
    """
    own = chosen.get("gain_scale", "gain")
    if own is None or own == chosen.get("ramp_fit", "gain"):
        return None
    factor: float | None = load_reference(own, "gain").keywords.get("GAINFACT")
    return factor


def _noise(chosen: Chosen, references: References, readout: Readout) -> References:
    """Add what jump and fit make of gain and readnoise, which is kept too."""
    step = "jump" if chosen.get("jump", "gain") else "ramp_fit"
    gain, readnoise = chosen.get(step, "gain"), chosen.get(step, "readnoise")
    if gain is None or readnoise is None:
        return references
    from dataclasses import replace

    from upramp.references import sha256_of

    window = chosen.window
    shape = (0, 0) if references.gain is None else references.gain.shape
    tag = f"noise/{sha256_of(readnoise)}/{readout.nframes}/{window.xstart},{window.ystart},{shape}"

    def load(_file: str | PathLike[str]) -> _Held:
        made = with_noise(references, readout.nframes)
        return _hold(made.gain_median, made.noise2, made.read_noise)

    median, noise2, read_noise = RESIDENT.get(gain, tag, load).arrays
    return replace(references, gain_median=median, noise2=noise2, read_noise=read_noise)
