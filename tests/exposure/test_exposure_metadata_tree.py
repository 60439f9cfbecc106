"""A metadata tree that is damaged or hostile is one sentence, never the end of the process."""

from __future__ import annotations

import pytest
from exposure_files import edited, with_tree

from upramp.errors import InputError
from upramp.exposure import describe, open_exposure, to_datamodel

HEAD = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n---\n"
END = b"\n...\n"
NESTED = 100_000
"""Brackets; the parser in C would run out of stack."""


def bomb(levels):
    lines = ["gwcs: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


HOSTILE = {
    "brackets": (b"gwcs: " + b"[" * NESTED, "tree is too deep to read"),
    "dashes": (b"gwcs:\n" + b"- " * NESTED, "tree is too deep to read"),
    "braces": (b"gwcs: " + b"{a: " * NESTED, "tree is too deep to read"),
    "bomb": (bomb(30), "tree is too large to read"),
    "circle": (b"gwcs: &a [*a]", "tree holds itself"),
    "nowhere": (b"gwcs: [*b]", "ASDF extension is damaged (nothing is called b)"),
    "bytes": (b"gwcs: \x9d{[\x00", "ASDF extension is damaged"),
    "syntax": (b"gwcs: {[}", "ASDF extension is damaged"),
    "scalar": (b"gwcs", "ASDF extension is damaged (it holds no metadata)"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tree_is_refused_everywhere(flight_like, tmp_path, kind):
    text, problem = HOSTILE[kind]
    with open_exposure(with_tree(flight_like, tmp_path, HEAD + text + END)) as exposure:
        for step in (exposure.require_calibratable, lambda: to_datamodel(exposure)):
            with pytest.raises(InputError) as caught:
                step()
            sentence = str(caught.value)
            assert sentence.isprintable()
            assert "ReaderError" not in sentence
            assert "positional argument" not in sentence
        assert problem in describe(exposure).readiness.problem


@pytest.mark.parametrize("kind", ["brackets", "bomb", "circle", "bytes"])
def test_the_footprint_does_not_read_a_hostile_tree(flight_like, tmp_path, kind):
    text, problem = HOSTILE[kind]
    nowhere = edited(flight_like, tmp_path, RA_REF=None)
    path = with_tree(nowhere, tmp_path, HEAD + text + END)
    with open_exposure(path) as exposure:
        found = describe(exposure).footprint
        assert not found.corners
        assert "no gwcs that can be read" in found.source
        assert problem in found.source


def test_what_is_not_asdf_is_damaged(flight_like, tmp_path):
    path = with_tree(flight_like, tmp_path, b"\0" * 300)
    with (
        open_exposure(path) as exposure,
        pytest.raises(InputError, match="it does not begin as ASDF does"),
    ):
        exposure.require_calibratable()


def test_shared_nodes_are_no_offence(flight_like, tmp_path):
    content = HEAD + b"meta: {a: &a [1, 2], b: *a, c: [*a, *a]}\n" + END
    open_exposure(with_tree(flight_like, tmp_path, content)).require_calibratable()
