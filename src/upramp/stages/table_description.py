"""What a table in ECSV is, as stage 3 writes catalogues and light curves."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import InputError

from .product_records import read_table_provenance

if TYPE_CHECKING:
    import os

__all__ = ["TableFile", "describe_table"]

_KINDS: Final = {
    "cat": "a catalogue of sources",
    "phot": "a light curve",
    "whtlt": "a light curve of spectra",
}
_WIDTH: Final = 100


@dataclass(frozen=True)
class TableFile:
    """What a table is.

    Parameters
    ----------
    path
        The file.
    kind
        Its suffix: ``cat``, ``phot``, ``whtlt``, or another.
    bytes
        Its size.
    rows
        Count of rows.
    columns
        Names, with units in brackets.
    provenance
        This package's own record of how it was made, or None.
    """

    path: str
    kind: str
    bytes: int
    rows: int
    columns: tuple[str, ...]
    provenance: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Give everything as what JSON can hold."""
        return asdict(self)

    def to_text(self) -> str:
        """Give what fits on a screen."""
        what = _KINDS.get(self.kind, "a table")
        lines = [
            _line("File", f"{Path(self.path).name}: {what}, ECSV, {self.bytes / 1e3:.1f} kB"),
            _line("Rows", str(self.rows)),
            _line("Columns", ", ".join(self.columns)),
        ]
        if self.provenance is not None:
            own = self.provenance
            version = own.get("versions", {}).get("upramp")
            made = f"upramp {version}: {own.get('engine')} {own.get('pipeline')}"
            lines.append(_line("Provenance", f"{made}, {own.get('context')}"))
        return "\n".join(lines)


def _line(title: str, text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{title:<12}",
        subsequent_indent=" " * 12,
        max_lines=4,
        placeholder=" …",
    )


def describe_table(path: str | os.PathLike[str]) -> TableFile:
    """Describe a table in ECSV.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from astropy.table import Table

    file = Path(path)
    try:
        size = file.stat().st_size
        table = Table.read(file, format="ascii.ecsv")
    except FileNotFoundError as error:
        raise InputError(file, "there is no such file", "check the path") from error
    except Exception as error:
        # astropy and yaml have no common base for what a damaged table raises.
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            file, f"it cannot be read as ECSV ({reason})", "check where the file is from"
        ) from error
    columns = tuple(
        name + (f" [{unit}]" if (unit := getattr(table[name], "unit", None)) else "")
        for name in table.colnames
    )
    kind = file.stem.rpartition("_")[2]
    return TableFile(str(file), kind, size, len(table), columns, read_table_provenance(file))
