"""What a reduction starts from: the files that its inputs name, each looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from upramp.errors import InputError, UsageError
from upramp.exposure.instruments import GUIDER_TYPES
from upramp.stages.associations import Association, is_association, read_association
from upramp.stages.masks import root as mask_root
from upramp.stages.official_specs import pipeline_name
from upramp.stages.pipelines import later_pipeline

from .choices import NAMES, stage_of
from .members import Member, first_of_each, look_at
from .modes import MODES, notebooks_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .choices import Choices

__all__ = ["DIRECT", "STAGES", "Intake", "masked", "next_pipeline", "suffix_of"]

DIRECT: Final = ("cat", "segm", "i2d")
"""Products of a direct image that spectra of a whole field need."""

_NUMBER: Final = re.compile(r"-\d+$")
STAGES: Final = {"uncal": 1, "guider-uncal": 1, "rate": 2, "rateints": 2, "cal": 3, "calints": 3}
"""The stage that a kind of product goes through next."""


@dataclass
class Intake:
    """The files that a reduction takes, and what each is.

    Parameters
    ----------
    name
        The notebook: ``mode/nircam-imaging``.
    choices
        What the reduction is to do.
    find
        Finds the files that an input names.
    noting
        Takes what is wrong with one file as a failure of a step on it.
    """

    name: str
    choices: Choices
    find: Callable[[str], Sequence[Path]]
    noting: Callable[[str, str], AbstractContextManager[None]]
    files: list[Path] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    associations: list[tuple[Path, str, list[str]]] = field(default_factory=list)
    """Association files, each with the pipeline that it is for and its members' names."""
    warnings: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """What could not be read, so that nobody knows what it belongs to."""
    _found: list[Path] = field(default_factory=list)

    def take(self) -> None:
        """Find the files and look at each.

        Raises
        ------
        UsageError
            If the mask is of none of the exposures.
        """
        for name in self.choices.inputs:
            with self.noting("reading", name):
                self.unread.append(name)
                found = self.find(name)
                self.unread.pop()
                self._found += [path for path in found if path not in self._found]
        for path in self._found:
            with self.noting("reading", path.name):
                self._look(path)
        if self.choices.quicklook:
            count, self.members = len(self.members), first_of_each(self.members)
            if left := count - len(self.members):
                self.warnings.append(f"a quick look: {left} of {count} exposures are left out")
            if self.associations:
                self.warnings.append("a quick look: associations are reduced whole")
        self.files += [member.path for member in self.members]
        raw = [member for member in self.members if member.kind == "uncal"]
        some = self.members or self.associations
        covered = masked(self.choices, raw)
        if self.choices.mask is not None and some and not covered:
            raise UsageError(
                self.choices.mask,
                "it is the mask of none of these raw exposures",
                "give the exposure that it was drawn on, or leave it out",
            )
        without = len(raw) - len(covered)
        if self.choices.mask is not None and without:
            names = ", ".join(member.path.name for member in covered)
            self.warnings.append(
                f"the mask is that of {names}: {without} of {len(raw)} raw exposures go without"
            )

    def _look(self, path: Path) -> None:
        if is_association(path):
            self._take_association(path)
        elif "spec2" in self.choices.pipelines and suffix_of(path) in DIRECT:
            self.files.append(path)
        else:
            self.unread.append(path.name)
            member = look_at(path)
            self.unread.pop()
            self._require_ours(member)
            for other in self.members:
                if other.root == member.root:
                    raise InputError(
                        path,
                        f"its products would have the names of those of {other.path}",
                        "give each exposure once",
                    )
            self.members.append(member)

    def _take_association(self, path: Path) -> None:
        self.unread.append(path.name)
        content = self._association(path)
        self.unread.pop()
        pipeline = NAMES.get(content.pipeline or "")
        later = [one for one in self.choices.pipelines if stage_of(one) > 1]
        if pipeline not in later:
            raise InputError(
                path,
                f"it is an association for {content.kind or 'an unknown pipeline'}",
                f"give one for {' or '.join(later)}, whichever its members are for"
                if later
                else "give exposures",
            )
        members = [member.path for member in content.members]
        self.associations.append((path, pipeline, [one.name for one in members]))
        self.files += [path, *members]

    def _association(self, path: Path) -> Association:
        """Read an association for the first of the reduction's stages that it is for."""
        *others, last = sorted({max(2, stage_of(one)) for one in self.choices.pipelines})
        for stage in others:
            try:
                return read_association(path, stage)
            except InputError:
                continue
        return read_association(path, last)

    def _require_ours(self, member: Member) -> None:
        """Refuse an exposure that the reduction would not take to its end."""
        ours = ", ".join(self.choices.pipelines)
        pipeline = next_pipeline(member)
        last = max(map(stage_of, self.choices.pipelines))
        stages = range(STAGES.get(member.kind, last + 1), last + 1)
        if pipeline is None or not stages:
            raise InputError(
                member.path,
                f"it is a product of the kind {member.kind}, and this notebook runs {ours}",
                "give products of an earlier stage, or take the notebook"
                + (f" stage/{pipeline}" if pipeline else " that makes them"),
            )
        others = [
            one
            for stage in stages
            if (one := pipeline_of(member, stage)) not in self.choices.pipelines
        ]
        types = MODES.get(self.name, {str(member.facts.exp_type)})
        if others or member.facts.exp_type not in types:
            pipeline = others[0] if others else pipeline
            takers = notebooks_for(str(member.facts.exp_type), pipeline)
            what = f", for the pipeline {pipeline}, and this notebook runs {ours}"
            raise InputError(
                member.path,
                f"it is of the type {member.facts.exp_type}"
                + (what if others else f", and {self.name} is for {' and '.join(sorted(types))}"),
                f"give others, or take the notebook {' or '.join(takers)}",
            )


