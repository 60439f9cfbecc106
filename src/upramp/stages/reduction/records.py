"""What a reduction notes: its steps, what they made, and what failed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from upramp.errors import CalibrationError, UprampError

from .choices import PIPELINES

__all__ = ["Failure", "Product", "Step", "failure_of", "holds_values"]


@dataclass(frozen=True)
class Failure:
    """What failed, on which file and why.

    Parameters
    ----------
    step
        The pipeline's step by its official name; the pipeline where none was at work;
        or what else was being done.
    file
        The file's name; empty for what is of none.
    problem, remedy
        What is wrong with it, and what to do.
    pipeline
        The pipeline, a name of `PIPELINES`; empty outside of pipelines.
    """

    step: str
    file: str
    problem: str
    remedy: str
    pipeline: str = ""

    @property
    def what(self) -> str:
        """What failed: the step, and the pipeline that it belongs to."""
        within = self.pipeline not in {"", self.step}
        return f"{self.step} of {self.pipeline}" if within else self.step

    def __str__(self) -> str:
        on = f" on {self.file}" if self.file else ""
        return f"{self.what} failed{on}: {self.problem}; {self.remedy}."


@dataclass(frozen=True)
class Product:
    """A file that the reduction made.

    Parameters
    ----------
    path
        Where it is.
    suffix
        Its kind: ``rate``, ``i2d``, ``x1d``.
    pipeline
        What made it: a name of `PIPELINES`.
    made_of
        The names of the files that it is made of.
    """

    path: Path
    suffix: str
    pipeline: str
    made_of: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One pipeline on one exposure, or on those of one product.

    Parameters
    ----------
    pipeline
        A name of `PIPELINES`.
    files
        Names of what it took.
    status
        ``done``, ``failed`` or ``not done``.
    seconds
        How long it took.
    products
        Names of what it made.
    reason
        Why it was not done, or failed.
    warnings
        What official steps warned of.
    """

    pipeline: str
    files: tuple[str, ...]
    status: str
    seconds: float = 0.0
    products: tuple[str, ...] = ()
    reason: str = ""
    warnings: tuple[str, ...] = ()


def failure_of(what: str, file: str, error: BaseException) -> Failure:
    """Give an error as a failure of a file.

    Parameters
    ----------
    what
        The pipeline, or what else was being done.
    file
        The file's name.
    error
        What happened; one that is none of ours is written to the log with its traceback.
    """
    step = (error.step if isinstance(error, CalibrationError) else "") or what
    pipeline = what if what in PIPELINES else ""
    if isinstance(error, UprampError):
        about = Path(error.subject).name if "/" in error.subject else error.subject
        problem = error.problem if about in {file, ""} else f"{about}: {error.problem}"
        return Failure(step, file, problem, error.remedy, pipeline)
    logging.getLogger(__name__).error("%s of %s", what, file, exc_info=error)
    text = " ".join(str(error).split()) or "no reason is given"
    problem = f"{type(error).__name__}: {text}"
    return Failure(step, file, problem, "this is a fault of upramp's: tell", pipeline)


def holds_values(path: Path) -> bool:
    """Tell whether any pixel of an image has a value; of what is no image nothing is said.

    Parameters
    ----------
    path
        Its file.
    """
    import numpy as np

    from upramp.exposure import open_exposure

    if path.suffix != ".fits":
        return True
    with open_exposure(path) as product:
        if "SCI" not in product:
            return True
        image = product["SCI"]
        # Plane by plane: the first one with a value is enough, and a series is large.
        planes = image.reshape(-1, *image.shape[-2:]) if image.ndim > 2 else image[None]
        return any(bool(np.isfinite(plane).any()) for plane in planes)
