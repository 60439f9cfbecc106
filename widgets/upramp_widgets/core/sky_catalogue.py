"""Catalogues of sources: where they are, where they move, which of them are in a view."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from upramp.errors import InputError, UsageError

from .sky_columns import epochs, find_columns, numbers
from .sky_plane import to_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sky import Sky
    from .sky_plane import Float

__all__ = ["Catalogue", "InView", "read_votable"]

_LARGEST: Final = 512 << 20
"""Bytes of a file that is read as a table."""
_GAIA_RELEASES: Final = {"DR3": 2016.0, "DR2": 2015.5, "DR1": 2015.0}
"""Reference epochs, Julian years, of tables of Gaia that do not repeat them in every row."""


@dataclass(frozen=True, eq=False)
class InView:
    """Sources of a catalogue in a view.

    Attributes
    ----------
    index : numpy.ndarray of int
        Which rows of the catalogue.
    x, y : numpy.ndarray
        Their pixels.
    """

    index: NDArray[np.intp]
    x: Float
    y: Float

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Places of sources and what is known beside; NaN where nothing is.

    Attributes
    ----------
    ra, dec : numpy.ndarray
        Degrees, ICRS, at `epoch`.
    pmra, pmdec : numpy.ndarray
        Proper motion, milliarcseconds a year; that in right ascension is
        along the circle (it holds the cosine of the declination).
    parallax : numpy.ndarray
        Milliarcseconds.
    epoch : numpy.ndarray
        Julian year in which the source is at ra, dec.
    magnitude : numpy.ndarray
        In whatever band the table has.
    name : numpy.ndarray of str
        What a source is called; empty where it has no name.
    columns : dict
        Role to the column of the table that was taken for it.
    notes : tuple of str
        What whoever uses it should know, in sentences.
    """

    ra: Float
    dec: Float
    pmra: Float
    pmdec: Float
    parallax: Float
    epoch: Float
    magnitude: Float
    name: NDArray[np.str_]
    columns: dict[str, str]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_table(
        cls, table: Any, *, columns: dict[str, str] | None = None, epoch: float | None = None
    ) -> Self:
        """Read a catalogue.

        Parameters
        ----------
        table
            An astropy Table, a structured array, or the path of a CSV, ECSV,
            FITS or VOTable file, told by what is in it.
        columns
            Role ("ra", "dec", "pmra", "pmdec", "parallax", "epoch",
            "magnitude", "name") to column, where its name does not tell.
        epoch
            Julian year of the positions, where the table does not say.

        Raises
        ------
        InputError
            If it cannot be read, or has no right ascension and declination.
        """
        subject = str(table) if isinstance(table, (str, os.PathLike)) else "the table"
        table = _as_table(table, subject)
        table = _with_plain_places(table)
        found = find_columns(list(table.colnames), columns or {}, subject)
        missing = [role for role in ("ra", "dec") if role not in found]
        if missing:
            there = ", ".join(table.colnames[:12])
            raise InputError(
                subject,
                f"no column of {there} is known as {' or '.join(missing)}",
                "name it in columns, such as columns={'ra': ...}",
            )
        count, nothing = len(table), np.full(len(table), np.nan)
        value = {
            role: numbers(table, role, found[role], subject) if role in found else nothing
            for role in ("ra", "dec", "pmra", "pmdec", "parallax", "magnitude")
        }
        years, notes = _epoch_of(table, found, epoch, subject)
        name = np.asarray(table[found["name"]]).astype(str) if "name" in found else None
        beyond = np.abs(value["dec"]) > 90
        if beyond.any():
            notes.append(f"{int(beyond.sum())} of {count} rows have no declination that exists.")
        value["dec"] = np.where(beyond, np.nan, value["dec"])
        return cls(
            **value,
            epoch=years,
            name=np.full(count, "") if name is None else name,
            columns=found,
            notes=tuple(notes),
        )

    def __len__(self) -> int:
        return len(self.ra)

    def __getitem__(self, rows: Any) -> Catalogue:
        """Give some rows as a catalogue."""
        arrays: dict[str, Any] = {
            field.name: np.atleast_1d(getattr(self, field.name)[rows])
            for field in fields(self)
            if field.name not in ("columns", "notes")
        }
        return replace(self, **arrays)

    @cached_property
    def vectors(self) -> Float:
        """Directions as unit vectors, (3, n)."""
        return to_vectors(self.ra, self.dec)

    def at_epoch(self, time: Any) -> Catalogue:
        """Move the sources to where they are at a time.

        Straight on through space, as astropy's ``apply_space_motion`` does it.
        A source without proper motion or epoch stays; a note says how many.
        Radial velocity counts as none, and the parallax's own yearly ellipse,
        which an observer sees, is not added.

        Parameters
        ----------
        time
            astropy.time.Time, or what makes one, such as "2025-06-24T12:00:00".

        Raises
        ------
        UsageError
            If it is no time.
        """
        year = _as_time(time)
        known = np.stack([self.ra, self.dec, self.pmra, self.pmdec, self.epoch])
        moving = np.asarray(np.isfinite(known).all(axis=0))
        arrays = {name: getattr(self, name).copy() for name in ("ra", "dec", "pmra", "pmdec")}
        epoch = self.epoch.copy()
        if moving.any():
            for name, values in zip(arrays, self._moved(moving, year), strict=True):
                arrays[name][moving] = values
            epoch[moving] = year.jyear
        notes = list(self.notes)
        still = len(self) - int(moving.sum())
        if still:
            notes.append(f"{still} of {len(self)} sources have no known motion and stay.")
        return replace(self, **arrays, epoch=epoch, notes=tuple(notes))

    def _moved(self, rows: NDArray[np.bool_], time: Any) -> tuple[Float, ...]:
        from astropy import units as u
        from astropy.coordinates import SkyCoord
        from astropy.time import Time

        places = SkyCoord(
            self.ra[rows] * u.deg,
            self.dec[rows] * u.deg,
            pm_ra_cosdec=self.pmra[rows] * u.mas / u.yr,
            pm_dec=self.pmdec[rows] * u.mas / u.yr,
            obstime=Time(self.epoch[rows], format="jyear", scale="tcb"),
        )
        with warnings.catch_warnings():
            # ERFA warns that it made up distances: none are known.
            warnings.simplefilter("ignore")
            after = places.apply_space_motion(new_obstime=time)
        speeds = (after.pm_ra_cosdec, after.pm_dec)
        return after.ra.deg, after.dec.deg, *(speed.to_value(u.mas / u.yr) for speed in speeds)

    def in_view(
        self,
        sky: Sky,
        xlim: tuple[float, float],
        ylim: tuple[float, float],
        *,
        margin: float = 0.0,
        outside: bool = False,
    ) -> InView:
        """Find the sources in a view.

        Parameters
        ----------
        sky
            The image's coordinates.
        xlim, ylim
            The view, pixels.
        margin
            Pixels around it.
        outside
            Give those outside the bounding box too.

        Raises
        ------
        UsageError
            If the light is dispersed.
        """
        x, y = sky.pixels_of(self.vectors)
        (left, right), (low, high) = sorted(xlim), sorted(ylim)
        seen = (x >= left - margin) & (x <= right + margin)
        seen &= (y >= low - margin) & (y <= high + margin)
        if not outside:
            seen &= ~sky.is_outside(x, y)
        index = np.flatnonzero(seen)
        return InView(index, x[index], y[index])


