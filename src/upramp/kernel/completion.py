"""Completion of what follows the magics: options, files, parameters, contexts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from .arguments import CALIBRATE_OPTIONS, option_before

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["candidates", "matcher"]

_MAGIC: Final = re.compile(
    r"(?:^|[=\n]\s*|^\s+)%(calibrate|context|provenance)\s+(.*)\Z", re.DOTALL
)
_FILES: Final = (".fits", ".fits.gz", ".asdf")
_MOST: Final = 200
_OURS: Final = frozenset(
    {"output_file", "output_dir", "output_ext", "save_results", "input_dir", "suffix"}
    | {"output_use_model", "output_use_index", "search_output_file", "pre_hooks", "post_hooks"}
)
"""Parameters that every step has and that `upramp` sets by itself: not offered."""


def matcher(context: Any) -> dict[str, Any]:
    """Complete the word at the cursor; an IPython matcher of the second kind.

    Parameters
    ----------
    context
        IPython's `CompletionContext`.
    """
    from IPython.core.completer import SimpleCompletion

    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    before = lines[-1][: context.cursor_position] if lines else ""
    found = candidates(before)
    if found is None:
        return {"completions": []}
    word, texts = found
    return {
        "completions": [SimpleCompletion(text=text, type="upramp") for text in texts],
        "matched_fragment": word,
        "suppress": True,
        "ordered": True,
    }


def candidates(before: str) -> tuple[str, list[str]] | None:
    """Give what the word at the end of a line may become.

    Parameters
    ----------
    before
        The line up to the cursor.

    Returns
    -------
    tuple or None
        The word as it is now, and what it may become; None where no magic of
        upramp is written.
    """
    found = _MAGIC.search(before)
    if found is None:
        return None
    magic, rest = found.groups()
    word = re.split(r"(?<!\\)\s", rest)[-1]
    if magic == "context":
        options = ["--reset", *_contexts()]
    elif magic == "provenance":
        options = ["--drift", *_files(word)]
    else:
        options = list(_of_calibrate(rest, word))
    return word, [text for text in options if text.startswith(word)][:_MOST]


def _of_calibrate(rest: str, word: str) -> Iterator[str]:
    option = option_before(rest)
    if option == "--set":
        yield from _parameters(word)
    elif option == "--engine":
        yield from ("upramp", "stsci")
    elif option == "--stage":
        yield "1"
    elif option in {"-o", "--output-dir"}:
        yield from _files(word, endings=())
    elif option in {"--to", "--threads"}:
        return
    elif word.startswith("-"):
        yield from CALIBRATE_OPTIONS
    else:
        yield from _files(word)


def _parameters(word: str) -> list[str]:
    from upramp.errors import UprampError
    from upramp.stages.official_specs import specification

    try:
        steps = specification("Detector1Pipeline").steps
    except UprampError:
        return []
    step, dot, _ = word.partition(".")
    if not dot:
        return [f"{name}." for name in steps]
    if step not in steps:
        return []
    return [f"{step}.{name}=" for name in sorted(steps[step].parameters) if name not in _OURS]


def _contexts() -> list[str]:
    from upramp.references import crds_environment

    return sorted(
        (file.name for file in crds_environment().mappings.glob("jwst_*.pmap")), reverse=True
    )


def _files(word: str, endings: tuple[str, ...] = _FILES) -> list[str]:
    """List folders, and files with these endings, that a path may become."""
    written = word.replace("\\ ", " ")
    folder, slash, start = written.rpartition("/")
    place = os.path.expanduser(folder + slash) or "."  # noqa: PTH111 - "" stays ""
    found = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if not entry.name.startswith(start) or (entry.name[0] == "." and not start):
                    continue
                if entry.is_dir():
                    found.append(f"{folder}{slash}{entry.name}/")
                elif endings and entry.name.lower().endswith(endings):
                    found.append(f"{folder}{slash}{entry.name}")
    except OSError:
        return []
    return sorted(name.replace(" ", "\\ ") for name in found if name.isprintable())
