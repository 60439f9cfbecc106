"""What a notebook says of its making: kept whole, and believed only as far as it makes sense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.kernel.records import KEY, MEDIA_TYPE, Record, from_notebook, run_record, sum_up
from upramp.kernel.saving import pre_save_hook, record_in_metadata

VERSIONS = {"upramp": "0.1.0", "jwst": "3.0.0"}


def run(**changes):
    return {
        "engine": "upramp",
        "context": "jwst_0001.pmap",
        "created": "2026-01-01T00:00:00+00:00",
        "versions": VERSIONS,
        "references": {"dark": {"file": "jwst_nircam_dark_0001.fits", "sha256": "ab" * 32}},
        "input": {"file": "x_uncal.fits", "sha256": "cd" * 32},
        **changes,
    }


def notebook(*runs, metadata=None):
    outputs = [
        {"output_type": "display_data", "data": {MEDIA_TYPE: {"schema": 1, "runs": list(runs)}}}
    ]
    cell = {"cell_type": "code", "outputs": outputs if runs else [], "source": ""}
    return {"cells": [cell], "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}


def test_runs_of_one_environment_are_counted_and_references_listed_once():
    record = sum_up(notebook(run(), run(created="2026-02-01T00:00:00+00:00"), run(engine="stsci")))
    assert [(one["engine"], one["runs"]) for one in record.environments] == [
        ("stsci", 1),
        ("upramp", 2),
    ]
    assert record.environments[1]["last"] == "2026-02-01T00:00:00+00:00"
    assert len(record.references) == len(record.inputs) == 1


def test_the_summary_says_the_same_as_the_cells():
    document = notebook(run(), run(context="jwst_0002.pmap"))
    record_in_metadata(document)
    alone = {"cells": [], "metadata": json.loads(json.dumps(document["metadata"]))}
    assert from_notebook(alone) == sum_up(document)


def test_a_cell_keeps_what_applies_and_not_every_parameter():
    kept = run_record(
        {
            **run(),
            "parameters": {"steps": {"jump": {"rejection_threshold": 4.0}}},
            "references": {
                "dark": {"file": "d.fits", "sha256": "ab"},
                "ipc": {"file": "N/A", "sha256": None},
            },
        }
    )
    assert kept["references"] == {"dark": {"file": "d.fits", "sha256": "ab"}}
    assert "parameters" not in kept


def test_saving_writes_the_metadata_and_clearing_takes_them_away():
    document = notebook(run())
    pre_save_hook({"type": "notebook", "content": document}, path="x.ipynb", contents_manager=None)
    assert document["metadata"][KEY]["environments"][0]["versions"] == VERSIONS
    document["cells"][0]["outputs"] = []
    record_in_metadata(document)
    assert KEY not in document["metadata"]


def test_outputs_without_a_record_leave_the_metadata_as_they_are():
    document = notebook(metadata={KEY: {"schema": 1, "environments": []}})
    document["cells"][0]["outputs"] = [{"output_type": "stream", "text": "x"}]
    record_in_metadata(document)
    assert KEY in document["metadata"]


@pytest.mark.parametrize("content", [None, "text", [], {"metadata": 3}, {"metadata": {}}])
def test_saving_what_is_no_notebook_changes_nothing(content):
    before = json.dumps(content)
    pre_save_hook({"type": "notebook", "content": content})
    pre_save_hook({"type": "file", "content": content})
    assert json.dumps(content) == before


def test_a_flood_of_runs_is_cut_and_texts_are_shortened():
    many = [run(context=f"c{number}" + "x" * 10_000) for number in range(3000)]
    record = sum_up(notebook(*many))
    assert len(record.environments) <= 100
    assert all(len(one["context"]) <= 400 for one in record.environments)


KEYS = [KEY, MEDIA_TYPE, "cells", "outputs", "data", "metadata", "runs", "engine", "versions"]
KEYS += ["references", "input", "file", "sha256", "environments", "created", "last", "type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_anything_can_be_read(content):
    assert isinstance(from_notebook(content), Record)
    record_in_metadata(content)


@given(
    st.fixed_dictionaries({"engine": JSON, "versions": JSON, "references": JSON, "input": JSON})
)
def test_any_run_can_be_read(made_up):
    record = from_notebook(notebook(made_up))
    json.dumps(record.to_dict())
    assert all(isinstance(one["sha256"], str) for one in record.references)
