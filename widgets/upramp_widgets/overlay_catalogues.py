"""Catalogues, apertures and residuals over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UprampError, UsageError

from .core.sky_apertures import INSTRUMENTS, MAIN, ApertureOutline, aperture_outlines
from .core.sky_catalogue import Catalogue
from .core.sky_cone import GAIA
from .core.sky_cone import cone_search as search
from .core.sky_plane import ARCSEC, separation, to_degrees
from .core.sky_residuals import Residuals, residuals
from .overlay_laid import LaidCatalogue
from .overlay_shapes import OverlayShapes
from .overlay_sources import Sources, find_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .core.sky import Sky
    from .core.sky_cone import Fetch
    from .overlay_pointers import OverlayPointers

__all__ = ["READING", "OverlayCatalogues"]

READING: Final = "reading the telescope's apertures"
"""The status meanwhile."""

_COLOURS: Final = ("#ffe066", "#ff8fd2", "#7df9ff", "#c3f584", "#ffb38a", "#c8b6ff")
_SHAPES: Final = ("circle", "square", "diamond")
_INSTRUMENT_COLOURS: Final = {
    "NIRCam": "#d08bff",
    "NIRSpec": "#ff6b9d",
    "NIRISS": "#8cf5a4",
    "MIRI": "#ff8c1a",
    "FGS": "#6f8cff",
}
_MOST_WORDS: Final = 4_000
"""Sources whose names a page is told."""
_MOST_NAMED: Final = 80
"""Apertures whose names are written."""
_ARROW: Final = 0.05
"""Length of a typical arrow, as a share of the view's width."""


