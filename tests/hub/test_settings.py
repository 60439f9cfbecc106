"""What the processes of a hub agree on travels through the environment unchanged."""

from __future__ import annotations

import stat

import pytest
from disks import fill, small_disk

from upramp.errors import OutputError, UsageError
from upramp_hub.settings import Settings


def test_what_is_written_is_what_is_read(tmp_path):
    settings = Settings(state=tmp_path, port=9000, archive=tmp_path / "a", memory=123, servers=3)
    assert Settings.from_environment(settings.to_environment()) == settings


def test_unset_variables_leave_the_defaults(tmp_path):
    assert Settings.from_environment({}).port == 8000
    assert Settings.from_environment({"UPRAMP_HUB_STATE": str(tmp_path)}).homes == (
        tmp_path / "homes"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65534"),
        ("PORT", "eighty"),
        ("PORT", "-1"),
        ("PORT", "\u0661"),
        ("MEMORY", ""),
        ("SPAWNER", "magic"),
        ("AUTHENTICATOR", "dummy"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(UsageError, match=value or "MEMORY"):
        Settings.from_environment({f"UPRAMP_HUB_{name}": value})


def test_ports_follow_one_another():
    settings = Settings(port=8000)
    assert (settings.hub_port, settings.api_port) == (8001, 8002)


def test_the_state_is_private_and_a_secret_stays_the_same(tmp_path):
    settings = Settings(state=tmp_path / "deep" / "state")
    settings.prepare()
    assert stat.S_IMODE(settings.state.stat().st_mode) == 0o700
    first = settings.secret("token")
    assert len(first) == 64
    assert settings.secret("token") == first != settings.secret("other")
    assert stat.S_IMODE((settings.state / "token").stat().st_mode) == 0o600


def test_a_full_disk_leaves_no_empty_secret_behind(tmp_path):
    with small_disk(tmp_path / "state", 1) as state:
        settings = Settings(state=state)
        fill(state / "greedy")
        with pytest.raises(OutputError, match="no room left on the disk"):
            settings.secret("token")
        (state / "greedy").unlink()
        assert len(settings.secret("token")) == 64


def test_an_empty_secret_is_refused(tmp_path):
    (tmp_path / "token").touch()
    with pytest.raises(UsageError, match="token: the secret is empty; remove the file"):
        Settings(state=tmp_path).secret("token")
