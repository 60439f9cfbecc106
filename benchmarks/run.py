"""Run every benchmark in this folder and print one table."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from benchmarks._table import Row, render

__all__ = ["main"]

_NOT_BENCHMARKS = frozenset({"run", "__main__", "truth_report"})


def main() -> None:
    """Run the benchmarks named on the command line, or all; print one table."""
    found = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    known = sorted(n for n in found if n not in _NOT_BENCHMARKS and not n.startswith("_"))
    asked = sys.argv[1:] or known
    unknown = [name for name in asked if name not in known]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    rows: list[Row] = []
    for name in asked:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").rows()
    print(render(rows))


if __name__ == "__main__":
    main()
