"""The simulated detectors and filters.

Gains, noises, wells and throughputs have the size of the flight detectors'
published values (the JWST user documentation's detector pages); they are not
the flight calibration and claim no such accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

__all__ = ["DETECTORS", "Detector", "Filter"]


@dataclass(frozen=True)
class Filter:
    """A bandpass as one detector sees it."""

    wavelength: float
    """Pivot wavelength in micrometres."""
    width: float
    """Full width in micrometres."""
    photmjsr: float
    """Surface brightness in MJy/sr that gives 1 DN/s in a pixel."""
    background: float
    """Sky and telescope background in MJy/sr."""
    vega_zero_point: float
    """Flux of Vega in Jy."""


@dataclass(frozen=True)
class Detector:
    """What distinguishes one detector from another.

    Charges are in electrons, signals in DN, times in seconds.
    """

    name: str
    """The ``DETECTOR`` keyword."""
    instrument: str
    siaf: str
    """pysiaf's name of the instrument."""
    full_aperture: str
    """SIAF aperture of the whole detector."""
    fastaxis: int
    slowaxis: int
    filters: dict[str, Filter]
    pupil: str | None = "CLEAR"
    module: str | None = None
    channel: str | None = None
    optics: str | None = None
    """What stands in the light if it is more than a filter: a coronagraph, a pupil mask."""
    coronagraph: str | None = None
    """The ``CORONMSK`` keyword."""
    shape: tuple[int, int] = (2048, 2048)
    """Rows and columns in the science frame, reference pixels included."""
    border: tuple[int, int, int, int] = (4, 4, 4, 4)
    """Width of the reference pixels: low y, high y, low x, high x."""
    pitch_um: float = 18.0
    thickness_um: float = 6.0
    """Thickness of the absorber, which sets the charge of a cosmic ray."""
    gain: float = 1.9
    """Electrons per DN."""
    read_noise: float = 8.0
    """Noise of the difference of two reads (CDS), DN."""
    one_over_f: float = 1.2
    """Standard deviation of the correlated noise of one read, DN."""
    drift: float = 1.5
    """Wander of an amplifier's offset during a frame of ten seconds, DN."""
    odd_even: float = 4.0
    """Offset between odd and even columns of an amplifier, DN."""
    bias: float = 9000.0
    full_well: float = 90_000.0
    """Electrons, where the linear signal stops."""
    dark: float = 0.02
    """Electrons per second."""
    hot_fraction: float = 6e-4
    bad_fraction: float = 1.5e-3
    ipc: float = 0.005
    """Part of the charge that each of the four neighbours sees."""
    corrects_ipc: bool = False
    """Whether the practice references hold an IPC kernel for it."""
    nonlinearity: float = 0.06
    """Part of the signal that is missing at full well."""
    cubic_part: float = 0.25
    """Part of it that a cubic term describes, the rest being quadratic."""
    ktc: float = 25.0
    """Reset noise in electrons."""
    cosmic_rays: float = 5.0
    """Hits per square centimetre and second."""
    flat_scatter: float = 0.006
    extra: dict[str, float] = field(default_factory=dict)
    """Effects of one technology only, by name."""

    @property
    def key(self) -> str:
        """Its name in `DETECTORS`: one detector has an entry for each optics before it."""
        return self.name if self.optics is None else f"{self.name}-{self.optics}"

    @property
    def technology(self) -> str:
        """Which detector technology it is: ``"nir"`` or ``"miri"``."""
        return "miri" if self.instrument == "MIRI" else "nir"


_NIRCAM_LW = {
    "F356W": Filter(3.563, 0.787, 0.36, 0.12, 272.6),
    "F444W": Filter(4.421, 1.024, 0.42, 0.28, 184.4),
}
_NIRCAM_SW = {
    "F200W": Filter(1.988, 0.461, 1.95, 0.15, 757.7),
    "F150W": Filter(1.501, 0.318, 2.20, 0.16, 1172.0),
}
_NIRISS = {"F200W": Filter(1.992, 0.461, 0.33, 0.15, 755.1)}
_NIRSPEC = {
    "F290LP": Filter(3.8, 2.3, 0.50, 0.0, 240.0),
    "CLEAR": Filter(2.5, 4.0, 0.5, 0.0, 500.0),
}
_MIRI = {
    "F560W": Filter(5.635, 1.00, 0.46, 1.4, 115.5),
    "F770W": Filter(7.639, 1.95, 0.42, 6.0, 64.1),
}
_FGS = {"OPEN": Filter(2.5, 3.0, 0.25, 0.2, 500.0)}

