"""Streams of random numbers depend on the seed and the purpose alone."""

import subprocess
import sys

from upramp.practice.randomness import stream


def _draw(*arguments):
    return stream(*arguments).random(8).tolist()


def test_same_seed_and_names_give_the_same_numbers():
    assert _draw(3, "NIS", "gain") == _draw(3, "NIS", "gain")


def test_streams_differ_by_seed_and_by_each_name():
    draws = [
        _draw(3, "NIS", "gain"),
        _draw(4, "NIS", "gain"),
        _draw(3, "NIS", "dark"),
        _draw(3, "NRS1", "gain"),
        _draw(3, "gain", "NIS"),
        _draw(3, "NIS"),
        _draw(3, "integration", 0),
        _draw(3, "integration", 1),
    ]
    assert len({tuple(draw) for draw in draws}) == len(draws)


def test_streams_are_the_same_in_another_process():
    # A name's own hash() would not be.
    code = (
        "from upramp.practice.randomness import stream; print(stream(3, 'NIS').random(8).tolist())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == str(_draw(3, "NIS"))


def test_streams_are_independent():
    a, b = stream(3, "a").standard_normal(100_000), stream(3, "b").standard_normal(100_000)
    assert abs((a * b).mean()) < 5 / 100_000**0.5
