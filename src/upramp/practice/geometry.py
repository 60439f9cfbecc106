"""Where a pixel looks: distortion from the mission's aperture file (SIAF).

All pixel coordinates here are zero-based in the science frame of the *whole*
detector, as in the pipeline's distortion references; subarrays are windows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .instruments import Detector

__all__ = ["ARCSEC", "Attitude", "Geometry", "Subarray"]

Float = NDArray[np.float64]

ARCSEC = np.pi / 180 / 3600
"""Radians."""


@lru_cache(maxsize=8)
def _siaf(instrument: str) -> Any:
    # pysiaf logs that it cannot compare itself with the newest release on the
    # network; nobody asked.
    logging.getLogger("pysiaf").setLevel(logging.ERROR)
    import pysiaf

    return pysiaf.Siaf(instrument)


@dataclass(frozen=True)
class Subarray:
    """A window of a detector, with the aperture that the telescope points."""

    name: str
    aperture: str
    start: tuple[int, int]
    """One-based first column and row (``SUBSTRT1``, ``SUBSTRT2``)."""
    size: tuple[int, int]
    """Columns and rows (``SUBSIZE1``, ``SUBSIZE2``)."""
    reference: tuple[float, float]
    """One-based pixel of the window that looks at ``v2_ref``, ``v3_ref``."""
    v2_ref: float
    v3_ref: float
    v3_ideal_angle: float
    parity: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the whole detector that are read."""
        x, y = self.start[0] - 1, self.start[1] - 1
        return slice(y, y + self.size[1]), slice(x, x + self.size[0])

    def v2v3(self, x: float, y: float) -> tuple[float, float]:
        """V2, V3 of a place in the aperture's ideal frame, all in arcseconds."""
        angle = np.radians(self.v3_ideal_angle)
        c, s = float(np.cos(angle)), float(np.sin(angle))
        return (
            self.v2_ref + self.parity * x * c + y * s,
            self.v3_ref - self.parity * x * s + y * c,
        )


@dataclass(frozen=True)
class Attitude:
    """Where the telescope points: a place in V2, V3 that sees a place on the sky.

    Angles in degrees, V2 and V3 in arcseconds.
    """

    v2: float
    v3: float
    ra: float
    dec: float
    roll: float
    """Position angle of V3 at that place, east of north."""

    @cached_property
    def matrix(self) -> Float:
        """Rotation of a unit vector in V2, V3 to one in right ascension and declination."""
        v2, v3 = self.v2 * ARCSEC, self.v3 * ARCSEC
        ra, dec, roll = np.radians([self.ra, self.dec, self.roll])
        return _rz(ra) @ _ry(-dec) @ _rx(-roll) @ _ry(v3) @ _rz(-v2)

    def sky(self, v2: Float, v3: Float) -> tuple[Float, Float]:
        """Right ascension and declination (degrees) of V2, V3 (arcseconds)."""
        x, y, z = np.tensordot(self.matrix, _vector(v2 * ARCSEC, v3 * ARCSEC), axes=1)
        return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(np.clip(z, -1, 1)))

    def v2v3(self, ra: Float, dec: Float) -> tuple[Float, Float]:
        """V2, V3 (arcseconds) of right ascension and declination (degrees)."""
        x, y, z = np.tensordot(self.matrix.T, _vector(np.radians(ra), np.radians(dec)), axes=1)
        return np.arctan2(y, x) / ARCSEC, np.arcsin(np.clip(z, -1, 1)) / ARCSEC


