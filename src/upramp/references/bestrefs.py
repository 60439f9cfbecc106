"""Which calibration references CRDS recommends for an exposure, and what they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import ReferenceFileError

from .crds_environment import OBSERVATORY, guarded_crds
from .hashing import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ResolvedReference", "ResolvedReferences", "best_references", "resolve"]

NOT_APPLICABLE: Final = "N/A"
_NOT_FOUND: Final = "NOT FOUND"
_BAD_DATE: Final = "Invalid date/time"


@dataclass(frozen=True)
class ResolvedReference:
    """One reference file that a context recommends.

    Parameters
    ----------
    reftype
        Its type, in lower case: ``dark``, ``pars-jumpstep``.
    path
        The file, or None where the context says that none applies.
    sha256
        The hash of the file's bytes, or None where none applies.
    """

    reftype: str
    path: Path | None
    sha256: str | None

    @property
    def name(self) -> str:
        """The file's name, or ``N/A``."""
        return NOT_APPLICABLE if self.path is None else self.path.name


@dataclass(frozen=True)
class ResolvedReferences(Mapping[str, ResolvedReference]):
    """All references of an exposure, by type, and the context that chose them.

    Parameters
    ----------
    context
        The name of the context, ``jwst_1535.pmap``.
    references
        The references by type.
    """

    context: str
    references: Mapping[str, ResolvedReference]

    def __getitem__(self, reftype: str) -> ResolvedReference:
        return self.references[reftype]

    def __iter__(self) -> Any:
        return iter(self.references)

    def __len__(self) -> int:
        return len(self.references)

    def files(self) -> dict[str, Path]:
        """Give the paths of those types that have a file."""
        return {kind: ref.path for kind, ref in self.items() if ref.path is not None}

    def to_dict(self) -> dict[str, dict[str, str | None]]:
        """Give names and hashes by type, for a record such as a provenance."""
        return {
            kind: {"file": ref.name, "sha256": ref.sha256} for kind, ref in sorted(self.items())
        }


def best_references(
    subject: Any, reftypes: Iterable[str] | None = None, context: str | None = None
) -> ResolvedReferences:
    """Ask CRDS for the best references of an exposure, and get them.

    Files that are not in the cache are fetched where ``CRDS_SERVER_URL``
    names a server; nothing else goes over the network.

    Parameters
    ----------
    subject
        An `upramp.Exposure`, an official data model, or a mapping of FITS
        keywords (``INSTRUME``) or CRDS parameters (``META.INSTRUMENT.NAME``).
    reftypes
        Types that are wanted, ``pars-*`` included; None for all that the
        context knows for this type of exposure.
    context
        The context to use; None for ``CRDS_CONTEXT``, or the cache's own.

    Raises
    ------
    ReferenceFileError
        If there is no usable cache or context, a parameter that chooses is
        undefined, or a file is missing.
    """
    return resolve(crds_parameters(subject), _label(subject), reftypes, context)


def resolve(
    parameters: Mapping[str, Any],
    label: str,
    reftypes: Iterable[str] | None = None,
    context: str | None = None,
) -> ResolvedReferences:
    """Do what `best_references` does, for CRDS parameters that are known.

    Parameters
    ----------
    parameters
        CRDS parameters, as ``get_crds_parameters`` of a data model gives.
    label
        What an error is to call the exposure.
    reftypes
        Types that are wanted; None for all.
    context
        The context to use; None for the environment's.
    """
    wanted = None if reftypes is None else sorted({kind.lower() for kind in reftypes})
    with guarded_crds(context):
        import crds
        from crds.core import heavy_client

        _, name = heavy_client.get_processing_mode(OBSERVATORY, context)
        if wanted == []:
            return ResolvedReferences(name, {})
        found: dict[str, str] = heavy_client.getrecommendations(
            dict(parameters), wanted, context=name, observatory=OBSERVATORY
        )
        chosen = {kind.lower(): _chosen(kind.lower(), file, label) for kind, file in found.items()}
        files = [kind for kind, file in chosen.items() if file is not None]
        paths: dict[str, str] = {}
        if files:
            missing = _missing(files, chosen)
            if missing:
                # This call fetches them, if there is a server to fetch them from.
                _require_server(missing)
            paths = crds.getreferences(
                dict(parameters), files, context=name, observatory=OBSERVATORY
            )
    return ResolvedReferences(
        name, {kind: _resolved(kind, paths.get(kind)) for kind in sorted(wanted or chosen)}
    )


def crds_parameters(subject: Any) -> dict[str, Any]:
    """Give what CRDS chooses references by.

    Parameters
    ----------
    subject
        As for `best_references`.
    """
    if hasattr(subject, "get_crds_parameters"):
        parameters: dict[str, Any] = subject.get_crds_parameters()
        return parameters
    header = subject if isinstance(subject, Mapping) else subject.header
    parameters = {}
    with guarded_crds():
        from crds.jwst.schema import fits_to_dm

        for key, value in dict(header).items():
            if not isinstance(value, (str, int, float, bool)):
                continue
            if str(key).upper().startswith("META."):
                parameters[str(key).lower()] = value
            elif (known := fits_to_dm(str(key))) is not None:
                parameters[known.lower()] = value
    return parameters


def _label(subject: Any) -> str:
    path = getattr(subject, "path", None)
    if path is None and hasattr(subject, "meta"):
        path = getattr(subject.meta, "filename", None)
    return str(path or "this exposure")


def _chosen(reftype: str, answer: str, label: str) -> str | None:
    if not answer.upper().startswith(_NOT_FOUND):
        return None if answer.upper() == NOT_APPLICABLE else answer
    # The official pipeline takes a parameter reference that cannot be chosen for none.
    if NOT_APPLICABLE in answer.upper() or reftype.startswith("pars-"):
        return None
    reason = " ".join(answer[len(_NOT_FOUND) :].split())
    if _BAD_DATE in reason:
        # crds quotes its own parser here.
        raise ReferenceFileError(
            label,
            f"CRDS finds no {reftype} reference for it, because its DATE-OBS and TIME-OBS are no "
            "date and time",
            "put them right, as 2022-07-12 and 03:04:05.678",
        )
    raise ReferenceFileError(
        label,
        f"CRDS finds no {reftype} reference for it: {reason}",
        "check the keyword that it names, or use a context that knows this mode",
    )


def _missing(files: list[str], chosen: Mapping[str, str | None]) -> list[tuple[str, str]]:
    from crds.core import config

    missing = []
    for kind in files:
        path = config.locate_file(chosen[kind], OBSERVATORY)
        if not os.path.isfile(path):  # noqa: PTH113 - a string from crds, many times
            missing.append((kind, path))
    return missing


def _require_server(missing: list[tuple[str, str]]) -> None:
    from .crds_environment import crds_environment

    if crds_environment().server_url is not None:
        return
    kind, path = missing[0]
    others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    raise ReferenceFileError(
        path,
        f"the {kind} reference{others} is not in the CRDS cache",
        "sync the cache, or set CRDS_SERVER_URL",
    )


def _resolved(reftype: str, path: str | None) -> ResolvedReference:
    if path is None:
        return ResolvedReference(reftype, None, None)
    file = Path(path)
    if not file.is_file():
        raise ReferenceFileError(
            file,
            f"the {reftype} reference could not be fetched into the CRDS cache",
            "check the network, CRDS_SERVER_URL and that the cache may be written",
        )
    return ResolvedReference(reftype, file, sha256_of(file))
