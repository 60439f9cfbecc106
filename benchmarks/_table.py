"""One table for all benchmarks."""

from __future__ import annotations

from typing import NotRequired, TypedDict

__all__ = ["Row", "render"]


class Row(TypedDict):
    """A measured figure.

    Times in seconds, memory in MB at the peak of the process; the ratio is
    project over peer, so below 1 the project is faster. None: not measured.
    """

    figure: str
    project: float
    peer: float | None
    ratio: float | None
    memory_project: float | None
    memory_peer: float | None
    unit: NotRequired[str]
    """Of project and peer, where they are no seconds; the heading's is seconds."""
    cannot: NotRequired[bool]
    """Whether there is no figure of the peer because it has no way to do this."""


def render(rows: list[Row]) -> str:
    """Lay measured figures out in columns.

    Parameters
    ----------
    rows
        What was measured.

    Returns
    -------
    str
        The table, a heading included.
    """
    heading = ("figure", "project s", "peer s", "ratio", "project MB", "peer MB")
    cells = [
        (
            row["figure"],
            _measured(row, row["project"]),
            "cannot" if row.get("cannot") else _measured(row, row["peer"]),
            _number(row["ratio"], 2),
            _number(row["memory_project"], 0),
            _number(row["memory_peer"], 0),
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in (heading, *cells)) for column in range(6)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (heading, *cells)
    )


def _measured(row: Row, value: float | None) -> str:
    unit = row.get("unit", "s")
    if value is None or unit == "s":
        return _number(value, 4)
    return f"{value:.{2 if unit == 'x' else 1}f} {unit}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
