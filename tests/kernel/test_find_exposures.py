"""Which files a name, a pattern or a folder stands for."""

from __future__ import annotations

import pytest

from upramp.errors import InputError
from upramp.kernel.archive import find_exposures


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with exposures, and an archive elsewhere."""
    for name in (
        "here/b_uncal.fits",
        "here/a_uncal.fits",
        "here/a_rate.fits",
        "archive/uncal/c_uncal.fits",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def found(place, name):
    return [path.name for path in find_exposures(name, {"UPRAMP_ARCHIVE": str(place / "archive")})]


def test_a_name_stands_for_itself(place):
    assert found(place, "a_rate.fits") == ["a_rate.fits"]
    assert found(place, "c_uncal.fits") == ["c_uncal.fits"]


def test_a_pattern_stands_for_all_that_match_here_or_else_in_the_archive(place):
    assert found(place, "*_uncal.fits") == ["a_uncal.fits", "b_uncal.fits"]
    assert found(place, "c*.fits") == ["c_uncal.fits"]
    assert found(place, str(place / "h*" / "?_uncal.fits")) == ["a_uncal.fits", "b_uncal.fits"]


def test_a_folder_stands_for_its_raw_exposures(place):
    assert found(place, str(place / "here")) == ["a_uncal.fits", "b_uncal.fits"]


def test_a_pattern_that_nothing_matches_says_where_it_was_looked_for(place):
    with pytest.raises(InputError, match=r"no file in .* has such a name"):
        found(place, "z*.fits")
    with pytest.raises(InputError):
        found(place, "../*/z*.fits")


def test_a_folder_without_raw_exposures_is_named(place):
    (place / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: this folder holds no raw exposures"):
        found(place, str(place / "empty"))


@pytest.mark.parametrize(
    "name", ["jw99033001001_02101_00001_nis_uncal.fits", "jw9903300?001_*_nis_uncal.fits"]
)
def test_practice_exposures_that_are_not_made_yet_are_offered(place, name):
    with pytest.raises(InputError, match=r"upramp practice --list"):
        found(place, name)
