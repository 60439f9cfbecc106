"""Best references from small caches, and every way in which crds would give up."""

import hashlib
import os
import subprocess
import sys

import pytest

from upramp.errors import ReferenceFileError
from upramp.references import best_references, crds_environment, hashing

TYPES = ["gain", "superbias", "pars-jumpstep"]


def test_gives_file_hash_and_context(cache, header):
    found = best_references(header, TYPES)
    gain = cache.references / "jwst_nircam_gain_0001.fits"
    assert found.context == "jwst_0001.pmap"
    assert found["gain"].path == gain
    assert found["gain"].sha256 == hashlib.sha256(gain.read_bytes()).hexdigest()
    assert found["superbias"].path is None
    assert found["superbias"].name == "N/A"
    assert found["pars-jumpstep"].name.endswith(".asdf")
    assert set(found) == set(TYPES)
    assert set(found.files()) == {"gain", "pars-jumpstep"}


def test_takes_crds_parameters_too(cache, header):
    parameters = {
        "META.INSTRUMENT.NAME": "NIRCAM",
        "META.INSTRUMENT.DETECTOR": "NRCALONG",
        "META.OBSERVATION.DATE": "2022-07-01",
        "META.OBSERVATION.TIME": "00:00:00",
    }
    assert best_references(parameters, ["gain"])["gain"].path is not None


def test_no_types_asked_for_gives_none(cache, header):
    assert len(best_references(header, [])) == 0


def test_pars_that_cannot_be_chosen_are_none_as_officially(cache, header):
    assert best_references(header, ["pars-darkcurrentstep"])["pars-darkcurrentstep"].path is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c, h: h.pop("DETECTOR"), "META.INSTRUMENT.DETECTOR"),
        (lambda c, h: h.update(DETECTOR="NRCZ9"), "NRCZ9"),
        (lambda c, h: h.update({"DATE-OBS": "2001-01-01"}), "gain"),
        (lambda c, h: h.update(INSTRUME="HRS"), "hrs"),
        (lambda c, h: (c.references / "jwst_nircam_gain_0001.fits").unlink(), "not in the CRDS"),
        (lambda c, h: c.server_config.unlink(), "no config/jwst/server_config"),
        (lambda c, h: c.server_config.write_text("{'observ"), "cannot be read"),
        (lambda c, h: c.server_config.write_text("{}"), "lacks"),
        (lambda c, h: (c.mappings / "jwst_0001.pmap").unlink(), "rules"),
        (lambda c, h: (c.mappings / "jwst_nircam_0001.imap").unlink(), ""),
        (lambda c, h: (c.mappings / "jwst_nircam_gain_0001.rmap").unlink(), ""),
        (lambda c, h: _spoil_mapping(c), "damaged"),
    ],
)
def test_each_trap_is_one_sentence(cache, header, capfd, spoil, words):
    spoil(cache, header)
    with pytest.raises(ReferenceFileError) as caught:
        best_references(header, ["gain"])
    text = str(caught.value)
    assert words.lower() in text.lower()
    assert "\n" not in text
    assert caught.value.exit_code == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("key", "value"), [("DATE-OBS", "2022-13-45"), ("DATE-OBS", "soon"), ("TIME-OBS", "25:00:00")]
)
def test_bad_date_is_said_without_the_parser_of_crds(cache, header, key, value):
    header[key] = value
    with pytest.raises(ReferenceFileError) as caught:
        best_references(header, ["gain"])
    text = str(caught.value)
    assert "DATE-OBS and TIME-OBS are no date and time; put them right" in text
    assert "META." not in text
    assert "exception" not in text


def _spoil_mapping(cache):
    mapping = cache.mappings / "jwst_nircam_gain_0001.rmap"
    mapping.write_text(mapping.read_text().replace("2020-01-01", "2021-01-01"))


def test_no_cache_at_all(tmp_path, monkeypatch, header):
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    with pytest.raises(ReferenceFileError, match="no CRDS cache here; set CRDS_PATH"):
        best_references(header, ["gain"])


