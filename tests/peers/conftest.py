"""The practice archive as a user's shell has it."""

import pytest


@pytest.fixture
def archive(practice_archive, monkeypatch, forget_crds):
    """The archive's folder; CRDS finds its references."""
    from upramp.practice import environment

    for name, value in environment(practice_archive).items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    forget_crds()
    return practice_archive
