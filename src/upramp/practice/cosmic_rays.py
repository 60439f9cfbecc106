"""Cosmic rays, snowballs and showers: what falls on a detector besides light.

Tracks: an isotropic flux through a thin slab, each particle leaving charge in
proportion to its path through each pixel, with the spread of a Landau
distribution in Moyal's approximation (Moyal 1955, Phil. Mag. 46, 263).
Snowballs: a core beyond full well and a halo that falls off (as described by
Regan 2023, JWST-STScI-008545). Showers: faint, wide patches, as MIRI sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .instruments import Detector

__all__ = ["KINDS", "Hits", "draw_hits", "empty_hits", "join"]

KINDS: Final = ("track", "snowball", "shower")
"""Kinds of event, by the number that `Hits.kind` holds."""

_ELECTRONS_PER_UM = 150.0
"""Most probable charge per micrometre of path."""
_DIFFUSION: Final = np.array([[0.004, 0.022, 0.004], [0.022, 0.896, 0.022], [0.004, 0.022, 0.004]])
"""Part of a hit's charge that its pixel and its neighbours collect."""
_SNOWBALLS_PER_CM2_S = 1.6e-3
_SHOWERS_PER_CM2_S = 4e-3


@dataclass(frozen=True)
class Hits:
    """Charge that events leave in pixels, one row per pixel touched."""

    event: NDArray[np.int32]
    """Number of the event within its integration."""
    kind: NDArray[np.uint8]
    """Index into `KINDS`."""
    frame: NDArray[np.int32]
    """Frame since the reset in which it fell, dropped frames included."""
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    energy: NDArray[np.float32]
    """Electrons."""

    def __len__(self) -> int:
        return len(self.event)


def empty_hits() -> Hits:
    """Give a table without rows."""
    none = np.zeros(0, np.int32)
    return Hits(none, none.astype(np.uint8), none, none, none, none.astype(np.float32))


