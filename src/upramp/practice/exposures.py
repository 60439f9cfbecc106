"""Level-1b files of the practice archive, written by the mission's own data model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.atomic import replacing

from .irs2 import SCIENCE_SHAPE

if TYPE_CHECKING:
    from pathlib import Path

    from .geometry import Attitude, Subarray
    from .instruments import Detector
    from .plans import ExposurePlan, Target
    from .readout import Ramp

__all__ = ["MADE_ON", "START", "save_reproducibly", "write_level1b"]

MADE_ON = "2026-01-01T00:00:00.000"
"""Creation date in every practice file: the same seed must give the same bytes."""
START = 60_850.25
"""MJD (UTC) at which the first practice exposure starts."""


def write_level1b(
    path: Path,
    plan: ExposurePlan,
    detector: Detector,
    subarray: Subarray,
    believed: Attitude,
    pixel_arcsec: float,
    ramp: Ramp,
) -> None:
    """Write one level-1b product.

    Parameters
    ----------
    path
        Where.
    plan, detector, subarray
        What was observed, and how.
    believed
        Where the telescope thinks it points, at the aperture's reference point.
    pixel_arcsec
        Side of a pixel in arcseconds.
    ramp
        The counts.
    """
    from stdatamodels.jwst import datamodels

    model = datamodels.Level1bModel()
    model.data = ramp.science
    if ramp.zero_frame is not None:
        model.zeroframe = ramp.zero_frame
    if ramp.reference_output is not None:
        model.refout = ramp.reference_output
    start = START + _number(plan.root) * 0.02
    # Observations of one program follow one another.
    start += (int(plan.root[7:10]) - 1) * 0.1
    _describe(model, path, plan, detector, subarray, start)
    _point(model, subarray, believed, pixel_arcsec)
    if plan.target is not None:
        _describe_target(model, plan, plan.target, detector)
    if plan.time_series:
        # Where photometry of a time series looks for its star.
        wcsinfo = model.meta.wcsinfo
        wcsinfo.siaf_xref_sci, wcsinfo.siaf_yref_sci = subarray.reference
    model.int_times = _integration_times(model, plan, start)
    with replacing(path) as temporary:
        save_reproducibly(model, temporary)
    model.close()


def save_reproducibly(model: Any, path: Path) -> None:
    """Save a data model with `MADE_ON` for its date.

    Parameters
    ----------
    model
        A data model of stdatamodels.
    path
        Where.
    """
    from stdatamodels import fits_support

    model.meta.date = MADE_ON
    model.meta.filename = path.name
    # The model's own save() would put in today's date.
    hdus = fits_support.to_fits(model._instance, model._schema)  # noqa: SLF001 - no public way
    hdus.writeto(path, output_verify="silentfix")
    hdus.close()


def _number(root: str) -> int:
    """Give a number that grows with the exposure's name, for its time."""
    return int(root[4:7]) * 10 + int(root.split("_")[2])


def _describe(
    model: Any,
    path: Path,
    plan: ExposurePlan,
    detector: Detector,
    subarray: Subarray,
    start: float,
) -> None:
    meta = model.meta
    meta.date = MADE_ON
    meta.filename = path.name
    meta.origin = "STSCI"
    meta.telescope = "JWST"
    meta.time_sys, meta.time_unit = "UTC", "s"
    meta.hga_move = False
    meta.prd_version = "PRACTICE"
    meta.oss_software_version = "PRACTICE"
    seconds = plan.integrations * (plan.frames + 1) * plan.frame_time
    _describe_observation(model, plan, start, seconds)
    instrument = meta.instrument
    instrument.name, instrument.detector = detector.instrument, detector.name
    if detector.instrument != "FGS":  # it has none
        instrument.filter = plan.filter
    for name in ("module", "channel", "pupil"):
        if getattr(detector, name) is not None:
            setattr(instrument, name, getattr(detector, name))
    if plan.grating:
        instrument.grating = plan.grating
    _describe_exposure(model, plan, detector, start, seconds)
    meta.subarray.name = subarray.name
    meta.subarray.xstart, meta.subarray.ystart = subarray.start
    meta.subarray.xsize, meta.subarray.ysize = subarray.size
    meta.subarray.fastaxis, meta.subarray.slowaxis = detector.fastaxis, detector.slowaxis
    meta.aperture.name = meta.aperture.pps_name = subarray.aperture
    meta.dither.position_number, meta.dither.total_points = plan.dither, plan.dithers
    usual = "NONE" if plan.dithers == 1 else "INTRAMODULEBOX"
    meta.dither.primary_type = plan.dither_type or usual
    meta.dither.x_offset, meta.dither.y_offset = plan.offset


def _describe_observation(model: Any, plan: ExposurePlan, start: float, seconds: float) -> None:
    from astropy.time import Time

    meta = model.meta
    root = plan.root
    program, observation, visit = root[2:7], root[7:10], root[10:13]
    meta.program.title = "SIMULATION: practice archive of upramp"
    meta.program.pi_name = "Simulated"
    meta.program.category = "ENG"
    meta.program.sub_category = "ENG"
    meta.program.science_category = "Unidentified"
    begin = Time(start, format="mjd", scale="utc")
    end = Time(start + seconds / 86400, format="mjd", scale="utc")
    observation_meta = meta.observation
    observation_meta.date, observation_meta.time = begin.isot.split("T")
    observation_meta.date_beg, observation_meta.date_end = begin.isot, end.isot
    observation_meta.program_number = program
    observation_meta.observation_number = observation
    observation_meta.visit_number = visit
    observation_meta.visit_id = f"{program}{observation}{visit}"
    observation_meta.visit_group, observation_meta.sequence_id = "02", "1"
    observation_meta.activity_id = "01"
    observation_meta.exposure_number = str(plan.dither)
    observation_meta.obs_id = f"V{program}{observation}{visit}P0000000002101"
    observation_meta.engineering_quality = "OK"
    meta.visit.engdb_pointing_quality = "CALCULATED"
    meta.visit.tsovisit = plan.time_series
    meta.visit.type = "PRIME_TARGETED_FIXED"
    meta.visit.start_time = begin.iso
    meta.visit.status = "SUCCESSFUL"
    meta.target.catalog_name = "PRACTICE-FIELD"
    meta.target.proposer_name = "PRACTICE-FIELD"
    meta.target.type = "FIXED"


