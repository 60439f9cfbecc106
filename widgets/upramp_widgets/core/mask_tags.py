"""What a region of a mask is about, as the tags of DS9 say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Tags", "numbers_text"]

_NAMED: Final = re.compile(r"\s*(integrations?|groups?|bit)\s*=\s*(.*?)\s*", re.IGNORECASE)
_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_MOST: Final = 100_000  # of groups: more are a mistake
_ERASED: Final = "erased"


def numbers_text(numbers: Sequence[int]) -> str:
    """Write sorted numbers as ranges, such as ``0,2-5``.

    Parameters
    ----------
    numbers
        Whole numbers, none twice.
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(str(end) for end in part) for part in parts)


@dataclass(frozen=True, slots=True)
class Tags:
    """Where a region belongs.

    Attributes
    ----------
    integrations, groups
        Counted from 0; None: not said.
    bit
        Mnemonic of the flag; None: not said.
    erased
        Whether it is erased there.
    """

    integrations: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    bit: str | None = None
    erased: bool = False

    def texts(self) -> list[str]:
        """Give the tags."""
        texts = []
        for name, numbers in (("integrations", self.integrations), ("groups", self.groups)):
            if numbers is not None:
                texts.append(f"{name}={numbers_text(numbers)}")
        if self.bit is not None:
            texts.append(f"bit={self.bit}")
        return [*texts, _ERASED] if self.erased else texts

    @classmethod
    def read(cls, texts: Iterable[str]) -> Tags:
        """Read tags; those of other meaning are passed over.

        Parameters
        ----------
        texts
            The tags of a region.

        Raises
        ------
        UsageError
            If one has no sense, such as ``groups=a``.
        """
        integrations = groups = bit = None
        erased = False
        for text in texts:
            named = _NAMED.fullmatch(str(text))
            if named is None:
                erased |= str(text).strip().lower() == _ERASED
            elif named[1].lower() == "bit":
                bit = named[2].upper()
            elif named[1].lower().startswith("i"):
                integrations = _numbers(text, named[2])
            else:
                groups = _numbers(text, named[2])
        return cls(integrations, groups, bit, erased)


def _numbers(text: str, value: str) -> tuple[int, ...]:
    numbers: set[int] = set()
    for part in value.split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if not 0 <= last - first < _MOST:
            raise UsageError(f"tag {text}", "it names no numbers", "write it like groups=2-5")
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))
