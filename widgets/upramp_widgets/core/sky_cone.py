"""Ask an archive for the sources around a place; only when somebody wants it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from upramp.errors import InputError, UsageError

from .sky_catalogue import Catalogue, read_votable

__all__ = ["GAIA", "Fetch", "cone_search", "fetch_address"]

GAIA: Final = "gaia"
"""Name of the service of Gaia's newest release that is complete."""

Fetch = Callable[[str], bytes]
"""Takes an address to what is there; raises OSError or InputError where it cannot."""

_GAIA_TAP: Final = "https://gea.esac.esa.int/tap-server/tap/sync"
_GAIA_QUERY: Final = (
    "SELECT TOP {limit} source_id, ra, dec, pmra, pmdec, parallax, ref_epoch, phot_g_mean_mag "
    "FROM gaiadr3.gaia_source "
    "WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({ra:.9f}, {dec:.9f}, {radius:.9f})) "
    "ORDER BY phot_g_mean_mag"
)
_TIMEOUT: Final = 30.0
_LARGEST: Final = 64 << 20
_WIDEST: Final = 3600.0 * 5
"""Arcseconds; the telescope's whole focal plane is a fifth of it."""


def cone_search(
    service: str,
    ra: float,
    dec: float,
    radius: float,
    *,
    limit: int = 20_000,
    fetch: Fetch | None = None,
) -> Catalogue:
    """Ask for the sources around a place.

    Parameters
    ----------
    service
        `GAIA`, or the address of a service that speaks the Simple Cone Search
        of the Virtual Observatory.
    ra, dec
        Degrees.
    radius
        Arcseconds.
    limit
        Most sources that Gaia is asked for, the brightest first.
    fetch
        How to get what is at an address; None means over the network.

    Raises
    ------
    UsageError
        If the place, the radius or the address is none.
    InputError
        If there is no network, or the service does not answer with a table.
    """
    if not (math.isfinite(ra) and abs(dec) <= 90 and 0 < radius <= _WIDEST and limit > 0):
        raise UsageError(
            f"{radius:g} arcsec around {ra:g}, {dec:g}",
            "it is no part of the sky that can be asked for",
            f"give degrees, and up to {_WIDEST:g} arcsec",
        )
    address = _address(service, ra % 360, dec, radius / 3600, limit)
    host = urlsplit(address).hostname
    try:
        content = (fetch or fetch_address)(address)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise InputError(
            host,
            f"it cannot be reached, perhaps because there is no network ({reason})",
            "use a catalogue in a file",
        ) from None
    return Catalogue.from_table(read_votable(content, str(host)))


def fetch_address(address: str) -> bytes:
    """Get what is at an address.

    Parameters
    ----------
    address
        http or https.

    Raises
    ------
    OSError
        If it cannot be reached.
    InputError
        If it answers with an error, or with too much.
    """
    from urllib.error import HTTPError
    from urllib.request import urlopen

    host = urlsplit(address).hostname
    try:
        with urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 - the caller checked
            content: bytes = answer.read(_LARGEST + 1)
    except HTTPError as error:
        raise InputError(
            host, f"it answered {error.code} {error.reason}", "check the address"
        ) from None
    if len(content) > _LARGEST:
        raise InputError(host, "it answered with too much", "ask for a smaller radius")
    return content


def _address(service: str, ra: float, dec: float, radius: float, limit: int) -> str:
    if service == GAIA:
        query = _GAIA_QUERY.format(limit=int(limit), ra=ra, dec=dec, radius=radius)
        asked = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable", "QUERY": query}
        return f"{_GAIA_TAP}?{urlencode(asked, quote_via=quote)}"
    parts = urlsplit(service)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            service, "it is no address of a service", "give https://..., or the name gaia"
        )
    joint = "" if service.endswith(("?", "&")) else ("&" if parts.query else "?")
    asked = {"RA": f"{ra:.9f}", "DEC": f"{dec:.9f}", "SR": f"{radius:.9f}", "VERB": "2"}
    return f"{service}{joint}{urlencode(asked)}"