class Geometry:
    """A detector's distortion, from its pixels to V2, V3 and back."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._full = _siaf(detector.siaf)[detector.full_aperture]
        self.degree = int(self._full.Sci2IdlDeg)

    def subarray(self, aperture: str, name: str) -> Subarray:
        """Give the window that a SIAF aperture of this detector is.

        Parameters
        ----------
        aperture
            SIAF name of the aperture.
        name
            The ``SUBARRAY`` keyword.
        """
        entry = _siaf(self.detector.siaf)[aperture]
        pointing = (
            float(entry.V2Ref),
            float(entry.V3Ref),
            float(entry.V3IdlYAngle),
            int(entry.VIdlParity),
        )
        if entry.XSciSize is None:
            # A slit is a mask in front of the whole detector, not a window of it.
            x, y = self.pixels(np.array(pointing[0]), np.array(pointing[1]))
            ny, nx = self.detector.shape
            reference = (float(x) + 1, float(y) + 1)
            return Subarray(name, aperture, (1, 1), (nx, ny), reference, *pointing)
        corners = [
            self._full.det_to_sci(*entry.sci_to_det(x, y))
            for x, y in ((1, 1), (entry.XSciSize, entry.YSciSize))
        ]
        low = np.rint(np.min(corners, axis=0)).astype(int)
        return Subarray(
            name,
            aperture,
            (int(low[0]), int(low[1])),
            (int(entry.XSciSize), int(entry.YSciSize)),
            (float(entry.XSciRef), float(entry.YSciRef)),
            *pointing,
        )

    @cached_property
    def coefficients(self) -> tuple[Float, Float]:
        """Coefficients ``[i, j]`` of x^i y^j that give ideal x and y in arcseconds."""
        return (
            self._triangle("Sci2IdlX"),
            self._triangle("Sci2IdlY"),
        )

    @cached_property
    def reference_pixel(self) -> tuple[float, float]:
        """Zero-based pixel from which the polynomial counts."""
        return float(self._full.XSciRef) - 1, float(self._full.YSciRef) - 1

    @cached_property
    def frame(self) -> tuple[float, float, float, int]:
        """V2, V3 of the reference pixel (arcseconds), angle of ideal y (degrees) and parity."""
        full = self._full
        return float(full.V2Ref), float(full.V3Ref), float(full.V3IdlYAngle), int(full.VIdlParity)

    def v2v3(self, x: Float, y: Float) -> tuple[Float, Float]:
        """V2, V3 in arcseconds of pixels of the whole detector."""
        u, v = x - self.reference_pixel[0], y - self.reference_pixel[1]
        cx, cy = self.coefficients
        ideal_x = np.polynomial.polynomial.polyval2d(u, v, cx)
        ideal_y = np.polynomial.polynomial.polyval2d(u, v, cy)
        v2_ref, v3_ref, angle, parity = self.frame
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        return (
            v2_ref + parity * ideal_x * c + ideal_y * s,
            v3_ref - parity * ideal_x * s + ideal_y * c,
        )

    def pixels(self, v2: Float, v3: Float) -> tuple[Float, Float]:
        """Pixels of the whole detector that see V2, V3 (arcseconds), by Newton's method."""
        v2, v3 = np.asarray(v2, float), np.asarray(v3, float)
        x = np.full(v2.shape, self.reference_pixel[0])
        y = np.full(v2.shape, self.reference_pixel[1])
        for _ in range(8):
            a, b = self.v2v3(x, y)
            (ax, bx), (ay, by) = self._slopes(x, y)
            det = ax * by - ay * bx
            dx = ((v2 - a) * by - (v3 - b) * ay) / det
            dy = ((v3 - b) * ax - (v2 - a) * bx) / det
            # Far outside the detector the polynomial folds over: keep the
            # steps within bounds so that such places stay outside.
            x = np.clip(x + dx, -6000, 8000)
            y = np.clip(y + dy, -6000, 8000)
        return x, y

    def pixel_area(self, x: Float, y: Float) -> Float:
        """Solid angle of pixels in steradians."""
        (ax, bx), (ay, by) = self._slopes(x, y)
        return np.asarray(np.abs(ax * by - ay * bx) * ARCSEC**2)

    def area_map(self) -> tuple[float, Float]:
        """Nominal pixel area in steradians, and each pixel's area relative to it."""
        ny, nx = self.detector.shape
        # The area is a polynomial of this degree in x and in y: what is fitted
        # on a coarse grid is exact everywhere, and quick to evaluate.
        degree = 2 * self.degree
        basis = np.polynomial.legendre.legvander
        x, y = np.meshgrid(np.linspace(0, nx - 1, 17), np.linspace(0, ny - 1, 17))
        nominal = float(self.pixel_area(*(np.array(p) for p in self.reference_pixel)))
        fit = np.linalg.pinv(basis(np.linspace(-1, 1, 17), degree))
        table = fit @ (self.pixel_area(x, y) / nominal) @ fit.T
        all_y, all_x = (basis(np.linspace(-1, 1, n), degree) for n in (ny, nx))
        relative = all_y @ table @ all_x.T
        return nominal, relative

    def inverse_coefficients(self) -> tuple[Float, Float]:
        """Coefficients ``[i, j]`` of the polynomials from ideal x, y to pixel offsets.

        SIAF's own inverse is good to some hundredths of a pixel; this fit, of
        two degrees more, to the forward polynomial on a fine grid does better.
        """
        ny, nx = self.detector.shape
        y, x = np.mgrid[-8 : ny + 8 : 60j, -8 : nx + 8 : 60j]
        u, v = x - self.reference_pixel[0], y - self.reference_pixel[1]
        cx, cy = self.coefficients
        ideal_x = np.polynomial.polynomial.polyval2d(u, v, cx).ravel()
        ideal_y = np.polynomial.polynomial.polyval2d(u, v, cy).ravel()
        scale = max(np.abs(ideal_x).max(), np.abs(ideal_y).max())
        degree = self.degree + 2
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        design = np.stack(
            [(ideal_x / scale) ** i * (ideal_y / scale) ** j for i, j in powers], axis=1
        )
        results = []
        for target in (u.ravel(), v.ravel()):
            fit, *_ = np.linalg.lstsq(design, target, rcond=None)
            table = np.zeros((degree + 1, degree + 1))
            for (i, j), value in zip(powers, fit, strict=True):
                table[i, j] = value / scale ** (i + j)
            results.append(table)
        return results[0], results[1]

    def _triangle(self, prefix: str) -> Float:
        table = np.zeros((self.degree + 1, self.degree + 1))
        for total in range(self.degree + 1):
            for j in range(total + 1):
                table[total - j, j] = getattr(self._full, f"{prefix}{total}{j}")
        return table

    def _slopes(self, x: Float, y: Float) -> tuple[tuple[Float, Float], tuple[Float, Float]]:
        """Give the derivatives of V2, V3 by x, then by y."""
        h = 0.5
        a1, b1 = self.v2v3(x + h, y)
        a0, b0 = self.v2v3(x - h, y)
        c1, d1 = self.v2v3(x, y + h)
        c0, d0 = self.v2v3(x, y - h)
        return (a1 - a0, b1 - b0), (c1 - c0, d1 - d0)


def _vector(lon: Float, lat: Float) -> Float:
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _rx(a: float) -> Float:
    c, s = np.cos(a), np.sin(a)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _ry(a: float) -> Float:
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rz(a: float) -> Float:
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
