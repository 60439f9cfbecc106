"""CRDS best references, and a resident cache of parsed references."""

from __future__ import annotations

from .bestrefs import ResolvedReference, ResolvedReferences, best_references
from .cache import CacheStatistics, ReferenceCache
from .coverage import Subarray, Window
from .crds_environment import CrdsEnvironment, crds_environment
from .flags import standard_flags
from .hashing import hash_ahead, sha256_of
from .records import Reference, check_reference, load_reference

__all__ = [
    "CacheStatistics",
    "CrdsEnvironment",
    "Reference",
    "ReferenceCache",
    "ResolvedReference",
    "ResolvedReferences",
    "Subarray",
    "Window",
    "best_references",
    "check_reference",
    "crds_environment",
    "hash_ahead",
    "load_reference",
    "sha256_of",
    "standard_flags",
]
