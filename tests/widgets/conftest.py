"""Fixtures of the widgets' tests.

uncal
    Gives the path of a practice exposure by its name; CRDS is led to its references meanwhile.
"""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def uncal(practice_archive):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRDS_PATH", str(practice_archive / "crds"))
        patch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
        patch.delenv("CRDS_SERVER_URL", raising=False)
        yield lambda name: practice_archive / "uncal" / f"{name}_uncal.fits"
