"""What surrounds the official pipelines of stages 2 and 3, without running them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from upramp.errors import InputError
from upramp.stages import later_inputs
from upramp.stages.facts import Facts
from upramp.stages.later import LaterRun, Work, _innermost
from upramp.stages.later_inputs import plan_for
from upramp.stages.product_records import _put_into_table, read_table_provenance
from upramp.stages.table_description import describe_table


def test_a_whole_traceback_is_told_by_its_last_line():
    text = 'Traceback (most recent call last):\n  File "x", line 1\nValueError: no such slit\n'
    assert str(_innermost(RuntimeError(text))) == "ValueError: no such slit"
    plain = ValueError("odd")
    assert _innermost(plain) is plain


def test_a_whole_field_finds_its_files_and_products_name_them_plainly(tmp_path):
    """Where the process is they are not; products say names alone, as the official ones."""
    work = Work("Spec2Pipeline", 2, None, "x", "x", {}, beside=tmp_path)
    run = LaterRun(work, {}, tmp_path, tmp_path, None, tmp_path / "log", "stsci")
    names = {"source_catalog": "a_cat.ecsv", "segmentation_map": "a_segm.fits"}
    model = SimpleNamespace(meta=SimpleNamespace(**names, direct_image=None))
    seen, saved = [], []
    led = run._led(lambda model: seen.append(model.meta.source_catalog), tmp_path)
    led(model)
    assert seen == [str(tmp_path / "a_cat.ecsv")]
    assert model.meta.direct_image is None
    run._recorded(lambda model: saved.append(dict(vars(model.meta))))(model)
    assert saved == [{**names, "direct_image": None}]
    # Steps after an intermediate product still find them.
    assert model.meta.segmentation_map == str(tmp_path / "a_segm.fits")


@pytest.mark.parametrize("meta", [{}, {"version": "1", "date": "it's today"}])
def test_a_table_takes_its_provenance_and_stays_as_it_is(tmp_path, meta):
    file = tmp_path / "x_cat.ecsv"
    Table({"a": np.array([0.1, 1e-30]), "b": ["x", "y"]}, meta=meta).write(file)
    before = file.read_text()
    record = {"engine": "stsci", "pipeline": "Image3Pipeline", "note": 'it\'s "q" {x: [1]} é\\n'}
    _put_into_table(file, record)
    assert read_table_provenance(file) == record
    assert [line for line in file.read_text().splitlines() if "{upramp: " not in line] == (
        before.splitlines() if meta else _with_meta(before)
    )
    read = Table.read(file)
    assert {name: value for name, value in read.meta.items() if name != "upramp"} == meta
    assert list(read["a"]) == [0.1, 1e-30]
    told = describe_table(file)
    assert (told.rows, told.columns, told.kind) == (2, ("a", "b"), "cat")
    assert "stsci Image3Pipeline" in told.to_text()


def _with_meta(text):
    lines = text.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("# schema: "))
    return [*lines[:at], "# meta: !!omap", *lines[at:]]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a b\n1 2\n", b"# %ECSV 1.0\n# ---\n# {"])
def test_what_is_no_table_is_said(tmp_path, content):
    file = tmp_path / "x_cat.ecsv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as ECSV"):
        describe_table(file)
    with pytest.raises(InputError, match="no such file"):
        describe_table(tmp_path / "none.ecsv")


@pytest.fixture
def exposures(monkeypatch, tmp_path):
    """Give what makes a calibrated exposure that is of some type, and holds nothing."""
    types = {}

    def make(name, exp_type):
        (tmp_path / name).write_bytes(b"")
        types[name] = exp_type

    monkeypatch.setattr(
        later_inputs, "_look_at", lambda path, _: Facts(str(path), exp_type=types[path.name])
    )
    monkeypatch.setattr(later_inputs, "_origin", lambda _: {})
    return make


def association(folder, kind, *names, purpose="science"):
    members = [{"expname": name, "exptype": purpose} for name in names]
    content = {"asn_type": kind, "asn_id": "o001", "products": [{"name": "p", "members": members}]}
    (file := folder / "x_asn.json").write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("kind", "exp_type", "pipeline"),
    [
        ("spec3", "NRC_IMAGE", "Spec3Pipeline"),
        ("image3", "MIR_LRS-FIXEDSLIT", "Image3Pipeline"),
        ("coron3", "NRC_IMAGE", "Coron3Pipeline"),
        ("ami3", "NRC_IMAGE", "Ami3Pipeline"),
        ("tso3", "NRC_IMAGE", "Tso3Pipeline"),
    ],
)
def test_an_association_for_exposures_of_another_kind_is_refused(
    tmp_path, exposures, kind, exp_type, pipeline
):
    exposures("a_cal.fits", exp_type)
    with pytest.raises(InputError, match=f"{exp_type}, which the official {pipeline}"):
        plan_for(association(tmp_path, kind, "a_cal.fits"), 3)


def test_who_writes_an_association_may_choose_another_pipeline_for_images(tmp_path, exposures):
    exposures("a_cal.fits", "MIR_TACQ")
    assert plan_for(association(tmp_path, "image3", "a_cal.fits"), 3).work.pipeline == (
        "Image3Pipeline"
    )


@pytest.mark.parametrize("purpose", ["science", "SCIENCE"])
def test_types_reach_the_official_pipeline_in_lower_case(tmp_path, exposures, purpose):
    exposures("a_cal.fits", "NRC_IMAGE")
    file = association(tmp_path, "image3", "a_cal.fits", purpose=purpose)
    (folder := tmp_path / "staged").mkdir()
    given = Path(plan_for(file, 3).prepared(folder).given)
    (listed,) = json.loads(given.read_text())["products"]
    assert listed == {"name": "p", "members": [{"expname": "a_cal.fits", "exptype": "science"}]}
    assert (given.parent / "a_cal.fits").is_file()


@pytest.mark.parametrize("name", ["../outside_cat.ecsv", "/etc/passwd"])
def test_a_header_leads_to_no_other_folder(tmp_path, name):
    facts = Facts("a_rate.fits", exp_type="NRC_WFSS", catalogue=name)
    with pytest.raises(InputError, match="no plain name of a file"):
        later_inputs._require_catalogue(facts, tmp_path)
