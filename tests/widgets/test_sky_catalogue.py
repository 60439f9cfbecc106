"""Catalogues: read by usual names, moved in time, found in a view, asked for over the network."""

from pathlib import Path
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.wcs import WCS

from upramp.errors import InputError, UsageError
from upramp_widgets.core.sky_catalogue import Catalogue
from upramp_widgets.core.sky_cone import cone_search
from upramp_widgets.core.sky_open import open_sky
from upramp_widgets.core.sky_residuals import residuals

GAIA = Path(__file__).parents[3] / "shared" / "data" / "real" / "catalog" / "cat-97599.fits"


def tan_sky(ra=0.0, dec=20.0, size=300, scale=0.1):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [size / 2, size / 2]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return open_sky(wcs, shape=(size, size))


def stars(count=40, seed=3, sky=None):
    rng = np.random.default_rng(seed)
    sky = sky or tan_sky()
    x, y = rng.uniform(10, 289, (2, count))
    ra, dec = sky.to_sky(x, y)
    return x, y, ra, dec


# ---- reading ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("ra", "dec"), {"ra", "dec"}),
        (("RA", "DEC", "pmRA", "pmDEC", "ref_epoch"), {"ra", "dec", "pmra", "pmdec", "epoch"}),
        (("RAJ2000", "DEJ2000", "Jmag", "2MASS"), {"ra", "dec", "magnitude", "name"}),
        (("RA_ICRS", "DE_ICRS", "Plx", "Gmag"), {"ra", "dec", "parallax", "magnitude"}),
    ],
)
def test_columns_are_found_by_usual_names(names, expected):
    table = Table({name: np.array([1.0, 2.0]) for name in names})
    assert set(Catalogue.from_table(table).columns) == expected


def test_a_source_catalogue_of_the_pipeline_is_read():
    table = QTable(
        {
            "label": [1, 2],
            "xcentroid": [3.0, 4.0],
            "ycentroid": [5.0, 6.0],
            "sky_centroid": SkyCoord([10, 11], [20, 21], unit="deg"),
            "aper_total_abmag": [22.0, 23.0],
        }
    )
    read = Catalogue.from_table(table)
    assert read.ra.tolist() == [10, 11]
    assert read.dec.tolist() == [20, 21]
    assert read.magnitude.tolist() == [22, 23]
    assert read.name.tolist() == ["1", "2"]
    assert "ra" not in table.colnames


def test_units_and_texts_become_degrees_and_milliarcseconds():
    table = Table(
        {
            "ra": ["01:00:00", "23:59:59.5"],
            "dec": ["-10:30:00", "+00:00:01"],
            "pmra": MaskedColumn([1.0, 2.0], unit="arcsec/yr", mask=[False, True]),
            "pmdec": [3.0, 4.0] * u.mas / u.yr,
            "epoch": Time([2000.0, 2010.0], format="jyear"),
        }
    )
    read = Catalogue.from_table(table)
    assert read.ra == pytest.approx([15, 359.997916667])
    assert read.dec == pytest.approx([-10.5, 1 / 3600])
    assert read.pmra[0] == pytest.approx(1000)
    assert np.isnan(read.pmra[1])
    assert read.epoch.tolist() == [2000, 2010]
    days = Table({"ra": [1.0] * 3, "dec": [2.0] * 3, "epoch": [2451545.0, 51544.5, 2000.0]})
    assert Catalogue.from_table(days).epoch == pytest.approx([2000] * 3)


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits", "votable"])
def test_files_are_told_by_what_is_in_them(tmp_path, kind):
    _, _, ra, dec = stars()
    table = Table({"ra": ra, "dec": dec, "mag": np.arange(len(ra), dtype=float)})
    path = tmp_path / "anything.cat"
    table.write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(kind, kind))
    read = Catalogue.from_table(path)
    assert read.ra == pytest.approx(ra, abs=1e-12)
    assert read.magnitude.tolist() == table["mag"].tolist()


def test_a_structured_array_is_a_table():
    array = np.array([(1.0, 2.0)], [("RA", float), ("Dec", float)])
    assert Catalogue.from_table(array).dec.tolist() == [2]


def test_named_columns_win():
    table = Table({"ra": [1.0], "dec": [2.0], "alpha": [3.0]})
    assert Catalogue.from_table(table, columns={"ra": "alpha"}).ra.tolist() == [3]
    with pytest.raises(InputError, match="no column 'beta'"):
        Catalogue.from_table(table, columns={"ra": "beta"})


