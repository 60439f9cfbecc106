"""All modes of an archive put together, and what stands out."""

from __future__ import annotations

import datetime as dt
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from upramp import practice
from upramp.errors import UprampError, UsageError
from upramp.practice.archive import simulator_version

from . import jumps as jumps_of
from .exposures import ALGORITHMS, Archive, Judged, judge
from .rates import CLASSES, FLUX_EDGES, Rates, compare_scatter, summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from upramp.practice.programs import Program

__all__ = ["make_report", "outstanding"]

_DEFINITIONS: Final = {
    "true rate": "FLUX of the truth file over the gain reference, DN/s; with the coupling of "
    "neighbours where no kernel of the references undoes it; without dark current",
    "pull": "measured minus true rate, over ERR of the rate product",
    "width": "1.4826 times the median distance from the median",
    "classes": CLASSES,
    "step": "a group and what it adds to the one before; judged where neither is saturated or "
    "unusable and the pixel is not DO_NOT_USE; the first group has none",
    "flagged": "JUMP_DET in the first group that holds the charge; or, where it fell between "
    "frames that a group averages, in the next one",
    "peaks": "pixels whose four neighbours got no more of the charge in the same group; others "
    "are also flagged as neighbours (flag_4_neighbors), however little they got",
    "false": "JUMP_DET in a judged step where no charge came to the pixel or to one of its four "
    "neighbours; echoes are those with charge there in an earlier step of the integration",
    "flags of LIKELY": "those of the jump step and those that the fit adds, which no product "
    "holds: the corrected ramp is fitted once more, and likely_flags_are_the_products says "
    "whether this gave the product's rates to the last bit",
    "from, to": "interval of one standard deviation (Wilson)",
    "significance": "charge over the noise of the difference of two groups: read noise "
    "reference and the true rate's Poisson noise",
}


def make_report(
    archive: Archive,
    programs: Iterable[str] | None = None,
    *,
    first_only: bool = False,
) -> dict[str, Any]:
    """Judge the exposures of an archive.

    Parameters
    ----------
    archive
        The archive, entered.
    programs
        Names of programs; None for all that it holds.
    first_only
        Take the first exposure of each program only.

    Returns
    -------
    dict
        What ``truth_report.json`` holds.

    Raises
    ------
    UsageError
        If there is no such program, or nothing could be judged.
    """
    started = time.perf_counter()
    known = {program.name: program for program in practice.list_programs()}
    asked = list(known) if programs is None else list(programs)
    for name in asked:
        if name not in known:
            raise UsageError(name, "there is no such program", "see: upramp practice --list")
    modes: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    versions: dict[str, Any] = {}
    for name in asked:
        program = known[name]
        plans = [plan for plan in program.exposures if archive.uncal(plan).exists()]
        if not plans:
            if programs is not None or program.by_default:
                left_out[name] = "the archive does not hold it"
            continue
        judged = []
        for plan in plans[:1] if first_only else plans:
            print(f"{plan.root} ...", file=sys.stderr, flush=True)
            try:
                judged.append(judge(archive, plan))
            except UprampError as error:
                left_out[plan.root] = str(error)
        if judged:
            versions = judged[0].facts["versions"]
            roots = [p.root for p in plans if p.root not in left_out][: len(judged)]
            modes[name] = _mode(program, roots, judged)
    if not modes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise UsageError(archive.folder, f"nothing could be judged ({reasons})", "see above")
    return {
        "label": "Simulation: the practice archive of upramp, judged by its truth. It says how "
        "the algorithms do on this simulation; nothing here is a figure of the observatory.",
        "archive": {
            "seed": archive.seed,
            "made_by": archive.version,
            "this_simulator": simulator_version(),
            "context": archive.context,
        },
        "engine": "upramp",
        "versions": versions,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
        "definitions": _DEFINITIONS,
        "bins": {
            "true_rate_dn_per_s": FLUX_EDGES,
            "energy_electrons": jumps_of.ENERGY_EDGES,
            "significance": jumps_of.SIGNIFICANCE_EDGES,
            "strong_electrons": jumps_of.STRONG,
            "faint_significance": jumps_of.FAINT,
        },
        "modes": modes,
        "left_out": left_out,
        "outstanding": outstanding(modes),
    }


def _mode(program: Program, roots: Sequence[str], judged: Sequence[Judged]) -> dict[str, Any]:
    facts = {
        name: value
        for name, value in judged[0].facts.items()
        if name not in {"versions", "likely_flags_are_the_products"}
    }
    mode: dict[str, Any] = {
        "description": program.description,
        "exposures": list(roots),
        **facts,
        "likely_flags_are_the_products": all(
            one.facts["likely_flags_are_the_products"] for one in judged
        ),
    }
    joined = {name: Rates.join([one.rates[name] for one in judged]) for name in ALGORITHMS}
    for name, rates in joined.items():
        counts = {}
        for what in judged[0].jumps[name]:
            total = judged[0].jumps[name][what]
            for one in judged[1:]:
                total += one.jumps[name][what]
            counts[what] = total.rows()
        mode[name] = {
            "rates": {kind: summarize(rates, rates.of_class(kind)) for kind in CLASSES},
            "jumps": counts,
        }
    mode["likely_over_ols"] = compare_scatter(joined["OLS_C"], joined["LIKELY"])
    return mode


def outstanding(modes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Pick what is far from what it should be, beyond doubt of counting.

    Parameters
    ----------
    modes
        Of a report.

    Returns
    -------
    dict
        ``bias``: bins of at least 100 pixels where the median pull is off zero by
        more than 0.05 and five times its error. ``width``: bins of at least 1000 pixels whose
        pulls are narrower than 0.95 or wider than 1.05. ``missed``: bins of
        energy from 20 electrons on where a tenth of the events or more (10 at
        least) is not flagged. ``false``: bins of true rate with 10 false flags or more in
        which more than 1 of 10 000 quiet steps is flagged.
    """
    found: dict[str, list[dict[str, Any]]] = {"bias": [], "width": [], "missed": [], "false": []}
    for mode, contents in modes.items():
        for algorithm in ALGORITHMS:
            label = {"mode": mode, "algorithm": algorithm}
            bins = [
                {**label, "class": kind, **row}
                for kind, rows in contents[algorithm]["rates"].items()
                for row in rows
                if row["low"] is not None and row["pixels"] >= 100
            ]
            found["bias"] += [
                row for row in bins if abs(row["pull"]) > max(0.05, 5 * row["pull_error"])
            ]
            found["width"] += [
                row
                for row in bins
                if row["pixels"] >= 1000 and not 0.95 <= row["pull_width"] <= 1.05
            ]
            counts = contents[algorithm]["jumps"]
            found["missed"] += [
                {**label, **row}
                for row in counts["by_energy_peaks"]
                if row["low"] >= 20 and row["trials"] - row["found"] >= max(10, row["trials"] / 10)
            ]
            found["false"] += [
                {**label, **row}
                for row in counts["false_by_flux"]
                if row["found"] >= 10 and row["fraction"] > 1e-4
            ]
    return found
