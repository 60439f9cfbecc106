"""Official data models of IRS2 exposures, made of random numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


def a_ramp(rng, detector, nints=1, ngroups=2, columns=2048):
    from stdatamodels.jwst import datamodels

    shape = (nints, ngroups, 3200, columns)
    data = rng.normal(0, 20, shape).astype(np.float32)
    data += rng.normal(10000, 300, shape[2:]).astype(np.float32)
    data += 30 * np.sin(np.arange(3200) / 9).astype(np.float32)[:, None]
    data[rng.random(shape) < 0.0001] = 0
    model = datamodels.RampModel(data=data)
    model.groupdq = rng.integers(0, 256, shape).astype(np.uint8)
    # Any flag but those of bad reference pixels and unusable ones.
    quiet = np.uint32(0xFFFFFFFF ^ (1 << 17) ^ 1)
    model.pixeldq = rng.integers(0, 2**32, shape[2:], dtype=np.uint32) & quiet
    model.meta.instrument.name, model.meta.instrument.detector = "NIRSPEC", detector
    exposure = model.meta.exposure
    exposure.nints, exposure.ngroups, exposure.noutputs = nints, ngroups, 5
    exposure.nrs_normal, exposure.nrs_reference = 16, 4
    subarray = model.meta.subarray
    subarray.xstart, subarray.ystart, subarray.xsize, subarray.ysize = 1, 1, 2048, 2048
    sign = 1 if detector == "NRS1" else -1
    subarray.fastaxis, subarray.slowaxis = 2 * sign, sign
    return model


class Table:
    def __init__(self, **columns):
        self.columns = columns

    def field(self, name):
        return self.columns[name]

    def __len__(self):
        return len(next(iter(self.columns.values())))


def a_reference(rng, **dq):
    names = [f"{kind}_{k}" for kind in ("alpha", "beta") for k in range(4)]
    table = {name: rng.normal(0, 0.5, 2 * 712 * 2048).astype(np.float32) for name in names}
    model = SimpleNamespace(irs2_table=Table(**table))
    if dq:
        model.dq_table = Table(**dq)
    return model


def tables(reference):
    return [
        [reference.irs2_table.field(f"{kind}_{k}") for k in range(4)] for kind in ("alpha", "beta")
    ]
