"""Pictures of spectra: dispersed, before and after their sky, rectified, extracted, combined."""

from __future__ import annotations

from .dispersed_light import dispersed, extraction, nods
from .extracted_spectra import beside_parts, spectrum

__all__ = ["beside_parts", "dispersed", "extraction", "nods", "spectrum"]
