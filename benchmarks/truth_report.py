"""Rates and jumps of the practice archive beside the truth.

``python -m benchmarks.truth_report [ARCHIVE] [-o DIR]`` calibrates the
archive's exposures with the engine upramp, by OLS_C and by LIKELY, and writes
``truth_report.json`` and ``truth.png``. What they hold: docs/guides/truth.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upramp.atomic import write_text
from upramp.errors import UprampError

from ._truth.exposures import Archive
from ._truth.report import make_report

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the report.

    Parameters
    ----------
    arguments
        What follows the module's name on the command line; None for this process's.

    Returns
    -------
    int
        0 done, 1 some exposure failed, 2 bad usage or input.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.truth_report", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "archive",
        nargs="?",
        type=Path,
        default=Path("practice"),
        help="what `upramp practice ARCHIVE` made (default: practice)",
    )
    parser.add_argument(
        "-o", "--output-dir", type=Path, default=Path("truth"), help="default: truth"
    )
    parser.add_argument("--program", action="append", metavar="NAME", help="may be repeated")
    parser.add_argument(
        "--first", action="store_true", help="the first exposure of each program only"
    )
    parser.add_argument("--context", help="jwst_0001.pmap (default) or jwst_0002.pmap")
    parser.add_argument("--no-figure", action="store_true", help="needs no matplotlib")
    options = parser.parse_args(arguments)
    if not options.no_figure and find_spec("matplotlib") is None:
        # Said before the work, not after it.
        print(
            "truth_report: the figure needs matplotlib, which is not installed; "
            "run `pip install 'upramp[docs]'` (or `pip install matplotlib`), or use --no-figure.",
            file=sys.stderr,
        )
        return 2
    try:
        archive = Archive.enter(options.archive, options.context)
        report = make_report(archive, options.program, first_only=options.first)
        folder = options.output_dir
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "truth_report.json", json.dumps(report, indent=1) + "\n")
        written = [folder / "truth_report.json"]
        if not options.no_figure:
            from ._truth.figure import draw

            written.append(draw(report, folder / "truth.png"))
    except UprampError as error:
        print(f"truth_report: {error}", file=sys.stderr)
        return error.exit_code
    print(_table(report))
    for path in written:
        print(f"wrote {path}")
    return 1 if _failures(report) else 0


def _failures(report: dict[str, Any]) -> list[str]:
    """Name what was left out for another reason than that it cannot be in the report."""
    fine = ("the archive does not hold it", "the guider pipeline fits no ramps")
    return [name for name, why in report["left_out"].items() if not any(f in why for f in fine)]


def _table(report: dict[str, Any]) -> str:
    heading = (
        f"{'mode':<20} {'fit':<7} {'clean pixels':>12} {'pull':>7} {'width':>6} {'>5 sigma':>9}"
        f" {'peaks >100 e- flagged':>22} {'false per 1e6 steps':>20}"
    )
    lines = [report["label"], "", heading]
    for name, mode in report["modes"].items():
        for algorithm in ("OLS_C", "LIKELY"):
            rates, jumps = mode[algorithm]["rates"]["clean"], mode[algorithm]["jumps"]
            every = rates[-1] if rates else None
            sure = [row for row in jumps["by_energy_peaks"] if row["low"] >= 100]
            peaks = f"{sum(r['found'] for r in sure)} of {sum(r['trials'] for r in sure)}"
            quiet = sum(row["trials"] for row in jumps["false_by_group"])
            false = sum(row["found"] for row in jumps["false_by_group"])
            rate = f"{1e6 * false / quiet:.1f}" if quiet else "-"
            measured = (
                f"{'-':>12} {'-':>7} {'-':>6} {'-':>9}"
                if every is None
                else f"{every['pixels']:>12} {every['pull']:>7.3f} {every['pull_width']:>6.3f}"
                f" {every['beyond_5']:>9.1e}"
            )
            lines.append(f"{name:<20} {algorithm:<7} {measured} {peaks:>22} {rate:>20}")
    lines += [f"left out: {name}: {reason}" for name, reason in report["left_out"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
