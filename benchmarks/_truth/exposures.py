"""Practice exposures, calibrated in two ways and laid beside their truth."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import upramp
from upramp import practice
from upramp.detector1.likely import fit_likely
from upramp.detector1.likely_covariance import covariance_of, even_read_times, split_zero_read
from upramp.detector1.ols import Rates as Slopes
from upramp.dq import GROUP, PIXEL
from upramp.errors import InputError, UsageError
from upramp.practice.instruments import DETECTORS
from upramp.practice.readout import _couple
from upramp.references import Subarray, best_references, load_reference

from .jumps import Deposits, Tally, count_jumps, deposits_of
from .rates import Rates

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from upramp.practice.programs import ExposurePlan

__all__ = ["ALGORITHMS", "Archive", "Judged", "judge"]

ALGORITHMS: Final = ("OLS_C", "LIKELY")

_FILES: Final = frozenset(
    (
        "pre_hooks",
        "post_hooks",
        "output_file",
        "output_dir",
        "output_ext",
        "output_use_model",
        "output_use_index",
        "save_results",
        "suffix",
        "search_output_file",
        "input_dir",
        "int_name",
        "opt_name",
    )
)
"""Parameters that say where files are, not what becomes of the data."""

_UNUSABLE: Final = GROUP["DO_NOT_USE"] | GROUP["SATURATED"]


@dataclass(frozen=True)
class Archive:
    """A practice archive, and CRDS led to it.

    Parameters
    ----------
    folder
        Where it is.
    context
        The CRDS context that calibrates it.
    seed, version
        What its manifest says: its seed, and the simulator that made it.
    """

    folder: Path
    context: str
    seed: int
    version: str

    @classmethod
    def enter(cls, folder: Path, context: str | None = None) -> Archive:
        """Look into an archive and set this process's environment for it.

        Parameters
        ----------
        folder
            Where it is.
        context
            A context of its cache; None for the one with the code's own parameters.

        Raises
        ------
        InputError
            If there is no archive.
        """
        try:
            manifest = json.loads((folder / "practice.json").read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                folder, "there is no practice archive", f"make one: upramp practice {folder}"
            ) from error
        for name, value in practice.environment(folder).items():
            if value:
                os.environ[name] = value
            else:
                os.environ.pop(name, None)
        if context is not None:
            os.environ["CRDS_CONTEXT"] = context
        return cls(folder, os.environ["CRDS_CONTEXT"], manifest["seed"], manifest["version"])

    def uncal(self, plan: ExposurePlan) -> Path:
        """Give the raw exposure's file."""
        return self.folder / "uncal" / f"{plan.root}_uncal.fits"

    def truth(self, plan: ExposurePlan) -> Path:
        """Give the file of its truth."""
        return self.folder / "truth" / f"{plan.root}_truth.fits"


