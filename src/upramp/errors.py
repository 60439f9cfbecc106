"""Every failure a user can meet, as a sentence with a remedy.

An error carries the thing it is about, what is wrong with it and what to do;
its text is those three in one line, and its exit code is what the command
line returns.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CalibrationError",
    "InputError",
    "NotComparableError",
    "OutputError",
    "ReferenceFileError",
    "UprampError",
    "UsageError",
    "printable",
]


class UprampError(Exception):
    """Something failed in a way that a user can act on.

    Parameters
    ----------
    subject
        What the error is about: a file's path, a keyword, a parameter.
    problem
        What is wrong with it, as a clause without a full stop.
    remedy
        What to do about it, as a clause without a full stop.
    """

    exit_code: ClassVar[int] = 1
    """What a command that meets this error returns to the shell."""

    def __init__(self, subject: object, problem: str, remedy: str) -> None:
        self.subject = printable(str(subject))
        self.problem = _one_line(problem)
        self.remedy = _one_line(remedy)
        super().__init__(f"{self.subject}: {self.problem}; {self.remedy}.")

    def __reduce__(self) -> tuple[type[UprampError], tuple[str, ...]]:
        # Errors travel between processes; by default only their text would.
        return type(self), (self.subject, self.problem, self.remedy)


class UsageError(UprampError):
    """A command or a function was called with something it cannot take."""

    exit_code = 2


class InputError(UprampError):
    """A file that was given cannot be read, or is not what is needed."""

    exit_code = 2


class NotComparableError(InputError):
    """Two products cannot be set side by side at all."""


class ReferenceFileError(UprampError):
    """A calibration reference is missing, damaged or cannot be chosen."""

    exit_code = 2


class CalibrationError(UprampError):
    """A calibration started and could not be finished.

    Parameters
    ----------
    subject, problem, remedy
        As of every error.
    step
        What was at work: a step of the pipeline by its official name, or what
        upramp did between them; empty where that is not known.
    """

    def __init__(self, subject: object, problem: str, remedy: str, step: str = "") -> None:
        super().__init__(subject, problem, remedy)
        self.step = _one_line(step)

    def __reduce__(self) -> tuple[type[UprampError], tuple[str, ...]]:
        return type(self), (self.subject, self.problem, self.remedy, self.step)


class OutputError(UprampError):
    """A product could not be written."""


def printable(text: str) -> str:
    r"""Write out what would move a terminal's cursor or steer it otherwise.

    File names may hold line ends, escape sequences and bytes that are no text.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The same in one line: what cannot be printed is written as Python
        writes it, for example ``\n`` for the end of a line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _one_line(text: str) -> str:
    return printable(" ".join(str(text).split()).rstrip(".;"))
