"""Headers and trees of two products: shown, sorted by what is expected, never the verdict."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from compared_products import Product, embedded, equal_pair

from upramp.errors import InputError
from upramp.stages import compare


@pytest.fixture
def pair(tmp_path):
    """Give two equal products, and a function that writes and compares them."""
    return equal_pair(tmp_path)


def test_keywords_are_shown_and_do_not_count(pair):
    _, b, run = pair
    b.keywords |= {"TGROUP": 10.8, "DATE": "2026-02-02T00:00:00", "NEW": True, "CAL_VER": "3.0.1"}
    b.keywords_of["SCI"]["BUNIT"] = "MJy/sr"
    del b.keywords["TELESCOP"]
    found = run()
    assert found.exit_code == 0
    assert {(part.where, part.key) for part in found.metadata} == {
        ("PRIMARY", "TGROUP"),
        ("PRIMARY", "NEW"),
        ("PRIMARY", "CAL_VER"),
        ("PRIMARY", "TELESCOP"),
        ("SCI", "BUNIT"),
    }
    assert [part.key for part in found.volatile] == ["DATE"]
    text = found.to_text()
    assert "keyword TGROUP: 10.7 against 10.8" in text
    assert "keyword NEW: only in B (true)" in text
    assert "keyword TELESCOP: only in A (JWST)" in text
    assert "keyword BUNIT of SCI: DN/s against MJy/sr" in text
    assert text.index("keyword DATE") > text.index("Expected to differ between runs:")


def test_a_flag_is_not_the_number_one(pair):
    a, b, run = pair
    a.keywords["FLAG"], b.keywords["FLAG"] = True, 1
    assert [part.key for part in run().metadata] == ["FLAG"]


def test_history_is_one_value(pair):
    a, b, run = pair
    a.keywords["HISTORY"], b.keywords["HISTORY"] = "made by one", "made by another"
    (found,) = run().metadata
    assert (found.key, found.a, found.b) == ("HISTORY", ["made by one"], ["made by another"])


def test_damaged_cards_are_compared_as_written(pair, tmp_path):
    _, _, run = pair
    run()
    path = tmp_path / "b.fits"
    path.write_bytes(
        path.read_bytes().replace(
            b"TGROUP  =                 10.7", b"TGROUP  =   1..7" + 14 * b" "
        )
    )
    found = compare(tmp_path / "a.fits", path)
    assert [part.key for part in found.metadata] == ["TGROUP"]


def test_the_tree_is_compared_node_by_node(pair):
    a, b, run = pair
    a.tree["history"] = {"entries": [{"description": "made", "time": "1"}]}
    b.tree["history"] = {"entries": [{"description": "made", "time": "2"}]}
    a.tree["cal_logs"], b.tree["cal_logs"] = "at 1", "at 2"
    b.tree["meta"] = {"date": "2027-01-01", "exposure": {"group_time": 10.8}, "engine": "upramp"}
    b.tree["x"] = [1, 3, 4]
    found = run()
    assert found.exit_code == 0
    assert {part.key: (part.a, part.b, part.only_in) for part in found.metadata} == {
        "meta.exposure.group_time": (10.7, 10.8, None),
        "meta.engine": (None, "upramp", "b"),
        "x[1]": (2, 3, None),
        "x[2]": (None, 4, "b"),
    }
    assert {part.key for part in found.volatile} == {
        "meta.date",
        "cal_logs",
        "history.entries[0].time",
    }
    assert "ASDF meta.exposure.group_time: 10.7 against 10.8" in found.to_text()


def test_the_provenance_is_compared_member_by_member(pair):
    a, b, run = pair
    told = {"created": "1", "engine": "stsci", "versions": {"jwst": "3.0.0"}}
    a.tree["meta"]["upramp"] = {"provenance": json.dumps(told)}
    told |= {"created": "2", "engine": "upramp"}
    b.tree["meta"]["upramp"] = {"provenance": json.dumps(told)}
    found = run()
    assert [part.key for part in found.metadata] == ["meta.upramp.provenance.engine"]
    assert [part.key for part in found.volatile] == ["meta.upramp.provenance.created"]


def test_tags_without_a_plugin_and_binary_blocks_are_compared(tmp_path):
    text = (
        b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n--- !<tag:stsci.edu:asdf/x-1.0.0>\n"
        b"wcs: !<tag:nowhere.org:unheard-of/thing-9.9> {steps: [1, NAME]}\n...\n"
    )

    def block(data):
        sizes = 3 * len(data).to_bytes(8, "big")
        return b"\xd3BLK" + (48).to_bytes(2, "big") + bytes(8) + sizes + bytes(16) + data

    def write(name, content):
        product = Product()
        product.tree = None
        path = product.write(tmp_path / name)
        values = np.frombuffer(content, np.uint8)[np.newaxis]
        column = fits.Column("ASDF_METADATA", f"{len(content)}B", array=values)
        with fits.open(path, mode="append") as hdus:
            hdus.append(fits.BinTableHDU.from_columns([column], name="ASDF"))
        return path

    a = write("a.fits", text + block(b"1234") + block(b"same"))
    b = write("b.fits", text.replace(b"NAME", b"OTHER") + block(b"1235") + block(b"same"))
    c = write("c.fits", text.replace(b"thing-9.9", b"thing-9.8") + block(b"1234") + block(b"same"))
    assert [part.key for part in compare(a, b).metadata] == ["wcs.steps[1]", "block 0"]
    assert [part.key for part in compare(a, c).metadata] == ["wcs tag"]


def test_a_tree_of_shared_nodes_does_not_explode(tmp_path):
    # Each list holds the one before nine times: 9**30 leaves in a kilobyte.
    lines = ["a0: &a0 [LEAF]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 31)]
    for name, leaf in (("a.fits", "1"), ("b.fits", "2")):
        text = "#ASDF 1.0.0\n%YAML 1.1\n---\n" + "\n".join(lines).replace("LEAF", leaf) + "\n...\n"
        embedded(tmp_path / name, text)
    found = compare(tmp_path / "a.fits", tmp_path / "b.fits")
    assert [part.key for part in found.metadata] == ["a0[0]"]


@pytest.mark.parametrize("level", ["[", "- ", "{a: "])
def test_a_bottomless_tree_is_refused(tmp_path, level):
    a, b = (
        embedded(tmp_path / name, f"#ASDF 1.0.0\n%YAML 1.1\n---\n{level * 100_000}{leaf}\n...\n")
        for name, leaf in (("a.fits", "x"), ("b.fits", "y"))
    )
    with pytest.raises(InputError, match="too deep to compare"):
        compare(a, b)


def test_a_damaged_tree_is_one_sentence(pair, tmp_path):
    _, b, run = pair
    b.tree["x"] = ["{MARK}"]
    run()
    path = tmp_path / "b.fits"
    path.write_bytes(path.read_bytes().replace(b"'{MARK}'", b"{{{][[\xff\xff"))
    with pytest.raises(InputError, match="its ASDF extension is damaged") as caught:
        compare(tmp_path / "a.fits", path)
    assert "\n" not in str(caught.value)


def test_long_lists_of_metadata_are_cut_in_text_alone(pair):
    _, b, run = pair
    b.keywords |= {f"KEY{n}": n for n in range(60)}
    found = run()
    assert len(found.to_dict()["metadata"]) == 60
    assert "and 20 more, which --json lists" in found.to_text()
