"""The archive's exposures as a user sees them: a list, what headers say, small pictures.

Everything is read as the user, who sees what they may read and nothing else.
What has been read once is kept in the server's runtime folder, which a full
home does not fill.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from upramp.errors import UprampError

from .inside import Inside
from .reading import Reading

__all__ = ["Catalogue", "Entry", "Listing", "find_files"]

_ENDINGS: Final = ("_uncal.fits", "_uncal.fits.gz")
_READ_AT_ONCE: Final = 500
"""Headers that are read for one list: about two seconds, once."""

_KEPT: Final = 2000
"""Headers and pictures that are kept on disk."""

_LOST: Final = {"problem": "reading it ended before its time; look at it with 'upramp info'."}

_RECENT: Final = 64
"""Pictures that are kept in memory, where there is no room to keep them on disk."""

_SHOWN: Final = ("instrument", "detector", "exp_type", "filter", "readpatt")


@dataclass(frozen=True)
class Entry:
    """An exposure of the list.

    Parameters
    ----------
    name
        The file's name.
    path
        The file.
    key
        What changes with the file: of its path, size and time.
    size
        In bytes.
    values
        What its header says, by the names of an exposure's attributes; empty for nothing.
    shape
        (nints, ngroups, ny, nx).
    problem
        Why it cannot be read; nothing if it can.
    compressed
        Whether it is gzip, which is not unpacked for a list.
    calibratable
        Whether stage 1 takes it.
    """

    name: str
    path: Path
    key: str
    size: int
    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(_SHOWN, ""))
    shape: tuple[int, ...] = ()
    problem: str = ""
    compressed: bool = False
    calibratable: bool = False

    @property
    def size_text(self) -> str:
        """Its size, to be read."""
        units = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
        unit, name = next((each for each in units if self.size >= each[0]), units[-1])
        return f"{self.size / unit:.1f} {name}"

    @property
    def words(self) -> str:
        """What a search looks through."""
        return " ".join((self.name, *self.values.values())).lower()


@dataclass(frozen=True)
class Listing:
    """Exposures that were found.

    Parameters
    ----------
    entries
        Those to show.
    found
        How many match.
    total
        How many there are.
    unread
        How many headers were not looked into, of an archive that is too large.
    """

    entries: list[Entry]
    found: int
    total: int
    unread: int


def find_files(folder: Path) -> list[Entry]:
    """Find the exposures of a folder that this user may read, by name.

    Parameters
    ----------
    folder
        Of raw exposures: ``uncal`` in an archive.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            # A name that is no text cannot be sent back by a page, nor written into a notebook.
            wanted = entry.name.endswith(_ENDINGS) and entry.name.isprintable()
            if not wanted or entry.name.startswith("."):
                continue
            try:
                status = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and os.access(entry.path, os.R_OK):
                text = f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}"
                key = hashlib.sha256(text.encode()).hexdigest()
                compressed = entry.name.endswith(".gz")
                found.append(
                    Entry(
                        entry.name,
                        Path(entry.path),
                        key,
                        status.st_size,
                        compressed=compressed,
                        calibratable=compressed,
                    )
                )
    return sorted(found, key=lambda each: each.name)


