"""Keywords of an exposure, wherever in the file they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .hdus import keyword, parse_header

if TYPE_CHECKING:
    from astropy.io import fits

    from .hdus import HDU
    from .source import Source

__all__ = ["Inferred", "Keywords"]


@dataclass(frozen=True)
class Inferred:
    """A value that a file does not hold, and how it is known all the same.

    Attributes
    ----------
    value : bool, int, float or str
        What the keyword must be.
    reason : str
        What it follows from.
    """

    value: bool | int | float | str
    reason: str

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"


class Keywords(Mapping[str, Any]):
    """Keywords of the primary header, then of the science array's.

    Values that were inferred come first; an undefined value counts as absent.

    Parameters
    ----------
    source
        The file, named where a card is damaged.
    hdus
        Whose headers to look in, in this order.
    """

    def __init__(self, source: Source, hdus: tuple[HDU, ...]) -> None:
        self._source = source
        self._headers: list[fits.Header] = [parse_header(source, hdu.raw) for hdu in hdus]
        self.inferred: dict[str, Inferred] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self.inferred:
            return self.inferred[name].value
        for header in self._headers:
            value = keyword(self._source, header, name)
            if value is not None and value != "":
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self.inferred)
        for header in self._headers:
            try:
                names.update(dict.fromkeys(name for name in header if name))
            except Exception:  # noqa: BLE001 - astropy raises many kinds on damaged cards
                self._source.fail("a card of its header is damaged", "download or copy it again")
        return (name for name in names if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def text(self, name: str) -> str | None:
        """Value as text without blanks around it, None where absent.

        Parameters
        ----------
        name
            The keyword.

        Raises
        ------
        InputError
            If it holds something else than text.
        """
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            self._wrong(name, value, "text")
        return value.strip() or None if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        """Value as a float, None where absent.

        Parameters
        ----------
        name
            The keyword.

        Raises
        ------
        InputError
            If it holds something else than a number.
        """
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
            self._wrong(name, value, "a number")
        return float(value)

    def whole(self, name: str) -> int | None:
        """Value as an integer, None where absent.

        Parameters
        ----------
        name
            The keyword.

        Raises
        ------
        InputError
            If it holds something else than a whole number.
        """
        value = self.number(name)
        if value is None:
            return None
        if value != int(value):
            self._wrong(name, value, "a whole number")
        return int(value)

    def _wrong(self, name: str, value: object, wanted: str) -> None:
        self._source.fail(
            f"its keyword {name} is {str(value)[:40]!r}, which is not {wanted}",
            "correct the keyword or fetch the file again",
        )
