"""Two products of one kind side by side: what differs, where, and by how much."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from astropy.utils.exceptions import AstropyWarning

from upramp.errors import NotComparableError

from ._compare_arrays import compare_arrays
from ._compare_metadata import VOLATILE_KEYWORDS, compare_headers, compare_trees
from ._comparison_parts import ArrayComparison, MetadataDifference, TableComparison
from ._comparison_text import text_of, verdict_of
from ._product_file import ProductFile

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from upramp.exposure.hdus import HDU

__all__ = ["Comparison", "compare"]

_TREE = "ASDF"
"""The extension that holds metadata, not measurements."""

_HEADERS = "HDRTAB"
"""The table in which a product of many exposures keeps the keywords of each."""


@dataclass(frozen=True)
class Comparison:
    """What is the same and what differs between two products.

    Parameters
    ----------
    a, b
        The two files.
    kind
        What they are: the mission's suffix (``rate``), a data model's name,
        or ``FITS file``.
    arrays
        Every image that both have.
    tables
        Every binary table that both have.
    only_in_a, only_in_b
        Extensions that only one of them has.
    metadata
        Keywords and nodes of the ASDF tree that differ.
    volatile
        The same, where two runs of one calibration are expected to differ:
        times, file names, checksums, logs.
    """

    a: Path
    b: Path
    kind: str
    arrays: tuple[ArrayComparison, ...]
    tables: tuple[TableComparison, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    metadata: tuple[MetadataDifference, ...]
    volatile: tuple[MetadataDifference, ...]

    @property
    def identical(self) -> bool:
        """Whether every array and table of one is in the other, bit for bit.

        Metadata do not count.
        """
        parts: list[ArrayComparison | TableComparison] = [*self.arrays, *self.tables]
        return not self.only_in_a and not self.only_in_b and all(part.identical for part in parts)

    @property
    def exit_code(self) -> int:
        """What ``upramp compare`` returns: 0 for `identical`, else 1."""
        return 0 if self.identical else 1

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        return verdict_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as plain values, ready for strict JSON.

        Returns
        -------
        dict
            Numbers that JSON does not know, NaN and infinities, are texts.
        """
        return {
            "verdict": self.verdict,
            "identical": self.identical,
            "exit_code": self.exit_code,
            "a": str(self.a),
            "b": str(self.b),
            "kind": self.kind,
            "extensions": {"only_in_a": list(self.only_in_a), "only_in_b": list(self.only_in_b)},
            "arrays": {array.name: array.to_dict() for array in self.arrays},
            "tables": {table.name: table.to_dict() for table in self.tables},
            "metadata": [difference.to_dict() for difference in self.metadata],
            "volatile": [difference.to_dict() for difference in self.volatile],
        }

    def to_text(self) -> str:
        """Give what a person wants to know, the verdict on the first line."""
        return text_of(self)


def compare(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> Comparison:
    """Compare two products of one kind, bit for bit.

    Parts are matched by EXTNAME and EXTVER. All NaN are one value; zeros of
    different sign differ. Pieces of the arrays are read one after the other,
    so that memory does not grow with the files.

    Parameters
    ----------
    a, b
        FITS files, plain or gzip, whatever their names say.

    Returns
    -------
    Comparison
        What differs. Metadata are compared too, apart from the verdict.

    Raises
    ------
    InputError
        If one of them is not FITS, is cut short or damaged.
    NotComparableError
        If they are products of different kinds, or their science arrays
        have different shapes.
    """
    with warnings.catch_warnings():
        # Astropy's remarks on odd cards: they are compared as written.
        warnings.simplefilter("ignore", AstropyWarning)
        with closing(ProductFile.open(a)) as left, closing(ProductFile.open(b)) as right:
            _require_comparable(left, right)
            return _compare(left, right)


def _compare(left: ProductFile, right: ProductFile) -> Comparison:
    shared = [label for label in left.hdus if label in right.hdus]
    arrays: list[ArrayComparison] = []
    tables: list[TableComparison] = []
    metadata: list[MetadataDifference] = []
    for label in shared:
        x, y = left.hdus[label], right.hdus[label]
        if label == _TREE or not (x.shape or y.shape):
            continue
        if x.type == y.type == "BINTABLE":
            table = _compare_tables(label, (left, x), (right, y))
            if label == _HEADERS:
                table, told = _without_volatile(table)
                metadata += told
            tables.append(table)
        else:
            arrays.append(compare_arrays(label, left.array(x), right.array(y)))
    metadata += [found for label in shared for found in _metadata(label, left, right)]
    return Comparison(
        left.path,
        right.path,
        left.suffix or right.suffix or left.model or right.model or "FITS file",
        tuple(arrays),
        tuple(tables),
        tuple(label for label in left.hdus if label not in right.hdus),
        tuple(label for label in right.hdus if label not in left.hdus),
        tuple(found for found in metadata if not found.volatile),
        tuple(found for found in metadata if found.volatile),
    )


def _require_comparable(left: ProductFile, right: ProductFile) -> None:
    kinds = [
        (left.suffix, right.suffix, "a {} product"),
        (left.model, right.model, "written as {}"),
    ]
    for of_a, of_b, phrase in kinds:
        if of_a is not None and of_b is not None and of_a != of_b:
            raise NotComparableError(
                right.path,
                f"it is {phrase.format(of_b)} and {left.path} is {phrase.format(of_a)}",
                "give two products of one kind",
            )
    for label, x in left.hdus.items():
        y = right.hdus.get(label)
        if y is None or x.name != "SCI" or not (x.is_image and y.is_image) or x.shape == y.shape:
            continue
        raise NotComparableError(
            right.path,
            f"its {label} array has shape {y.shape} and that of {left.path} has {x.shape}",
            "give two products of one shape",
        )


def _compare_tables(
    label: str, of_a: tuple[ProductFile, HDU], of_b: tuple[ProductFile, HDU]
) -> TableComparison:
    (left, x), (right, y) = of_a, of_b
    in_a, in_b = left.columns(x), right.columns(y)
    rows = x.shape[0], y.shape[0]
    shared = [name for name in in_a if name in in_b] if rows[0] == rows[1] else []
    return TableComparison(
        label,
        *rows,
        tuple(compare_arrays(name, in_a[name], in_b[name]) for name in shared),
        tuple(name for name in in_a if name not in in_b),
        tuple(name for name in in_b if name not in in_a),
    )


def _without_volatile(
    table: TableComparison,
) -> tuple[TableComparison, list[MetadataDifference]]:
    """Take times and names of files, of which a table tells by exposure, for metadata."""
    told = [one for one in table.columns if one.name in VOLATILE_KEYWORDS and not one.identical]
    kept = tuple(one for one in table.columns if one not in told)
    differences = [
        MetadataDifference(
            table.name,
            one.name,
            None if one.first is None else one.first.a,
            None if one.first is None else one.first.b,
            None,
            volatile=True,
        )
        for one in told
    ]
    return replace(table, columns=kept), differences


def _metadata(label: str, left: ProductFile, right: ProductFile) -> Iterator[MetadataDifference]:
    x, y = left.hdus[label], right.hdus[label]
    yield from compare_headers(label, left.header(x), right.header(y))
    if label == _TREE:
        sources = left.source, right.source
        yield from compare_trees(label, sources, (left.content(x), right.content(y)))
