"""Making archives: the same bytes, resumed, refused, told."""

import fcntl
import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from upramp.errors import OutputError, UprampError, UsageError
from upramp.practice import archive as archive_module
from upramp.practice import environment, list_programs, make_archive, tasks
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.needs import Reference
from upramp.practice.programs import PROGRAMS

PROGRAMS_MADE = ["miri-sub64", "fgs"]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("practice") / "two"
    made = make_archive(folder, PROGRAMS_MADE, processes=2)
    assert made.programs == tuple(PROGRAMS_MADE)
    assert made.seed == DEFAULT_SEED
    return folder


@pytest.fixture
def copy(two_processes, tmp_path):
    folder = tmp_path / "archive"
    shutil.copytree(two_processes, folder)
    return folder


def _files(folder):
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())


def _digests(folder):
    return {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in _files(folder)}


def _times(folder):
    """When the files were written that take work to make."""
    return {f: (folder / f).stat().st_mtime_ns for f in _files(folder) if _is_large(f)}


def _is_large(file):
    return file.suffix in {".fits", ".asdf"}


def test_an_archive_holds_exposures_references_rules_and_truth(two_processes):
    files = {str(f) for f in _files(two_processes)}
    for program in PROGRAMS_MADE:
        root = PROGRAMS[program].exposures[0].root
        assert {f"uncal/{root}_uncal.fits", f"truth/{root}_truth.fits"} <= files
    assert "crds/mappings/jwst/jwst_0001.pmap" in files
    assert "crds/references/jwst/miri/jwst_miri_rscd_0001.fits" in files
    assert {"truth/stars.ecsv", "truth/galaxies.ecsv", "truth/reference_catalog.ecsv"} <= files
    assert not any(name.startswith(".") for f in files for name in f.split("/"))


def test_another_seed_makes_other_exposures_and_another_sky(two_processes, tmp_path):
    made = make_archive(tmp_path / "other", ["fgs"], seed=7)
    assert made.seed == 7
    ours, theirs = _digests(tmp_path / "other"), _digests(two_processes)
    different = {str(f) for f in ours if ours[f] != theirs.get(f)}
    root = PROGRAMS["fgs"].exposures[0].root
    assert {f"uncal/{root}_uncal.fits", f"truth/{root}_truth.fits"} <= different
    assert {"truth/stars.ecsv", "crds/references/jwst/fgs/jwst_fgs_gain_0001.fits"} <= different


@pytest.mark.parametrize("part", ["uncal", "crds"])
def test_a_removed_file_is_made_again_and_no_other(copy, two_processes, part):
    root = PROGRAMS["fgs"].exposures[0].root
    pair = [f"uncal/{root}_uncal.fits", f"truth/{root}_truth.fits"]
    reference = "crds/references/jwst/fgs/jwst_fgs_gain_0001.fits"
    removed, remade = {
        "uncal": (pair[0], pair),
        "crds": (reference, [reference]),
    }[part]
    before = _times(copy)
    (copy / removed).unlink()
    made = make_archive(copy, ["fgs"])
    assert _digests(copy) == _digests(two_processes)
    after = _times(copy)
    assert {str(f) for f in before if after[f] != before[f]} == set(remade)
    assert made.made == ((copy / pair[0],) if part != "crds" else ())
    assert made.programs == tuple(PROGRAMS_MADE)


def test_a_complete_archive_is_left_as_it_is(copy):
    before = _times(copy)
    assert make_archive(copy, PROGRAMS_MADE).made == ()
    assert _times(copy) == before


def test_programs_can_be_added_in_another_number_of_processes(two_processes, tmp_path):
    folder = tmp_path / "grown"
    make_archive(folder, ["fgs"], processes=1)
    rules = folder / "crds" / "mappings" / "jwst"
    early = {p.name: p.read_text() for p in rules.glob("*.rmap")}
    made = make_archive(folder, ["miri-sub64"], processes=1)
    assert made.programs == tuple(PROGRAMS_MADE)
    assert [p.name for p in made.made] == ["jw99007001001_02101_00001_mirimage_uncal.fits"]
    assert early.items() <= {p.name: p.read_text() for p in rules.glob("*.rmap")}.items()
    # The archive is, to the byte, the one that two processes made at once.
    assert _digests(folder) == _digests(two_processes)


