"""Reads headers of exposures, and pictures of them, in a process that ends when it has.

What it imports would stay in a user's server for ever, and what a damaged file
does to it does not reach the server. One line of JSON in, one out, per file.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["main", "read"]


def read(path: str, *, picture: bool) -> dict[str, Any]:
    """Read what is shown of an exposure.

    Parameters
    ----------
    path
        The file.
    picture
        Whether to make a picture of it too.

    Returns
    -------
    dict
        ``problem``, or the header's values and ``shape``; ``png`` in base64.
    """
    import upramp
    from upramp.errors import UprampError
    from upramp.kernel.thumbnails import exposure_thumbnail

    try:
        # A list of files is no occasion to unpack a compressed one.
        with upramp.open(path, decompressed_limit=1) as exposure:
            found: dict[str, Any] = {
                "kind": exposure.kind,
                "shape": list(exposure.shape),
                "calibratable": exposure.kind == "uncal",
                **{
                    name: getattr(exposure, name)
                    for name in ("instrument", "detector", "exp_type", "filter", "readpatt")
                },
            }
            if picture:
                found["png"] = exposure_thumbnail(exposure)
            return found
    except (UprampError, OSError, ValueError, MemoryError) as error:
        return {"problem": str(error) or type(error).__name__}


def main(lines: Iterable[str]) -> Iterator[str]:
    """Answer each line.

    Parameters
    ----------
    lines
        JSON: a path, and whether to make a picture.

    Yields
    ------
    str
        JSON, for each of them.
    """
    for line in lines:
        path, picture = json.loads(line)
        yield json.dumps(read(path, picture=picture))


if __name__ == "__main__":
    for answer in main(sys.stdin):
        print(answer, flush=True)  # noqa: T201 - its parent reads it
