"""Which server a path belongs to."""

from __future__ import annotations

import pytest

from upramp.errors import InputError
from upramp_hub.proxy.routes import Route, RouteTable, segments_of, target_of


@pytest.fixture
def table():
    table = RouteTable()
    for path in ("", "user/ada", "user/ada/second", "services/archive", "user/ada@x"):
        table.add(segments_of(path) if path else (), Route(f"http://127.0.0.1/{path}"))
    return table


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/", ""),
        ("/hub/home", ""),
        ("/user", ""),
        ("/user/", ""),
        ("/user/ad", ""),
        ("/user/adam", ""),
        ("/user/ada", "user/ada"),
        ("/user/ada/", "user/ada"),
        ("/user/ada/lab/tree/x.ipynb", "user/ada"),
        ("/user/ada/second", "user/ada/second"),
        ("/user/ada/second/lab", "user/ada/second"),
        ("/user/ada/secondary", "user/ada"),
        ("/user/%61da/lab", "user/ada"),
        ("/user/ada%40x/lab", "user/ada@x"),
        ("/user/ada%2Fsecond", ""),
        ("//user/ada", ""),
        ("/user//ada", ""),
        ("/services/archive", "services/archive"),
        ("/services", ""),
    ],
)
def test_the_longest_prefix_wins(table, path, prefix):
    assert table.find(segments_of(path)).target == f"http://127.0.0.1/{prefix}"


def test_without_the_root_some_paths_belong_to_nobody(table):
    assert table.remove(())
    assert not table.remove(())
    assert table.find(segments_of("/hub")) is None
    assert table.find(segments_of("/user/ada")) is not None


def test_a_route_below_another_outlives_it(table):
    assert table.remove(("user", "ada"))
    assert table.find(segments_of("/user/ada/second/x")).target.endswith("second")
    assert table.find(segments_of("/user/ada/x")).target.endswith("/")


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/a/./b", "/%2e%2e", "/a/%2E./b", "/a/.."])
def test_a_path_that_climbs_is_refused(path):
    with pytest.raises(InputError, match=r"may not hold"):
        segments_of(path)


@pytest.mark.parametrize("path", ["/...", "/a/.hidden", "/a/..b", "/a/%2e%2e%2fb"])
def test_a_path_with_points_is_none_that_climbs(path):
    assert segments_of(path)


def test_a_registered_target_does_not_overrule_what_is_shown():
    shown = Route("http://127.0.0.1:1", {"target": "x", "user": "ada"}, 0.0).to_json()
    assert shown == {
        "target": "http://127.0.0.1:1",
        "user": "ada",
        "last_activity": "1970-01-01T00:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://hub/", "http://hub"),
        ("http://[::1]:8081/x/y/", "http://[::1]:8081/x/y"),
    ],
)
def test_targets(text, read):
    assert target_of(text) == read
