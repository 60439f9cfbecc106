"""Errors are sentences, and survive the way from one process to another."""

import pickle

import pytest

from upramp import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


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