# ---- reading ------------------------------------------------------------------------------


def _as_table(table: Any, subject: str) -> Any:
    from astropy.table import Table

    if isinstance(table, (str, os.PathLike)):
        return _read(Path(table))
    if isinstance(table, Table):
        return table
    if isinstance(table, np.ndarray) and table.dtype.names:
        return Table(table)
    raise UsageError(
        subject, f"a {type(table).__name__} is no table", "give a Table, a record array or a path"
    )


def _read(path: Path) -> Any:
    from astropy.table import Table

    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(path, "it is larger than any catalogue", "cut it to the field first")
        with path.open("rb") as file:
            head = file.read(2048)
    except OSError as error:
        raise InputError(path, f"it cannot be read ({error.strerror})", "check the path") from None
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<VOTABLE" in text.upper() or text.startswith(b"<?xml"):
        return read_votable(path.read_bytes(), str(path))
    if head.startswith((b"SIMPLE  =", b"\x1f\x8b")):
        kind = "fits"
    else:
        kind = "ascii.ecsv" if text.startswith(b"# %ECSV") else "ascii.csv"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table.read(path, format=kind)
    except Exception as error:
        # Every reader has errors of its own.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        what = kind.removeprefix("ascii.").upper()
        raise InputError(
            path, f"it cannot be read as {what} ({reason})", "give CSV, ECSV, FITS or VOTable"
        ) from error


