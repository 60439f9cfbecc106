"""Associations for stage 3 of exposures that were given loose, made with the official packages."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import output_errors
from upramp.errors import InputError, UsageError
from upramp.spared_imports import spare_grammar

from .pipelines import REFERENCE_STARS, association_type, later_pipeline
from .product_names import candidate, product_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .facts import Facts

__all__ = ["Loose", "Made", "associate", "write_association"]

_OPTICS: Final = {"filter": "FILTER", "pupil": "PUPIL", "grating": "GRATING"}
_SPECTRA: Final = frozenset({"x1d", "x1dints"})


@dataclass(frozen=True)
class Loose:
    """An exposure that was given by itself.

    Parameters
    ----------
    name
        The name of its file.
    kind
        Its kind of product: ``cal``, ``calints``, ``x1d``.
    facts
        What it says of itself.
    """

    name: str
    kind: str
    facts: Facts


@dataclass(frozen=True)
class Made:
    """An association that was made.

    Parameters
    ----------
    pipeline
        The official pipeline for it.
    identity
        Its candidate.
    product
        The name of its product.
    members
        Name of the file and purpose of each.
    """

    pipeline: str
    identity: str
    product: str
    members: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        """Its official type."""
        return association_type(self.pipeline)


def associate(exposures: Sequence[Loose]) -> Made:
    """Put exposures together that stage 3 is to make one product of.

    Parameters
    ----------
    exposures
        The exposures, one at least.

    Returns
    -------
    Made
        What they make, and what each is there for.

    Raises
    ------
    InputError
        If they do not belong together, or an exposure that is needed is not
        among them.
    UsageError
        If two have the same name.
    """
    _require_distinct(exposures)
    purposes = _purposes(exposures)
    science = [
        one for one, purpose in zip(exposures, purposes, strict=True) if purpose == "science"
    ]
    if not science:
        raise InputError(
            exposures[0].facts.label,
            "all exposures are of reference stars or spectra of backgrounds, none of the target",
            "give the target's exposures too",
        )
    facts = [one.facts for one in science]
    pipeline = later_pipeline(3, facts[0])
    for one in facts[1:]:
        _require_together(facts[0], one, pipeline)
    _require_reference(facts[0], pipeline, purposes)
    if pipeline == "WfsCombineStep" and len(science) != 2:
        raise InputError(
            facts[0].label,
            f"wavefront images are combined in pairs, and {len(science)} were given",
            "give two, or an association file with a product for each pair",
        )
    return Made(
        pipeline,
        candidate(facts),
        product_name(facts, pipeline),
        tuple((one.name, purpose) for one, purpose in zip(exposures, purposes, strict=True)),
    )


def _purposes(exposures: Sequence[Loose]) -> list[str]:
    backgrounds = [one.facts.is_background for one in exposures]
    # Exposures of nothing but sky are what is asked for, if they are all that is given.
    mixed = any(backgrounds) and not all(backgrounds)
    found = []
    for one in exposures:
        if one.facts.exp_type in REFERENCE_STARS and one.facts.is_psf:
            found.append("psf")
        elif one.kind in _SPECTRA:
            found.append("background")
        elif mixed and one.facts.is_background:
            if later_pipeline(3, one.facts) == "Spec3Pipeline":
                raise InputError(
                    one.facts.label,
                    "it is of a background, of which stage 3 takes the extracted spectrum",
                    "give its x1d product instead",
                )
            found.append("background")
        else:
            found.append("science")
    return found


def _require_distinct(exposures: Sequence[Loose]) -> None:
    seen: dict[str, str] = {}
    for one in exposures:
        if one.name in seen:
            raise UsageError(
                one.facts.label,
                f"it has the name of {seen[one.name]}"
                if seen[one.name] != one.facts.label
                else "it is given twice",
                "give exposures of different names, each once",
            )
        seen[one.name] = one.facts.label


def _require_together(first: Facts, other: Facts, pipeline: str) -> None:
    remedy = "give them by themselves, or an association file if they belong together"
    if other.instrument != first.instrument:
        raise InputError(
            other.label, f"it is of {other.instrument} and others of {first.instrument}", remedy
        )
    if later_pipeline(3, other) != pipeline or other.exp_type != first.exp_type:
        raise InputError(
            other.label,
            f"it is of the type {other.exp_type} and others of {first.exp_type}",
            remedy,
        )
    if first.exp_type == "MIR_MRS":
        return  # one cube may be made of all its gratings
    for name, keyword in _OPTICS.items():
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise InputError(
                other.label, f"its {keyword} is {two} and that of others {one}", remedy
            )


def _require_reference(first: Facts, pipeline: str, purposes: Sequence[str]) -> None:
    if pipeline == "Coron3Pipeline" and "psf" not in purposes:
        raise InputError(
            first.label,
            "coronagraphy needs exposures of a reference star, and none has IS_PSF in its header",
            "give them too, or an association file that names them as psf",
        )


def write_association(made: Made, file: Path) -> None:
    """Write an association file for the official pipelines.

    Parameters
    ----------
    made
        The association.
    file
        Where; its members are to lie beside it.
    """
    spare_grammar()
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base

    association: Any = asn_from_list(
        list(made.members), rule=DMS_Level3_Base, product_name=made.product, with_exptype=True
    )
    association["asn_type"] = made.kind
    association["asn_id"] = made.identity
    with output_errors(file):
        file.write_text(association.dump()[1], encoding="utf-8")


def restate(source: Path, file: Path, product: str | None = None) -> None:
    """Write an association again under the same name elsewhere, its types in lower case.

    Not every official pipeline knows them in another.

    Parameters
    ----------
    source
        The association.
    file
        Where to.
    product
        Another name for its product, with its members beside it as before;
        None leaves names of products and gives members their whole paths.
    """
    content = json.loads(source.read_bytes())
    members = [one for entry in content["products"] for one in entry["members"]]
    for member in members:
        member["exptype"] = member["exptype"].lower()
    if product is not None:
        content["products"][0]["name"] = product
    else:
        for member in members:
            member["expname"] = os.fspath(source.absolute().parent / member["expname"])
    with output_errors(file):
        file.write_text(json.dumps(content, indent=4), encoding="utf-8")


def lay_beside(files: Sequence[Path], folder: Path) -> None:
    """Give a folder links to files, by their names.

    Parameters
    ----------
    files
        The files.
    folder
        The folder.
    """
    with output_errors(folder):
        for file in files:
            (folder / file.name).symlink_to(file.resolve())
