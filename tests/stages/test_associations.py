"""Association files are looked at before anything is made of them."""

import json

import pytest

from upramp.errors import InputError
from upramp.stages.associations import read_association


def content(**changes):
    return {
        "asn_type": "image3",
        "asn_id": "o001",
        "products": [
            {
                "name": "jw1-o001_t001_nircam_f356w",
                "members": [
                    {"expname": "a_cal.fits", "exptype": "science"},
                    {"expname": "b_cal.fits", "exptype": "SCIENCE"},
                    {"expname": "c_cal.fits", "exptype": "background"},
                ],
            }
        ],
        **changes,
    }


@pytest.fixture
def write(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}_cal.fits").write_text("")

    def written(value):
        file = tmp_path / "x_asn.json"
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        return file

    return written


def one_member(**member):
    return content(products=[{"name": "n", "members": [member]}])


def named(name):
    return content(products=[content()["products"][0] | {"name": name}])


def test_a_place_that_pipelines_fill_may_be_in_a_name(write):
    found = read_association(write(named("jw1-o001_{source_id}_nirspec")), 3)
    assert found.products[0].name == "jw1-o001_{source_id}_nirspec"


def test_two_products_of_one_name_are_refused(write):
    with pytest.raises(InputError, match="more than once, and one would replace"):
        read_association(write(content(asn_type="image2", products=content()["products"] * 2)), 2)


def test_types_in_another_case_are_known_and_noted(write):
    assert not read_association(write(content()), 3).in_lower_case
    text = json.dumps(content()).replace("SCIENCE", "science")
    assert read_association(write(text), 3).in_lower_case


def test_what_it_says_is_told(write, tmp_path):
    found = read_association(write(content()), 3)
    assert found.pipeline == "Image3Pipeline"
    assert found.identity == "o001"
    assert [member.path for member in found.science] == [
        tmp_path / "a_cal.fits",
        tmp_path / "b_cal.fits",
    ]
    assert [member.exptype for member in found.members] == ["science", "science", "background"]
    built = read_association(write(content(asn_type="user_built")), 3)
    assert built.pipeline is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "no association"),
        (content(products=[]), "lists no products"),
        (content(products="x"), "lists no products"),
        (content(products=["x"]), "no table of names"),
        (content(products=[{"members": []}]), "has no name"),
        (content(products=[{"name": "n", "members": []}]), "has no members"),
        (content(products=[{"name": "a/b", "members": [1]}]), "'a/b' is no plain name"),
        (one_member(expname="a_cal.fits"), "lacks its expname or exptype"),
        (one_member(expname="a_cal.fits", exptype="background"), "no member of the type science"),
        (one_member(expname="../a_cal.fits", exptype="science"), "no plain name of a file"),
        (one_member(expname="/etc/passwd", exptype="science"), "no plain name of a file"),
        (one_member(expname="..", exptype="science"), "no plain name of a file"),
        (one_member(expname="a\n_cal.fits", exptype="science"), "no plain name of a file"),
        (one_member(expname="z_cal.fits", exptype="science"), "member z_cal.fits is not beside"),
        (one_member(expname="x_asn.json", exptype="science"), "is an association itself"),
        (one_member(expname="a_cal.fits", exptype="sicence"), "perhaps science is meant"),
        (one_member(expname="a_cal.fits", exptype="\n"), "lacks its expname or exptype"),
        (one_member(expname="a_cal.fits", exptype="x\ny"), "which no official pipeline knows"),
        (
            content(
                products=[{"name": "n", "members": [content()["products"][0]["members"][0]] * 2}]
            ),
            "lists a_cal.fits 2 times",
        ),
        (content(asn_id="../../x"), "its asn_id '../../x' cannot be in names"),
        (content(asn_id="o0\n01"), "cannot be in names of files"),
        (content(asn_id="{x}"), "cannot be in names of files"),
        (named("a{0.__class__}c"), "cannot be a file's name"),
        (named("n" * 300), "cannot be a file's name"),
        (content(asn_type="image2"), "stage 3 does not take; use stage 2"),
        (content(products=content()["products"] * 2), "would make the first alone"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_file(write, value, words):
    file = write(value)
    with pytest.raises(Exception, match=r".*") as caught:
        read_association(file, 3)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_members_are_counted(write):
    members = [{"expname": f"{n}.fits", "exptype": "science"} for n in ("p", "q", "r")]
    file = write(content(products=[{"name": "n", "members": members}]))
    with pytest.raises(InputError, match=r"p\.fits and 2 more of its members are not beside it"):
        read_association(file, 3)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_association(tmp_path / "none.json", 2)
