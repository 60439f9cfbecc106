"""What health is, part by part, and that looking at it costs a hub little."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from prometheus_client import REGISTRY

from upramp_hub.health import Failing, Health, archive_is_readable, disk_has_room


def good():
    async def check():
        return "it is well"

    return check


def bad(error):
    async def check():
        raise error

    return check


def look(health):
    return asyncio.run(health.look())


def test_a_part_that_fails_does_not_hide_the_others():
    found = look(
        Health({"hub": good(), "proxy": bad(Failing("no route")), "disk": bad(OSError("odd"))})
    )
    assert [part.healthy for part in found.values()] == [True, False, False]
    assert [part.what for part in found.values()] == ["it is well", "no route", "OSError: odd"]
    told = [REGISTRY.get_sample_value("upramp_hub_healthy", {"part": p}) for p in found]
    assert told == [1, 0, 0]


def test_who_asks_often_does_not_make_the_hub_look_often():
    looks = []

    async def check():
        looks.append(1)
        await asyncio.sleep(0.01)
        return "x"

    async def scenario(health, asked):
        await asyncio.gather(*(health.look() for _ in range(asked)))
        await health.look()

    asyncio.run(scenario(Health({"hub": check}), 50))
    assert len(looks) == 1
    asyncio.run(scenario(Health({"hub": check}, fresh=0), 50))
    assert len(looks) == 3  # one for those who asked together, one for the next


def test_who_asks_and_leaves_does_not_take_the_answer_with_them():
    async def scenario():
        go = asyncio.Event()

        async def check():
            await go.wait()
            return "x"

        health = Health({"hub": check})
        first = asyncio.create_task(health.look())
        second = asyncio.create_task(health.look())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        go.set()
        return await second

    assert asyncio.run(scenario())["hub"].healthy


def test_a_file_system_that_hangs_is_a_finding_and_keeps_one_thread():
    release = threading.Event()
    threads = []

    def hang():
        threads.append(1)
        release.wait(20)
        return "x"

    async def scenario():
        health = Health({"archive": lambda: asyncio.to_thread(hang)}, patience=0.05, fresh=0)
        begun = time.monotonic()
        found = [(await health.look())["archive"] for _ in range(5)]
        assert time.monotonic() - begun < 10
        release.set()
        health.patience = 10
        return found, (await health.look())["archive"]

    hanging, released = asyncio.run(scenario())
    assert {part.what for part in hanging} == {"it has not answered after 0.05 seconds"}
    assert not any(part.healthy for part in hanging)
    assert released.healthy
    assert len(threads) == 1


def test_the_disk_has_to_have_room(tmp_path):
    assert "are free" in disk_has_room(tmp_path, least=1)
    with pytest.raises(Failing, match="free some"):
        disk_has_room(tmp_path, least=2**63)
    with pytest.raises(Failing, match="cannot be looked at"):
        disk_has_room(tmp_path / "none")


def test_the_archive_has_to_be_there_and_hold_exposures(tmp_path):
    with pytest.raises(Failing, match="No such file"):
        archive_is_readable(tmp_path)
    uncal = tmp_path / "uncal"
    uncal.mkdir()
    with pytest.raises(Failing, match="holds no exposure"):
        archive_is_readable(tmp_path)
    exposure = uncal / "x_uncal.fits"
    exposure.write_bytes(b"\0" * 2880)
    with pytest.raises(Failing, match="no FITS"):
        archive_is_readable(tmp_path)
    exposure.write_bytes(b"SIMPLE  =                    T")
    assert "can be read" in archive_is_readable(tmp_path)
    exposure.unlink()
    exposure.symlink_to(tmp_path / "gone")
    with pytest.raises(Failing, match="see whether its volume"):
        archive_is_readable(tmp_path)
