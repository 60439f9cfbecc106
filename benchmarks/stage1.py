"""Stage 1 by the engine `upramp`, beside the official pipeline.

(a) arrays in, arrays out, with the references in memory; (b) one more exposure
in a warm process, file to file; (c) the whole command from a cold start; (d)
jump and fit again after a changed threshold, the whole detector and a window.
Each way runs in a process of its own: of several repeats after one that is not
counted the least wall time. Memory is the peak of the process; for arrays and
for (d), where both start from arrays in memory, the peak above what was held
when the work began. Slopes of both ways, and their errors, must add up to
the same numbers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._stage1.exposures import FULL, SUBARRAY, archive
from benchmarks._table import Row, render

__all__ = ["rows"]

_DEFAULT, _FLIGHT = "jwst_0001.pmap", "jwst_0002.pmap"
_LIKELY = {"ramp_fit.algorithm": "LIKELY"}
_BASE: dict[str, Any] = {"overrides": {}, "threads": 2, "context": _DEFAULT, "repeats": 5}
_ABOVE = frozenset({"arrays", "again"})


def _cases(folder: Path) -> list[tuple[str, dict[str, Any], int]]:
    """List what is measured: figure, case, and how often the peer repeats."""
    full = str(folder / "uncal" / FULL.format(1))
    dithers = [str(folder / "uncal" / FULL.format(n)) for n in (1, 2, 3, 4)]
    small = [str(folder / "uncal" / SUBARRAY.format(n)) for n in (1, 2, 3, 4)]
    arrays = {"kind": "arrays", "file": full}
    files = {"kind": "files", "files": dithers}
    again = {"kind": "again", "file": full, "window": False}
    return [
        ("(a) arrays, 10 groups, defaults", arrays, 2),
        ("(a) arrays, 10 groups, defaults, 1 thread", {**arrays, "threads": 1}, 0),
        ("(a) arrays, 10 groups, flight-like", {**arrays, "context": _FLIGHT}, 2),
        ("(a) arrays, 10 groups, LIKELY", {**arrays, "overrides": _LIKELY}, 1),
        ("(a) arrays, 40 groups, defaults", {**arrays, "shape": [1, 40], "repeats": 2}, 0),
        ("(a) arrays, 5 integrations of 8", {**arrays, "shape": [5, 8], "repeats": 2}, 0),
        ("(b) file to file, warm, defaults", files, 2),
        ("(b) file to file, warm, flight-like", {**files, "context": _FLIGHT}, 2),
        ("(b) file to file, warm, LIKELY", {**files, "overrides": _LIKELY}, 1),
        ("(b) file to file, warm, SUB640", {**files, "files": small}, 2),
        ("(d) jump and fit again, whole", again, 2),
        ("(d) jump and fit again, whole, flight-like", {**again, "context": _FLIGHT}, 2),
        ("(d) jump and fit again, 256 x 256", {**again, "window": True, "repeats": 30}, 5),
        # The official steps have no window of their own where snowballs come from outside it.
        (
            "(d) jump and fit again, 256 x 256, flight-like",
            {**again, "window": True, "context": _FLIGHT},
            0,
        ),
    ]


def rows() -> list[Row]:
    """Measure.

    Returns
    -------
    list of Row
        This project beside the official pipeline.
    """
    folder = archive()
    found = []
    theirs: dict[str, Any] | None = None
    for figure, case, peer_repeats in _cases(folder):
        print(f"  {figure} ...", file=sys.stderr, flush=True)
        whole = {**_BASE, **case, "archive": str(folder)}
        ours = _worker({**whole, "way": "ours"})
        # The peer has no threads: one thread of ours is set beside the same figure.
        if not peer_repeats and whole["kind"] == "again":
            theirs = None
        elif whole["threads"] > 1:
            theirs = _worker({**whole, "way": "official", "repeats": peer_repeats})
            _require_same(figure, ours, theirs)
        found.append(_row(figure, ours, theirs, "above" if whole["kind"] in _ABOVE else "peak"))
    return [*found, *_cold(folder)]


def _require_same(figure: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    if theirs["sum"] is not None and ours["sum"] != theirs["sum"]:
        sys.exit(
            f"stage1: {figure}: slopes and errors add up to {ours['sum']} and {theirs['sum']}"
        )


def _row(figure: str, ours: dict[str, Any], theirs: dict[str, Any] | None, memory: str) -> Row:
    return {
        "figure": figure,
        "project": ours["best"],
        "peer": None if theirs is None else theirs["best"],
        "ratio": None if theirs is None else ours["best"] / theirs["best"],
        "memory_project": ours[memory],
        "memory_peer": None if theirs is None else theirs[memory],
    }


def _worker(case: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._stage1.worker", json.dumps(case)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        sys.exit(f"stage1: {case['kind']} {case['way']} failed: {done.stderr[-800:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _cold(folder: Path) -> list[Row]:
    """Measure whole commands, each from the start of its process."""
    file = str(folder / "uncal" / FULL.format(1))
    home = Path(sys.executable).parent
    made = []
    for label, context in (("defaults", _DEFAULT), ("flight-like", _FLIGHT)):
        print(f"  (c) whole command, cold, {label} ...", file=sys.stderr, flush=True)
        ours = [str(home / "upramp"), "calibrate", "--quiet", "-o", "{out}", file]
        theirs = [str(home / "strun"), "calwebb_detector1", file, "--output_dir", "{out}"]
        best, memory = _command(ours, folder, context, 5)
        peer, peer_memory = _command(theirs, folder, context, 2)
        made.append(
            _row(
                f"(c) whole command, cold, {label}",
                {"best": best, "peak": memory},
                {"best": peer, "peak": peer_memory},
                "peak",
            )
        )
    print("  the very first run, which compiles ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as cache:
        first, memory = _command(ours, folder, _DEFAULT, 1, {"UPRAMP_KERNEL_CACHE": cache})
    made.append(
        _row(
            "the very first run on an installation", {"best": first, "peak": memory}, None, "peak"
        )
    )
    return made


def _command(
    words: list[str],
    folder: Path,
    context: str,
    repeats: int,
    more: dict[str, str] | None = None,
) -> tuple[float, float]:
    """Give the least wall time and the largest peak of memory, in MB, of some runs."""
    # Bytecode is kept, as it is in any installation.
    unwanted = {"CRDS_SERVER_URL", "PYTHONDONTWRITEBYTECODE"}
    environment = {k: v for k, v in os.environ.items() if k not in unwanted}
    environment |= {"CRDS_PATH": str(folder / "crds"), "CRDS_CONTEXT": context, **(more or {})}
    times, peaks = [], []
    for _ in range(repeats):
        out = tempfile.mkdtemp(prefix="upramp-bench-")
        start = time.perf_counter()
        process = subprocess.Popen(
            [word.replace("{out}", out) for word in words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=out,
        )
        _, status, usage = os.wait4(process.pid, 0)
        times.append(time.perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        shutil.rmtree(out)
        if process.returncode:
            sys.exit(f"stage1: {words[0]} ended with {process.returncode}")
        peaks.append(usage.ru_maxrss / 1024)
    return min(times), max(peaks)


if __name__ == "__main__":
    print(render(rows()))
