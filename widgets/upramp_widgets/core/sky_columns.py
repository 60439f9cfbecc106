"""Which columns of a table are which, by the names that catalogues use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

if TYPE_CHECKING:
    from .sky_plane import Float

__all__ = ["ROLES", "epochs", "find_columns", "numbers"]

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "ra": (
        "ra", "raj2000", "ra_icrs", "_raj2000", "ra_j2000", "alpha_j2000", "radeg", "ra_deg",
        "right_ascension", "s_ra", "lon",
    ),
    "dec": (
        "dec", "dej2000", "decj2000", "de_icrs", "dec_icrs", "_dej2000", "dec_j2000",
        "delta_j2000", "dedeg", "decdeg", "dec_deg", "declination", "s_dec", "lat",
    ),
    "pmra": ("pmra", "pm_ra", "pm_ra_cosdec", "pmra_cosdec", "pmracosd", "mura"),
    "pmdec": ("pmdec", "pmde", "pm_dec", "pm_de", "mudec"),
    "parallax": ("parallax", "plx"),
    "epoch": ("ref_epoch", "refepoch", "epoch", "jdate", "obs_epoch", "epoch_ra"),
    "magnitude": (
        "phot_g_mean_mag", "gmag", "ks_m", "k_m", "kmag", "j_m", "jmag", "aper_total_abmag",
        "isophotal_abmag", "abmag", "magnitude", "mag", "vmag",
    ),
    "name": ("source_id", "designation", "label", "name", "id", "source", "2mass", "main_id"),
    "x": ("xcentroid", "x_centroid", "x", "xcen", "x_image"),
    "y": ("ycentroid", "y_centroid", "y", "ycen", "y_image"),
}  # fmt: skip
"""Names in lower case of what a catalogue may hold, the best first."""

_UNITS: Final = {"ra": "deg", "dec": "deg", "pmra": "mas/yr", "pmdec": "mas/yr", "parallax": "mas"}
_JULIAN: Final = 2451545.0
_MODIFIED: Final = 51544.5
"""Both are the year 2000.0."""
_YEAR: Final = 365.25


def find_columns(names: list[str], given: dict[str, str], subject: str) -> dict[str, str]:
    """Find the columns of a table by what they are called.

    Parameters
    ----------
    names
        The table's.
    given
        Role to column, for those whose names tell nothing.
    subject
        What an error names.

    Returns
    -------
    dict
        Role (a key of `ROLES`) to column, for those that are there.

    Raises
    ------
    InputError
        If a given role or column does not exist.
    """
    for role, name in given.items():
        if role not in ROLES or name not in names:
            what = f"column {name!r}" if role in ROLES else f"role {role!r}"
            raise InputError(subject, f"it has no {what}", f"it has {_listed(names)}")
    by_name = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
    found = {}
    for role, usual in ROLES.items():
        known = given.get(role) or next((by_name[n] for n in usual if n in by_name), None)
        if known is not None:
            found[role] = known
    return found


def numbers(table: Any, role: str, name: str, subject: str) -> Float:
    """Read a column as numbers in the unit that its role has here; NaN where masked.

    Parameters
    ----------
    table
        An astropy Table.
    role, name
        What the column is, and how it is called.
    subject
        What an error names.

    Raises
    ------
    InputError
        If it holds no numbers, or those of another kind of unit.
    """
    from astropy.units import Quantity, Unit, UnitBase, UnitConversionError

    column = table[name]
    unit = getattr(column, "unit", None)
    values: Any = np.ma.asarray(getattr(column, "value", column))
    if role == "ra" and values.dtype.kind in "US":
        return _angles(values, "hourangle", name, subject)
    if role == "dec" and values.dtype.kind in "US":
        return _angles(values, "deg", name, subject)
    try:
        plain: Float = np.ma.filled(values.astype(np.float64), np.nan)
    except (TypeError, ValueError):
        raise InputError(
            subject, f"its column {name} holds no numbers", "choose another column"
        ) from None
    if plain.ndim != 1:
        raise InputError(subject, f"its column {name} is no list", "choose another column")
    if unit is None or role not in _UNITS or not isinstance(unit, UnitBase):
        return plain
    if role == "ra" and unit == Unit("hourangle"):
        return np.asarray(plain * 15)
    try:
        return np.asarray(Quantity(plain, unit).to_value(_UNITS[role]))
    except UnitConversionError:
        raise InputError(
            subject,
            f"its column {name} is in {unit}, which is no unit of {role}",
            "choose another column",
        ) from None


def epochs(table: Any, name: str, subject: str) -> Float:
    """Read a column of epochs as Julian years; years, Julian or modified Julian days come in.

    Parameters
    ----------
    table
        An astropy Table.
    name
        The column.
    subject
        What an error names.
    """
    column = table[name]
    if hasattr(column, "jyear"):
        return np.asarray(column.jyear, float)
    values = numbers(table, "epoch", name, subject)
    # What is a year, a modified or a Julian day cannot be mistaken for the others.
    with np.errstate(invalid="ignore"):
        years = np.where(values > 10_000, 2000 + (values - _MODIFIED) / _YEAR, values)
        years = np.where(values > 1_000_000, 2000 + (values - _JULIAN) / _YEAR, years)
        return np.where((years > 1500) & (years < 2500), years, np.nan)


def _angles(values: Any, unit: str, name: str, subject: str) -> Float:
    from astropy.coordinates import Angle

    texts = values.filled("nan") if np.ma.is_masked(values) else np.asarray(values)
    known = np.char.lower(texts.astype(str)) != "nan"
    angles = np.full(texts.shape, np.nan)
    try:
        angles[known] = Angle(texts[known].astype(str), unit=unit).deg
    except ValueError:
        raise InputError(
            subject, f"its column {name} holds what is no angle", "choose another column"
        ) from None
    return angles


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (" and more" if len(names) > 12 else "") or "no column"
