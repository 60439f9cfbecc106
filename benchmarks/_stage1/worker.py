"""One measurement in a process of its own: ``python -m benchmarks._stage1.worker '{json}'``.

Prints JSON: the least wall time of the repeats after one that is not counted,
that one, and the peak of memory in MB above what the process held before the
work began (``above``) and in all (``peak``).
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .exposures import reshaped, use_context

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = (slice(900, 1156), slice(700, 956))


def _memory(key: str) -> float:
    # VmHWM, unlike ru_maxrss, is not inherited from the parent process.
    with open("/proc/self/status") as status:  # noqa: PTH123 - no file of ours
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _measure(
    work: Callable[[], Any], repeats: int, before: Callable[[], None] | None = None
) -> dict[str, Any]:
    times, last = [], None
    above = peak = 0.0
    for _ in range(repeats + 1):
        if before is not None:
            before()
        _forget_peak()
        held = _memory("VmRSS")
        start = time.perf_counter()
        last = work()
        times.append(time.perf_counter() - start)
        reached = _memory("VmHWM")
        above, peak = max(above, reached - held), max(peak, reached)
    found = {"first": times[0], "best": min(times[1:] or times), "above": above, "peak": peak}
    found["sum"] = None if last is None else [float(np.nansum(a, dtype=float)) for a in last]
    return found


def _arrays(way: str, case: dict[str, Any]) -> dict[str, Any]:
    """Measure (a): arrays in, arrays out, references resident."""
    subject = _subject(way, case)
    before = subject.prepare if way == "official" else None
    return _measure(subject.run, case["repeats"], before)


def _subject(way: str, case: dict[str, Any]) -> Any:
    file = Path(case["file"])
    if way == "official":
        from .official import Official

        subject: Any = Official(file, case["overrides"])
    else:
        from .ours import Ours

        subject = Ours(file, case["overrides"], case["threads"])
    if case.get("shape"):
        from astropy.io import fits

        subject.resize(reshaped(fits.getdata(file, "SCI"), *case["shape"]))
    return subject


def _again(way: str, case: dict[str, Any]) -> dict[str, Any]:
    """Measure (d): jump and fit again, whole or a window."""
    subject = _subject(way, case)
    window = _WINDOW if case["window"] else None

    def inner(images: Any) -> Any:
        # Cut out for the official steps, a window lacks the neighbours that decide on its edge.
        return tuple(image[1:-1, 1:-1] for image in images) if window else images

    # Another threshold each time; the same at the end, however often it is repeated.
    changes = iter(5 + 0.1 * np.arange(case["repeats"], -1, -1))
    if way == "official":
        subject.prepare()
        ramp = subject.correct()
        if window:
            rows, columns = window
            ramp.data = ramp.data[:, :, rows, columns].copy()
            ramp.groupdq = ramp.groupdq[:, :, rows, columns].copy()
            ramp.pixeldq = ramp.pixeldq[rows, columns].copy()
            if ramp.hasattr("average_dark_current"):
                ramp.average_dark_current = ramp.average_dark_current[rows, columns].copy()
            for name in ("gain", "readnoise"):
                model = subject.references[name]
                model.data = model.data[rows, columns].copy()
            subject.noise = subject.noise[rows, columns].copy()
            subject.gain = subject.gain[rows, columns].copy()
            ramp.meta.subarray.xstart, ramp.meta.subarray.ystart = 1, 1
            size = rows.stop - rows.start
            for meta in (ramp.meta, *(subject.references[n].meta for n in ("gain", "readnoise"))):
                meta.subarray.xstart = meta.subarray.ystart = 1
                meta.subarray.xsize = meta.subarray.ysize = size
        kept: dict[str, Any] = {}

        def fresh() -> None:
            kept["ramp"] = ramp.copy()
            subject.pipeline.jump.rejection_threshold = float(next(changes))

        return _measure(lambda: inner(subject.refit(kept["ramp"])), case["repeats"], fresh)
    ramp = subject.kept()
    steps = subject.parameters.steps

    def redo() -> Any:
        jump = {**steps["jump"], "rejection_threshold": float(next(changes))}
        done = ramp.refit({**steps, "jump": jump}, window, threads=case["threads"])
        return inner((done.rates.rate[0], done.rates.rate[1]))

    return _measure(redo, case["repeats"])


def _files(way: str, case: dict[str, Any]) -> dict[str, Any]:
    """Measure (b): one more exposure in a warm process, file to file."""
    files = iter(case["files"] * 10)
    folder = tempfile.mkdtemp(prefix="upramp-bench-")

    if way == "official":
        from jwst.pipeline import Detector1Pipeline

        from upramp.stages.official_specs import specification
        from upramp.stages.overrides import to_pipeline_keywords

        keywords = to_pipeline_keywords(specification("Detector1Pipeline"), case["overrides"])

        def work() -> None:
            Detector1Pipeline.call(next(files), save_results=True, output_dir=folder, **keywords)
    else:
        import upramp

        def work() -> None:
            upramp.calibrate(
                next(files),
                engine="upramp",
                overrides=case["overrides"],
                output_dir=folder,
                threads=case["threads"],
            )

    try:
        return _measure(work, case["repeats"])
    finally:
        shutil.rmtree(folder)


_CASES = {"arrays": _arrays, "again": _again, "files": _files}


def main() -> None:
    """Measure what the command line says."""
    case = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    use_context(Path(case["archive"]), case["context"])
    print(json.dumps(_CASES[case["kind"]](case["way"], case)))


if __name__ == "__main__":
    main()
