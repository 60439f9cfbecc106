"""The crds package, with no server, finds each exposure's references by the practice rules."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from upramp.practice import environment
from upramp.practice.crds_context import ANY, CODE_DEFAULTS, FLIGHT_LIKE, Entry, write_context

pytestmark = [pytest.mark.peer, pytest.mark.slow]

# crds keeps what it has read of a cache for good: a process of its own asks.
ASK = """
import json, sys
from pathlib import Path
import crds
from crds.core import log
from crds.core.exceptions import CrdsError
from crds.refactoring.checksum import verify_checksum
from stdatamodels.jwst import datamodels
from upramp.practice.crds_context import CODE_DEFAULTS, FLIGHT_LIKE, _all_reference_types

log.set_verbose(-3)
archive, types, found = Path(sys.argv[1]), _all_reference_types(), {}

def ask(parameters, context, types):
    return crds.getreferences(parameters, reftypes=types, context=context, observatory="jwst")

for file in sorted((archive / "uncal").glob("*.fits")):
    with datamodels.open(file) as model:
        parameters = model.get_crds_parameters()
    found[file.name] = {c: ask(parameters, c, types) for c in (CODE_DEFAULTS, FLIGHT_LIKE)}
    if "nrcalong" in file.name:
        parameters["META.SUBARRAY.NAME"] = "SUB320"
        try:
            unknown = ask(parameters, CODE_DEFAULTS, ["superbias"])
        except CrdsError as error:
            unknown = type(error).__name__ + " " + str(error)
bad = []
for mapping in sorted((archive / "crds" / "mappings" / "jwst").iterdir()):
    try:
        verify_checksum(str(mapping))
    except CrdsError as error:
        bad.append(mapping.name)
default = crds.get_context_name("jwst")
print(json.dumps({"found": found, "unknown": unknown, "bad": bad, "default": default}))
"""
NOT_APPLICABLE = "NOT FOUND n/a"
ALWAYS = {"mask", "gain", "readnoise"}
RAMPS = ALWAYS | {"saturation", "linearity", "dark"}
IMAGES = {"flat", "area", "distortion", "filteroffset", "photom", "apcorr", "abvegaoffset"}


@pytest.fixture(scope="module")
def answer(practice_archive):
    settings = {**os.environ, **environment(practice_archive)}
    for name in [name for name, value in settings.items() if value == ""]:
        del settings[name]
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, os.fspath(practice_archive)],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def _resolved(answer, name, context=CODE_DEFAULTS):
    """Types and files' names of the exposure whose name holds this, without those of no use."""
    (exposure,) = (found for file, found in answer["found"].items() if name in file)
    return {t: Path(f).name for t, f in exposure[context].items() if f != NOT_APPLICABLE}


def test_every_type_of_every_exposure_is_a_file_or_not_applicable(answer, practice_archive):
    folder = practice_archive / "crds" / "references" / "jwst"
    uncal = {file.name for file in (practice_archive / "uncal").iterdir()}
    assert set(answer["found"]) == uncal
    assert len(uncal) > 12
    used = set()
    for contexts in answer["found"].values():
        for found in contexts.values():
            assert len(found) > 100
            files = [Path(file) for file in found.values() if file != NOT_APPLICABLE]
            for file in files:
                assert file.is_file()
                assert file.is_relative_to(folder)
            used |= set(files)
    # Nothing is made that nothing asks for.
    assert used == {file for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("jw99003001001_02101_00001_nrcalong", RAMPS | IMAGES | {"superbias"}),
        ("jw99002001001_02101_00001_nrca1", RAMPS | IMAGES | {"superbias", "ipc"}),
        ("jw99007001001_02101_00001_mirimage", RAMPS | IMAGES | {"reset", "rscd"}),
        ("jw99008001001_02101_00001_nis", RAMPS | IMAGES | {"superbias", "ipc"}),
        ("jw99009001001_02101_00001_nrs1", RAMPS | {"superbias"}),
        ("jw99010001001_02101_00001_nrs1", RAMPS | {"superbias", "refpix"}),
        ("jw99013001001_02101_00001_guider2", ALWAYS | {"flat"}),
    ],
)
def test_each_mode_has_the_types_it_needs_and_no_other(answer, name, types):
    found = _resolved(answer, name)
    assert set(found) == types
    for reftype, file in found.items():
        assert f"_{reftype}_" in file


def test_read_outs_of_nirspec_have_maps_of_their_own(answer):
    traditional, irs2 = (_resolved(answer, f"jw99{n}001001") for n in ("009", "010"))
    for reftype in ("mask", "superbias", "dark"):
        assert traditional[reftype] != irs2[reftype]
    for reftype in ("gain", "readnoise", "saturation", "linearity"):
        assert traditional[reftype] == irs2[reftype]