class _Listener:
    def __init__(self):
        self.total, self.done, self.labels, self.finished = 0.0, 0.0, [], False

    def start(self, total, label):
        self.total = total

    def advance(self, amount=1, label=None):
        self.done += amount
        self.labels.append(label)

    def finish(self):
        self.finished = True


def test_progress_is_told(copy):
    references = copy / "crds" / "references" / "jwst"
    (references / "fgs" / "jwst_fgs_gain_0001.fits").unlink()
    (references / "miri" / "jwst_miri_rscd_0001.fits").unlink()
    listener = _Listener()
    make_archive(copy, ["fgs"], progress=listener)
    assert listener.finished
    assert listener.total == pytest.approx(listener.done)
    assert listener.total > 1
    assert set(listener.labels) >= {"references of GUIDER2", "references of MIRIMAGE"}


def test_what_fails_in_the_middle_leaves_nothing_partial(copy, two_processes, monkeypatch):
    jobs_of = tasks.missing
    for file in _files(copy):
        if "guider2" in file.name or "jwst_fgs_" in file.name:
            (copy / file).unlink()

    def with_one_that_fails(folder, plans, seed):
        jobs = jobs_of(folder, plans, seed)
        bad = replace(jobs[0], what=(Reference("NRCALONG", "no-such-type", "*"),))
        return [jobs[0], bad, *jobs[1:]]

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "missing", with_one_that_fails)
        with pytest.raises(ValueError, match="no-such-type"):
            make_archive(copy, ["fgs"], processes=1)
    complete, left = _digests(two_processes), _digests(copy)
    # All that is there is whole; not all is there.
    assert left.items() < complete.items()
    make_archive(copy, ["fgs"], processes=1)
    assert _digests(copy) == complete


def test_an_exposure_that_cannot_be_finished_is_not_there(tmp_path, monkeypatch):
    plan = PROGRAMS["fgs"].exposures[0]
    job = tasks.Job(tmp_path, 3, plan, 1.0, plan.root)

    def interrupted(model, path):
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("upramp.practice.exposures.save_reproducibly", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tasks.work(job)
    assert [str(f) for f in _files(tmp_path)] == [f"truth/{plan.root}_truth.fits"]
    # Truth alone does not count as made.
    assert job.what in [j.what for j in tasks.missing(tmp_path, [plan], 3)]


def _refusal(kind, *arguments, **keywords):
    with pytest.raises(kind) as caught:
        make_archive(*arguments, **keywords)
    error = caught.value
    assert error.remedy
    assert "\n" not in str(error)
    return error


def test_another_seed_is_refused(copy):
    before = _digests(copy)
    error = _refusal(UsageError, copy, ["fgs"], seed=1)
    assert str(DEFAULT_SEED) in str(error)
    assert "--seed" in error.remedy
    assert _digests(copy) == before
    make_archive(copy, ["fgs"], seed=DEFAULT_SEED)


def test_an_unknown_program_is_refused_before_anything_is_made(tmp_path):
    error = _refusal(UsageError, tmp_path / "new", ["fgs", "nircam"])
    assert error.subject == "nircam"
    assert "nircam-long" in error.remedy
    assert not (tmp_path / "new").exists()


def test_a_negative_seed_is_refused_before_anything_is_made(tmp_path):
    assert "-1" in str(_refusal(UsageError, tmp_path / "new", ["fgs"], seed=-1))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b'{"programs": 3, "seed": 1, "version": "0"}',
        b'{"programs": [[]], "seed": 1, "version": "0"}',
        b'{"programs": [], "seed": null, "version": "0"}',
        b'{"programs": [], "seed": -4, "version": "0"}',
        b'{"programs": [], "seed": 1e999, "version": "0"}',
    ],
)
def test_a_foreign_manifest_is_refused_and_kept(tmp_path, content):
    manifest = tmp_path / "practice.json"
    manifest.write_bytes(content)
    error = _refusal(UsageError, tmp_path, ["fgs"])
    assert error.subject == str(manifest)
    assert [str(f) for f in tmp_path.iterdir()] == [str(manifest)]
    assert manifest.read_bytes() == content


def test_an_archive_of_another_version_is_refused(copy):
    manifest = copy / "practice.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "0.0.0"}))
    assert "0.0.0" in str(_refusal(UsageError, copy, ["fgs"]))


