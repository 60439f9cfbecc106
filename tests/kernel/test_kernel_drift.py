"""What has changed since: versions, context, references; nothing outside the cache is read."""

from __future__ import annotations

import hashlib
import json

import pytest

from upramp.kernel.drift import drift_card, notebook_of_session, read_record, reference_changes
from upramp.kernel.records import Record
from upramp.stages.provenance import versions


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "crds" / "references" / "jwst"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "crds"))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    for name in ("CRDS_PATH_SINGLE", "CRDS_REFPATH", "CRDS_REFPATH_SINGLE", "CRDS_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


def record(*, context="jwst_0001.pmap", references=(), **changed):
    one = {"engine": "upramp", "context": context, "versions": {**versions(), **changed}}
    return Record(({**one, "runs": 1, "last": ""},), tuple(references))


def reference(name, content=b""):
    return {"type": "dark", "file": name, "sha256": hashlib.sha256(content).hexdigest()}


def test_nothing_has_changed(cache):
    (cache / "jwst_nircam_dark_0001.fits").write_bytes(b"dark")
    assert (
        drift_card(record(references=[reference("jwst_nircam_dark_0001.fits", b"dark")])) is None
    )


def test_a_version_and_a_context(cache):
    card = drift_card(record(context="jwst_0002.pmap", jwst="2.9.9"))
    assert ("jwst", "2.9.9", versions()["jwst"]) in card.rows
    assert ("CRDS context", "jwst_0002.pmap", "jwst_0001.pmap") in card.rows
    assert card.kind == "notice"


def test_a_reference_that_differs_and_one_that_is_gone(cache):
    (cache / "jwst_nircam_dark_0001.fits").write_bytes(b"another")
    changed, unchecked = reference_changes(
        record(references=[reference("jwst_nircam_dark_0001.fits", b"dark"), reference("no.fits")])
    )
    assert [row[0] for row in changed] == [
        "reference jwst_nircam_dark_0001.fits",
        "reference no.fits",
    ]
    assert changed[0][2].startswith("sha256 ")
    assert changed[1][2] == "not in the cache"
    assert unchecked == 0


def test_caches_that_keep_instruments_apart(cache):
    (cache / "nircam").mkdir()
    (cache / "nircam" / "jwst_nircam_dark_0001.fits").write_bytes(b"dark")
    known = [reference("jwst_nircam_dark_0001.fits", b"dark")]
    assert reference_changes(record(references=known)) == ([], 0)


def test_large_references_are_left_unread_where_nobody_asked(cache):
    (cache / "jwst_nircam_dark_0001.fits").write_bytes(b"another")
    known = record(references=[reference("jwst_nircam_dark_0001.fits", b"dark")])
    assert reference_changes(known, most=3) == ([], 1)
    assert len(reference_changes(known, most=100)[0]) == 1


@pytest.mark.parametrize(
    "name", ["../../../secret", "/etc/passwd", "a\0b", "x" * 5000, "..", "jwst_.._secret"]
)
def test_names_lead_nowhere_but_into_the_cache(cache, name):
    (cache.parent.parent.parent / "secret").write_bytes(b"dark")
    (cache.parent / "jwst_.._secret").write_bytes(b"dark")
    changed, _ = reference_changes(record(references=[reference(name, b"dark")]))
    assert [row[2] for row in changed] == ["not in the cache"]


def test_the_notebook_of_a_session(tmp_path):
    path = tmp_path / "x.ipynb"
    assert notebook_of_session({"JPY_SESSION_NAME": str(path)}) is None
    path.write_text("{}")
    assert notebook_of_session({"JPY_SESSION_NAME": str(path)}) == path
    assert notebook_of_session({"JPY_SESSION_NAME": "Console 1"}) is None
    assert notebook_of_session({}) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[" * 200_000, '{"cells": "upramp"}', json.dumps({"metadata": {"upramp": [1]}})],
)
def test_what_is_no_notebook_has_no_record(tmp_path, content):
    path = tmp_path / "x.ipynb"
    path.write_text(f"{content}upramp" if content.startswith("[") else content)
    assert not read_record(path)
