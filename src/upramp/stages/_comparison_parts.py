"""What a comparison of two products consists of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ArrayComparison",
    "BitConfusion",
    "Difference",
    "MetadataDifference",
    "TableComparison",
]


@dataclass(frozen=True)
class Difference:
    """Two values at one place.

    Parameters
    ----------
    index
        Where: numpy index of the element, counted from 0.
    a, b
        The value in A and in B.
    size
        How far apart they are, in the unit that the holder of this states;
        None where nothing is measured.
    """

    index: tuple[int, ...]
    a: float | int | str
    b: float | int | str
    size: float | int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        return {
            "index": list(self.index),
            "a": plain(self.a),
            "b": plain(self.b),
            "size": plain(self.size),
        }


@dataclass(frozen=True)
class BitConfusion:
    """How often one DQ bit is set in both, either or neither of two arrays."""

    name: str
    bit: int
    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def differing(self) -> int:
        """In how many elements the bit differs."""
        return self.only_a + self.only_b

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        return {
            "bit": self.bit,
            "both": self.both,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "neither": self.neither,
        }


@dataclass(frozen=True)
class ArrayComparison:
    """An array, or a table's column, of A beside the one of B.

    Parameters
    ----------
    name
        Name of the extension (``SCI``, or ``SCI,2`` for a second one) or column.
    shape_a, shape_b
        Shapes; values are compared only where they are equal.
    dtype_a, dtype_b
        Types of the values, as numpy names them.
    total
        Number of elements compared.
    differing
        How many differ: in value, in being NaN, or in the sign of a zero.
    nan_only_a, nan_only_b
        How many are NaN on one side only.
    sign_of_zero
        How many are zero on both sides, with different signs.
    first
        The first difference in C order.
    largest_ulp, largest_absolute, largest_relative
        The largest differences; NaN and signs of zero are not measured.
        Relative ones are to the larger of the two magnitudes.
    ulp_histogram
        Count of differences by distance in representable steps; None where
        the two are not of one floating-point type.
    bits
        For DQ arrays, each bit that is set anywhere.
    """

    name: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    dtype_a: str
    dtype_b: str
    total: int = 0
    differing: int = 0
    nan_only_a: int = 0
    nan_only_b: int = 0
    sign_of_zero: int = 0
    first: Difference | None = None
    largest_ulp: Difference | None = None
    largest_absolute: Difference | None = None
    largest_relative: Difference | None = None
    ulp_histogram: dict[str, int] | None = None
    bits: tuple[BitConfusion, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether shape, type and every value agree."""
        return (
            self.shape_a == self.shape_b and self.dtype_a == self.dtype_b and self.differing == 0
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        return {
            "identical": self.identical,
            "shape_a": list(self.shape_a),
            "shape_b": list(self.shape_b),
            "dtype_a": self.dtype_a,
            "dtype_b": self.dtype_b,
            "total": self.total,
            "differing": self.differing,
            "nan_only_a": self.nan_only_a,
            "nan_only_b": self.nan_only_b,
            "sign_of_zero": self.sign_of_zero,
            **{
                name: value.to_dict() if (value := getattr(self, name)) else None
                for name in ("first", "largest_ulp", "largest_absolute", "largest_relative")
            },
            "ulp_histogram": self.ulp_histogram,
            "dq_bits": {bit.name: bit.to_dict() for bit in self.bits},
        }


@dataclass(frozen=True)
class TableComparison:
    """A table of A beside the one of B, matched column by column."""

    name: str
    rows_a: int
    rows_b: int
    columns: tuple[ArrayComparison, ...] = ()
    only_in_a: tuple[str, ...] = ()
    only_in_b: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether rows, columns and every cell agree."""
        return (
            self.rows_a == self.rows_b
            and not self.only_in_a
            and not self.only_in_b
            and all(column.identical for column in self.columns)
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        return {
            "identical": self.identical,
            "rows_a": self.rows_a,
            "rows_b": self.rows_b,
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "columns": {column.name: column.to_dict() for column in self.columns},
        }


@dataclass(frozen=True)
class MetadataDifference:
    """A keyword, or a node of the ASDF tree, that is not the same in A and B.

    Parameters
    ----------
    where
        The extension: ``PRIMARY``, ``SCI``, ``ASDF``, ...
    key
        Keyword, or path in the ASDF tree.
    a, b
        The values; of no meaning on a side that does not have it.
    only_in
        ``"a"`` or ``"b"`` where one side alone has it, else None.
    volatile
        Whether two runs of one calibration are expected to differ here.
    in_tree
        Whether ``key`` is a path in the ASDF tree.
    """

    where: str
    key: str
    a: Any = None
    b: Any = None
    only_in: str | None = None
    volatile: bool = field(default=False, kw_only=True)
    in_tree: bool = field(default=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values for JSON."""
        values = {"a": plain(self.a), "b": plain(self.b)}
        if self.only_in is not None:
            values = {self.only_in: values[self.only_in]}
        return {
            "where": self.where,
            "key": self.key,
            "in_tree": self.in_tree,
            "only_in": self.only_in,
            **values,
        }


def plain(value: Any) -> Any:
    """Give a value as strict JSON can hold it: no NaN, no infinity, no types of FITS.

    Parameters
    ----------
    value
        Anything found in a header or a tree.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)
