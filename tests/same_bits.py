"""Equality that leaves nothing out: every bit of every value."""

from __future__ import annotations

import numpy as np


def assert_same_bits(ours, theirs, what=""):
    """Demand equal shape, type and bits; any NaN equals any NaN, but 0 is not -0."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape} against {theirs.shape}"
    theirs = theirs.astype(theirs.dtype.newbyteorder("="), copy=False)
    assert ours.dtype == theirs.dtype, f"{what}: type {ours.dtype} against {theirs.dtype}"
    if ours.dtype.kind == "f":
        bits = f"u{ours.dtype.itemsize}"
        same = np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits)
        same |= np.isnan(ours) & np.isnan(theirs)
    else:
        same = ours == theirs
    if same.all():
        return
    place = tuple(int(n) for n in np.argwhere(~same)[0])
    raise AssertionError(
        f"{what}: {np.count_nonzero(~same)} of {same.size} values differ, first at {place}: "
        f"{ours[place]!r} against {theirs[place]!r}"
    )
