"""The three spawners by what they would ask for, without an engine or a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from traitlets.config import Config

from upramp_hub import spawners
from upramp_hub.settings import Settings


@pytest.fixture
def user():
    # What spawners ask of a user of the hub.
    return SimpleNamespace(
        name="ada", id=1, url="/user/ada/", spawners={}, escaped_name="ada", settings={}
    )


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "archive" / "crds").mkdir(parents=True)

    def make(spawner):
        return Settings(
            state=tmp_path / "state",
            archive=tmp_path / "archive",
            homes=tmp_path / "homes",
            spawner=spawner,
            memory=3 * 1024**3,
        )

    return make


def test_pages_are_where_the_hub_is_told(tmp_path):
    assert {"spawn_pending.html", "not_running.html", "429.html"} <= {
        page.name for page in spawners.templates().iterdir()
    }


@pytest.mark.parametrize(
    ("choice", "package", "name"),
    [
        ("process", "jupyterhub", "ProcessSpawner"),
        ("container", "dockerspawner", "ContainerSpawner"),
        ("kubernetes", "kubespawner", "KubernetesSpawner"),
    ],
)
def test_a_setting_chooses_what_starts(settings, monkeypatch, choice, package, name):
    pytest.importorskip(package)
    c = Config()
    monkeypatch.setenv("UPRAMP_KUBERNETES_IMAGE", "upramp:1")
    with mock.patch("upramp_hub.spawners.process.can_hide", return_value=True):
        spawners.configure(c, settings(choice))
    assert c.JupyterHub.spawner_class.__name__ == name
    assert c[name].settings.spawner == choice
    # JupyterHub's limits know no line and no Retry-After: the spawner's own hold.
    assert c.JupyterHub.concurrent_spawn_limit == c.JupyterHub.active_server_limit == 0
    assert c.Spawner.disable_user_config is True
    if choice == "kubernetes":
        return  # what a pod is asked for is rendered elsewhere
    assert c.Spawner.default_url == "/upramp/start"
    assert any("upramp_hub.server=True" in each for each in c.Spawner.args)
    if choice == "process":
        assert Path(c.Spawner.cmd[0]).is_absolute()
        assert "-I" in c.Spawner.cmd  # a module in a home is none of the server's


def container(settings, user):
    pytest.importorskip("dockerspawner")
    from upramp_hub.spawners.container import ContainerSpawner

    hub = SimpleNamespace(
        public_host="", base_url="/hub/", api_url="http://127.0.0.1:8081/hub/api", server=None
    )
    spawner = ContainerSpawner(user=user, hub=hub, settings=settings("container"))
    spawner.api_token = "the-token"
    spawner.cmd = ["jupyterhub-singleuser"]
    spawner.port = 8888
    return spawner


def created(spawner):
    """Give what a container would be created with, by docker's own client without an engine."""
    import docker

    client = docker.APIClient(base_url="tcp://127.0.0.1:9", version="1.43")
    asked = {}

    async def engine(method, **arguments):
        asked[method] = arguments

    with (
        mock.patch.object(type(spawner), "client", client),
        mock.patch.object(spawner, "docker", engine),
        mock.patch.object(type(spawner), "escaped_name", "ada", create=True),
    ):
        asyncio.run(spawner.create_object())
    return asked["create_container"]


def test_a_container_has_its_user_s_home_and_no_rights(settings, user, monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_SECRET", "of the hub")
    asked = created(container(settings, user))
    host = asked["host_config"]
    assert sorted(host["Binds"]) == [
        f"{tmp_path / 'archive'}:/archive:ro",
        f"{tmp_path / 'homes' / 'ada'}:/home/user:rw",
    ]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == 6 * 1024**3
    assert host["Ulimits"] == [{"Name": "data", "Soft": 3 * 1024**3, "Hard": 3 * 1024**3}]
    assert host["PidsLimit"] == 1024
    assert list(host["Tmpfs"]) == ["/run/upramp"]
    assert not host.get("Privileged")
    assert asked["user"] == "1000:1000"
    environment = asked["environment"]
    assert "of the hub" not in environment.values()
    assert not [name for name in environment if name.startswith("UPRAMP_HUB_")]
    assert environment["CRDS_PATH"] == "/archive/crds"
    outside = ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR", "XDG_CACHE_HOME")
    assert all(environment[name].startswith("/run/upramp/") for name in outside)


def test_the_image_is_this_release_s_or_the_one_that_is_named(monkeypatch):
    pytest.importorskip("dockerspawner")
    import upramp
    from upramp_hub.spawners.container import image

    assert image() == f"upramp/server:{upramp.__version__}"
    monkeypatch.setenv("UPRAMP_HUB_IMAGE", "registry/mine:2")
    assert image() == "registry/mine:2"


def test_a_pod_s_start_tells_the_line_and_then_the_cluster(settings, user):
    pytest.importorskip("kubespawner")
    from kubespawner import KubeSpawner

    from upramp_hub.spawners.kubernetes import KubernetesSpawner

    class Stand(KubernetesSpawner):
        def __init__(self):  # the cluster is asked for nothing
            from upramp_hub.spawners.stages import Stages

            self.stages = Stages()

    async def cluster(_self):
        yield {"progress": 50, "message": "pulled the image"}

    async def scenario():
        spawner = Stand()
        spawner.stages.tell(10, "Waiting for a turn: place 1 of 1")
        spawner.stages.tell(30, "The server is being started")
        with mock.patch.object(KubeSpawner, "progress", cluster):
            return [event["message"] async for event in spawner.progress()]

    assert asyncio.run(scenario()) == [
        "Waiting for a turn: place 1 of 1",
        "The server is being started",
        "pulled the image",
    ]
