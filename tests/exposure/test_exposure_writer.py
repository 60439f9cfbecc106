"""Products appear whole or not at all, and the official packages take them."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from exposure_files import edited

from upramp.errors import InputError, OutputError, UsageError
from upramp.exposure import open_exposure, to_datamodel, write_model

datamodels = pytest.importorskip("stdatamodels.jwst.datamodels")


def rate(value=1.0):
    model = datamodels.ImageModel(data=np.full((64, 64), value, np.float32))
    model.meta.instrument.name = "NIRCAM"
    model.meta.instrument.detector = "NRCALONG"
    model.meta.exposure.type = "NRC_IMAGE"
    model.meta.bunit_data = "DN/s"
    model.add_history_entry("sharpened")
    return model


def test_a_model_comes_back_with_metadata_and_history(tmp_path):
    path = tmp_path / "jw01_nrcalong_rate.fits"
    model = rate()
    assert write_model(model, str(path)) == path
    assert model.meta.filename == path.name
    with datamodels.open(str(path)) as again:
        assert type(again) is datamodels.ImageModel
        assert again.meta.filename == path.name
        assert again.meta.exposure.type == "NRC_IMAGE"
        lines = [entry["description"] for entry in again._asdf.get_history_entries()]
        assert lines == ["sharpened"]
        np.testing.assert_array_equal(again.data, model.data)
    assert open_exposure(path).kind == "rate"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_asdf_too(tmp_path):
    path = write_model(rate(), tmp_path / "x_rate.asdf")
    assert path.read_bytes().startswith(b"#ASDF")


def test_other_names_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.fits or \.asdf"):
        write_model(rate(), tmp_path / "x_rate.fits.gz")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_model(rate(), tmp_path / "none" / "x_rate.fits")


def test_a_failure_in_the_middle_leaves_the_old_product(tmp_path):
    path = write_model(rate(1), tmp_path / "x_rate.fits")
    before = path.read_bytes()

    class Fails:
        def save(self, name):
            Path(name).write_bytes(b"half of it")
            raise ValueError("no place for a thing")

    with pytest.raises(OutputError, match="no place for a thing"):
        write_model(Fails(), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def child(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_a_killed_process_leaves_the_old_product(tmp_path):
    path = write_model(rate(1), tmp_path / "x_rate.fits")
    before = path.read_bytes()
    process = child(
        """
        import sys, time
        from upramp.exposure import write_model
        class Slow:
            def save(self, name):
                with open(name, "wb") as file:
                    file.write(b"x" * 100000)
                    file.flush()
                    print("writing", flush=True)
                    time.sleep(60)
        write_model(Slow(), sys.argv[1])
        """,
        path,
    )
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir() if not item.name.startswith(".")] == [
        path.name
    ]
    assert open_exposure(write_model(rate(2), path)).data[0, 0] == 2


def test_no_room_leaves_the_old_product(tmp_path):
    path = write_model(rate(1), tmp_path / "x_rate.fits")
    before = path.read_bytes()
    process = child(
        """
        import sys, numpy
        from stdatamodels.jwst import datamodels
        from upramp.exposure import write_model
        from upramp.errors import OutputError
        try:
            write_model(datamodels.ImageModel(data=numpy.zeros((512, 512), "f4")), sys.argv[1])
        except OutputError as error:
            print(error)
        """,
        path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.startswith(f"{path}: there is no room left on the disk;")
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.peer
def test_the_official_model_holds_what_the_official_way_gives(flight_like):
    mine = to_datamodel(open_exposure(flight_like))
    with datamodels.open(str(flight_like)) as theirs:
        assert type(mine) is type(theirs) is datamodels.Level1bModel
        assert mine.to_flat_dict(include_arrays=False) == theirs.to_flat_dict(include_arrays=False)
        for name in ("data", "zeroframe"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
            assert getattr(mine, name).dtype == getattr(theirs, name).dtype


def test_the_model_does_not_depend_on_the_file(tmp_path, flight_like):
    path = tmp_path / "x_uncal.fits"
    path.write_bytes(flight_like.read_bytes())
    exposure = open_exposure(path)
    model = to_datamodel(exposure)
    second = to_datamodel(exposure)
    exposure.close()
    path.write_bytes(b"gone")
    assert model.data.sum() == second.data.sum() > 0


def test_a_compressed_file_gives_the_same_model(tmp_path, flight_like):
    import gzip

    path = tmp_path / "packed_uncal.fits"
    path.write_bytes(gzip.compress(flight_like.read_bytes()))
    model = to_datamodel(open_exposure(path))
    assert model.meta.filename == path.name
    np.testing.assert_array_equal(model.data, open_exposure(flight_like).data)


def test_a_product_of_several_slits_is_read(tmp_path):
    model = datamodels.MultiSlitModel()
    model.meta.telescope, model.meta.exposure.type = "JWST", "NRC_WFSS"
    model.meta.instrument.name = "NIRCAM"
    for source in (3, 8):
        model.slits.append(datamodels.SlitModel(np.full((2, 3), source, np.float32)))
        model.slits[-1].source_id = source
        model.slits[-1].meta.wcsinfo.v3yangle = 10.0 + source
    path = tmp_path / "x_cal.fits"
    model.save(path)
    with open_exposure(path) as exposure:
        read = to_datamodel(exposure)
    assert [int(slit.source_id) for slit in read.slits] == [3, 8]
    assert [int(slit.data[0, 0]) for slit in read.slits] == [3, 8]


def test_damaged_metadata_are_one_sentence(tmp_path, flight_like):
    path = tmp_path / "x_uncal.fits"
    content = bytearray(flight_like.read_bytes())
    start = content.index(b"#ASDF")
    content[start + 40 : start + 400] = b"\x9d{[" * 120
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ASDF extension is damaged \(unacceptable character"):
        to_datamodel(open_exposure(path))


def test_arrays_that_the_tree_speaks_of_and_the_file_lacks_are_one_sentence(tmp_path, flight_like):
    from astropy.io import fits

    path = tmp_path / "x_uncal.fits"
    with fits.open(flight_like) as hdus:
        del hdus["ZEROFRAME"]
        hdus.writeto(path)
    with pytest.raises(InputError, match="ZEROFRAME") as caught:
        to_datamodel(open_exposure(path))
    assert str(caught.value).isprintable()
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("FILTER", "F999X"), ("PUPIL", "SQUARE"), ("V2_REF", "abc"), ("READPATT", "SLOWEST")],
)
def test_a_header_that_the_tree_would_overrule_is_refused(tmp_path, flight_like, name, value):
    path = edited(flight_like, tmp_path, **{name: value})
    problem = f"its header says {name} is {value} but its ASDF extension says "
    with pytest.raises(InputError, match=problem):
        to_datamodel(open_exposure(path))


def test_a_header_that_lost_what_the_tree_says_is_refused(tmp_path, flight_like):
    path = edited(flight_like, tmp_path, FILTER=None)
    with pytest.raises(
        InputError, match="header says no FILTER but its ASDF extension says F356W"
    ):
        to_datamodel(open_exposure(path))


def test_a_tree_that_was_changed_under_a_right_checksum_is_refused(tmp_path, flight_like):
    content = flight_like.read_bytes()
    start = content.index(b"#ASDF")
    path = tmp_path / "x_uncal.fits"
    path.write_bytes(content[:start] + content[start:].replace(b"F356W", b"F444W"))
    with pytest.raises(InputError, match=r"FILTER is F356W but .* says F444W"):
        to_datamodel(open_exposure(path))


def test_a_value_that_no_model_takes_is_refused(tmp_path):
    from exposure_files import write_level1b

    path = write_level1b(tmp_path / "jw1_nrcalong_uncal.fits", FILTER="F999X")
    problem = "its FILTER is F999X, which the mission's data model does not take"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the refusal says it all
        with pytest.raises(InputError, match=problem):
            to_datamodel(open_exposure(path))


def test_a_valid_header_overrules_the_tree(tmp_path, flight_like):
    model = to_datamodel(open_exposure(edited(flight_like, tmp_path, FILTER="F444W")))
    assert model.meta.instrument.filter == "F444W"


def test_dropped_values_that_decide_nothing_are_warned_of(tmp_path, flight_like):
    from stdatamodels.exceptions import ValidationWarning

    path = edited(flight_like, tmp_path, DATAPROB="perhaps")
    with pytest.warns(ValidationWarning, match="While validating"):
        model = to_datamodel(open_exposure(path))
    assert model.meta.instrument.filter == "F356W"


def test_what_is_no_product_has_no_model(tmp_path, raw):
    from astropy.io import fits

    path = tmp_path / "picture.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path)
    with pytest.raises(InputError, match="no JWST product"):
        to_datamodel(open_exposure(path))
    from exposure_files import write_level1b

    write_level1b(raw, DATAMODL="open")
    with pytest.raises(InputError, match="unknown data model open"):
        to_datamodel(open_exposure(raw.rename(tmp_path / "x.fits")))


def test_ground_data_become_a_level_1b_model_with_what_was_inferred(tmp_path):
    from astropy.io import fits
    from exposure_files import counts, write_level1b
    from test_exposure_requirements import GROUND

    refout = fits.ImageHDU(counts((2, 3, 6, 2), seed=9), name="REFOUT")
    path = write_level1b(tmp_path / "MIRI_1_pipe.fits", extra=[refout], COMPRESS=0, **GROUND)
    model = to_datamodel(open_exposure(path))
    assert type(model) is datamodels.Level1bModel
    assert model.meta.exposure.type == "MIR_IMAGE"
    assert (model.meta.subarray.fastaxis, model.meta.subarray.slowaxis) == (1, 2)
    assert model.meta.exposure.frame_divisor == 1
    assert model.meta.compress is False
    np.testing.assert_array_equal(model.refout, counts((2, 3, 6, 2), seed=9))
    np.testing.assert_array_equal(model.data, counts((2, 3, 6, 8)))
