"""The tiny world of `tiny_world`, made once."""

import sys
from pathlib import Path

import pytest

# Tests are not a package; their helpers are found by this.
sys.path.insert(0, str(Path(__file__).parent))
from tiny_world import PMAP, make_exposure, write_references, write_rules


@pytest.fixture(scope="session")
def crds_folder(tmp_path_factory):
    """The folder of a cache that serves NIRCam stage 1."""
    from jwst import pipeline

    root = tmp_path_factory.mktemp("crds")
    mappings = root / "mappings" / "jwst"
    references = root / "references" / "jwst" / "nircam"
    config = root / "config" / "jwst"
    for folder in (mappings, references, config):
        folder.mkdir(parents=True)
    kinds = set()
    for each in (pipeline.Detector1Pipeline, pipeline.DarkPipeline):
        for step in (each, *each.step_defs.values()):
            kinds |= {step.get_config_reftype()}
            if step is not each:
                kinds |= set(step.reference_file_types)
    write_rules(mappings, write_references(references), sorted(kinds))
    (config / "server_config").write_text(
        repr(
            {
                "observatory": "jwst",
                "operational_context": PMAP,
                "last_synced": "2022-01-01 00:00:00",
                "bad_files_list": [],
            }
        )
    )
    (config / "ref_cache_subdir_mode").write_text("instrument")
    return root


@pytest.fixture
def crds(crds_folder, monkeypatch):
    for name in ("CRDS_CONTEXT", "CRDS_SERVER_URL", "CRDS_READONLY_CACHE", "CRDS_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRDS_PATH", str(crds_folder))
    return crds_folder


@pytest.fixture(scope="session")
def uncal(tmp_path_factory):
    return make_exposure(tmp_path_factory.mktemp("uncal") / "tiny_nrcalong_uncal.fits")