class OverlayCatalogues(OverlayShapes):
    """What `upramp_widgets.WcsOverlay` lays over its image out of lists of places.

    Attributes
    ----------
    catalogues
        Those that lie over the image, by name.
    apertures
        Outlines of apertures that are shown.
    found
        The last residuals.
    """

    catalogues: dict[str, LaidCatalogue]
    apertures: tuple[ApertureOutline, ...] = ()
    _pointers: OverlayPointers
    found: Residuals | None = None

    def add_catalogue(
        self,
        table: Any,
        *,
        name: str | None = None,
        epoch: float | None = None,
        columns: dict[str, str] | None = None,
    ) -> Catalogue:
        """Lay a catalogue over the image, moved to when the image was taken.

        Parameters
        ----------
        table
            A table, the path of one (CSV, ECSV, FITS or VOTable), or a `Catalogue`.
        name
            Of the layer; one of the same name is replaced.
        epoch
            Julian year of the positions, where the table does not say.
        columns
            Role ("ra", "dec", "pmra", ...) to column, where its name does not tell.

        Returns
        -------
        Catalogue
            At the epoch of the image; ``notes`` says what does not move.

        Raises
        ------
        InputError
            If it cannot be read, or the image has no sky.
        UsageError
            If the image is a spectrum.
        """
        sky = self.need_sky()
        sky.require_undispersed("a source is a whole spectrum here")
        catalogue = (
            table
            if isinstance(table, Catalogue)
            else Catalogue.from_table(table, columns=columns, epoch=epoch)
        )
        if sky.epoch is not None:
            catalogue = catalogue.at_epoch(sky.epoch)
        chosen = name or f"catalogue {len(self.catalogues) + 1}"
        laid = LaidCatalogue.over(catalogue, sky)
        self.catalogues[chosen] = laid
        number = list(self.catalogues).index(chosen)
        words = laid.words() if len(laid.index) <= _MOST_WORDS else ()
        style = {"labels": words, "shape": _SHAPES[number // len(_COLOURS) % len(_SHAPES)]}
        colour = _COLOURS[number % len(_COLOURS)]
        self.image.set_points(chosen, laid.x, laid.y, colour, **style)
        self.status = laid.told(chosen, sky)
        self.tell()
        return catalogue

    def remove_catalogue(self, name: str) -> None:
        """Take a catalogue away.

        Parameters
        ----------
        name
            Of its layer.
        """
        if name not in self.catalogues:
            there = ", ".join(self.catalogues) or "none"
            raise UsageError(f"catalogue {name!r}", "there is none", f"there are: {there}")
        del self.catalogues[name]
        self.image.set_points(name, None)
        self.tell()

    def cone_search(
        self,
        service: str = GAIA,
        ra: float | None = None,
        dec: float | None = None,
        radius: float | None = None,
        *,
        name: str | None = None,
        limit: int = 20_000,
        fetch: Fetch | None = None,
    ) -> Catalogue:
        """Ask a service for sources, and lay them over the image; nothing else uses a network.

        Parameters
        ----------
        service
            ``gaia``, or the address of a service that speaks the Simple Cone Search.
        ra, dec, radius
            Degrees, and arcseconds; None for the image.
        name
            Of the layer.
        limit, fetch
            As `upramp_widgets.core.sky_cone.cone_search` has them.

        Returns
        -------
        Catalogue
            At the epoch of the image.

        Raises
        ------
        InputError
            If there is no network, or no answer.
        """
        sky = self.need_sky()
        sky.require_undispersed("a source is a whole spectrum here")
        own_ra, own_dec, reach = _circle_of(sky)
        found = search(
            service,
            own_ra if ra is None else ra,
            own_dec if dec is None else dec,
            reach if radius is None else radius,
            limit=limit,
            fetch=fetch,
        )
        return self.add_catalogue(found, name=name or service)

    # ---- apertures

    def show_footprints(
        self,
        instruments: str | Iterable[str] = INSTRUMENTS,
        names: str | Iterable[str] = MAIN,
    ) -> None:
        """Show what the telescope's apertures see; the first time, it takes seconds.

        Those that lie outside the view are pointed to from its edge.

        Parameters
        ----------
        instruments
            One or several of NIRCam, NIRSpec, NIRISS, MIRI and FGS.
        names
            Names of apertures, or patterns with ``*``, ``?`` and ``[...]``.

        Raises
        ------
        InputError
            If the image has no sky, or does not say how the telescope was turned.
        UsageError
            If there is no such instrument or aperture.
        """
        self.status = READING
        try:
            self._lay_apertures(self.footprints(instruments, names))
        except UprampError as error:
            self.status = str(error)
            raise

    def hide_footprints(self) -> None:
        """Take them away."""
        self._lay_apertures([])

    def footprints(
        self,
        instruments: str | Iterable[str] = INSTRUMENTS,
        names: str | Iterable[str] = MAIN,
    ) -> list[ApertureOutline]:
        """Give what apertures see, without showing it.

        Parameters
        ----------
        instruments, names
            As for `show_footprints`, which also says what it raises.
        """
        return aperture_outlines(self.need_sky().pointing, instruments, names)

    def _lay_apertures(self, outlines: list[ApertureOutline]) -> None:
        sky = self.need_sky() if outlines else None
        self.apertures = tuple(outlines)
        for instrument, colour in _INSTRUMENT_COLOURS.items():
            own = [outline for outline in outlines if outline.instrument == instrument]
            layer = f"{instrument} apertures"
            if own and sky is not None:
                lines = [np.stack(outline.in_pixels(sky), axis=1) for outline in own]
                words = [outline.name for outline in own] if len(outlines) <= _MOST_NAMED else ()
                self.image.set_curves(layer, lines, colour, labels=words, width=1.4)
            elif layer in self.image.scene.layers:
                self.image.set_curves(layer, None)
        self._pointers.follow(
            {} if sky is None else {one.name: one.in_pixels(sky) for one in outlines}
        )
        self.status = f"{len(outlines)} apertures" if outlines else ""
        self.tell()

    # ---- residuals

    def sources(self, *, fwhm: float = 2.5, sigma: float = 8.0) -> Sources:
        """Find sources in the first image.

        Parameters
        ----------
        fwhm, sigma
            As `upramp_widgets.overlay_sources.find_sources` has them.
        """
        return find_sources(self.images[0].pixels, fwhm=fwhm, sigma=sigma)

    def residuals(
        self,
        catalogue: Any = None,
        sources: Any = None,
        *,
        radius: float = 2.0,
        clip: float = 5.0,
    ) -> Residuals:
        """Show how far stars are from where a catalogue has them, as arrows.

        Parameters
        ----------
        catalogue
            The name of one that lies over the image, or what `add_catalogue` takes; None for
            the last that was added.
        sources
            A table with pixels counted from 0, or a pair of arrays; None finds them.
        radius
            Largest distance of a pair, pixels.
        clip
            Distance from the median, in MADs along an axis, that makes an outlier.

        Returns
        -------
        Residuals
            Source less star; ``statistics`` of those that are no outliers.

        Raises
        ------
        InputError
            If the image has no sky.
        UsageError
            If there is no such catalogue, or the image is a spectrum.
        """
        sky = self.need_sky()
        stars = self._stars(catalogue)
        how = "as given"
        if sources is None:
            detected = self.sources()
            sources, how = (detected.x, detected.y), f"{len(detected)} sources {detected.how}"
        elif isinstance(sources, Sources):
            sources, how = (sources.x, sources.y), sources.how
        found = residuals(sky, stars, sources, radius=radius, clip=clip)
        scale = found.good_scale(_ARROW * (self.xlim[1] - self.xlim[0]))
        for layer, rows, colour in (
            ("residuals", found.kept, "#ff7a59"),
            ("residuals, outliers", ~found.kept, "#9aa8b5"),
        ):
            if rows.any():
                x, y, dx, dy = (axis[rows] for axis in (found.x, found.y, found.dx, found.dy))
                self.image.set_arrows(layer, x, y, dx, dy, colour, scale=scale)
            elif layer in self.image.scene.layers:
                self.image.set_arrows(layer, None)
        self.found = found
        self.status = (
            f"{found.statistics}; {how}; arrows are {scale:g} times as long"
            if len(found)
            else f"no source within {radius:g} pixel of a star; {how}"
        )
        self.tell()
        return found

    def _stars(self, catalogue: Any) -> Catalogue:
        if catalogue is None:
            if not self.catalogues:
                raise UsageError("residuals", "there is no catalogue", "add one first")
            return list(self.catalogues.values())[-1].catalogue
        if isinstance(catalogue, str) and catalogue in self.catalogues:
            return self.catalogues[catalogue].catalogue
        if isinstance(catalogue, Catalogue):
            return catalogue
        return Catalogue.from_table(catalogue)


def _circle_of(sky: Sky) -> tuple[float, float, float]:
    """Give the circle that holds an image: right ascension, declination, arcseconds."""
    left, right, low, high = sky.box
    x, y = np.meshgrid(np.linspace(left, right, 9), np.linspace(low, high, 9))
    around = sky.vectors(x.ravel(), y.ravel())
    around = around[:, np.isfinite(around).all(axis=0)]
    if not around.size:
        raise InputError(sky.source, "no pixel sees the sky", "give ra, dec and radius")
    middle = around.sum(axis=1)
    middle /= np.linalg.norm(middle)
    reach = float(np.max(separation(around, middle[:, None]))) / ARCSEC
    ra, dec = to_degrees(middle)
    return float(ra), float(dec), max(reach, 1.0)
