"""Errors are sentences, and survive the way from one process to another."""

import pickle

import pytest

from upramp import errors

CLASSES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_is_one_sentence(kind):
    error = kind("a.fits", "it is\n  broken.", "mend it.")
    assert str(error) == "a.fits: it is broken; mend it."
    assert (error.subject, error.problem, error.remedy) == ("a.fits", "it is broken", "mend it")
    assert error.exit_code in {1, 2}


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_travels(kind):
    error = kind("a.fits", "it is broken", "mend it")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_step_travels_with_its_error():
    error = errors.CalibrationError("a.fits", "it is broken", "mend it", "flat_field")
    again = pickle.loads(pickle.dumps(error))
    assert (again.step, str(again)) == ("flat_field", str(error))


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a\nb.fits", r"a\nb.fits"),
        ("\x1b[31mred.fits", r"\x1b[31mred.fits"),
        ("\u202efits.exe", r"\u202efits.exe"),
        ("\udcff.fits", r"\udcff.fits"),
        ("Ω Orionis.fits", "Ω Orionis.fits"),
    ],
)
def test_no_name_breaks_the_line_or_steers_the_terminal(kind, name, written):
    error = kind(name, f"it is like\n{name}", f"mend {name}")
    assert str(error).startswith(f"{written}: it is like ")
    assert str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