def join(parts: list[Hits]) -> Hits:
    """Put tables of one integration together, numbering their events on."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return empty_hits()
    events, first = [], 0
    for part in parts:
        events.append(part.event + first)
        first = int(events[-1].max()) + 1
    return Hits(
        np.concatenate(events).astype(np.int32),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("kind", "frame", "y", "x", "energy")
        ),
    )


def draw_hits(
    detector: Detector,
    light: NDArray[np.bool_],
    frames: int,
    frame_time: float,
    rng: np.random.Generator,
) -> Hits:
    """Draw everything that hits a window during one integration.

    Parameters
    ----------
    detector
        Its pixels' size and thickness.
    light
        (ny, nx): the pixels that collect charge.
    frames
        Number of frames from reset to last read, dropped ones included.
    frame_time
        Seconds.
    rng
        Where the numbers come from.
    """
    ny, nx = light.shape
    square_cm = ny * nx * (detector.pitch_um * 1e-4) ** 2
    seconds = frames * frame_time
    parts = [
        _tracks(
            detector, light, frames, rng.poisson(detector.cosmic_rays * square_cm * seconds), rng
        )
    ]
    if detector.technology == "nir":
        # One at least, so that each exposure has one to find where it fits.
        count = rng.poisson(_SNOWBALLS_PER_CM2_S * square_cm * seconds) + 1
        if min(ny, nx) >= 200:
            parts += [_snowball(detector, light, frames, rng) for _ in range(count)]
    else:
        count = rng.poisson(_SHOWERS_PER_CM2_S * square_cm * seconds) + 1
        if min(ny, nx) >= 200:
            parts += [_shower(light, frames, rng) for _ in range(count)]
    return join(parts)


def _tracks(
    detector: Detector,
    light: NDArray[np.bool_],
    frames: int,
    count: int,
    rng: np.random.Generator,
) -> Hits:
    ny, nx = light.shape
    # Through a plane the flux goes with the cosine of the incidence.
    cosine = np.sqrt(rng.random(count))
    cosine = np.clip(cosine, 0.05, 1)
    length = detector.thickness_um * np.sqrt(1 - cosine**2) / cosine / detector.pitch_um
    path = detector.thickness_um / cosine
    moyal = -np.log(np.clip(rng.standard_normal(count) ** 2, 1e-12, None))
    charge = path * _ELECTRONS_PER_UM * np.clip(1 + 0.35 * moyal, 0.15, 30)
    angle = rng.uniform(0, 2 * np.pi, count)
    y0, x0 = rng.uniform(-0.5, ny - 0.5, count), rng.uniform(-0.5, nx - 0.5, count)
    frame = rng.integers(0, frames, count)
    rows: list[tuple[int, int, int, int, float]] = []
    for k in range(count):
        steps = max(int(np.ceil(length[k] * 8)), 1)
        along = (np.arange(steps) + 0.5) / steps * length[k]
        ys = np.rint(y0[k] + along * np.sin(angle[k])).astype(int)
        xs = np.rint(x0[k] + along * np.cos(angle[k])).astype(int)
        collected: dict[tuple[int, int], float] = {}
        for y, x in zip(ys.tolist(), xs.tolist(), strict=True):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    place = (y + dy, x + dx)
                    part = charge[k] / steps * _DIFFUSION[dy + 1, dx + 1]
                    collected[place] = collected.get(place, 0.0) + part
        rows += [(k, int(frame[k]), y, x, e) for (y, x), e in collected.items()]
    if not rows:
        return empty_hits()
    event, frame_, y_, x_, energy = (np.array(column) for column in zip(*rows, strict=True))
    return _on_window(light, event, 0, frame_, y_, x_, energy)


def _snowball(
    detector: Detector, light: NDArray[np.bool_], frames: int, rng: np.random.Generator
) -> Hits:
    ny, nx = light.shape
    cy, cx = rng.uniform(0, ny), rng.uniform(0, nx)
    core = rng.uniform(3.5, 8.0)
    reach = int(core * 4 + 4)
    y, x = np.mgrid[int(cy) - reach : int(cy) + reach + 1, int(cx) - reach : int(cx) + reach + 1]
    distance = np.hypot(y - cy, x - cx)
    halo = 1500.0 * np.exp(-np.clip(distance - core, 0, None) / (0.55 * core))
    energy = np.where(distance < core, 1.5 * detector.full_well, halo)
    kept = energy > 25
    frame = np.full(kept.sum(), rng.integers(1, max(frames - 1, 2)))
    # The charge of the halo arrives in quanta too.
    return _on_window(
        light, np.zeros(kept.sum()), 1, frame, y[kept], x[kept], rng.poisson(energy[kept])
    )


def _shower(light: NDArray[np.bool_], frames: int, rng: np.random.Generator) -> Hits:
    ny, nx = light.shape
    cy, cx = rng.uniform(0, ny), rng.uniform(0, nx)
    a, b = rng.uniform(10, 22, 2)
    angle = rng.uniform(0, np.pi)
    reach = int(2.5 * max(a, b))
    y, x = np.mgrid[int(cy) - reach : int(cy) + reach + 1, int(cx) - reach : int(cx) + reach + 1]
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
    energy = rng.poisson(260.0 * np.exp(-0.5 * ((u / a) ** 2 + (v / b) ** 2)))
    kept = energy > 0
    frame = np.full(kept.sum(), rng.integers(1, max(frames - 1, 2)))
    return _on_window(light, np.zeros(kept.sum()), 2, frame, y[kept], x[kept], energy[kept])


def _on_window(
    light: NDArray[np.bool_],
    event: NDArray[np.generic],
    kind: int,
    frame: NDArray[np.generic],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    energy: NDArray[np.generic],
) -> Hits:
    ny, nx = light.shape
    # Windows are small: 32 bits hold any place.
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    inside[inside] &= light[y[inside], x[inside]]
    return Hits(
        event[inside].astype(np.int32),
        np.full(inside.sum(), kind, np.uint8),
        frame[inside].astype(np.int32),
        y[inside].astype(np.int32),
        x[inside].astype(np.int32),
        energy[inside].astype(np.float32),
    )
