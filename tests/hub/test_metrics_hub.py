"""A real hub's metrics beside the dashboard's queries, and its health."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from plain_hub import PlainHub
from prometheus_client.parser import text_string_to_metric_families
from proxy_process import TOKEN, stopping, until

pytestmark = [pytest.mark.hub, pytest.mark.slow]

DASHBOARD = Path(__file__).resolve().parents[2] / "hub_config" / "grafana" / "upramp-hub.json"
NARROW = "a-token-without-the-scope"

MORE = """
import os
from pathlib import Path
from upramp_hub import metrics
from upramp_hub.settings import Settings
metrics.install(Settings(state=Path("state").absolute(), archive=Path("archive").absolute()))
c.JupyterHub.services.append({{"name": "narrow", "api_token": "{narrow}"}})
"""


@pytest.fixture(scope="module")
def hub():
    with stopping(PlainHub(MORE.format(narrow=NARROW))) as running:
        (running.folder / "state").mkdir()
        (running.folder / "archive" / "uncal").mkdir(parents=True)
        exposure = running.folder / "archive" / "uncal" / "x_uncal.fits"
        exposure.write_bytes(b"SIMPLE  =                    T")
        yield running


def log_in(hub, name, password):
    """Give what opens pages as a browser that logged in."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{hub.url}/hub/login") as page:
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.read().decode())[1]
    form = {"username": name, "password": password, "_xsrf": xsrf}
    data = urllib.parse.urlencode(form).encode()
    browser.open(f"{hub.url}/hub/login?next=/hub/home", data).close()
    return browser


def scraped(hub):
    status, text = hub.get("/hub/metrics", TOKEN)
    assert status == 200, text
    exported = {}
    for family in text_string_to_metric_families(text):
        names = {sample.name for sample in family.samples}
        if family.type == "histogram":  # those that nothing was measured for say their name alone
            names |= {f"{family.name}{end}" for end in ("_bucket", "_sum", "_count")}
        for name in names:
            exported.setdefault(name, {})
        for sample in family.samples:
            for label, value in sample.labels.items():
                exported[sample.name].setdefault(label, set()).add(value)
    return exported


def queries():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]


# What is not a metric where a name may stand in these queries.
WORDS = {"histogram_quantile", "sum", "by", "rate", "increase", "label_values", "job"}


def names_in(query):
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", query)
    return set(re.findall(r"[a-z_]{3,}", bare)) - WORDS


def test_every_query_of_the_dashboard_names_metrics_and_labels_that_there_are(hub):
    with pytest.raises(urllib.error.HTTPError):
        log_in(hub, "ada", "wrong")
    log_in(hub, "ada", "sesame")
    exported = scraped(hub)
    found = list(queries())
    assert len(found) > 20
    for title, query in found:
        names = names_in(query)
        assert names, query
        assert names <= exported.keys(), (title, names - exported.keys())
        selected = re.findall(r"([a-z_]+)\{([^}]*)\}", query)
        for name, selectors in selected:
            for label, value in re.findall(r'(\w+)!?="([^"]*)"', selectors):
                if label == "job":  # Prometheus adds it
                    continue
                assert exported[name].get(label), (title, name, label)
                assert value in exported[name][label], (title, name, value)
        for labels in re.findall(r"by \(([^)]*)\)", query):
            (name,) = names
            for label in labels.replace(" ", "").split(","):
                assert label == "le" or label in exported[name], (title, name, label)


def test_refused_logins_and_health_are_in_the_metrics(hub):
    def refused():
        text = hub.get("/hub/metrics", TOKEN)[1]
        return float(re.search(r'logins_refused_total\{reason="wrong"\} (\S+)', text)[1])

    before = refused()
    with pytest.raises(urllib.error.HTTPError):
        log_in(hub, "bob", "wrong")
    assert refused() == before + 1
    text = hub.get("/hub/metrics", TOKEN)[1]
    assert 'upramp_hub_servers{state="ready"} 0.0' in text


def test_metrics_are_not_for_everybody(hub):
    assert hub.get("/hub/metrics")[0] == 403
    assert hub.get("/hub/metrics", NARROW)[0] == 403


@pytest.mark.parametrize("path", ["/health", "/hub/api/health"])
@pytest.mark.parametrize("token", [None, NARROW, "no-token-at-all"])
def test_health_says_no_more_than_that_to_whom_it_may_not(hub, path, token):
    status, text = hub.get(path, token)
    assert (status, json.loads(text)) == (200, {"status": "ok"})


def test_health_says_all_to_who_may_read_metrics(hub):
    status, text = hub.get("/health", TOKEN)
    assert status == 200
    parts = json.loads(text)["parts"]
    assert list(parts) == ["hub", "proxy", "database", "disk", "archive"]
    assert all(part["healthy"] for part in parts.values())


def test_health_says_all_to_an_administrator_and_not_to_a_user(hub):
    def answer(name):
        with log_in(hub, name, "sesame").open(f"{hub.url}/hub/api/health") as page:
            return json.load(page)

    assert answer("chief")["parts"]["archive"]["healthy"]
    assert answer("ada") == {"status": "ok"}


def test_a_lost_archive_is_503_and_the_hub_lives(hub):
    archive = hub.folder / "archive"
    archive.rename(hub.folder / "away")
    try:
        until(lambda: hub.get("/health")[0] == 503)
        status, text = hub.get("/health", TOKEN)
        found = json.loads(text)
        assert (status, found["status"]) == (503, "failing")
        assert not found["parts"]["archive"]["healthy"]
        assert "volume" in found["parts"]["archive"]["what"]
        assert found["parts"]["proxy"]["healthy"]
        assert json.loads(hub.get("/health")[1]) == {"status": "failing"}
        # What restarts hubs that do not live asks this one.
        assert hub.get("/hub/health")[0] == 200
        assert 'upramp_hub_healthy{part="archive"} 0.0' in hub.get("/hub/metrics", TOKEN)[1]
    finally:
        (hub.folder / "away").rename(archive)
    until(lambda: hub.get("/health")[0] == 200)


def test_the_dashboard_fits_on_its_page():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
