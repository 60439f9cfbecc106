"""Which files belong to one product of stage 3, where a reduction makes several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from upramp.stages.calibration import stem

from .choices import stage_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from .records import Product

__all__ = ["Family", "families"]


@dataclass(frozen=True)
class Family:
    """What one run of a pipeline of stage 3 made, and the exposures that it was made of.

    Parameters
    ----------
    products
        What it made.
    roots
        Names of its exposures, without the kind of product at their end.
    """

    products: frozenset[Path]
    roots: frozenset[str]

    def of(self, files: Sequence[Path]) -> list[Path]:
        """Give those of some files that belong to it: its products, its exposures and theirs.

        Parameters
        ----------
        files
            Any files of the reduction.
        """
        return [one for one in files if one in self.products or _root(one.name) in self.roots]


def families(products: Sequence[Product], suffixes: Collection[str]) -> list[Family]:
    """Give the families that have products of some kinds.

    Parameters
    ----------
    products
        All of the reduction, in the order in which they were made.
    suffixes
        The kinds.
    """
    found: dict[tuple[str, tuple[str, ...]], list[Product]] = {}
    for one in products:
        if stage_of(one.pipeline) == 3:
            found.setdefault((one.pipeline, one.made_of), []).append(one)
    return [
        Family(frozenset(one.path for one in made), frozenset(map(_root, made_of)))
        for (_, made_of), made in found.items()
        if any(one.suffix in suffixes for one in made)
    ]


def _root(name: str) -> str:
    return stem(name).rpartition("_")[0]
