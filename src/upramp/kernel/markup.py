"""Small tables for notebooks, in HTML and in plain text, out of values that are not trusted."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Card", "clipped", "escaped"]

_LONGEST: Final = 1500
_ROWS: Final = 200
_LABEL: Final = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;white-space:nowrap"
_VALUE: Final = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
_LINES: Final = "white-space:pre;font-family:var(--jp-code-font-family,monospace)"
_FRAME: Final = {
    "plain": "var(--jp-border-color2,#bdbdbd)",
    "notice": "var(--jp-warn-color1,#b26a00)",
}


def clipped(value: object, longest: int = _LONGEST) -> str:
    """Give a value as one line of text, shortened.

    Parameters
    ----------
    value
        Anything; a header's or a notebook's values are anything.
    longest
        How many characters to keep.
    """
    text = str(value)
    if len(text) > longest:
        text = f"{text[:longest]}…"
    return printable(text)


def escaped(value: object, longest: int = _LONGEST) -> str:
    """Give a value as text that means nothing to HTML.

    Parameters
    ----------
    value, longest
        As for `clipped`.
    """
    return html.escape(clipped(value, longest))


@dataclass(frozen=True)
class Card:
    """A title, sentences, and rows of a label with values.

    A notebook shows it as a table; a terminal, or a reader of the file, as lines.

    Parameters
    ----------
    title
        What it is about.
    rows
        Each a label and one value or more.
    notes
        Sentences under the table.
    header
        Labels of the columns, for tables of several.
    kind
        ``plain``, or ``notice`` for what must not be overlooked.
    picture
        An image in PNG as base64, shown beside the rows; and ...
    picture_text
        ... what it shows.
    preformatted
        Whether the notes are lines whose columns are to stay under one another.
    data
        What the card was made of, for whoever goes on working with it.
    """

    title: str
    rows: Sequence[Sequence[object]] = ()
    notes: Sequence[str] = ()
    header: Sequence[str] = ()
    kind: str = "plain"
    picture: str = ""
    picture_text: str = ""
    preformatted: bool = False
    data: Any = field(default=None, repr=False)

    def to_html(self) -> str:
        """Give it as HTML without scripts."""
        rows, left_out = self._rows()
        lines = [
            f'<div style="border-left:3px solid {_FRAME[self.kind]};padding:2px 0 2px 10px">',
            f'<div style="font-weight:600">{escaped(self.title)}</div>',
        ]
        if self.picture:
            lines.append(
                f'<img src="data:image/png;base64,{html.escape(self.picture)}" '
                f'alt="{escaped(self.picture_text)}" '
                'style="max-width:260px;margin:4px 0;image-rendering:pixelated">'
            )
        if rows:
            lines.append('<table style="border-collapse:collapse;margin:4px 0">')
            if self.header:
                cells = "".join(
                    f'<th scope="col" style="{_LABEL}">{escaped(one)}</th>' for one in self.header
                )
                lines.append(f"<thead><tr>{cells}</tr></thead>")
            lines.append("<tbody>")
            for label, *values in rows:
                cells = "".join(f'<td style="{_VALUE}">{escaped(one)}</td>' for one in values)
                head = f'<th scope="row" style="{_LABEL};font-weight:500">{escaped(label)}</th>'
                lines.append(f"<tr>{head}{cells}</tr>")
            lines.append("</tbody></table>")
        notes = [*self.notes, *left_out]
        style = f' style="{_LINES}"' if self.preformatted else ""
        lines += [f"<div{style}>{escaped(note, 2000)}</div>" for note in notes]
        lines.append("</div>")
        return "\n".join(lines)

    def to_text(self) -> str:
        """Give it as lines of text."""
        rows, left_out = self._rows()
        table = [[clipped(cell) for cell in row] for row in rows]
        if self.header and rows:
            table.insert(0, [clipped(cell) for cell in self.header])
        columns = max((len(row) for row in table), default=0)
        widths = [max(len(row[at]) for row in table if at < len(row)) for at in range(columns)]
        lines = [clipped(self.title)]
        for row in table:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            lines.append(f"  {'  '.join(padded)}".rstrip())
        lines += [clipped(note, 2000) for note in (*self.notes, *left_out)]
        return "\n".join(lines)

    def _rows(self) -> tuple[list[Sequence[object]], list[str]]:
        rows = list(self.rows)
        if len(rows) <= _ROWS:
            return rows, []
        return rows[:_ROWS], [f"... and {len(rows) - _ROWS} more."]

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return self.to_text()
