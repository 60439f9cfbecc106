"""Flagging of settling groups against jwst."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.rscd import find_skips, flag_settling, plan_rscd, saturated_levels

pytestmark = pytest.mark.peer


def official(groupdq, pixeldq, nints, start, skip_first, skip_later):
    from jwst.rscd.rscd_sub import correction_skip_groups
    from stdatamodels.jwst import datamodels

    science = datamodels.RampModel(
        data=np.zeros(groupdq.shape, np.float32),
        groupdq=groupdq.copy(),
        pixeldq=pixeldq.copy(),
    )
    science.meta.exposure.nints = nints
    science.meta.exposure.ngroups = groupdq.shape[1]
    science.meta.exposure.integration_start = start
    return correction_skip_groups(science, skip_first, skip_later)


def compare(groupdq, nints, start, skip_first, skip_later, rows=2):
    ny, nx = groupdq.shape[2:]
    pixeldq = np.arange(ny * nx, dtype=np.uint32).reshape(ny, nx)
    theirs = official(groupdq, pixeldq, nints, start, skip_first, skip_later)
    plan = plan_rscd(len(groupdq), nints, groupdq.shape[1], start, skip_first, skip_later)
    if plan is None:
        assert theirs.meta.cal_step.rscd == "SKIPPED"
        return
    groupdq = groupdq.copy()
    tiles = [(y0, np.s_[:, :, y0 : y0 + rows]) for y0 in range(0, ny, rows)]
    for part in plan:
        levels = np.zeros(part.skip + 2, bool)
        for _, where in tiles:
            tile = np.ascontiguousarray(groupdq[where])
            levels |= saturated_levels(tile, part, 0, tile.shape[2])
        kept_groups = kept_first = 0
        for y0, where in tiles:
            tile = np.ascontiguousarray(groupdq[where])
            more = flag_settling(tile, pixeldq, part, levels, y0, 0, tile.shape[2])
            groupdq[where] = tile
            kept_groups, kept_first = kept_groups + more[0], kept_first + more[1]
        said = theirs.meta.rscd
        if part.is_first:
            assert said.keep_bright_firstgroup_int1 == kept_first
            assert said.keep_groups_saturation_int1 == kept_groups
            assert said.ngroups_skip_int1 == part.skip
        else:
            assert said.keep_bright_firstgroup_int2p == kept_first
            assert said.keep_groups_saturation_int2p == kept_groups
            assert said.ngroups_skip_int2p == part.skip
    assert {part.is_first for part in plan} == {
        first
        for first, value in (
            (True, theirs.meta.rscd.ngroups_skip_int1),
            (False, theirs.meta.rscd.ngroups_skip_int2p),
        )
        if value is not None
    }
    assert_same_bits(groupdq, theirs.groupdq, "groupdq")
    assert_same_bits(pixeldq, theirs.pixeldq, "pixeldq")


@pytest.mark.parametrize("groups", range(1, 7))
@pytest.mark.parametrize("skips", [(0, 0), (1, 1), (2, 3), (4, 4)])
def test_bits_for_every_way_to_saturate(groups, skips):
    ways = np.array(list(itertools.product([0, 3], repeat=groups)), np.uint8).T
    first = np.broadcast_to(ways[:, None, :], (groups, 3, ways.shape[1]))
    groupdq = np.stack([first, first[:, :, ::-1]])
    compare(groupdq, 2, None, *skips)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_bits_of_any_flags(data):
    nints_here = data.draw(st.integers(1, 3))
    groups = data.draw(st.integers(1, 12))
    ny, nx = data.draw(st.sampled_from([(1, 1), (3, 1), (1, 5), (3, 40)]))
    share = data.draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    groupdq = rng.integers(0, 256, (nints_here, groups, ny, nx), np.uint8)
    saturated = rng.random(groupdq.shape) < share
    if data.draw(st.booleans()):
        saturated = np.logical_or.accumulate(saturated, axis=1)
    groupdq = np.where(saturated, groupdq | 2, groupdq & 253)
    compare(
        groupdq,
        data.draw(st.sampled_from([nints_here, nints_here + 2])),
        data.draw(st.sampled_from([None, 1, 2])),
        data.draw(st.integers(0, 6)),
        data.draw(st.integers(0, 6)),
    )


@pytest.mark.parametrize("subarray", ["FULL", "SUBPRISM", "SLITLESSPRISM", "SUB64"])
@pytest.mark.parametrize("readpatt", ["FASTR1", "SLOWR1"])
def test_rows_of_the_table(subarray, readpatt):
    from jwst.rscd.rscd_sub import get_rscd_parameters
    from stdatamodels.jwst import datamodels

    columns = [
        ("subarray", "S17"),
        ("readpatt", "S12"),
        ("group_skip1", "i4"),
        ("group_skip", "i4"),
    ]
    rows = [
        ("FULL", "FASTR1", 1, 4),
        ("FULL", "FASTR1", 7, 7),
        ("SLITLESSPRISM", "FASTR1", 2, 5),
        ("SLITLESSPRISM", "SLOWR1", 3, 6),
    ]
    science = datamodels.RampModel()
    science.meta.exposure.readpatt = readpatt
    science.meta.subarray.name = subarray
    reference = datamodels.RSCDModel(rscd_group_skip_table=np.array(rows, columns))
    theirs = get_rscd_parameters(science, reference)
    names = [name for name, _ in columns]
    ours = find_skips([dict(zip(names, row, strict=True)) for row in rows], subarray, readpatt)
    assert ours == ((theirs["skip_int1"], theirs["skip_int2p"]) if theirs else None)
