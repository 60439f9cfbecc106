"""A figure of Bokeh in a page: what changed before the page listened is not lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from upramp_widgets.views.bokeh_host import BokehHost


@pytest.fixture
def plot():
    return figure(title="as made")


@pytest.fixture
def host(plot):
    return BokehHost(plot)


def say(host, **message):
    host._handle_custom_msg(message, [])


def title(host):
    (document,) = host.child.render_bundle["docs_json"].values()
    (root,) = document["roots"]
    return root["attributes"]["title"]["attributes"]["text"]


def test_a_new_view_is_given_what_changed_before_it_listened(host, plot):
    plot.title.text = "changed"
    assert title(host) == "as made"
    say(host, kind="shown")
    assert title(host) == "changed"


def test_it_is_given_it_once(host, plot):
    plot.title.text = "changed"
    say(host, kind="shown")
    before = host.child.render_bundle
    say(host, kind="shown")
    assert host.child.render_bundle is before


def test_what_changes_together_is_one_message_with_its_arrays(plot, monkeypatch):
    source = ColumnDataSource({"x": np.arange(3.0), "y": np.arange(3.0)})
    plot.scatter("x", "y", source=source)
    child = BokehHost(plot).child
    sent = []
    monkeypatch.setattr(
        child, "send", lambda content, buffers=None: sent.append((content, buffers))
    )
    with child.together():
        plot.title.text = "changed"
        source.data = {"x": np.arange(4.0), "y": np.arange(4.0)}
    ((message, buffers),) = sent
    header, metadata, content, *arrays = message["parts"]
    assert json.loads(header)["msgtype"] == "PATCH-DOC"
    assert json.loads(metadata) == {}
    assert len(json.loads(content)["events"]) == 2
    # Each array is announced by a reference, and comes where there is none.
    assert arrays[1::2] == [None] * len(buffers)
    assert len(buffers) == 2


def test_a_page_sends_nothing_back_of_what_it_draws(plot):
    plot.scatter([1, 2], [3, 4])
    BokehHost(plot)
    assert not [model for model in plot.references() if model.syncable]


def test_bokehjs_is_sent_to_a_page_that_asks(host, monkeypatch):
    sent = []
    monkeypatch.setattr(host, "send", lambda message, buffers=None: sent.append(message))
    say(host, kind="need-bokehjs")
    (message,) = sent
    assert message["kind"] == "bokehjs"
    assert len(message["source"]) > 100_000


@pytest.mark.parametrize("message", ["text", None, [], {"kind": "no such kind"}, {}])
def test_a_message_of_no_meaning_is_ignored(host, message):
    host._handle_custom_msg(message, [])