def pipeline_of(member: Member, stage: int) -> str:
    """Name the pipeline that an exposure goes through in a stage.

    Parameters
    ----------
    member
        The exposure.
    stage
        1, 2 or 3.

    Returns
    -------
    str
        A name of `PIPELINES`.

    Raises
    ------
    InputError
        If there is none for its type.
    """
    if stage == 1:
        return NAMES[pipeline_name(str(member.facts.exp_type))]
    return NAMES[later_pipeline(stage, member.facts)]


def next_pipeline(member: Member) -> str | None:
    """Name the pipeline that an exposure goes through next.

    Parameters
    ----------
    member
        The exposure, as far as it has come.

    Returns
    -------
    str or None
        A name of `PIPELINES`; None for a product that none takes.

    Raises
    ------
    InputError
        If there is none for its type.
    """
    stage = STAGES.get(member.kind)
    guides = member.facts.exp_type in GUIDER_TYPES and member.kind == "cal"
    return None if stage is None or guides else pipeline_of(member, stage)


def masked(choices: Choices, members: Sequence[Member]) -> list[Member]:
    """Give the exposures that a mask is for: the one that it names, or all.

    Parameters
    ----------
    choices
        What names the mask, or none.
    members
        Exposures.

    Raises
    ------
    InputError
        If it is no FITS file.
    """
    if choices.mask is None:
        return []
    from astropy.io import fits

    try:
        named = fits.getheader(choices.mask).get("MASKOF")
    except (OSError, ValueError) as error:
        raise InputError(
            choices.mask, "it is no FITS file", "give a mask that was saved as FITS"
        ) from error
    if not named:
        return list(members)
    return [member for member in members if mask_root(member.path.name) == mask_root(named)]


def suffix_of(path: Path) -> str:
    """Give what a file's name says of its kind: ``rate``, ``i2d``, ``cat``.

    Parameters
    ----------
    path
        The file.
    """
    suffix = path.name.removesuffix(".gz").rpartition(".")[0].rpartition("_")[2]
    # Wavefront sensing numbers the pairs of an association: wfscmb-01.
    return _NUMBER.sub("", suffix)