class Catalogue:
    """The list of an archive's exposures.

    Parameters
    ----------
    folder
        Of raw exposures.
    cache
        Where to keep what has been read.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self._cache = Inside(cache)
        self._headers: dict[str, dict[str, Any]] = {}
        self._reading = asyncio.Lock()
        self._asked: dict[str, tuple[Entry, asyncio.Future[bytes]]] = {}
        self._drawing: asyncio.Task[None] | None = None
        self._recent: dict[str, bytes] = {}

    def files(self) -> dict[str, Entry]:
        """Give the exposures by name, without their headers.

        Raises
        ------
        OSError
            If the archive cannot be listed.
        """
        return {entry.name: entry for entry in find_files(self.folder)}

    async def search(self, text: str, first: int, most: int) -> Listing:
        """List exposures.

        Parameters
        ----------
        text
            Words that all have to be in a name or among its header's values.
        first
            How many to leave out before.
        most
            How many to give.

        Raises
        ------
        OSError
            If the archive cannot be listed.
        """
        files = await asyncio.to_thread(find_files, self.folder)
        words = text.lower().split()
        if len(files) <= _READ_AT_ONCE:
            known = await self._with_headers(files)
            matching = [each for each in known if all(word in each.words for word in words)]
            return Listing(matching[first : first + most], len(matching), len(files), 0)
        matching = [each for each in files if all(word in each.name.lower() for word in words)]
        shown = await self._with_headers(matching[first : first + most])
        return Listing(shown, len(matching), len(files), len(files) - len(shown))

    async def picture(self, name: str) -> bytes | None:
        """Give a picture of an exposure.

        Parameters
        ----------
        name
            Of its file; one that is not in the list has none.

        Returns
        -------
        bytes or None
            A PNG; None if there is nothing to see.
        """
        entry = (await asyncio.to_thread(self.files)).get(name)
        if entry is None or entry.compressed:
            return None
        found = await asyncio.to_thread(self._kept, f"pictures/{entry.key}.png")
        if found is not None:
            return found or None
        if entry.key in self._recent:
            return self._recent[entry.key] or None
        # Whoever asks for one that is being made already waits for the same.
        waiting = self._asked.get(entry.key)
        if waiting is None or waiting[1].get_loop() is not asyncio.get_running_loop():
            waiting = self._asked[entry.key] = (entry, asyncio.get_running_loop().create_future())
            if self._drawing is None or self._drawing.done():
                self._drawing = asyncio.create_task(self._draw())
        # Who leaves the page takes it from nobody else.
        return await asyncio.shield(waiting[1]) or None

    async def _draw(self) -> None:
        """Make the pictures that are asked for, each given as soon as it is there.

        One process makes all of a page's, for to start one takes longer than a picture.
        """
        try:
            while self._asked:  # also what is asked for while the last process ends
                async with Reading() as reading:
                    while self._asked:
                        await self._draw_next(reading)
                await asyncio.to_thread(self._cache.trim, "pictures", _KEPT)
        finally:
            # If it fails, there are none; the next page asks again.
            asked, self._asked = self._asked, {}
            for _, waiting in asked.values():
                if not waiting.done() and not waiting.get_loop().is_closed():
                    waiting.set_result(b"")

    async def _draw_next(self, reading: Reading) -> None:
        key, (entry, waiting) = next(iter(self._asked.items()))
        answer = await reading.ask(entry.path, picture=True)
        png = base64.b64decode((answer or {}).get("png") or "")
        if answer is not None:  # one that was lost is tried again another time
            await asyncio.to_thread(self._keep, f"pictures/{key}.png", png)
            self._recent[key] = png
        while len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]
        self._asked.pop(key, None)
        if not waiting.done():
            waiting.set_result(png)

    async def _with_headers(self, entries: list[Entry]) -> list[Entry]:
        async with self._reading:
            if not self._headers:
                self._headers = await asyncio.to_thread(self._kept_headers)
            new = [
                each for each in entries if each.key not in self._headers and not each.compressed
            ]
            if new:
                async with Reading() as reading:
                    for each in new:
                        answer = await reading.ask(each.path, picture=False)
                        if answer is not None:
                            self._headers[each.key] = answer
                while len(self._headers) > _KEPT:
                    del self._headers[next(iter(self._headers))]
                text = json.dumps(self._headers).encode()
                await asyncio.to_thread(self._keep, "headers.json", text)
        return [_complete(each, self._headers.get(each.key, _LOST)) for each in entries]

    # ---- what is kept

    def _kept_headers(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._kept("headers.json") or b"{}")
        except (ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, dict)}

    def _kept(self, path: str) -> bytes | None:
        try:
            return self._cache.read(path)
        except (UprampError, OSError):
            return None

    def _keep(self, path: str, content: bytes) -> None:
        try:
            self._cache.replace(path, content)
        except (UprampError, OSError):
            return  # it is read again next time


def _complete(entry: Entry, header: dict[str, Any]) -> Entry:
    """Put what a header says into an entry; it is shown as it is, and believed in nothing else."""
    if entry.compressed:
        return entry
    shape = header.get("shape")
    return replace(
        entry,
        values={name: str(header.get(name) or "")[:60] for name in _SHOWN},
        shape=tuple(shape) if isinstance(shape, list) else (),
        problem=str(header.get("problem") or ""),
        calibratable=bool(header.get("calibratable")),
    )
