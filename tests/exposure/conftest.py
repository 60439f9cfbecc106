"""Exposures for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from exposure_files import counts, write_level1b

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real"


@pytest.fixture
def raw(tmp_path):
    """A small level-1b file without a data model."""
    return write_level1b(tmp_path / "jw1_nrcalong_uncal.fits")


@pytest.fixture(scope="session")
def flight_like(tmp_path_factory):
    """A small level-1b file as the mission's software writes it, ASDF extension included."""
    datamodels = pytest.importorskip("stdatamodels.jwst.datamodels")
    path = tmp_path_factory.mktemp("flight") / "jw01_nrcalong_uncal.fits"
    model = datamodels.Level1bModel(data=counts((2, 3, 64, 64)))
    model.zeroframe = counts((2, 64, 64), seed=2)
    meta = model.meta
    meta.telescope = "JWST"
    meta.instrument.name, meta.instrument.detector = "NIRCAM", "NRCALONG"
    meta.instrument.filter, meta.instrument.pupil = "F356W", "CLEAR"
    meta.instrument.channel, meta.instrument.module = "LONG", "A"
    exposure = meta.exposure
    exposure.type, exposure.readpatt = "NRC_IMAGE", "SHALLOW4"
    exposure.nints, exposure.ngroups, exposure.nframes, exposure.groupgap = 2, 3, 4, 1
    exposure.frame_divisor, exposure.zero_frame = 4, True
    exposure.frame_time, exposure.group_time, exposure.integration_time = 10.7, 53.7, 150.3
    meta.observation.date, meta.observation.time = "2023-01-02", "03:04:05.678"
    meta.subarray.name = "SUB64P"
    meta.subarray.xstart, meta.subarray.ystart = 3, 5
    meta.subarray.xsize, meta.subarray.ysize = 64, 64
    meta.subarray.fastaxis, meta.subarray.slowaxis = -1, 2
    info = meta.wcsinfo
    info.ra_ref, info.dec_ref, info.roll_ref = 80.5, -69.5, 20.0
    info.v2_ref, info.v3_ref, info.v3yangle, info.vparity = 86.1, -493.2, 0.0, -1
    meta.bunit_data = "DN"
    model.add_history_entry("made for a test")
    model.save(str(path))
    return path


@pytest.fixture
def real():
    """The folder of real data, where there is one."""
    if not REAL.is_dir():
        pytest.skip(f"no real data in {REAL}")
    return REAL
