"""Which exposures a reduction takes, and which of them belong into one product."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import write_text
from upramp.errors import InputError
from upramp.stages.calibration import stem
from upramp.stages.facts import Facts, facts_of
from upramp.stages.made_associations import lay_beside
from upramp.stages.pipelines import (
    IMAGE2,
    REFERENCE_STARS,
    WFSS,
    is_series,
    later_pipeline,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_KINDS: Final = re.compile(r"_(uncal|rate|rateints|cal|calints)\Z")

__all__ = [
    "Member",
    "first_of_each",
    "holds_background",
    "later_groups",
    "look_at",
    "second_stage_association",
    "sources_for",
    "takes_integrations",
]


@dataclass(frozen=True)
class Member:
    """An exposure that takes part in a reduction.

    Parameters
    ----------
    path
        Its file.
    kind
        The kind of product that it is: ``uncal``, ``rate``, ``cal``.
    facts
        What it says of itself.
    """

    path: Path
    kind: str
    facts: Facts

    @property
    def root(self) -> str:
        """What its products share in their names: all but a known kind at the end."""
        return _KINDS.sub("", stem(self.path))


def look_at(path: Path) -> Member:
    """Read what an exposure says of itself.

    Parameters
    ----------
    path
        Its file.

    Raises
    ------
    InputError
        If it cannot be read, or does not say what it is.
    """
    from upramp.exposure import open_exposure

    with open_exposure(path) as exposure:
        facts = facts_of(exposure, os.fspath(path))
        kind = str(exposure.kind)
    if not facts.exp_type:
        raise InputError(
            path, "it has no EXP_TYPE in its header", "give an exposure of the mission"
        )
    return Member(path, kind, facts)


def _kind_of_light(member: Member) -> tuple[object, ...]:
    """Tell exposures of different purposes apart, and dithers of one not."""
    facts = member.facts
    return (
        *(facts.exp_type, facts.instrument, facts.detector, facts.filter, facts.pupil),
        *(facts.grating, facts.target, facts.is_psf, facts.is_background),
    )


def first_of_each(members: Sequence[Member]) -> list[Member]:
    """Give the first exposure of each kind, for a quick look; of wavefront pairs both.

    Parameters
    ----------
    members
        The exposures.
    """
    found: dict[tuple[object, ...], list[Member]] = {}
    for member in members:
        found.setdefault(_kind_of_light(member), []).append(member)
    return [
        member
        for alike in found.values()
        for member in alike[: 2 if alike[0].facts.pattern == "WFSC" else 1]
    ]


def takes_integrations(facts: Facts) -> bool:
    """Tell whether stage 2 takes the slopes of each integration, rather than their mean.

    Parameters
    ----------
    facts
        What the exposure says of itself.
    """
    return facts.exp_type in REFERENCE_STARS or is_series(facts)


def second_stage_association(
    member: Member, others: Sequence[Member], direct: Mapping[str, Path], folder: Path
) -> Path | None:
    """Write the association that stage 2 needs of an exposure, if it needs one.

    Exposures of empty sky are subtracted from those like them; a nod in the slit has
    the other nods for its background too; a whole field's spectra need the sources of
    the direct image.

    Parameters
    ----------
    member
        The exposure's slopes.
    others
        Those of the other exposures of the reduction.
    direct
        Products of the direct image: ``cat``, ``segm`` and ``i2d``.
    folder
        Where it is written, beside links to its members.

    Returns
    -------
    Path or None
        The association's file, or None where the exposure is enough.

    Raises
    ------
    InputError
        If the sources of the direct image are needed and there are none.
    """
    beside: list[tuple[str, Path]] = []
    if member.facts.exp_type in WFSS:
        purposes = {"cat": "sourcecat", "segm": "segmap", "i2d": "direct_image"}
        missing = [suffix for suffix in purposes if suffix not in direct]
        if missing and member.facts.catalogue is None:
            raise InputError(
                member.path,
                "spectra of a whole field need the sources of a direct image, and there is none",
                "give the direct image's exposures too",
            )
        beside = [(purpose, direct[one]) for one, purpose in purposes.items() if one in direct]
    else:
        beside = [("background", one.path) for one in others if holds_background(member, one)]
    if not beside:
        return None
    kind = "image2" if member.facts.exp_type in IMAGE2 else "spec2"
    members = [("science", member.path), *beside]
    content = {
        "asn_type": kind,
        "asn_rule": "DMSLevel2bBase",
        "asn_id": f"o{member.facts.observation or '001'}",
        "asn_pool": "none",
        "program": member.facts.program or "noprogram",
        "products": [
            {
                "name": member.root,
                "members": [
                    {"expname": path.name, "exptype": purpose} for purpose, path in members
                ],
            }
        ],
    }
    lay_beside([path for _, path in members], folder)
    file = folder / f"{member.root}_{kind}_asn.json"
    write_text(file, json.dumps(content, indent=4) + "\n")
    return file


def sources_for(
    member: Member, files: Mapping[str, Sequence[Path]]
) -> tuple[dict[str, Path], bool]:
    """Choose the products of a direct image that an exposure of a whole field's spectra needs.

    Parameters
    ----------
    member
        The exposure.
    files
        Products of direct images by suffix, ``cat``, ``segm`` and ``i2d``, the last
        combined ones.

    Returns
    -------
    dict
        A file by suffix, all of one product where there are such: of the image through
        the exposure's own filter, else of the first.
    bool
        Whether that image went through the exposure's own filter.
    """
    images = list(files.get("i2d", ()))
    ours = [path for path in images if _light(look_at(path).facts) & _light(member.facts)]
    image = next(iter([*ours, *images]), None)
    found = {} if image is None else {"i2d": image}
    for suffix in ("cat", "segm"):
        having = list(files.get(suffix, ()))
        same = [path for path in having if image is not None and _stem(path) == _stem(image)]
        if chosen := [*same, *having]:
            found[suffix] = chosen[0]
    return found, bool(ours) or image is None


def _light(facts: Facts) -> set[str]:
    """Give the filters of an exposure, which stand in either wheel."""
    wheels = {facts.filter, facts.pupil} - {None, "CLEAR", "CLEARP"}
    return {str(one) for one in wheels if not str(one).startswith("GR")}


def _stem(path: Path) -> str:
    return path.name.rpartition("_")[0]


def holds_background(member: Member, other: Member) -> bool:
    """Tell whether an exposure has another for its background: empty sky, or another nod.

    Parameters
    ----------
    member
        The exposure.
    other
        The other one.
    """
    one, two = member.facts, other.facts
    if other.path == member.path or one.is_background or one.exp_type in WFSS:
        return False
    if _instrument_set_up(one) != _instrument_set_up(two):
        return False
    nods = one.exp_type == "MIR_LRS-FIXEDSLIT" and "NOD" in (one.pattern or "").upper()
    same = (one.target, one.observation) == (two.target, two.observation)
    return two.is_background or (nods and same)


def _instrument_set_up(facts: Facts) -> tuple[object, ...]:
    return (
        *(facts.exp_type, facts.detector, facts.filter, facts.pupil, facts.grating),
        facts.subarray,
    )


def later_groups(members: Sequence[Member]) -> list[tuple[str, list[Member]]]:
    """Sort exposures by the product of stage 3 that they make together.

    Parameters
    ----------
    members
        Products of stage 2: ``cal`` or ``calints``.

    Returns
    -------
    list of tuple
        The official pipeline and the members of each product. Reference stars are
        in the group of each target that they were observed for. Exposures of empty
        sky are in none, unless there are no others.

    Raises
    ------
    InputError
        If an exposure has no stage 3.
    """
    groups: dict[tuple[object, ...], list[Member]] = {}
    stars: list[Member] = []
    sky_alone = all(member.facts.is_background for member in members)
    for member in members:
        if member.facts.is_background and not sky_alone:
            continue
        facts = member.facts
        if facts.exp_type in REFERENCE_STARS and facts.is_psf:
            stars.append(member)
            continue
        groups.setdefault(_product_of(member), []).append(member)
    if not groups and stars:
        raise InputError(
            stars[0].path,
            "all exposures are of reference stars, none of the target",
            "give the target's exposures too",
        )
    found = []
    for key, alike in groups.items():
        pipeline = str(key[0])
        if pipeline == "WfsCombineStep":
            found += [(pipeline, alike[at : at + 2]) for at in range(0, len(alike), 2)]
        else:
            found.append(
                (pipeline, [*alike, *(star for star in stars if _serves(star, alike[0]))])
            )
    return found


def _product_of(member: Member) -> tuple[object, ...]:
    facts = member.facts
    pipeline = later_pipeline(3, facts)
    key: tuple[object, ...] = (
        *(pipeline, facts.program, facts.exp_type, facts.filter, facts.pupil, facts.grating),
        facts.is_background or facts.target,
    )
    if pipeline in {"Tso3Pipeline", "WfsCombineStep"}:
        # Each series by itself, its segments together; pairs are of one detector.
        return (*key, facts.observation, facts.activity, facts.detector)
    return key


def _serves(star: Member, target: Member) -> bool:
    one, two = star.facts, target.facts
    return (one.exp_type, one.filter, one.pupil, one.subarray) == (
        *(two.exp_type, two.filter, two.pupil),
        two.subarray,
    )


def has_images(members: Sequence[Member]) -> bool:
    """Tell whether there are images among exposures, beside spectra.

    Parameters
    ----------
    members
        The exposures.
    """
    return any(member.facts.exp_type in IMAGE2 for member in members)


def described(member: Member) -> dict[str, Any]:
    """Give an exposure as a row of a table.

    Parameters
    ----------
    member
        The exposure.
    """
    facts = member.facts
    light = [facts.filter, None if facts.pupil == "CLEAR" else facts.pupil, facts.grating]
    role = "reference star" if facts.is_psf else "background" if facts.is_background else "science"
    return {
        "file": member.path.name,
        "type": facts.exp_type,
        "detector": facts.detector,
        "light": " ".join(part for part in light if part),
        "target": facts.target or "",
        "integrations": facts.nints,
        "role": role,
    }
