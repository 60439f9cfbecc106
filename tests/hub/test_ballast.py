"""A full disk: room that was kept lets the hub write on, and it is kept again afterwards."""

from __future__ import annotations

import asyncio
import errno
import os
import stat

import pytest
from disks import fill, small_disk
from hosted_hub import HostedHub
from proxy_process import stopping, until

from upramp_hub.ballast import Ballast
from upramp_hub.health import Failing, disk_has_room
from upramp_hub.settings import MONITORING_TOKEN

MIB = 1024**2


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "state", 16) as folder:
        yield folder


def of(folder):
    return Ballast(folder, size=4 * MIB, piece=MIB, least=MIB // 2)


def free(folder):
    found = os.statvfs(folder)
    return found.f_bfree * found.f_frsize


def test_it_takes_real_room_for_its_owner_alone(disk):
    before = free(disk)
    ballast = of(disk)
    assert "4 MiB are kept" in ballast.look()
    assert ballast.look() == ""
    assert before - free(disk) == 4 * MIB
    assert stat.S_IMODE(ballast.file.stat().st_mode) == 0o600
    assert not ballast.is_given_up


def test_a_full_disk_is_given_piece_after_piece_and_health_says_so(disk):
    ballast = of(disk)
    ballast.look()
    for left in (3, 2, 1, 0):
        fill(disk / f"greedy{left}")  # whoever filled the disk takes what becomes free
        said = ballast.look()
        assert f"is full, and {left} of 4 MiB that are kept for the hub are left" in said
        (disk / "database").write_bytes(b"x" * 1000)
        (disk / "database").unlink()
        with pytest.raises(Failing) as failing:
            disk_has_room(disk, least=0, ballast=ballast)
        assert str(failing.value) == said
    fill(disk / "last")
    assert ballast.look() == ""  # there is nothing to give any more
    with pytest.raises(Failing, match="0 of 4 MiB"):
        disk_has_room(disk, least=0, ballast=ballast)


def test_it_is_made_again_once_there_is_room_for_more_than_it(disk):
    ballast = of(disk)
    ballast.look()
    fill(disk / "greedy")
    ballast.look()
    held = ballast.held
    assert held == 3 * MIB
    assert ballast.look() == ""  # the room it gave is no room to take again
    assert ballast.held == held
    (disk / "greedy").unlink()
    assert "where there is room again" in ballast.look()
    assert ballast.held == ballast.size
    assert disk_has_room(disk, least=MIB, ballast=ballast)


def test_a_disk_that_is_too_small_for_it_has_none_and_is_not_called_full(disk):
    ballast = Ballast(disk, size=12 * MIB)
    assert ballast.look() == ""
    assert not ballast.file.exists()
    assert not ballast.is_given_up


def test_what_lies_in_its_place_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("somebody's")
    ballast = of(tmp_path)
    ballast.file.symlink_to(other)
    assert "no room can be kept" in ballast.look()
    assert other.read_text() == "somebody's"


@pytest.mark.hub
def test_a_hub_on_a_full_disk_lets_people_in_starts_their_servers_and_comes_again(tmp_path):
    pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

    async def somebody_works(hub):
        async with hub.visitor() as visitor:
            await visitor.start_server({}, 60, lambda: None)

    with (
        small_disk(tmp_path / "state", 192) as state,
        stopping(HostedHub(tmp_path)) as hub,
    ):
        assert Ballast(state).held == Ballast(state).size
        log = state / "logs" / "hub.log"
        assert fill(state / "greedy").errno == errno.ENOSPC
        until(lambda: Ballast(state).is_given_up)
        asyncio.run(somebody_works(hub))
        assert hub.servers()
        token = (state / MONITORING_TOKEN).read_text().strip()
        assert "MiB that are kept for the hub are left" in hub.ask("GET", "/health", token)[1]
        hub.kill("jupyterhub -f")
        hub.until_healthy()
        assert "MiB that are kept for the hub are left: delete" in log.read_text()
        (state / "greedy").unlink()
        until(lambda: "where there is room again" in log.read_text())
        assert not Ballast(state).is_given_up
        assert hub.launcher.poll() is None