def read_votable(content: bytes, subject: str) -> Any:
    """Read the first table of a VOTable.

    Parameters
    ----------
    content
        The whole document.
    subject
        What an error names.

    Returns
    -------
    astropy.table.Table
        The table.

    Raises
    ------
    InputError
        If it is damaged, reports an error, or wants another file opened.
    """
    import io
    import re

    from astropy.io import votable

    if re.search(rb"<\s*(\w+:)?STREAM\b[^>]*\bhref", content, re.IGNORECASE):
        raise InputError(
            subject, "its data are elsewhere (STREAM href)", "save it with its data inside"
        )
    failed = re.search(rb"QUERY_STATUS[\"'][^>]*value=[\"']ERROR[\"'][^>]*>([^<]*)", content)
    if failed:
        raise InputError(
            subject,
            f"the service answered: {failed[1].decode(errors='replace').strip()}",
            "check what was asked",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = votable.parse(io.BytesIO(content), verify="ignore")
            return parsed.get_first_table().to_table(use_names_over_ids=True)
    except Exception as error:
        # The parser's errors have no common base.
        raise InputError(
            subject, f"it cannot be read as a VOTable ({type(error).__name__})", "get it again"
        ) from error


def _with_plain_places(table: Any) -> Any:
    """Take a column of sky coordinates, as the pipeline's source catalogue has, apart."""
    from astropy.coordinates import SkyCoord

    names = [name for name in table.colnames if isinstance(table[name], SkyCoord)]
    if not names or {"ra", "dec"} & {name.lower() for name in table.colnames}:
        return table
    places = table["sky_centroid" if "sky_centroid" in names else names[0]].icrs
    plain = table.copy(copy_data=False)
    plain["ra"], plain["dec"] = places.ra.deg, places.dec.deg
    return plain


def _epoch_of(
    table: Any, found: dict[str, str], given: float | None, subject: str
) -> tuple[Float, list[str]]:
    if "epoch" in found:
        years = epochs(table, found["epoch"], subject)
        return (years if given is None else np.where(np.isfinite(years), years, given)), []
    if given is not None:
        return np.full(len(table), float(given)), []
    words = str(table.meta)
    if "Gaia" in words or "gaia" in words:
        for release, year in _GAIA_RELEASES.items():
            if release in words:
                note = f"The table names no epoch; Gaia {release} has {year:g}."
                return np.full(len(table), year), [note]
    return np.full(len(table), np.nan), []


def _as_time(time: Any) -> Any:
    from astropy.time import Time

    if isinstance(time, Time):
        return time
    try:
        return Time(str(time))
    except ValueError:
        raise UsageError(
            repr(time), "it is no time", "give an astropy Time or text such as 2025-06-24"
        ) from None