def _describe_exposure(
    model: Any, plan: ExposurePlan, detector: Detector, start: float, seconds: float
) -> None:
    exposure = model.meta.exposure
    exposure.type = plan.exposure_type
    exposure.readpatt = plan.pattern.name
    exposure.nints, exposure.ngroups = plan.integrations, plan.groups
    exposure.nframes = exposure.frame_divisor = plan.pattern.frames
    exposure.groupgap = plan.pattern.gap
    exposure.integration_start, exposure.integration_end = 1, plan.integrations
    exposure.drop_frames1 = exposure.drop_frames3 = 0
    exposure.frame_time, exposure.group_time = plan.frame_time, plan.group_time
    exposure.integration_time = plan.groups * plan.group_time
    exposure.effective_exposure_time = plan.integrations * exposure.integration_time
    exposure.exposure_time = exposure.effective_exposure_time
    exposure.duration = seconds
    exposure.elapsed_exposure_time = seconds
    exposure.start_time, exposure.end_time = start, start + seconds / 86400
    exposure.mid_time = start + seconds / 172800
    exposure.nresets_at_start = exposure.nresets_between_ints = 1
    exposure.nsamples, exposure.sample_time = 1, 10.0
    exposure.zero_frame = plan.zero_frame
    exposure.data_problem = False
    exposure.noutputs = 5 if detector.technology == "miri" or plan.irs2 else plan.outputs
    exposure.gain_factor = 1.0 if detector.instrument == "NIRSPEC" else None
    if plan.irs2:
        exposure.nrs_normal, exposure.nrs_reference = 16, 4
        if model.data.shape[-2:] != SCIENCE_SHAPE:
            raise AssertionError(model.data.shape)


def _point(model: Any, subarray: Subarray, believed: Attitude, pixel_arcsec: float) -> None:
    meta = model.meta
    ra, dec = (float(value) for value in believed.sky(np.array(0.0), np.array(0.0)))
    meta.pointing.ra_v1, meta.pointing.dec_v1 = ra, dec
    meta.pointing.pa_v3 = believed.roll
    meta.target.ra = meta.target.proposer_ra = believed.ra
    meta.target.dec = meta.target.proposer_dec = believed.dec
    wcs = meta.wcsinfo
    wcs.wcsaxes = 2
    wcs.ctype1, wcs.ctype2 = "RA---TAN", "DEC--TAN"
    wcs.cunit1 = wcs.cunit2 = "deg"
    wcs.crpix1, wcs.crpix2 = subarray.reference
    wcs.cdelt1 = wcs.cdelt2 = pixel_arcsec / 3600
    wcs.crval1 = wcs.ra_ref = believed.ra
    wcs.crval2 = wcs.dec_ref = believed.dec
    wcs.v2_ref, wcs.v3_ref = believed.v2, believed.v3
    wcs.roll_ref = believed.roll
    wcs.v3yangle, wcs.vparity = subarray.v3_ideal_angle, subarray.parity
    angle = np.radians(believed.roll + subarray.v3_ideal_angle)
    wcs.pc1_1, wcs.pc1_2 = float(subarray.parity * np.cos(angle)), float(np.sin(angle))
    wcs.pc2_1, wcs.pc2_2 = float(-subarray.parity * np.sin(angle)), float(np.cos(angle))
    wcs.velosys = 0.0
    meta.velocity_aberration.scale_factor = 1.0
    meta.guidestar.gs_order = 1


def _describe_target(model: Any, plan: ExposurePlan, target: Target, detector: Detector) -> None:
    meta = model.meta
    meta.target.catalog_name = meta.target.proposer_name = target.name
    meta.target.ra = meta.target.proposer_ra = target.ra
    meta.target.dec = meta.target.proposer_dec = target.dec
    meta.target.proper_motion_ra = meta.target.proper_motion_dec = 0.0
    meta.target.ra_uncertainty = meta.target.dec_uncertainty = 0.0
    meta.exposure.psf_reference = target.is_reference
    meta.exposure.self_reference_survey = False
    if detector.coronagraph is not None:
        meta.instrument.coronagraph = detector.coronagraph
    meta.target.source_type_apt = "POINT"
    meta.dither.primary_type = plan.dither_type or "NONE"
    if plan.dithers > 1 and plan.dither_type is None:
        meta.dither.small_grid_pattern = f"{plan.dithers}-POINT-BOX"


def _integration_times(model: Any, plan: ExposurePlan, start: float) -> Any:
    table = np.zeros(plan.integrations, model.get_dtype("int_times"))
    table["integration_number"] = np.arange(1, plan.integrations + 1)
    length = (plan.frames + 1) * plan.frame_time / 86400
    begin = start + np.arange(plan.integrations) * length
    for part, name in enumerate(("start", "mid", "end")):
        for scale in ("MJD_UTC", "BJD_TDB"):
            table[f"int_{name}_{scale}"] = begin + part * length / 2
    return table
