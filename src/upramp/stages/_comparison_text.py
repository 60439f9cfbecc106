"""A comparison as text for a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ._comparison_parts import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._comparison_parts import (
        ArrayComparison,
        Difference,
        MetadataDifference,
        TableComparison,
    )
    from .compare import Comparison

__all__ = ["text_of", "verdict_of"]

_MOST_LINES: Final = 40
"""Metadata differences listed; the JSON has all of them."""
_MOST_VOLATILE: Final = 4
"""Of what says nothing about the products; their logs alone are dozens of lines."""

_WIDEST_VALUE = 60

_PER_INTEGRATION = frozenset({"rateints", "calints", "crfints", "bsubints", "ramp", "uncal"})


def verdict_of(comparison: Comparison) -> str:
    """Say the outcome in one sentence.

    Parameters
    ----------
    comparison
        What was found.
    """
    parts: list[ArrayComparison | TableComparison] = [*comparison.arrays, *comparison.tables]
    if comparison.metadata:
        verb = "differs" if len(comparison.metadata) == 1 else "differ"
        besides = f"{_count(len(comparison.metadata), 'metadata value')} {verb}"
    else:
        besides = "their metadata are the same"
    if comparison.identical:
        agree = f"all arrays and tables ({len(parts)}) agree bit for bit"
        return f"Identical {comparison.kind}: {agree}; {besides}."
    names = [part.name for part in parts if not part.identical]
    reasons = []
    if names:
        verb = "differs" if len(names) == 1 else "differ"
        reasons.append(f"{', '.join(names)} {verb} ({len(names)} of {len(parts)} compared)")
    for side, labels in (("A", comparison.only_in_a), ("B", comparison.only_in_b)):
        if labels:
            reasons.append(f"only {side} has {', '.join(labels)}")
    return f"Different {comparison.kind}: {'; '.join([*reasons, besides])}."


def text_of(comparison: Comparison) -> str:
    """Say what differs, the verdict first, then the parts from the largest matter to the least.

    Parameters
    ----------
    comparison
        What was found.
    """
    return "\n".join(_lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    yield verdict_of(comparison)
    yield f"A: {comparison.a}"
    yield f"B: {comparison.b}"
    for side, labels in (("A", comparison.only_in_a), ("B", comparison.only_in_b)):
        for label in labels:
            yield f"{label}: only in {side}"
    for array in comparison.arrays:
        yield from _array_lines(array, array.name, _axes(array, comparison.kind))
    for table in comparison.tables:
        yield from _table_lines(table)
    parts: list[ArrayComparison | TableComparison] = [*comparison.arrays, *comparison.tables]
    same = [part.name for part in parts if part.identical]
    if same and not comparison.identical:
        yield f"Identical: {', '.join(same)}"
    yield from _metadata_lines("Metadata that differ:", comparison.metadata, _MOST_LINES)
    if not comparison.identical or comparison.metadata:
        yield from _metadata_lines(
            "Expected to differ between runs:", comparison.volatile, _MOST_VOLATILE
        )
    elif comparison.volatile:
        yield f"Expected to differ between runs: {len(comparison.volatile)}, which --json lists"


def _axes(array: ArrayComparison, kind: str) -> tuple[str, ...]:
    count = len(array.shape_a)
    third = "integration" if kind in _PER_INTEGRATION else "plane"
    if count == 4:
        return ("integration", "group", "y", "x")
    if count == 1:
        return ("element",)
    return tuple(f"axis {axis}" for axis in range(count - 3)) + (third, "y", "x")[-min(count, 3) :]


def _array_lines(array: ArrayComparison, label: str, axes: tuple[str, ...]) -> Iterator[str]:
    if array.dtype_a != array.dtype_b:
        yield f"{label}: type {array.dtype_a} against {array.dtype_b}"
    if array.shape_a != array.shape_b:
        yield f"{label}: shape {array.shape_a} against {array.shape_b}"
    if array.first is None:
        return
    if array.differing == 1:
        where = f"{_how_far(array)}at {_place(axes, array.first)}, {_values(array.first)}"
    else:
        where = f"first at {_place(axes, array.first)}, {_values(array.first)}"
    verb = "differs" if array.total == 1 else "differ"
    yield f"{label}: {array.differing} of {_count(array.total, 'value')} {verb}, {where}"
    if array.differing > 1:
        yield from _spread_lines(array, axes)
    # A GROUPDQ has one value for each group of a pixel.
    unit = "value" if len(array.shape_a) == 4 else "pixel"
    for bit in array.bits:
        if bit.differing:
            yield (
                f"{label}: bit {bit.name} differs in {_count(bit.differing, unit)}: "
                f"{bit.only_a} only in A, {bit.only_b} only in B "
                f"({bit.both} in both, {bit.neither} in neither)"
            )


def _how_far(array: ArrayComparison) -> str:
    """Say what kind of difference the only one is, as a phrase that a place follows."""
    if array.nan_only_a or array.nan_only_b:
        return f"NaN only in {'A' if array.nan_only_a else 'B'} "
    if array.sign_of_zero:
        return "in the sign of zero "
    if array.largest_ulp is not None:
        return f"by {array.largest_ulp.size} ULP "
    if array.largest_absolute is not None:
        return f"by {array.largest_absolute.size} "
    return ""


def _spread_lines(array: ArrayComparison, axes: tuple[str, ...]) -> Iterator[str]:
    if array.ulp_histogram and array.largest_ulp:
        counts = [f"{name}: {count}" for name, count in array.ulp_histogram.items() if count]
        yield f"    by distance in ULP: {', '.join(counts)}"
    largest = (
        ("distance in ULP", array.largest_ulp),
        ("absolute difference", array.largest_absolute),
        ("relative difference", array.largest_relative),
    )
    for name, difference in largest:
        if difference is not None:
            size = difference.size
            number = f"{size:.6g}" if isinstance(size, float) else size
            place = _place(axes, difference)
            yield f"    largest {name}: {number} at {place}, {_values(difference)}"
    if array.nan_only_a or array.nan_only_b:
        yield f"    NaN only in A: {array.nan_only_a}, only in B: {array.nan_only_b}"
    if array.sign_of_zero:
        yield f"    sign of zero: differs in {array.sign_of_zero}"


def _place(axes: tuple[str, ...], difference: Difference) -> str:
    if len(axes) == 1:
        return f"{axes[0]} {difference.index[0]}"
    return f"({', '.join(axes)}) = {difference.index}"


def _values(difference: Difference) -> str:
    return f"{difference.a} against {difference.b}"


def _table_lines(table: TableComparison) -> Iterator[str]:
    if table.rows_a != table.rows_b:
        yield f"{table.name}: {_count(table.rows_a, 'row')} against {table.rows_b}"
    for side, names in (("A", table.only_in_a), ("B", table.only_in_b)):
        for name in names:
            yield f"{table.name}: column {name} only in {side}"
    for column in table.columns:
        axes = ("row", *(f"element {axis}" for axis in range(1, len(column.shape_a))))
        yield from _array_lines(column, f"{table.name} column {column.name}", axes)


def _metadata_lines(
    title: str, differences: Iterable[MetadataDifference], most: int
) -> Iterator[str]:
    differences = list(differences)
    if differences:
        yield title
    for difference in differences[:most]:
        yield f"    {_metadata_line(difference)}"
    if len(differences) > most:
        yield f"    and {len(differences) - most} more, which --json lists"


def _metadata_line(difference: MetadataDifference) -> str:
    if difference.in_tree:
        name = f"{difference.where} {difference.key}"
    elif difference.where == "PRIMARY":
        name = f"keyword {difference.key}"
    else:
        name = f"keyword {difference.key} of {difference.where}"
    if difference.only_in is not None:
        value = difference.a if difference.only_in == "a" else difference.b
        return f"{name}: only in {difference.only_in.upper()} ({_short(value)})"
    return f"{name}: {_short(difference.a)} against {_short(difference.b)}"


def _short(value: Any) -> str:
    if value is None:
        return "undefined"
    value = plain(value)
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST_VALUE else f"{text[: _WIDEST_VALUE - 3]}..."


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