def test_hostile_tables_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="known as dec"):
        Catalogue.from_table(Table({"ra": [1.0], "b": [2.0]}))
    with pytest.raises(InputError, match="no angle"):
        Catalogue.from_table(Table({"ra": ["x"], "dec": ["y"]}))
    with pytest.raises(InputError, match="no unit of pmra"):
        Catalogue.from_table(Table({"ra": [1.0], "dec": [1.0], "pmra": [1] * u.kg}))
    with pytest.raises(UsageError, match="no table"):
        Catalogue.from_table(42)
    with pytest.raises(InputError, match="cannot be read"):
        Catalogue.from_table(tmp_path / "missing.csv")
    cut = tmp_path / "cut.fits"
    Table({"ra": np.arange(9e3), "dec": np.zeros(9000)}).write(cut)
    cut.write_bytes(cut.read_bytes()[:9000])
    with pytest.raises(InputError, match="FITS"):
        Catalogue.from_table(cut)
    for content in (
        b"",
        b"\x00\x01\x02" * 100,
        b"<VOTABLE><RESOURCE></VOTABLE>",
        b"# %ECSV 1.0\n",
    ):
        path = tmp_path / "broken"
        path.write_bytes(content)
        with pytest.raises(InputError):
            Catalogue.from_table(path)
    elsewhere = b'<VOTABLE><STREAM encoding="base64" href="file:///etc/passwd"/></VOTABLE>'
    path.write_bytes(elsewhere)
    with pytest.raises(InputError, match="elsewhere"):
        Catalogue.from_table(path)


def test_a_declination_that_does_not_exist_is_nothing():
    read = Catalogue.from_table(Table({"ra": [1.0, 2.0], "dec": [91.0, 5.0]}))
    assert np.isnan(read.dec[0])
    assert read.notes == ("1 of 2 rows have no declination that exists.",)
    assert read.in_view(tan_sky(), (0, 9), (0, 9)).index.tolist() == []


# ---- motion -------------------------------------------------------------------------------


def test_sources_move_as_astropy_moves_them_and_others_stay():
    table = Table(
        {
            "ra": [10.0, 0.0001, 20.0, 30.0, 40.0],
            "dec": [20.0, -30.0, 89.9999, 5.0, 6.0],
            "pmra": [1000.0, -3000.0, 500.0, np.nan, 7.0],
            "pmdec": [-500.0, 100.0, 9000.0, 5.0, 8.0],
            "ref_epoch": [2016.0, 2000.0, 2015.5, 2016.0, np.nan],
        }
    )
    before = Catalogue.from_table(table)
    after = before.at_epoch("2025-06-24")
    for k in range(3):
        star = SkyCoord(
            before.ra[k] * u.deg,
            before.dec[k] * u.deg,
            pm_ra_cosdec=before.pmra[k] * u.mas / u.yr,
            pm_dec=before.pmdec[k] * u.mas / u.yr,
            obstime=Time(before.epoch[k], format="jyear", scale="tcb"),
        )
        moved = star.apply_space_motion(new_obstime=Time("2025-06-24"))
        there = SkyCoord(after.ra[k], after.dec[k], unit="deg")
        assert there.separation(moved).mas < 0.01
        start = SkyCoord(before.ra[k], before.dec[k], unit="deg")
        years = Time("2025-06-24").jyear - before.epoch[k]
        speed = np.hypot(before.pmra[k], before.pmdec[k])
        assert there.separation(start).mas == pytest.approx(years * speed, rel=1e-4)
    assert after.ra[3:].tolist() == [30, 40]
    assert after.notes == ("2 of 5 sources have no known motion and stay.",)
    assert before.ra[0] == 10
    # There and back again.
    back = after.at_epoch(Time(2016.0, format="jyear", scale="tcb"))
    assert back.ra[0] == pytest.approx(10, abs=1e-9)


def test_no_time_is_refused():
    with pytest.raises(UsageError, match="no time"):
        Catalogue.from_table(Table({"ra": [1.0], "dec": [2.0]})).at_epoch("yesterday")


@pytest.mark.skipif(not GAIA.exists(), reason="the real catalogue is not here")
def test_gaia_has_its_columns_and_its_epoch():
    read = Catalogue.from_table(GAIA)
    assert len(read) == 1707
    assert set(read.columns) >= {"ra", "dec", "pmra", "pmdec", "parallax", "magnitude", "name"}
    assert np.isnan(read.pmra).sum() == 198
    assert set(read.epoch) == {2016.0}
    after = read.at_epoch("2026-01-01")
    still = np.isnan(read.pmra)
    assert np.array_equal(after.ra[still], read.ra[still])
    shift = (after.dec - read.dec)[~still] * 3.6e6
    assert np.allclose(shift, 10 * read.pmdec[~still], atol=1.0)


