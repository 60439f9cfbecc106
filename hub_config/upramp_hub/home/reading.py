"""Asks a process of its own what exposures hold: one that a damaged file ends is started again."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Reading"]

_PATIENCE: Final = 30.0
"""Seconds that a file may take."""

_PROCESSES: Final = 8
"""How many processes are started, for files that end them, before the rest is given up."""

_LONGEST_ANSWER: Final = 4 * 1024**2


class Reading:
    """A process that reads one file after another, as long as the block lasts."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._lost = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def ask(self, path: Path, *, picture: bool) -> dict[str, Any] | None:
        """Give what is said of a file.

        Parameters
        ----------
        path
            The file.
        picture
            Whether a picture is to be made of it.

        Returns
        -------
        dict or None
            As `reader.read` gives it; None if the file ended the process, or kept it waiting.
        """
        if self._lost >= _PROCESSES:
            return None
        try:
            process = self._process = self._process or await _start()
            if process.stdin is not None and process.stdout is not None:
                process.stdin.write(json.dumps([str(path), picture]).encode() + b"\n")
                await process.stdin.drain()
                line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
                answer = json.loads(line)
                if isinstance(answer, dict):
                    return answer
        except (TimeoutError, ValueError, OSError):
            pass  # as for an answer that is none
        self._lost += 1
        await self._end()
        return None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", f"{__package__}.reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_ANSWER,
    )