def test_a_file_in_the_way_is_said(tmp_path):
    folder = tmp_path / "archive"
    folder.write_text("a file")
    error = _refusal(UsageError, folder, ["fgs"])
    assert error.subject == str(folder)
    assert folder.read_text() == "a file"


@pytest.mark.parametrize("name", ["uncal", "notes.txt"])
def test_a_folder_of_other_files_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("somebody's")
    error = _refusal(UsageError, tmp_path, ["fgs"])
    assert "other files" in error.problem
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_calls_do_not_make_one_archive_at_once(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "another process" in _refusal(UsageError, tmp_path, ["fgs"]).problem
    finally:
        os.close(descriptor)


def test_refusals_are_what_a_user_can_meet(tmp_path):
    for error in (UsageError, OutputError):
        assert issubclass(error, UprampError)
    assert UsageError.exit_code == 2


def test_environment_leads_to_the_cache_and_to_no_server(tmp_path):
    found = environment(tmp_path)
    assert found == {
        "CRDS_PATH": str(tmp_path.resolve() / "crds"),
        "CRDS_CONTEXT": "jwst_0001.pmap",
        "CRDS_SERVER_URL": "",
    }


def test_programs_have_names_and_roots_of_their_own():
    programs = list_programs()
    assert len({p.name for p in programs}) == len(programs) == len(PROGRAMS)
    roots = [plan.root for p in programs for plan in p.exposures]
    shared = {root for root in roots if roots.count(root) > 1}
    assert not shared
    assert archive_module._chosen(None, full_frame=False) == [
        p.name for p in programs if p.by_default
    ]
    assert set(archive_module._chosen(["fgs"], full_frame=True)) == {
        "fgs",
        "nircam-long-full",
        "nircam-short-full",
    }


def _ramp_and_hits(folder, root):
    with fits.open(folder / "uncal" / f"{root}_uncal.fits") as hdus:
        ramp = hdus["SCI"].data.astype(np.float64)
    with fits.open(folder / "truth" / f"{root}_truth.fits") as hdus:
        hits = np.array(hdus["HITS"].data)
    return ramp, hits


@pytest.mark.parametrize(
    ("program", "at_least"),
    [("nircam-long", 20), ("nircam-grouped", 20), ("miri-sub64", 4), ("niriss", 5)],
)
@pytest.mark.slow
def test_large_hits_are_steps_in_the_group_that_the_truth_names(
    practice_archive, program, at_least
):
    plan = PROGRAMS[program].exposures[0]
    ramp, hits = _ramp_and_hits(practice_archive, plan.root)
    assert ramp.shape[:2] == (plan.integrations, plan.groups)
    steps = np.diff(ramp, axis=1)
    usual = np.median(steps, axis=(0, 1))
    # Half of the middle 68 per cent: what a pixel's steps scatter by.
    sigma = np.subtract(*np.percentile(steps - usual, [84, 16])) / 2
    where = [hits[name].astype(int) for name in ("integration", "y", "x")]
    places = np.ravel_multi_index(where, (plan.integrations, *ramp.shape[2:]))
    alone = np.bincount(places, minlength=places.max() + 1)[places] == 1
    averaged = plan.pattern.frames
    gain = 5.0 if program == "miri-sub64" else 2.2
    large = hits["energy"] / gain / averaged > 25 * sigma
    inner = (hits["group"] > 0) & (hits["kind"] == 0)
    chosen = hits[alone & large & inner]
    # A hit's neighbours share its charge and its time: look at each for itself.
    checked = 0
    for hit in chosen:
        integration, group = int(hit["integration"]), int(hit["group"])
        y, x = int(hit["y"]), int(hit["x"])
        if ramp[integration, :, y, x].max() > 45_000 or usual[y, x] > 100:
            continue  # saturated, or on a star, where steps are not alike
        own = steps[integration, :, y, x] - usual[y, x]
        assert own[group - 1] > 20 * sigma, (hit, own, sigma)
        quiet = np.delete(own, [group - 1] if averaged == 1 else [group - 1, group % len(own)])
        others = np.abs(quiet) > 20 * sigma
        assert not others.any(), (hit, own, sigma)
        checked += 1
    assert checked >= at_least
