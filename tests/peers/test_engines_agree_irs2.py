"""Engines agree on NIRSpec's IRS2 read-out, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from upramp.stages import calibrate, compare

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NAME = "jw99010001001_02101_00001_nrs1_uncal.fits"
EXPECTED = ("provenance", "HISTORY", "history")
"""Parts of the names of metadata that tell the engine, or are no business of this mode."""


def by_both(file, tmp_path, overrides):
    results = {
        engine: calibrate(
            file,
            engine=engine,
            overrides=overrides,
            output_dir=tmp_path / engine,
            save_ramp=True,
            **options,
        )
        for engine, options in (("stsci", {}), ("upramp", {"threads": 2}))
    }
    official, ours = (
        {product.name: product for product in result.products} for result in results.values()
    )
    assert set(official) == set(ours)
    assert len(ours) == 3
    for name, product in ours.items():
        found = compare(official[name], product)
        assert found.identical, found.to_text()
        odd = [one.key for one in found.metadata if not any(key in one.key for key in EXPECTED)]
        assert not odd, name
    result = results["upramp"]
    assert not result.provenance["delegated"]
    assert np.isfinite(result.rate.data).mean() > 0.9
    return result


def with_few_groups(source, target):
    with fits.open(source) as hdus:
        hdus["SCI"].data = hdus["SCI"].data[:, :3]
        hdus[0].header["NGROUPS"] = 3
        hdus.writeto(target)
    return target


def test_practice_exposure(archive, tmp_path):
    file = with_few_groups(archive / "uncal" / NAME, tmp_path / NAME)
    result = by_both(file, tmp_path, {"refpix.irs2_mean_subtraction": True})
    assert result.models["ramp"].data.shape == (1, 3, 2048, 2048)
    assert result.rate.meta.ref_file.refpix.name == "crds://jwst_nirspec_refpix_0001.fits"


def turned(source, target):
    """Write a reference as the detector NRS2 would have it, which is read the other way."""
    with fits.open(source) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None:
                hdu.data = hdu.data[..., ::-1, ::-1].copy()
        hdus.writeto(target)
    return str(target)


def with_bad_pixels(source, target):
    with fits.open(source) as hdus:
        columns = [
            fits.Column("OUTPUT", "I", bzero=32768, array=np.array([1, 2, 4], np.uint16)),
            fits.Column("ODD_EVEN", "I", bzero=32768, array=np.array([1, 2, 1], np.uint16)),
            fits.Column("MASK", "J", bzero=2**31, array=np.array([3, 1 << 31, 96], np.uint32)),
        ]
        hdus["DQ"] = fits.BinTableHDU.from_columns(columns, name="DQ")
        hdus.writeto(target)
    return str(target)


def on_nrs2(source, target):
    """Turn an exposure of five groups into one of NRS2 with two integrations of three."""
    with fits.open(source) as hdus:
        groups = hdus["SCI"].data[0, :, ::-1, ::-1]
        hdus["SCI"].data = np.stack([groups[:3], groups[2:]])
        hdus["INT_TIMES"].data = np.concatenate([hdus["INT_TIMES"].data] * 2)
        hdus[0].header.update(
            {
                "DETECTOR": "NRS2", "FASTAXIS": -2, "SLOWAXIS": -1,
                "NINTS": 2, "NGROUPS": 3, "INTSTART": 1, "INTEND": 2,
            }
        )  # fmt: skip
        hdus.writeto(target)
    return target


def test_other_detector_with_references_of_the_users_own(archive, tmp_path):
    folder = archive / "crds" / "references" / "jwst"
    nirspec = {
        kind: str(folder / "nirspec" / f"jwst_nirspec_{kind}_{number}.fits")
        for kind, number in (
            ("saturation", "0001"), ("linearity", "0001"), ("dark", "0002"), ("gain", "0001"),
            ("readnoise", "0001"), ("mask", "0002"), ("superbias", "0002"), ("refpix", "0001"),
        )
    }  # fmt: skip
    for kind in ("mask", "superbias"):
        nirspec[kind] = turned(nirspec[kind], tmp_path / f"{kind}.fits")
    nirspec["refpix"] = with_bad_pixels(nirspec["refpix"], tmp_path / "refpix.fits")
    overrides = {
        f"{step}.override_{kind}": nirspec[kind]
        for step, kind in (
            ("dq_init", "mask"), ("saturation", "saturation"), ("saturation", "superbias"),
            ("superbias", "superbias"), ("refpix", "refpix"), ("linearity", "linearity"),
            ("dark_current", "dark"), ("jump", "gain"), ("jump", "readnoise"),
            ("ramp_fit", "gain"), ("ramp_fit", "readnoise"), ("gain_scale", "gain"),
        )
    }  # fmt: skip
    kernel = folder / "nircam" / "jwst_nircam_ipc_0001.fits"
    overrides |= {"ipc.skip": False, "ipc.override_ipc": str(kernel)}
    file = on_nrs2(archive / "uncal" / NAME, tmp_path / NAME.replace("nrs1", "nrs2"))
    result = by_both(file, tmp_path, overrides)
    assert result.rate.meta.cal_step.ipc == "COMPLETE"
    assert result.rateints.data.shape == (2, 2048, 2048)
