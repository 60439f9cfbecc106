"""Small exposures as the chain of corrections has them, with the official default parameters."""

from __future__ import annotations

import numpy as np

from upramp.detector1.inputs import Readout, References, with_noise
from upramp.detector1.state import State
from upramp.detector1.tiles import Frame, array_source

JUMP = {
    "skip": False,
    "rejection_threshold": 4.0,
    "three_group_rejection_threshold": 6.0,
    "four_group_rejection_threshold": 5.0,
    "flag_4_neighbors": True,
    "max_jump_to_flag_neighbors": 1000.0,
    "min_jump_to_flag_neighbors": 10.0,
    "after_jump_flag_dn1": 0.0,
    "after_jump_flag_time1": 0.0,
    "after_jump_flag_dn2": 0.0,
    "after_jump_flag_time2": 0.0,
    "expand_large_events": False,
    "find_showers": False,
    "min_diffs_single_pass": 10,
    "minimum_sigclip_groups": 100,
    "only_use_ints": True,
}
FIT = {
    "skip": False,
    "algorithm": "OLS_C",
    "save_opt": False,
    "firstgroup": None,
    "lastgroup": None,
    "suppress_one_group": True,
}
SKIPPED = {"skip": True}


def parameters(jump=(), fit=()):
    """Give the parameters of what follows the dark."""
    return {
        "jump": {**JUMP, **dict(jump)},
        "ramp_fit": {**FIT, **dict(fit)},
        "picture_frame": SKIPPED,
        "clean_flicker_noise": SKIPPED,
        "persistence": SKIPPED,
    }


def readout(shape, **keywords):
    """Say that an exposure is one of a near-infrared detector, frame by frame."""
    own = {
        "instrument": "NIRCAM",
        "detector": "NRCALONG",
        "exp_type": "NRC_IMAGE",
        "subarray": "SUB64P",
        "readpatt": "RAPID",
        "nints": shape[0],
        "ngroups": shape[1],
        "nframes": 1,
        "groupgap": 0,
        "frame_divisor": 1,
        "frame_time": 2.0,
        "group_time": 2.0,
        **keywords,
    }
    return Readout(**own)


def references(shape, *, gain=2.0, readnoise=5.0, nframes=1, **others):
    """Give gain and readnoise, the same for all pixels unless arrays are given."""
    made = {
        "gain": np.full(shape[-2:], gain, np.float32),
        "readnoise": np.full(shape[-2:], readnoise, np.float32),
    }
    return with_noise(References(**made, **others), nframes)


def ramps(shape, seed=0, rate=40.0, noise=3.0):
    """Give straight ramps with noise, in whole numbers."""
    rng = np.random.default_rng(seed)
    steps = rng.poisson(rate, shape) + np.round(rng.normal(0, noise, shape))
    return np.cumsum(steps, axis=1).astype(np.float32)


def state_of(data, groupdq=None, *, jump=(), fit=(), threads=1, refs=None, **keywords):
    """Put an exposure on its way."""
    return State(
        readout=readout(data.shape, **keywords),
        references=refs or references(data.shape),
        parameters=parameters(jump, fit),
        frame=Frame(*data.shape),
        ramp=array_source(data),
        flags=None if groupdq is None else array_source(groupdq),
        pixeldq=np.zeros(data.shape[-2:], np.uint32),
        threads=threads,
    )
