"""Where a refit of a 256 x 256 window spends its time: ``python -m benchmarks.window_profile``.

One thread, so that shares add up; on a kept ramp of 2048 x 2048 pixels and 10 groups.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from ._stage1.exposures import FULL, archive

if TYPE_CHECKING:
    from collections.abc import Callable

_REPEATS = 40
_WINDOW = (slice(1024, 1280), slice(1024, 1280))


def _timed(owner: Any, name: str, spent: dict[str, float], label: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def timed(*values: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*values, **named)
        finally:
            spent[label] = spent.get(label, 0.0) + time.perf_counter() - start

    setattr(owner, name, timed)


def main() -> None:
    """Measure and print."""
    folder = archive()
    os.environ |= {"CRDS_PATH": str(folder / "crds"), "CRDS_CONTEXT": "jwst_0001.pmap"}
    os.environ.pop("CRDS_SERVER_URL", None)
    import upramp
    from upramp.detector1.jump import JumpSearch
    from upramp.detector1.ramp_fit import RampFit

    kept = upramp.keep(folder / "uncal" / FULL.format(1), threads=1)
    spent: dict[str, float] = {}
    _timed(JumpSearch, "__call__", spent, "search for jumps")
    _timed(RampFit, "__call__", spent, "fit")
    whole, parts = [], []
    for turn in range(_REPEATS):
        spent.clear()
        start = time.perf_counter()
        kept.refit({"jump.rejection_threshold": 4 + 0.1 * (turn % 10)}, _WINDOW)
        whole.append(time.perf_counter() - start)
        parts.append(dict(spent))
    total = statistics.median(whole)
    pixels = 256 * 256
    print(f"one refit of 256 x 256 in one thread: {total * 1e3:.2f} ms")
    for label in ("search for jumps", "fit"):
        share = statistics.median(part[label] for part in parts)
        print(f"  {label:<18} {share / total:4.0%}  {share / pixels * 1e9:4.0f} ns a pixel")
    rest = total - sum(
        statistics.median(part[label] for part in parts) for label in ("search for jumps", "fit")
    )
    print(f"  {'the rest':<18} {rest / total:4.0%}")


if __name__ == "__main__":
    sys.exit(main())