# ---- views --------------------------------------------------------------------------------


def test_those_in_a_view_are_where_the_wcs_has_them():
    sky = tan_sky()
    x, y, ra, dec = stars(400)
    # As many on the other side of the sky, where a plane could show them too.
    catalogue = Catalogue.from_table(
        Table({"ra": np.append(ra, (ra + 180) % 360), "dec": np.append(dec, -dec)})
    )
    seen = catalogue.in_view(sky, (50, 150), (200, 100))
    expected = np.flatnonzero((x >= 50) & (x <= 150) & (y >= 100) & (y <= 200))
    assert seen.index.tolist() == expected.tolist()
    assert np.hypot(seen.x - x[expected], seen.y - y[expected]).max() < 0.02
    assert len(catalogue[seen.index]) == len(seen)
    more = catalogue.in_view(sky, (50, 150), (100, 200), margin=20)
    assert len(more) > len(seen)


def test_those_outside_the_image_are_given_only_when_wanted():
    sky = tan_sky()
    ra, dec = sky.to_sky(-20.0, 50.0, outside=True)
    catalogue = Catalogue.from_table(Table({"ra": [float(ra)], "dec": [float(dec)]}))
    assert len(catalogue.in_view(sky, (-50, 50), (0, 99))) == 0
    assert catalogue.in_view(sky, (-50, 50), (0, 99), outside=True).x == pytest.approx(
        -20, abs=0.02
    )


def test_an_empty_catalogue_has_nothing_in_view():
    empty = Catalogue.from_table(Table({"ra": np.zeros(0), "dec": np.zeros(0)}))
    assert len(empty.at_epoch("2020-01-01").in_view(tan_sky(), (0, 9), (0, 9))) == 0


# ---- services -----------------------------------------------------------------------------


def votable(tmp_path, **columns):
    path = tmp_path / "answer.xml"
    Table(columns).write(path, format="votable")
    return path.read_bytes()


def test_a_cone_search_asks_for_what_it_is_asked(tmp_path):
    asked = []
    answer = votable(tmp_path, RAJ2000=[10.0], DEJ2000=[20.0])

    def fetch(address):
        asked.append(address)
        return answer

    found = cone_search("https://archive.example/cone?cat=x", 370.0, 20.0, 36.0, fetch=fetch)
    assert found.ra.tolist() == [10]
    query = parse_qs(urlsplit(asked[0]).query)
    assert query["cat"] == ["x"]
    assert float(query["RA"][0]) == 10
    assert float(query["DEC"][0]) == 20
    assert float(query["SR"][0]) == pytest.approx(0.01)
    cone_search("gaia", 10.0, 20.0, 36.0, limit=7, fetch=fetch)
    adql = parse_qs(urlsplit(asked[1]).query)["QUERY"][0]
    assert "TOP 7 " in adql
    assert "CIRCLE(10.000000000, 20.000000000, 0.010000000)" in adql


@pytest.mark.parametrize(
    "failure",
    [URLError("Name or service not known"), TimeoutError("timed out"), OSError(101, "x")],
)
def test_no_network_is_a_sentence(failure):
    def fetch(_):
        raise failure

    with pytest.raises(InputError, match="perhaps because there is no network"):
        cone_search("gaia", 1, 2, 30, fetch=fetch)


def test_an_address_that_nobody_answers_is_a_sentence():
    with pytest.raises(InputError, match="no network"):
        cone_search("http://127.0.0.1:9/cone", 1, 2, 30)


@pytest.mark.parametrize("service", ["file:///etc/passwd", "ftp://x/y", "nonsense", "http://"])
def test_only_addresses_of_the_web_are_asked(service):
    with pytest.raises(UsageError):
        cone_search(service, 1, 2, 30, fetch=lambda _: pytest.fail("it was asked"))


@pytest.mark.parametrize(
    "cone", [(np.nan, 2, 30), (1, 91, 30), (1, 2, 0), (1, 2, -3), (1, 2, np.nan), (1, 2, 1e9)]
)
def test_a_cone_that_is_none_is_refused(cone):
    with pytest.raises(UsageError):
        cone_search("gaia", *cone, fetch=lambda _: pytest.fail("it was asked"))


