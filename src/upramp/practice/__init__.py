"""The practice archive: simulated exposures on which the official pipeline runs.

A sky of stars and galaxies is imaged through the segmented mirror onto
detectors that do what the flight detectors do, and written as level-1b
products beside a CRDS cache of their own references and the truth.
Everything here is a simulation, and says so in its headers.
"""

from __future__ import annotations

from .archive import environment, list_programs, make_archive

__all__ = ["environment", "list_programs", "make_archive"]