_DETECTORS: Final = {
    detector.name: detector
    for detector in (
        Detector(
            "NRCALONG",
            "NIRCAM",
            "NIRCam",
            "NRCA5_FULL",
            -1,
            2,
            _NIRCAM_LW,
            module="A",
            channel="LONG",
            gain=1.84,
            read_noise=8.2,
            dark=0.034,
        ),
        Detector(
            "NRCA1",
            "NIRCAM",
            "NIRCam",
            "NRCA1_FULL",
            -1,
            2,
            _NIRCAM_SW,
            module="A",
            channel="SHORT",
            gain=2.08,
            read_noise=7.6,
            dark=0.0019,
            full_well=105_000.0,
            corrects_ipc=True,
        ),
        Detector(
            "NRCBLONG",
            "NIRCAM",
            "NIRCam",
            "NRCB5_FULL",
            1,
            -2,
            _NIRCAM_LW,
            module="B",
            channel="LONG",
            gain=1.80,
            read_noise=8.4,
            dark=0.031,
        ),
        Detector(
            "NIS",
            "NIRISS",
            "NIRISS",
            "NIS_CEN",
            -2,
            -1,
            _NIRISS,
            gain=1.62,
            read_noise=9.0,
            dark=0.026,
            bias=10_500.0,
            full_well=95_000.0,
            corrects_ipc=True,
        ),
        Detector(
            "NRS1",
            "NIRSPEC",
            "NIRSpec",
            "NRS1_FULL",
            2,
            1,
            _NIRSPEC,
            pupil=None,
            gain=0.996,
            read_noise=9.6,
            dark=0.009,
            bias=8_200.0,
            full_well=54_000.0,
            cubic_part=0.0,
        ),
        Detector(
            "GUIDER2",
            "FGS",
            "FGS",
            "FGS2_FULL",
            2,
            -1,
            _FGS,
            pupil=None,
            gain=1.77,
            read_noise=12.0,
            dark=0.02,
            bias=9_600.0,
        ),
        Detector(
            "MIRIMAGE",
            "MIRI",
            "MIRI",
            "MIRIM_FULL",
            1,
            2,
            _MIRI,
            pupil=None,
            shape=(1024, 1032),
            border=(0, 0, 4, 4),
            pitch_um=25.0,
            thickness_um=35.0,
            gain=4.1,
            read_noise=6.4,
            one_over_f=1.2,
            odd_even=3.0,
            bias=9_400.0,
            full_well=210_000.0,
            dark=0.25,
            ipc=0.0,
            nonlinearity=0.12,
            ktc=60.0,
            extra={
                "reset_amplitude": 60.0,
                "reset_groups": 1.0,
                "rscd_amplitude": 25.0,
                "rscd_groups": 0.7,
                "last_frame": 0.012,
            },
        ),
    )
}

# A pupil mask and a Lyot stop keep light away: each unit takes more of it.
_BEHIND_OTHER_OPTICS: Final = (
    replace(
        _DETECTORS["NRCALONG"],
        optics="MASK335R",
        coronagraph="MASKA335R",
        # The coronagraph's wedge moves the field: the aperture file has an entry for it.
        full_aperture="NRCA5_FULL_MASK335R",
        pupil="MASKRND",
        filters={"F356W": Filter(3.563, 0.787, 0.81, 0.12, 272.6)},
    ),
    replace(
        _DETECTORS["MIRIMAGE"],
        optics="4QPM",
        coronagraph="4QPM_1065",
        filters={"F1065C": Filter(10.563, 0.57, 1.9, 13.0, 34.6)},
    ),
    replace(
        _DETECTORS["MIRIMAGE"],
        optics="PRISM",
        # The prism; what 1 DN/s means depends on the wavelength, see `lrs.conversion`.
        filters={"P750L": Filter(7.5, 9.0, 1.0, 0.0, 67.0)},
    ),
    replace(
        _DETECTORS["NRCALONG"],
        optics="GRISMR",
        pupil="GRISMR",
        # What 1 DN/s means depends on the wavelength, see `grism.conversion`.
        filters={"F356W": Filter(3.563, 0.787, 1.0, 0.0, 272.6)},
    ),
    replace(
        _DETECTORS["NIS"],
        optics="NRM",
        pupil="NRM",
        filters={"F480M": Filter(4.815, 0.298, 3.1, 0.9, 159.0)},
    ),
)

DETECTORS: Final[dict[str, Detector]] = {
    detector.key: detector for detector in (*_DETECTORS.values(), *_BEHIND_OTHER_OPTICS)
}
"""By their `Detector.key`."""
