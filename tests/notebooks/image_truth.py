"""What mosaics of the practice archive are judged by: its stars, where they are and how bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.table import Table

from upramp.dq import PIXEL
from upramp.practice.instruments import DETECTORS
from upramp.practice.setups import psf_of

_RING = (14.0, 20.0)
"""Pixels from a star to where the sky is measured."""
_EDGE = 24


@dataclass
class Measured:
    """Stars of a mosaic beside the truth; fluxes in Jy, places in pixels."""

    true: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    """Of the flux, as the mosaic's own errors give it."""
    offset: np.ndarray
    """Distance of the core from the true place."""

    @property
    def ratio(self):
        return self.flux / self.true


def measure(archive, products, plans, seed, *, catalogue="", radius=5.0, apart=25.0):
    """Measure the isolated standards of a mosaic.

    Parameters
    ----------
    archive
        The practice archive.
    products
        The folder of the mosaic and of the exposures that went into it.
    plans
        The plans of these exposures.
    seed
        The archive's.
    catalogue
        Of which sky, as the truth's files name it.
    radius
        Pixels of the circle that light is summed in.
    apart
        Pixels within which nothing brighter than 2 % of a star may be.
    """
    from stdatamodels.jwst import datamodels

    # The mosaic, and not the exposures' own resampled images.
    (path,) = products.glob("*-o001_*_i2d.fits")
    psf = psf_of(plans[0].detector, plans[0].filter, seed)
    with datamodels.open(path) as model:
        true, x, y = _isolated(archive, products, plans, model, catalogue, apart)
        # Parts of a star's light within the circle, and within the ring's edges.
        held = psf.encircled_energy(np.array([radius, *_RING]))
        found = [_photometry(model, held, *place, radius) for place in zip(x, y, strict=True)]
    flux, error, column, row = np.array(found).T
    return Measured(true, flux, error, np.hypot(column - x, row - y))


def _isolated(archive, products, plans, model, catalogue, apart):
    """Flux (Jy) and place in the mosaic of standards that no flag and no neighbour disturbs."""
    from scipy.spatial import KDTree
    from stdatamodels.jwst import datamodels

    stars = Table.read(archive / "truth" / f"stars{catalogue}.ecsv")
    galaxies = Table.read(archive / "truth" / f"galaxies{catalogue}.ecsv")
    bandpass = DETECTORS[plans[0].detector].filters[plans[0].filter]
    flux = np.array(stars["flux_3p5um"] * (3.5 / bandpass.wavelength) ** stars["slope"])
    places = [
        np.stack(model.meta.wcs.invert(one["ra"], one["dec"], with_bounding_box=False), 1)
        for one in (stars, galaxies)
    ]
    x, y = places[0].T
    tree = KDTree(np.concatenate(places))
    fluxes = np.concatenate([flux, galaxies["flux"]])
    ny, nx = model.data.shape
    good = np.array(stars["standard"])
    good &= (x > _EDGE) & (x < nx - 1 - _EDGE) & (y > _EDGE) & (y < ny - 1 - _EDGE)
    for k in np.flatnonzero(good):
        near = [j for j in tree.query_ball_point(places[0][k], apart) if j != k]
        good[k] = fluxes[near].sum() < 0.02 * flux[k]
    # A core with flagged pixels is drizzled from fewer exposures: not what is asked here.
    seen = np.zeros(len(x), int)
    for plan in plans:
        with datamodels.open(products / f"{plan.root}_cal.fits") as cal:
            px, py = cal.meta.wcs.invert(stars["ra"], stars["dec"], with_bounding_box=False)
            place = np.stack([px, py], 1)
            for flag, reach in (("DO_NOT_USE", 2.5), ("JUMP_DET", 1.5)):
                bad = np.argwhere((cal.dq & PIXEL[flag]) > 0)
                good &= KDTree(bad[:, ::-1]).query(place)[0] > reach
            # Nor are the haloes of showers and snowballs, of which much stays unflagged.
            large = _large_hits(archive, plan)
            if len(large):
                good &= KDTree(large).query(place)[0] > 8
            rows, columns = cal.data.shape
            seen += (px > 6) & (px < columns - 7) & (py > 6) & (py < rows - 7)
    good &= seen == len(plans)
    return flux[good], x[good], y[good]


def _large_hits(archive, plan):
    """Columns and rows of pixels that a snowball or a shower of cosmic rays reached."""
    hits = fits.getdata(archive / "truth" / f"{plan.root}_truth.fits", "HITS")
    large = hits[hits["kind"] != 0]
    return np.stack([large["x"], large["y"]], 1).astype(float)


def _photometry(model, held, x, y, radius):
    """Flux in Jy inside a circle, corrected by the PSF, its error, and the core's centroid."""
    half = 24
    i, j = round(x), round(y)
    cut = np.s_[j - half : j + half + 1, i - half : i + half + 1]
    data, err = model.data[cut].astype(float), model.err[cut].astype(float)
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    dy, dx = dy - (y - j), dx - (x - i)
    distance = np.hypot(dx, dy)
    data = data - np.median(data[(distance > _RING[0]) & (distance < _RING[1])])
    # Pixels on the rim count by the part of them that is inside.
    inside = np.clip(radius + 0.5 - distance, 0, 1)
    in_ring = (held[2] - held[1]) / (_RING[1] ** 2 - _RING[0] ** 2) * radius**2
    unit = model.meta.photometry.pixelarea_steradians * 1e6 / (held[0] - in_ring)
    cx = cy = 0.0
    for _ in range(20):
        weight = np.exp(-0.5 * ((dx - cx) ** 2 + (dy - cy) ** 2) / 1.5**2) * data * (distance < 5)
        step = (weight * (dx - cx)).sum() / weight.sum(), (weight * (dy - cy)).sum() / weight.sum()
        cx, cy = cx + 2 * step[0], cy + 2 * step[1]
    flux = (data * inside).sum() * unit
    error = np.sqrt(((err * inside) ** 2).sum()) * unit
    return flux, error, x + cx, y + cy


def places_apart(archive, cal, plan, catalogue=""):
    """Distances in pixels of stars from where an exposure's world coordinates have them.

    The official pipeline knows where the telescope believed to point: what is compared is
    where that pointing would see what the true one sees.
    """
    from stdatamodels.jwst import datamodels

    from upramp.practice.geometry import Attitude

    with datamodels.open(cal) as model:
        wcs, given = model.meta.wcs, model.meta.wcsinfo
        believed = Attitude(
            given.v2_ref, given.v3_ref, given.ra_ref, given.dec_ref, given.roll_ref
        )
    truth = archive / "truth" / f"{plan.root}_truth.fits"
    seen, header = fits.getdata(truth, "STARS"), fits.getheader(truth)
    true = Attitude(*(header[name] for name in ("V2", "V3", "RA", "DEC", "ROLL")))
    stars = Table.read(archive / "truth" / f"stars{catalogue}.ecsv")[seen["star"]]
    v2, v3 = true.v2v3(np.array(stars["ra"]), np.array(stars["dec"]))
    x, y = wcs.invert(*believed.sky(v2, v3), with_bounding_box=False)
    return np.maximum(np.abs(x - seen["x"]), np.abs(y - seen["y"]))