@dataclass
class Judged:
    """An exposure beside its truth, by both algorithms.

    Parameters
    ----------
    rates
        By algorithm.
    jumps
        By algorithm: counts of `count_jumps`.
    facts
        What the report says of the exposure and of how it was calibrated.
    """

    rates: dict[str, Rates] = field(default_factory=dict)
    jumps: dict[str, dict[str, Tally]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Truth:
    """What is known of an exposure's pixels.

    Parameters
    ----------
    gain, readnoise
        The references, (ny, nx).
    light
        (ny, nx): pixels that are no reference pixels.
    electrons
        (ny, nx): true rate as the pixel sees it, electrons per second.
    hits
        Table of what fell.
    """

    gain: NDArray[np.float32]
    readnoise: NDArray[np.float32]
    light: NDArray[np.bool_]
    electrons: NDArray[np.float32]
    hits: NDArray[Any]


def judge(archive: Archive, plan: ExposurePlan) -> Judged:
    """Calibrate an exposure with both algorithms and compare with its truth.

    Parameters
    ----------
    archive
        The archive.
    plan
        The exposure.

    Raises
    ------
    UsageError
        If its pipeline fits no ramps.
    UprampError
        If it cannot be calibrated.
    """
    if DETECTORS[plan.detector].instrument == "FGS":
        raise UsageError(plan.root, "the guider pipeline fits no ramps", "leave it out")
    judged = Judged()
    truth: _Truth | None = None
    deposits: Deposits | None = None
    for algorithm in ALGORITHMS:
        result = upramp.calibrate(
            archive.uncal(plan),
            engine="upramp",
            save_ramp=True,
            overrides={"ramp_fit.algorithm": algorithm},
        )
        rate, ramp = result.rate, result.ramp
        groupdq = np.array(ramp.groupdq)
        if truth is None or deposits is None:
            truth = _truth(archive, plan, np.asarray(rate.dq))
            pattern = plan.pattern
            deposits = deposits_of(truth.hits, groupdq.shape, pattern.frames, pattern.gap)
            judged.facts = _facts(plan, truth, result.provenance)
        factor = np.float32(rate.meta.exposure.gain_factor or 1)
        if algorithm == "LIKELY":
            slopes = _refit(ramp, groupdq, truth)
            judged.facts["likely_flags_are_the_products"] = _same(slopes, rate, factor)
        hit = np.zeros(truth.light.shape, np.bool_)
        hit[truth.hits["y"], truth.hits["x"]] = True
        true = truth.electrons / truth.gain * factor
        judged.rates[algorithm] = Rates(
            np.array(rate.data),
            np.array(rate.err),
            np.array(rate.dq, np.uint32),
            true,
            hit,
            truth.light,
        )
        good = truth.light & ((np.asarray(ramp.pixeldq) & PIXEL["DO_NOT_USE"]) == 0)
        judged.jumps[algorithm] = count_jumps(
            (groupdq & GROUP["JUMP_DET"]) != 0,
            (groupdq & GROUP["SATURATED"]) != 0,
            (groupdq & _UNUSABLE) != 0,
            good,
            deposits,
            _noise(plan, truth),
            true,
        )
        judged.facts["steps"][algorithm] = _step_record(result.provenance)
    return judged


def _truth(archive: Archive, plan: ExposurePlan, dq: NDArray[np.uint32]) -> _Truth:
    from astropy.io import fits

    path = archive.truth(plan)
    try:
        flux = np.array(fits.getdata(path, "FLUX"), np.float32)
        hits = np.array(fits.getdata(path, "HITS"))
    except (OSError, KeyError) as error:
        raise InputError(path, "the truth cannot be read", "make the archive again") from error
    light = (dq & PIXEL["REFERENCE_PIXEL"]) == 0
    with upramp.open(archive.uncal(plan)) as exposure:
        found = best_references(exposure, ["gain", "readnoise"])
        subarray, (ny, nx) = exposure.subarray, flux.shape
        window = Subarray(subarray.xstart or 1, subarray.ystart or 1, nx, ny)
    files = found.files()
    gain, readnoise = (
        np.ascontiguousarray(load_reference(files[kind], kind).cut("SCI", window), np.float32)
        for kind in ("gain", "readnoise")
    )
    detector = DETECTORS[plan.detector]
    # Where no kernel undoes the coupling of neighbours, truth has it too.
    coupling = 0.0 if detector.corrects_ipc else detector.ipc
    return _Truth(gain, readnoise, light, _couple(flux, light, coupling), hits)


def _noise(plan: ExposurePlan, truth: _Truth) -> NDArray[np.float32]:
    """Noise of the difference of two groups without any event, electrons."""
    read = truth.readnoise * truth.gain
    light = np.maximum(truth.electrons, 0) * np.float32(plan.group_time)
    noise: NDArray[np.float32] = np.sqrt(read**2 / np.float32(plan.pattern.frames) + light)
    return noise


def _refit(ramp: Any, groupdq: NDArray[np.uint8], truth: _Truth) -> Slopes:
    """Fit the corrected ramp once more, for the flags that LIKELY adds to ``groupdq``."""
    exposure = ramp.meta.exposure
    nints, ngroups, ny, nx = groupdq.shape
    nframes = int(exposure.nframes or 1)
    times = even_read_times(ngroups, nframes, int(exposure.groupgap), exposure.frame_time)
    zeroframe, covariance = None, None
    if exposure.zero_frame:
        with_zero = split_zero_read(times)
        if with_zero is not None:
            zeroframe = np.ascontiguousarray(ramp.zeroframe, np.float32)
            covariance = covariance_of(with_zero, zero_read=True)
    slopes = Slopes.empty(nints, ny, nx)
    fit_likely(
        np.ascontiguousarray(ramp.data, np.float32),
        groupdq,
        np.ascontiguousarray(ramp.pixeldq, np.uint32),
        truth.gain,
        truth.readnoise,
        slopes,
        covariance=covariance_of(times) if covariance is None else covariance,
        nframes=nframes,
        dark_current=np.ascontiguousarray(ramp.average_dark_current, np.float32),
        zeroframe=zeroframe,
    )
    return slopes


def _same(slopes: Slopes, rate: Any, factor: np.float32) -> bool:
    """Tell whether the fit that gave the flags gave the product's numbers too."""
    used = (np.asarray(rate.dq) & PIXEL["DO_NOT_USE"]) == 0
    fitted, product = (slopes.rate[0] * factor)[used], np.asarray(rate.data)[used]
    return np.array_equal(fitted, product, equal_nan=True)


def _facts(plan: ExposurePlan, truth: _Truth, provenance: Any) -> dict[str, Any]:
    return {
        "detector": plan.detector,
        "filter": plan.filter,
        "subarray": plan.subarray,
        "pattern": plan.pattern.name,
        "frames_averaged": plan.pattern.frames,
        "groups": plan.groups,
        "integrations": plan.integrations,
        "group_time_s": plan.group_time,
        "gain_e_per_dn": float(np.median(truth.gain[truth.light])),
        "read_noise_cds_dn": float(np.median(truth.readnoise[truth.light])),
        "coupling_left_in": not DETECTORS[plan.detector].corrects_ipc
        and DETECTORS[plan.detector].ipc > 0,
        "versions": provenance["versions"],
        "parameters": {
            step: {
                name: value
                for name, value in provenance["parameters"]["steps"][step].items()
                if name not in _FILES
            }
            for step in ("jump", "ramp_fit")
        },
        "steps": {},
    }


def _step_record(provenance: Any) -> dict[str, Any]:
    return {"fused": provenance.get("fused", []), "delegated": provenance.get("delegated", {})}
