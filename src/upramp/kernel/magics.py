"""The magics of the calibration kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

from upramp.errors import UsageError

from .context import choose, context_card, what_is_missing

if TYPE_CHECKING:
    from .extension import Session
    from .markup import Card

__all__ = ["CalibrationMagics"]


@magics_class
class CalibrationMagics(Magics):
    """``%context``, ``%calibrate``, ``%provenance`` and ``%dq``.

    Parameters
    ----------
    shell
        The shell.
    session
        What the extension knows of this kernel.
    """

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self.shell: Any = shell
        self.session = session

    @line_magic
    def context(self, line: str) -> Card:
        """Show the CRDS context in force, or put another in force.

        ::

            %context                   show it, and what the cache holds
            %context jwst_0002.pmap    use this one from now on
            %context --reset           use that of the kernel's start again
        """
        from .arguments import split

        words = split(line, "context")
        if len(words) > 1:
            raise UsageError("%context", "it takes one context", "see %context?")
        if not words:
            return context_card()
        return choose(None if words[0] == "--reset" else words[0])

    @line_magic
    def calibrate(self, line: str) -> Any:
        """Calibrate an exposure, with the options of ``upramp calibrate``.

        ::

            %calibrate FILE [-o DIR] [--stage N] [--engine NAME] [--set STEP.PARAM=VALUE]...
                       [--mask FILE] [--threads N] [--save-ramp] [--to NAME] [--quiet]

        The result goes into the variable ``result``, or that of ``--to``; products are
        written only into the folder of ``-o``. A file's name alone is looked for in the
        archive too. ``{name}`` in the line stands for the
        variable's value. The Tab key completes files, options and parameters.
        """
        from .arguments import calibrate_arguments

        asked = calibrate_arguments(line)
        if (missing := what_is_missing()) is not None:
            raise UsageError(asked.file, "it cannot be calibrated", missing)
        from upramp.stages import calibrate

        from .archive import find_exposure
        from .progress import NotebookBar

        file = find_exposure(asked.file)
        if asked.quiet:
            result = calibrate(file, **asked.keywords)
        else:
            with NotebookBar() as bar:
                result = calibrate(file, **asked.keywords, progress=bar)
                bar.conclude(_concluded(result, asked.name, bar.seconds))
        self.shell.user_ns[asked.name] = result
        return result

    @line_magic
    def provenance(self, line: str) -> Card:
        """Show what made a product: engine, versions, context, references, parameters, steps.

        ::

            %provenance               of the last calibration in this kernel
            %provenance PRODUCT       of a file, or of a variable
            %provenance --drift       what has changed since this notebook's outputs were made
        """
        from .arguments import split
        from .provenance import of_object, provenance_card

        words = split(line, "provenance")
        if len(words) > 1:
            raise UsageError("%provenance", "it takes one product", "see %provenance?")
        if words == ["--drift"]:
            return self.session.drift()
        if words and words[0].startswith("-"):
            raise UsageError(words[0], "there is no such option", "see %provenance?")
        if not words:
            last = self.session.last
            if last is None:
                raise UsageError(
                    "%provenance",
                    "nothing has been calibrated in this kernel",
                    "name a product: %provenance FILE",
                )
            return provenance_card(last)
        name = words[0]
        if name in self.shell.user_ns and not Path(name).is_file():
            return provenance_card(of_object(self.shell.user_ns[name]), name)
        path = os.path.expanduser(name)  # noqa: PTH111 - stays a text
        return provenance_card(of_object(path), Path(name).name)

    @line_magic
    def dq(self, line: str) -> Card:
        """Show how many values of an array have each data-quality flag.

        ::

            %dq result.rate.dq
        """
        from .flags import flags_card

        text = line.strip()
        if not text:
            raise UsageError("%dq", "no array is named", "see %dq?")
        value = self.shell.ev(text)
        if not hasattr(value, "dtype"):
            raise UsageError(text, "this is no array", "give an array of flags, such as DQ")
        return flags_card(value, text)


def _concluded(result: Any, name: str, seconds: float) -> Card:
    from .markup import Card

    source = result.provenance.get("input", {}).get("file", "the exposure")
    # What was written is listed once: by the result itself.
    return Card(f"{source} is calibrated, in {seconds:.1f} s; the result is in {name}")
