"""Closing a widget gives back what it held: files without a name, and the widgets in it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path

import ipywidgets
import pytest
from ipywidgets.widgets import widget as registry
from traitlets import TraitError

from upramp import spill
from upramp.errors import UsageError
from upramp_widgets.cosmic_ray_masker import CosmicRayMasker
from upramp_widgets.ramp_inspector import RampInspector
from upramp_widgets.release import closed_if_it_fails
from upramp_widgets.wcs_overlay import WcsOverlay

NIRISS = "jw99008001001_02101_00001_nis"


@pytest.fixture(autouse=True)
def small_arrays_are_in_files_too(monkeypatch):
    monkeypatch.setattr(spill, "_LEAST", 1 << 12)


@pytest.fixture
def path(uncal):
    return uncal(NIRISS)


def deleted():
    """Count the open files without a name."""
    targets = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(number.readlink()))
        except FileNotFoundError:  # the one that lists them
            continue
    return sum(each.endswith("(deleted)") for each in targets)


def opened(kind, path):
    widget = kind(path)
    assert widget.wait(120)
    widget.plane = "rate"
    assert widget.wait(120)
    widget.image.click(30, 31)
    if kind is CosmicRayMasker:
        widget.compare()
    return widget


@pytest.mark.parametrize("kind", [RampInspector, CosmicRayMasker])
def test_what_a_widget_held_is_given_back_though_its_name_is_kept(kind, path):
    opened(kind, path).close()  # the references that are shared by all stay, once
    gc.collect()
    files, widgets = deleted(), set(registry._instances)
    widget = opened(kind, path)
    assert deleted() > files + 5, "nothing is held in files: there is nothing to be seen here"
    assert len(registry._instances) > len(widgets) + 30
    widget.close()
    assert set(registry._instances) <= widgets
    gc.collect()
    # Of a masker the mask is a result, which may be saved after all.
    assert deleted() <= files + (kind is CosmicRayMasker)
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None
    assert deleted() == files


@pytest.mark.parametrize("kind", [RampInspector, CosmicRayMasker])
def test_a_closed_widget_says_that_it_is_closed(kind, path):
    widget = opened(kind, path)
    widget.close()
    for call in (
        lambda: widget.model.sample(1, 1),
        lambda: widget.model.group(0, 0),
        widget.model.flags,
        widget.image.picture,
        widget.image.to_html,
        widget.picture,
        widget.to_html,
    ):
        with pytest.raises(UsageError, match="it is closed"):
            call()
    widget.close()
    if kind is CosmicRayMasker:
        with pytest.raises(UsageError, match="it is closed"):
            widget.compare()
    else:
        with pytest.raises(UsageError, match="it is closed"):
            widget.apply()


def test_a_plot_that_comes_after_the_widget_was_closed_does_not_stay(path):
    gc.collect()
    widgets = set(registry._instances)

    async def cell():
        widget = RampInspector(path)
        widget.close()

    async def kernel():
        await cell()
        await asyncio.sleep(0)

    asyncio.run(kernel())
    assert set(registry._instances) <= widgets


@pytest.mark.parametrize("kind", [RampInspector, CosmicRayMasker, WcsOverlay])
@pytest.mark.parametrize(
    "traits", [{"stretch": "sideways"}, {"cmap": "mud"}, {"xlim": 5}, {"layers_hidden": 7}]
)
def test_of_a_widget_that_could_not_be_made_nothing_stays(kind, traits, path):
    if kind is not WcsOverlay and "layers_hidden" in traits:
        traits = {"threshold": "high"}
    gc.collect()
    files, widgets = open_files(), set(registry._instances)
    with pytest.raises((TraitError, UsageError)) as refused:
        kind(path, **traits)
    assert set(registry._instances) <= widgets
    assert refused.value is not None
    assert ipywidgets.Widget._widget_construction_callback is None
    del refused
    gc.collect()
    assert open_files() <= files


def open_files():
    """Count the open files of the practice archive."""
    found = 0
    for number in Path("/proc/self/fd").iterdir():
        try:
            found += NIRISS in str(number.readlink())
        except FileNotFoundError:
            continue
    return found


def test_widgets_that_another_thread_makes_meanwhile_stay():
    made, go, begun = [], threading.Event(), threading.Event()

    def other():
        begun.set()
        go.wait(30)
        made.append(ipywidgets.Button())

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(30)

    def fails():
        with closed_if_it_fails():
            mine.append(ipywidgets.Button())
            go.set()
            thread.join(30)
            raise ValueError("it fails")

    mine = []
    with pytest.raises(ValueError, match="it fails"):
        fails()
    assert mine[0].comm is None
    assert made[0].comm is not None
    made[0].close()