def test_what_is_no_table_is_a_sentence():
    refusal = (
        b'<VOTABLE version="1.3"><RESOURCE type="results">'
        b'<INFO name="QUERY_STATUS" value="ERROR">Too many cooks</INFO></RESOURCE></VOTABLE>'
    )
    with pytest.raises(InputError, match="Too many cooks"):
        cone_search("gaia", 1, 2, 30, fetch=lambda _: refusal)
    with pytest.raises(InputError):
        cone_search("gaia", 1, 2, 30, fetch=lambda _: b"<html>Sign in</html>")


# ---- residuals ----------------------------------------------------------------------------


def test_residuals_are_what_was_put_in():
    sky = tan_sky()
    x, y, ra, dec = stars(60)
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.02, (2, 60))
    order = rng.permutation(60)
    found_x, found_y = (x + 0.3 + noise[0])[order], (y - 0.2 + noise[1])[order]
    found_x[0] += 1.4
    catalogue = Catalogue.from_table(Table({"ra": ra, "dec": dec}))
    result = residuals(sky, catalogue, (found_x, found_y), radius=2.5)
    assert len(result) == 60
    assert np.array_equal(order[result.source], result.star)
    assert result.dx[1:] == pytest.approx(0.3 + noise[0][result.star[1:]], abs=0.02)
    told = result.statistics
    assert (told.matched, told.kept, told.rejected) == (60, 59, 1)
    assert told.median_x == pytest.approx(0.3, abs=0.01)
    assert told.median_y == pytest.approx(-0.2, abs=0.01)
    assert told.mad_x == pytest.approx(0.02, rel=0.4)
    assert told.rms == pytest.approx(np.hypot(0.3, 0.2), abs=0.01)
    arrows = result.arrows(10)
    assert arrows[:, 2] - arrows[:, 0] == pytest.approx(10 * result.dx)
    assert arrows[:, :2] == pytest.approx(np.stack([x, y], 1)[result.star], abs=0.02)
    assert result.good_scale(20.0) == 50
    assert "59 stars (1 rejected)" in str(told)


def test_stars_are_moved_to_the_time_of_the_image():
    sky = tan_sky()
    x, y, ra, dec = stars(30)
    years = 10.0
    rng = np.random.default_rng(7)
    pmra, pmdec = rng.uniform(-30, 30, (2, 30))
    catalogue = Catalogue.from_table(
        Table(
            {"ra": ra, "dec": dec, "pmra": pmra, "pmdec": pmdec, "ref_epoch": np.full(30, 2015.0)}
        )
    )
    # In this image x runs west and y north, a tenth of an arcsecond a pixel.
    there = x - pmra * years / 100, y + pmdec * years / 100
    when = Time(2015.0 + years, format="jyear", scale="tcb")
    moved = residuals(sky, catalogue, there, radius=5, epoch=when)
    assert np.abs(moved.dx).max() < 0.02
    assert np.abs(moved.dy).max() < 0.02
    still = residuals(sky, catalogue, there, radius=5)
    assert still.statistics.rms > 1


def test_a_pair_is_each_others_nearest():
    sky = tan_sky()
    ra, dec = sky.to_sky([100.0, 101.0], [100.0, 100.0])
    catalogue = Catalogue.from_table(Table({"ra": ra, "dec": dec}))
    result = residuals(sky, catalogue, ([100.2, 100.9], [100.0, 100.0]), radius=5)
    assert result.star.tolist() == [0, 1]
    alone = residuals(sky, catalogue, ([100.6], [100.0]), radius=5)
    assert alone.star.tolist() == [1]


@pytest.mark.parametrize("sources", [([], []), ([np.nan], [3.0]), ([5000.0], [5000.0])])
def test_no_pair_has_no_statistics(sources):
    sky = tan_sky()
    _, _, ra, dec = stars(5)
    result = residuals(sky, Catalogue.from_table(Table({"ra": ra, "dec": dec})), sources)
    assert len(result) == 0
    assert result.statistics.kept == 0
    assert np.isnan(result.statistics.rms)
    assert result.arrows().shape == (0, 4)
    assert result.good_scale(10) == 1


def test_sources_without_pixels_are_refused():
    sky, catalogue = tan_sky(), Catalogue.from_table(Table({"ra": [1.0], "dec": [2.0]}))
    for sources in (Table({"a": [1]}), 42, ([1.0], [1.0, 2.0])):
        with pytest.raises(UsageError, match="no pixels"):
            residuals(sky, catalogue, sources)
    with pytest.raises(UsageError, match="positive"):
        residuals(sky, catalogue, ([1.0], [1.0]), radius=0)
