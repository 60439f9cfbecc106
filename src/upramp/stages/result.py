"""What a calibration gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Result"]


@dataclass(frozen=True, eq=False)
class Result:
    """What a calibration gave.

    Parameters
    ----------
    models
        Official data models by the suffix of their product: ``rate``,
        ``rateints``, ``ramp``, ``dark``, ``cal``.
    provenance
        Engine, versions, context, references, parameters, steps and input; the
        same record that each product carries.
    products
        The files that were written, none without an output folder.
    log_file
        The official packages' log, or None where nothing was to be written.
    warnings
        What official steps warned of, each with the name of its logger.
    source
        The file that stage 1 read, wherever it was; None after later stages. No product and
        no provenance tells it, since it is a place on this machine.
    """

    models: Mapping[str, Any]
    provenance: Mapping[str, Any]
    products: tuple[Path, ...]
    log_file: Path | None
    warnings: tuple[str, ...] = ()
    source: Path | None = None

    @property
    def rate(self) -> Any:
        """The slope image, (ny, nx) in DN/s, or None if the pipeline makes none."""
        return self.models.get("rate")

    @property
    def rateints(self) -> Any:
        """The slope images by integration, (nints, ny, nx) in DN/s, or None."""
        return self.models.get("rateints")

    @property
    def ramp(self) -> Any:
        """The corrected ramp, (nints, ngroups, ny, nx) in DN, or None if not asked for."""
        return self.models.get("ramp", self.models.get("dark"))

    @property
    def cal(self) -> Any:
        """The calibrated image or spectra of a single exposure by stage 2, or None."""
        return self.models.get("cal")

    @property
    def calints(self) -> Any:
        """The same by integration, or None."""
        return self.models.get("calints")
