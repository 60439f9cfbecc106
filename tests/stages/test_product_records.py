"""Provenance of products that the official pipelines write by themselves."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from upramp.stages import provenance
from upramp.stages.product_records import complete_records


def record():
    return provenance.build(
        engine="stsci",
        pipeline="Spec3Pipeline",
        stage=3,
        context="jwst_0001.pmap",
        references={},
        parameters={},
        overrides={},
        source={},
    )


def test_a_product_without_a_record_is_given_one_and_keeps_its_values(tmp_path):
    from stdatamodels.jwst import datamodels

    model = datamodels.WFSSMultiSpecModel()
    spec = datamodels.WFSSSpecModel()
    table = np.zeros(2, dtype=spec.get_dtype("spec_table"))
    table["SOURCE_ID"] = (3, 7)
    spec.spec_table = table
    model.spec.append(spec)
    model.meta.cal_step.extract_1d = "COMPLETE"
    path = tmp_path / "slitless_x1d.fits"
    model.save(path)
    assert provenance.read_provenance(path) is None
    told = complete_records(tmp_path, record(), ["pixel_replace"])
    assert told["steps"] == {"extract_1d": "COMPLETE", "pixel_replace": "SKIPPED"}
    assert provenance.read_provenance(path) == told
    assert list(fits.getdata(path, "EXTRACT1D")["SOURCE_ID"]) == [3, 7]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