def test_flight_like_replaces_parameters_of_the_jump_step_and_linearity(answer):
    for name in ("jw99003001001", "jw99004001001"):
        plain, flight = (_resolved(answer, name, c) for c in (CODE_DEFAULTS, FLIGHT_LIKE))
        changed = {t for t in flight if flight[t] != plain.get(t)}
        assert changed == {"pars-jumpstep", "linearity"}
        assert set(plain) == set(flight) - {"pars-jumpstep"}
    niriss = set(_resolved(answer, "_nis_", FLIGHT_LIKE)) - set(_resolved(answer, "_nis_"))
    assert niriss == {"pars-jumpstep", "pars-chargemigrationstep"}


def test_parameters_of_the_flight_like_jump_step(answer):
    import asdf

    (exposure,) = (f for name, f in answer["found"].items() if "jw99007001001" in name)
    with asdf.open(exposure[FLIGHT_LIKE]["pars-jumpstep"]) as file:
        assert file["parameters"]["find_showers"] is True
        assert file["parameters"]["expand_large_events"] is False
        assert file["class"] == "jwst.step.JumpStep"


def test_a_subarray_without_a_superbias_is_an_error(answer):
    assert isinstance(answer["unknown"], str), answer["unknown"]
    assert "superbias" in answer["unknown"].lower()


def test_checksums_are_right_and_the_default_context_is_known(answer):
    assert answer["bad"] == []
    assert answer["default"] == CODE_DEFAULTS


def _entry(**changes):
    base = Entry("NIRCAM", "linearity", "NRCALONG", ("SUB640",), (ANY,), "a.fits")
    return replace(base, **changes)


def _text(folder, name):
    return (folder / "mappings" / "jwst" / name).read_text()


def test_an_entry_for_one_window_leaves_others_as_they_are(tmp_path):
    other = _entry(subarrays=("FULL",), file="b.fits")
    flight = _entry(file="c.fits", flight_like=True)
    write_context(tmp_path, [_entry(), other, flight])
    plain = _text(tmp_path, "jwst_nircam_linearity_0001.rmap")
    replaced = _text(tmp_path, "jwst_nircam_linearity_0002.rmap")
    assert [f in plain for f in ("a.fits", "b.fits", "c.fits")] == [True, True, False]
    assert [f in replaced for f in ("a.fits", "b.fits", "c.fits")] == [False, True, True]


def test_rules_do_not_depend_on_the_order_of_entries(tmp_path):
    entries = [_entry(), _entry(subarrays=("FULL",), file="b.fits"), _entry(detector="NRCA1")]
    write_context(tmp_path / "one", entries)
    write_context(tmp_path / "two", entries[::-1])
    name = "jwst_nircam_linearity_0001.rmap"
    assert _text(tmp_path / "one", name) == _text(tmp_path / "two", name)


def test_types_without_a_reference_are_not_applicable_in_the_rules(tmp_path):
    write_context(tmp_path, [_entry()])
    rules = _text(tmp_path, "jwst_nircam_0001.imap")
    assert "'DARK': 'N/A'" in rules
    assert "'LINEARITY': 'jwst_nircam_linearity_0001.rmap'" in rules


def test_an_exposure_type_with_a_reference_of_its_own_is_told_from_all_others(tmp_path):
    write_context(tmp_path, [_entry()])
    plain = _text(tmp_path, "jwst_nircam_linearity_0001.rmap")
    assert "META.EXPOSURE.TYPE" not in plain
    own = _entry(exposure_types=("NRC_WFSS",), file="b.fits")
    write_context(tmp_path, [_entry(), own])
    rules = _text(tmp_path, "jwst_nircam_linearity_0001.rmap")
    assert "META.EXPOSURE.TYPE" in rules
    others, wfss = (line for line in rules.splitlines() if "SUB640" in line)
    assert "NRC_IMAGE|" in others
    assert "NRC_WFSS" not in others
    assert "'NRC_WFSS'" in wfss


def test_a_type_that_one_exposure_type_alone_needs_is_not_applicable_to_others(tmp_path):
    write_context(tmp_path, [_entry(exposure_types=("NRC_WFSS",))])
    rules = _text(tmp_path, "jwst_nircam_linearity_0001.rmap").splitlines()
    others, *_ = (line for line in rules if "NRCALONG" in line and "NRC_IMAGE|" in line)
    assert others.endswith(": 'N/A',")
    assert "NRC_WFSS" not in others
    other_detector, *_ = (line for line in rules if "NRCA1" in line)
    assert other_detector.endswith(": 'N/A',")