def test_unknown_context_names_those_there(cache, header, monkeypatch):
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_9999.pmap")
    with pytest.raises(ReferenceFileError, match=r"jwst_9999.pmap.*jwst_0001.pmap"):
        best_references(header, ["gain"])


@pytest.mark.parametrize("name", ["nonsense", "hst_0001.pmap", "../x.pmap"])
def test_context_that_is_none(cache, header, monkeypatch, name):
    monkeypatch.setenv("CRDS_CONTEXT", name)
    with pytest.raises(ReferenceFileError, match="not the name of a JWST context"):
        best_references(header, ["gain"])


def test_unreachable_server_and_empty_cache(tmp_path, monkeypatch, header, capfd):
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("CRDS_SERVER_URL", "https://localhost:9")
    with pytest.raises(ReferenceFileError, match=r"localhost:9"):
        best_references(header, ["gain"])
    assert capfd.readouterr() == ("", "")


def test_unreachable_server_falls_back_to_the_cache(cache, header, monkeypatch):
    monkeypatch.setenv("CRDS_SERVER_URL", "https://localhost:9")
    assert best_references(header, ["gain"])["gain"].path is not None


def test_caches_of_one_observatory_and_rules_kept_apart(cache, header, monkeypatch, tmp_path):
    apart = tmp_path / "rules" / "jwst"
    apart.parent.mkdir()
    cache.mappings.rename(apart)
    monkeypatch.setenv("CRDS_MAPPATH", str(apart.parent))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    assert best_references(header, ["gain"])["gain"].path is not None
    single = tmp_path / "single"
    single.mkdir()
    for folder in ("config", "references"):
        (cache.root / folder / "jwst").rename(single / folder)
    apart.rename(single / "mappings")
    monkeypatch.delenv("CRDS_MAPPATH")
    monkeypatch.setenv("CRDS_PATH_SINGLE", str(single))
    assert best_references(header, ["gain"])["gain"].path.is_relative_to(single)


def test_a_changed_environment_is_taken_up(cache, header, monkeypatch, tmp_path):
    best_references(header, ["gain"])
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ReferenceFileError):
        best_references(header, ["gain"])
    monkeypatch.setenv("CRDS_PATH", str(cache.root))
    assert best_references(header, ["gain"])["gain"].path is not None


def test_read_only_cache_is_told_to_crds(cache, header, monkeypatch):
    # Root may write anywhere, so the question is put and answered here.
    real = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode, **k: False if mode & os.W_OK else real(path, mode, **k),
    )
    before = sorted(cache.root.rglob("*"))
    assert not crds_environment().writable
    assert best_references(header, ["gain"])["gain"].path is not None
    assert os.environ["CRDS_READONLY_CACHE"] == "1"
    assert sorted(cache.root.rglob("*")) == before
    monkeypatch.setattr(os, "access", real)
    best_references(header, ["gain"])
    assert "CRDS_READONLY_CACHE" not in os.environ


def test_read_only_cache_set_by_the_user_stays(cache, header, monkeypatch):
    monkeypatch.setenv("CRDS_READONLY_CACHE", "1")
    best_references(header, ["gain"])
    assert os.environ["CRDS_READONLY_CACHE"] == "1"


def test_hashes_are_computed_once_per_content(cache, monkeypatch):
    file = cache.image("jwst_nircam_gain_0009.fits", [[1.0, 2.0]])
    calls = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashing.hashlib, "file_digest", lambda *a: calls.append(1) or real(*a))
    first = hashing.sha256_of(file)
    assert hashing.sha256_of(file) == first
    assert len(calls) == 1
    cache.image("jwst_nircam_gain_0009.fits", [[3.0, 2.0]])
    assert hashing.sha256_of(file) != first


def test_import_takes_no_official_package():
    code = (
        "import sys, upramp.references; "
        "print([m for m in ('crds','jwst','stcal','stdatamodels','pysiaf') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
