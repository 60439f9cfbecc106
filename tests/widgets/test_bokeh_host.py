"""A figure of Bokeh in a page: what changed before the page listened is not lost."""

from __future__ import annotations

import pytest
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
