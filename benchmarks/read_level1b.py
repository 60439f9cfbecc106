"""Reading a full-frame level-1b ramp (2048 x 2048, 10 groups) into float32.

The project's tiles against a plain read of the same bytes with conversion, and
against astropy. Each way runs in a process of its own, from a warm page cache:
the least of several wall times after one run that is not counted, and the
peak of resident memory above what the imports alone take.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._table import Row, render

__all__ = ["rows"]

_SHAPE = (1, 10, 2048, 2048)
_REPEATS = 9

_COMMON = """
import json, resource, sys, time
import numpy as np
path, repeats, groups, ny, nx = sys.argv[1], *map(int, sys.argv[2:])
{imports}
def peak():
    # VmHWM, unlike ru_maxrss, is not inherited from the parent process.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
before = peak()
def work():
{work}
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    last = work()
    times.append(time.perf_counter() - start)
found = {"first": times[0], "best": min(times[1:]), "last": last}
found["memory"] = peak() - before
print(json.dumps(found))
"""

_WAYS = {
    "tiles": (
        "import upramp, upramp.exposure",
        """
    with upramp.open(path) as exposure:
        for _, _, tile in exposure.tiles(reuse=True):
            last = tile
    return float(last[-1, -1, -1])
""",
    ),
    "fresh": (
        "import upramp, upramp.exposure",
        """
    with upramp.open(path) as exposure:
        for _, _, tile in exposure.tiles():
            last = tile
    return float(last[-1, -1, -1])
""",
    ),
    "plain": (
        "import upramp\noffset = upramp.open(path).hdu('SCI').offset",
        """
    with open(path, "rb") as file:
        file.seek(offset)
        stored = np.fromfile(file, ">i2", groups * ny * nx)
    values = stored.astype(np.float32)
    values += np.float32(32768)
    return float(values[-1])
""",
    ),
    "astropy": (
        "from astropy.io import fits",
        """
    values = fits.getdata(path, "SCI").astype(np.float32)
    return float(values[0, -1, -1, -1])
""",
    ),
}


def rows() -> list[Row]:
    """Measure.

    Returns
    -------
    list of Row
        Tiles against the plain read, and against astropy.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _make(Path(folder))
        found = {name: _measure(name, path) for name in _WAYS}
    if len({way["last"] for way in found.values()}) != 1:
        sys.exit("read_level1b: the ways of reading do not agree")
    return [
        _row("read level 1b 10 x 2048 x 2048, tiles in one buffer | plain read", found, "plain"),
        _row("read level 1b 10 x 2048 x 2048, tiles in one buffer | astropy", found, "astropy"),
        _row("read level 1b 10 x 2048 x 2048, new tiles | plain read", found, "plain", "fresh"),
        {
            "figure": "read level 1b 10 x 2048 x 2048, first time in a process | plain read",
            "project": found["tiles"]["first"],
            "peer": found["plain"]["first"],
            "ratio": found["tiles"]["first"] / found["plain"]["first"],
            "memory_project": None,
            "memory_peer": None,
        },
    ]


def _row(
    figure: str, found: dict[str, dict[str, float]], peer: str, project: str = "tiles"
) -> Row:
    ours, theirs = found[project], found[peer]
    return {
        "figure": figure,
        "project": ours["best"],
        "peer": theirs["best"],
        "ratio": ours["best"] / theirs["best"],
        "memory_project": ours["memory"],
        "memory_peer": theirs["memory"],
    }


def _make(folder: Path) -> Path:
    import numpy as np
    from astropy.io import fits

    path = folder / "bench_uncal.fits"
    data = np.random.default_rng(1).integers(0, 65536, _SHAPE, dtype=np.uint16)
    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"] = "JWST"
    primary.header["DATAMODL"] = "Level1bModel"
    fits.HDUList([primary, fits.ImageHDU(data, name="SCI")]).writeto(path)
    return path


def _measure(way: str, path: Path) -> dict[str, float]:
    imports, work = _WAYS[way]
    code = _COMMON.replace("{imports}", imports).replace("{work}", work)
    sizes = [str(number) for number in (_REPEATS, *_SHAPE[1:])]
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), *sizes], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    print(render(rows()))
