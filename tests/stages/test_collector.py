"""Python's collector during an official run: what was there before is left in peace."""

import gc
import weakref

import pytest

from upramp.stages.collector import only_what_is_new


class Ring:
    """Something that only the collector can take away."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_is_frozen():
    frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    yield
    gc.unfreeze()
    if frozen:
        gc.freeze()


def test_only_new_rings_are_collected_inside():
    rubbish, held = weakref.ref(Ring()), Ring()
    old = weakref.ref(held)
    with only_what_is_new():
        assert rubbish() is None
        new = weakref.ref(Ring())
        del held
        gc.collect()
        assert new() is None
        assert old() is not None
    gc.collect()
    assert old() is None


def test_what_fails_inside_leaves_nothing_frozen():
    with pytest.raises(RuntimeError), only_what_is_new():
        raise RuntimeError
    assert gc.get_freeze_count() == 0


def test_what_others_froze_stays_frozen():
    gc.freeze()
    with only_what_is_new(), only_what_is_new():
        pass
    assert gc.get_freeze_count() > 0
