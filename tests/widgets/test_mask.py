"""Masks of groups: edits, what they show, undo and redo, against a slow model of them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.dq import GROUP
from upramp.errors import UsageError
from upramp_widgets.core import mask_shapes as shapes
from upramp_widgets.core.mask import AUTOMATIC, CLEARED, SET, MaskModel

SHAPE = (2, 4, 9, 11)
JUMP, SAT, DNU = (GROUP[name] for name in ("JUMP_DET", "SATURATED", "DO_NOT_USE"))


def automatic(seed=3, shape=SHAPE):
    rng = np.random.default_rng(seed)
    flags = np.where(rng.random(shape) < 0.2, JUMP, 0).astype(np.uint8)
    flags[rng.random(shape) < 0.05] = SAT
    flags[rng.random(shape) < 0.05] |= DNU
    return flags


def jumps(model, integration, group):
    return {tuple(place) for place in np.argwhere(model.plane(integration, group)).tolist()}


@pytest.fixture
def blank():
    return MaskModel(np.zeros(SHAPE, np.uint8))


# ---- against a slow model


class Slow:
    """What a mask is, in whole arrays."""

    def __init__(self, flags):
        self.automatic = flags.copy()
        self.marked = np.zeros_like(flags)
        self.cleared = np.zeros_like(flags)

    def flags(self):
        return (self.automatic & ~self.cleared) | self.marked

    def flag(self, image, integrations, groups, bit, *, erase, keep):
        for i in integrations:
            for g in groups:
                free = image.copy()
                if keep:
                    free &= (self.flags()[i, g] & (255 - bit)) == 0
                if erase:
                    self.marked[i, g][free] &= 255 - bit
                    self.cleared[i, g][free] |= bit & JUMP
                else:
                    self.marked[i, g][free] |= bit
                    self.cleared[i, g][free] &= 255 - bit


coordinates = st.floats(-4, 14)
pairs = st.tuples(coordinates, coordinates)
drawings = st.one_of(
    st.tuples(st.just("brush"), st.lists(pairs, min_size=1, max_size=4), st.floats(0, 4)),
    st.tuples(st.just("box"), pairs, pairs),
    st.tuples(st.just("circle"), pairs, st.floats(0, 6)),
    st.tuples(st.just("polygon"), st.lists(pairs, min_size=3, max_size=5)),
)
edits = st.tuples(
    drawings,
    st.sampled_from([None, 0, 1, 3, (1, 2), range(2, 4)]),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["JUMP_DET", "SATURATED", "DO_NOT_USE", "DROPOUT"]),
    st.booleans(),
    st.booleans(),
)


def draw(model, slow, edit):
    (kind, *shape), groups, integrations, bit, erase, keep = edit
    image_shape = SHAPE[2:]
    where = {
        "groups": groups,
        "integrations": integrations,
        "bit": bit,
        "erase": erase,
        "keep_labels": keep,
    }
    if kind == "brush":
        change = model.brush(*shape, **where)
        image = shapes.stroke(image_shape, *shape).image()
    elif kind == "polygon":
        change = model.polygon(*shape, **where)
        image = shapes.polygon(image_shape, *shape).image()
    else:
        (one, other) = shape
        values = (*one, *other) if kind == "box" else (*one, other)
        change = getattr(model, kind)(*values, **where)
        image = getattr(shapes, kind)(image_shape, *values).image()
    every = range(1 if bit == "JUMP_DET" else 0, SHAPE[1])
    chosen = every if groups is None else [groups] if isinstance(groups, int) else groups
    of = range(SHAPE[0]) if integrations is None else [integrations]
    slow.flag(image, of, chosen, GROUP[bit], erase=erase, keep=keep)
    return change


@settings(deadline=None, max_examples=50)
@given(st.lists(edits, max_size=6))
def test_any_edits_flag_what_they_should_and_undo_and_redo_give_the_same_bits(several):
    original = automatic()
    slow = Slow(original)
    model = MaskModel(original)
    states = [model.to_groupdq()]
    for edit in several:
        before = model.to_groupdq()
        change = draw(model, slow, edit)
        now = model.to_groupdq()
        np.testing.assert_array_equal(now, slow.flags())
        if change:
            states.append(now)
            where = np.argwhere(now != before)
            assert {tuple(place) for place in where[:, :2].tolist()} <= set(change.planes)
            x0, y0, x1, y1 = change.box
            assert np.all((where[:, 2:] >= (y0, x0)) & (where[:, 2:] <= (y1, x1)))
        else:
            np.testing.assert_array_equal(now, before)
    for state in reversed(states[:-1]):
        assert model.undo()
        np.testing.assert_array_equal(model.to_groupdq(), state)
    assert model.undo() is None
    assert model.paint.planes() == []
    for state in states[1:]:
        assert model.redo()
        np.testing.assert_array_equal(model.to_groupdq(), state)
    assert model.redo() is None
    np.testing.assert_array_equal(original, automatic())


@settings(deadline=None, max_examples=50)
@given(st.lists(edits, max_size=4), st.lists(edits, max_size=2))
def test_edits_stay_on_top_when_a_threshold_moves(before, after):
    model, slow = MaskModel(automatic()), Slow(automatic())
    for edit in before:
        draw(model, slow, edit)
    slow.automatic = automatic(seed=8)
    model.set_automatic(automatic(seed=8))
    np.testing.assert_array_equal(model.to_groupdq(), slow.flags())
    for edit in after:
        draw(model, slow, edit)
    np.testing.assert_array_equal(model.to_groupdq(), slow.flags())
    while model.undo():
        pass
    np.testing.assert_array_equal(model.to_groupdq(), automatic(seed=8))


@settings(deadline=None, max_examples=50)
@given(st.lists(edits, max_size=4))
def test_what_is_shown_and_counted_agrees_with_the_flags(several):
    model, slow = MaskModel(automatic()), Slow(automatic())
    for edit in several:
        draw(model, slow, edit)
    flags = slow.flags()
    counts = model.counts()
    for name, bit in GROUP.items():
        was, shown = (slow.automatic & bit) != 0, (flags & bit) != 0
        by_hand = (slow.marked & bit) != 0
        expected = {
            "automatic": int(was.sum()),
            "set_by_hand": int((by_hand & ~was).sum()),
            "cleared_by_hand": int((was & ~shown).sum()),
            "total": int(shown.sum()),
        }
        assert counts.get(name, dict.fromkeys(expected, 0)) == expected
        origins = np.where(was, np.where(shown, AUTOMATIC, CLEARED), np.where(shown, SET, 0))
        for i in range(SHAPE[0]):
            np.testing.assert_array_equal(model.plane(i, None, name), shown[i].any(axis=0))
            np.testing.assert_array_equal(model.origins(i, None, name), origins[i].max(axis=0))
            for g in range(SHAPE[1]):
                np.testing.assert_array_equal(model.plane(i, g, name), shown[i, g])
                np.testing.assert_array_equal(model.origins(i, g, name), origins[i, g])
                np.testing.assert_array_equal(model.flags(i, g), flags[i, g])


# ---- edits


def test_a_group_of_an_integration_is_painted_alone(blank):
    change = blank.brush([(3, 4)], 1, groups=2, integrations=1)
    assert (change.label, change.planes, change.changed) == ("brush", ((1, 2),), 5)
    assert change.box == (2, 3, 4, 5)
    assert jumps(blank, 1, 2) == {(4, 3), (3, 3), (5, 3), (4, 2), (4, 4)}
    assert np.count_nonzero(blank.to_groupdq()) == 5


def test_all_groups_have_jumps_but_the_first(blank):
    blank.circle(3, 4, 0)
    flags = blank.to_groupdq()
    assert flags[:, :, 4, 3].tolist() == [[0, JUMP, JUMP, JUMP]] * 2
    blank.circle(3, 4, 0, bit="SATURATED")
    assert blank.to_groupdq()[:, 0, 4, 3].tolist() == [SAT, SAT]
    blank.circle(3, 4, 0, groups=0)
    assert blank.to_groupdq()[:, 0, 4, 3].tolist() == [SAT | JUMP] * 2


def test_an_exposure_of_one_group_and_one_pixel_is_painted_too():
    model = MaskModel(np.zeros((1, 1, 1, 1), np.uint8))
    assert model.brush([(0, 0)], 3)
    assert model.to_groupdq().item() == JUMP
    model.undo()
    assert model.to_groupdq().item() == 0


def test_a_line_is_as_wide_as_it_is_told(blank):
    blank.line(2, 4, 7, 4, 3, groups=1, integrations=0)
    image = blank.plane(0, 1)
    assert image[3:6, 2:8].all()
    assert np.count_nonzero(image) == 18 + 6  # and three beyond each end


def test_erased_jumps_stay_away_whatever_the_threshold_finds(blank):
    blank.box(0, 0, 5, 5, erase=True)
    full = np.full(SHAPE, JUMP, np.uint8)
    blank.set_automatic(full)
    image = blank.plane(0, 1)
    assert not image[:6, :6].any()
    assert image.sum() == image.size - 36
    assert blank.counts()["JUMP_DET"]["cleared_by_hand"] == 2 * 3 * 36


def test_only_jumps_are_taken_from_the_automatic_flags():
    flags = np.full(SHAPE, JUMP | SAT, np.uint8)
    model = MaskModel(flags)
    model.circle(3, 3, 0, groups=1, integrations=0, bit="DO_NOT_USE")
    change = model.circle(3, 3, 0, groups=1, integrations=0, bit="SATURATED", erase=True)
    assert (change.changed, change.left_alone) == (0, 1)
    assert not change
    assert model.undoable == "circle"  # what changes nothing is no step
    model.circle(3, 3, 0, groups=1, integrations=0, bit="DO_NOT_USE", erase=True)
    model.circle(3, 3, 0, groups=1, integrations=0, erase=True)
    assert model.flags(0, 1)[3, 3] == SAT


def test_labels_are_kept_where_that_is_asked_for():
    flags = np.zeros(SHAPE, np.uint8)
    flags[:, :, 4, 4] = SAT
    flags[:, :, 4, 5] = JUMP
    model = MaskModel(flags)
    change = model.box(3, 4, 5, 4, groups=2, integrations=0, keep_labels=True)
    assert model.flags(0, 2)[4, 3:6].tolist() == [JUMP, SAT, JUMP]
    assert change.left_alone == 1
    model.box(3, 4, 5, 4, groups=2, integrations=0)
    assert model.flags(0, 2)[4, 4] == SAT | JUMP


@pytest.mark.parametrize("keep", [True, False])
def test_a_snowball_has_a_saturated_core_and_a_ring_of_jumps(keep):
    flags = np.zeros((2, 5, 41, 41), np.uint8)
    flags[0, 2:, 20, 24] = SAT  # in the ring
    flags[0, 2, 20, 20] = JUMP  # in the core
    flags[0, 2, 20, 25] = DNU
    model = MaskModel(flags)
    change = model.snowball(20, 20, 3, 8, 2, next_groups=2, keep_labels=keep)
    core = shapes.circle((41, 41), 20, 20, 3).image()
    whole = shapes.circle((41, 41), 20, 20, 8).image()
    ring = whole & ~core
    for group in range(5):
        expected = flags[0, group].copy()
        if group >= 2:
            expected[core] = SAT
        if group == 2:
            expected[ring & (flags[0, 2] & SAT == 0)] |= JUMP
            if keep:
                expected[20, 25] = DNU
        np.testing.assert_array_equal(model.flags(0, group), expected)
        after = np.where(core & (group in {1, 2}), JUMP, 0)
        np.testing.assert_array_equal(model.flags(1, group), after)
    assert change.label == "snowball"
    model.snowball(20, 20, 3, 8, 2, next_groups=2, erase=True)
    left = flags.copy()
    left[0, 2, 20, 20] = 0
    np.testing.assert_array_equal(model.to_groupdq(), left)
    model.undo()
    model.undo()
    np.testing.assert_array_equal(model.to_groupdq(), flags)


def test_a_snowball_in_the_last_group_of_the_last_integration(blank):
    blank.snowball(5, 5, 1, 2, 3, integration=1, next_groups=9)
    assert blank.flags(1, 3)[5, 5] == SAT
    assert np.count_nonzero(blank.to_groupdq()) == 13


def test_pixels_are_flagged_by_an_image(blank):
    image = np.zeros(SHAPE[2:], bool)
    image[2, 3] = image[8, 10] = True
    blank.flag(image, groups=(1, 3), integrations=0, bit="DO_NOT_USE")
    assert np.argwhere(blank.to_groupdq()).tolist() == [
        [0, group, y, x] for group in (1, 3) for y, x in ((2, 3), (8, 10))
    ]


def test_the_given_array_is_neither_changed_nor_copied():
    flags = automatic()
    model = MaskModel(flags)
    model.box(0, 0, 5, 5, erase=True)
    assert np.shares_memory(model.automatic, flags)
    assert not model.automatic.flags.writeable
    assert flags.flags.writeable
    np.testing.assert_array_equal(flags, automatic())
    assert not np.shares_memory(model.to_groupdq(), flags)
    assert not np.shares_memory(model.flags(0, 0), flags)


@pytest.mark.parametrize("view", ["fortran", "strided", "read-only"])
def test_flags_in_any_layout(view):
    flags = automatic()
    other = {
        "fortran": np.asfortranarray(flags),
        "strided": np.repeat(flags, 2, axis=3)[..., ::2],
        "read-only": flags.copy(),
    }[view]
    other.flags.writeable = False
    one, two = MaskModel(flags), MaskModel(other)
    for model in (one, two):
        model.box(0, 0, 5, 5, erase=True)
        model.circle(6, 6, 3, keep_labels=True)
    np.testing.assert_array_equal(one.to_groupdq(), two.to_groupdq())
    np.testing.assert_array_equal(one.origins(0, 1), two.origins(0, 1))
    assert one.record() == two.record()


WRONG = [
    (lambda m: m.brush([(1, 1)], groups=4), "groups: there is no 4; use 0 to 3."),
    (lambda m: m.brush([(1, 1)], groups=-1), "groups: there is no -1; use 0 to 3."),
    (lambda m: m.brush([(1, 1)], integrations=[0, 2]), "integrations: there is no 2"),
    (lambda m: m.brush([(1, 1)], groups=1.5), "groups: 1.5 is no whole number"),
    (lambda m: m.brush([(1, 1)], bit="HOT"), "bit: 'HOT' is no flag of groups"),
    (lambda m: m.plane(0, 9), "group: there is no 9"),
    (lambda m: m.flags(7, 0), "integration: there is no 7"),
    (lambda m: m.plane(0, 1, None), "bit: None is no flag"),
    (lambda m: m.snowball(1, 1, 5, 2, 1), "core_radius: 5 is more than the radius 2"),
    (lambda m: m.snowball(1, 1, 1, 2, 4), "group: there is no 4"),
    (lambda m: m.flag(np.zeros((3, 3), bool)), "pixels: their image is (3, 3)"),
    (lambda m: m.flag(np.zeros(SHAPE[2:])), "pixels: they are float64"),
    (lambda m: m.line(0, 0, 1, 1, np.nan), "width: nan is no such number"),
    (lambda m: m.set_automatic(np.zeros((1, 4, 9, 11), np.uint8)), "automatic: its shape is"),
    (lambda m: MaskModel(np.zeros(SHAPE)), "automatic: its type float64 is not"),
    (lambda m: MaskModel([[1]]), "automatic: its type list is not"),
    (lambda m: MaskModel(np.zeros((3, 4), np.uint8)), "automatic: its shape (3, 4)"),
    (lambda m: MaskModel(np.zeros((1, 1, 0, 4), np.uint8)), "automatic: its shape"),
    (lambda m: MaskModel(m.automatic, provenance={"a": object()}), "provenance: it is no JSON"),
    (lambda m: MaskModel(m.automatic, provenance={"a": np.nan}), "provenance: it is no JSON"),
]


@pytest.mark.parametrize(("call", "words"), WRONG, ids=range(len(WRONG)))
def test_what_makes_no_sense_is_refused_and_changes_nothing(blank, call, words):
    blank.circle(3, 3, 1)
    before = blank.to_groupdq()
    with pytest.raises(UsageError) as caught:
        call(blank)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(blank.to_groupdq(), before)
    assert blank.undoable == "circle"


def test_edits_are_shown_on_top_of_flags_that_are_tried():
    model = MaskModel(automatic())
    model.circle(3, 3, 2, erase=True)
    model.box(8, 5, 10, 8)
    tried = automatic(seed=8)
    window = tried[1, 2, 2:8, 3:10]
    shown = model.on_top_of(window, 1, 2, x0=3, y0=2)
    np.testing.assert_array_equal(tried, automatic(seed=8))
    model.set_automatic(tried)
    np.testing.assert_array_equal(shown, model.flags(1, 2)[2:8, 3:10])
    np.testing.assert_array_equal(model.on_top_of(tried[0, 0], 0, 0), model.flags(0, 0))


# ---- memory


def test_opening_takes_nothing_and_painting_takes_little():
    flags = np.zeros((1, 10, 2048, 2048), np.uint8)
    model = MaskModel(flags)
    assert model.nbytes == 0
    angle = np.linspace(0, 6, 100)
    path = np.c_[1000 + 300 * np.cos(angle), 1000 + 300 * np.sin(angle)]
    model.brush(path, 5, groups=4)
    assert model.nbytes < 5e6
    model.box(0, 0, 2047, 2047, groups=4)
    assert model.nbytes < 20e6


# ---- undo


def test_a_new_edit_ends_what_could_be_redone(blank):
    blank.circle(3, 3, 1)
    blank.circle(6, 6, 1, erase=True)
    assert (blank.undoable, blank.redoable) == ("erase circle", None)
    blank.undo()
    assert (blank.undoable, blank.redoable) == ("circle", "erase circle")
    blank.box(1, 1, 2, 2)
    assert (blank.undoable, blank.redoable) == ("box", None)


def test_a_hundred_steps_are_kept(blank):
    for step in range(130):
        blank.circle(step % 11, step // 11 % 9, 0, groups=step % 3 + 1, erase=step > 98)
    steps = 0
    while blank.undo():
        steps += 1
    assert steps == 100


def test_steps_are_forgotten_when_they_take_too_much_memory():
    model = MaskModel(np.zeros((1, 2, 400, 400), np.uint8), history_bytes=3000)
    rng = np.random.default_rng(1)
    for _ in range(5):
        model.flag(rng.random((400, 400)) < 0.5)
    assert model.undo()  # the last is kept, however large
    assert model.undo() is None
    for x in range(50):
        model.circle(x * 7, 5, 0, erase=True)
    steps = 0
    while model.undo():
        steps += 1
    assert steps == 50


def test_what_changes_alike_in_all_groups_is_kept_once():
    model = MaskModel(np.zeros((1, 50, 300, 300), np.uint8))
    model.circle(150, 150, 100)
    one = MaskModel(np.zeros((1, 50, 300, 300), np.uint8))
    one.circle(150, 150, 100, groups=3)
    assert model._history.nbytes == one._history.nbytes


def test_several_edits_are_one_step(blank):
    with blank.step("hit"):
        first = blank.circle(3, 3, 1, groups=1)
        blank.circle(6, 6, 1, groups=2)
    assert first.planes == ((0, 1), (1, 1))
    assert blank.undoable == "hit"
    change = blank.undo()
    assert change.planes == ((0, 1), (0, 2), (1, 1), (1, 2))
    assert not blank.to_groupdq().any()


def test_a_step_that_fails_leaves_nothing(blank):
    blank.circle(3, 3, 1)
    before = blank.to_groupdq()
    with pytest.raises(UsageError), blank.step("hit"):
        blank.circle(6, 6, 2, erase=True)
        blank.box(0, 0, 3, 3)
        blank.circle(6, 6, 2, groups=99)
    np.testing.assert_array_equal(blank.to_groupdq(), before)
    assert blank.undoable == "circle"


def test_within_a_step_nothing_is_undone(blank):
    blank.circle(3, 3, 1)
    with pytest.raises(UsageError, match="undo: hit is not finished"), blank.step("hit"):
        blank.undo()
    assert blank.undo()


def test_clearing_takes_all_edits_back_and_is_undone(blank):
    blank.set_automatic(automatic())
    blank.circle(3, 3, 2)
    blank.box(5, 5, 8, 8, erase=True)
    edited = blank.to_groupdq()
    assert blank.clear().label == "clear"
    np.testing.assert_array_equal(blank.to_groupdq(), automatic())
    assert not blank.clear()
    blank.undo()
    np.testing.assert_array_equal(blank.to_groupdq(), edited)
    blank.redo()
    np.testing.assert_array_equal(blank.to_groupdq(), automatic())


# ---- record


def test_the_record_tells_automatic_from_manual():
    flags = automatic()
    parameters = {"jump.rejection_threshold": np.float32(4), "engine": "upramp"}
    model = MaskModel(flags, provenance=parameters)
    model.box(0, 0, 5, 5, erase=True)
    model.circle(8, 4, 2)
    record = model.record()
    assert json.loads(json.dumps(record)) == record
    shown = model.to_groupdq()
    assert record["sha256"] == hashlib.sha256(shown.tobytes()).hexdigest()
    assert record["automatic"] == {
        "sha256": hashlib.sha256(flags.tobytes()).hexdigest(),
        "parameters": {"jump.rejection_threshold": 4.0, "engine": "upramp"},
    }
    assert record["shape"] == list(SHAPE)
    assert record["mode"] == "REPLACE"
    counts = record["counts"]["JUMP_DET"]
    assert counts["total"] == np.count_nonzero(shown & JUMP)
    assert (
        counts["automatic"] + counts["set_by_hand"] - counts["cleared_by_hand"]
        == (counts["total"])
    )
    model.set_automatic(shown, {"jump.rejection_threshold": 5.0})
    assert model.provenance == {"jump.rejection_threshold": 5.0}
    model.set_automatic(flags)
    assert model.provenance == {"jump.rejection_threshold": 5.0}
