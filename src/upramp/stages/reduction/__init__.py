"""Whole reductions: chosen once, checked before anything runs, and told in one file.

`choices` are the parameters that all notebooks share, `members` says which
exposures go into which product, `run` does the stages one after another and
notes what fails, `outcome_file` writes down what came of it.
"""

from __future__ import annotations

from .choices import PARAMETERS, PIPELINES, Choices, checked_choices, require_known
from .run import Reduction

__all__ = ["PARAMETERS", "PIPELINES", "Choices", "Reduction", "checked_choices", "require_known"]
