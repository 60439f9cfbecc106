"""Pods as kubespawner renders them, and the chart's values beside the code."""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import Config

from upramp.errors import UsageError
from upramp_hub import kubernetes
from upramp_hub.kubernetes import Cluster
from upramp_hub.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "hub_config" / "kubernetes"
GIB = 1024**3
PROFILES = ("small", "large", "batch")
CLUSTER = Cluster(image="upramp/server:1", batch_priority="upramp-batch")

# What a path, a template, a label, YAML or the cluster's own variables could be made to do.
HOSTILE = (
    *("ada", "Ada", "a.da", "a-da", "a--da", "-ada", "1", "..", "../../etc/passwd", "/"),
    *("ada/../bob", "ada bob", "ada\nbob", "ada\x00", "ünïcödé", "日本語", "\u202eada", "🦉" * 40),
    *("{username}", "{0}", "{userid.__class__}", "{", "%s", "$(UPRAMP_MEMORY)", "`id`"),
    *("hub", "proxy", "x" * 63, "x" * 64, "x" * 255, "y" * 300, "a" * 47 + "--b", "xn--p1ai"),
)
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    # A spawner looks for its cluster when it is made; what it would be asked is not the subject.
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda _: None)


def configuration(cluster=CLUSTER, **settings):
    c = Config()
    kubernetes.configure(c, Settings(state=Path("/state"), **settings), cluster)
    return c


def spawner(name="ada", c=None, kind=KubeSpawner):
    user = SimpleNamespace(name=name, id=7, url=f"/user/{name}/", settings={})
    made = kind(_mock=True, user=user, config=c or configuration())
    made.api_token = "the-server's-own"
    return made


def chosen(made, profile):
    """Give the manifest of a pod as it would be sent to the cluster."""

    async def render():
        made.user_options = {"profile": profile} if profile else {}
        await made.load_user_options()
        async with ApiClient() as client:
            return client.sanitize_for_serialization(await made.get_pod_manifest())

    return asyncio.run(render())


def pod(name="ada", profile="small", **options):
    return chosen(spawner(name, **options), profile)


def environment(manifest):
    return {e["name"]: e.get("value") for e in manifest["spec"]["containers"][0]["env"]}


# ---- every pod


@pytest.fixture(params=PROFILES)
def manifest(request):
    return pod(profile=request.param)


def test_a_pod_has_no_rights(manifest):
    spec = manifest["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["enableServiceLinks"] is False
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["fsGroup"] == 1000
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    (container,) = spec["containers"]
    rights = container["securityContext"]
    assert rights["allowPrivilegeEscalation"] is False
    assert not rights.get("privileged")
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert (rights["runAsUser"], rights["runAsGroup"]) == (1000, 1000)
    # No other container does, either: the chart would add one with all rights.
    assert not spec.get("initContainers")


def test_archive_and_references_are_read_only_and_the_rest_is_the_users(manifest):
    volumes = {volume["name"]: volume for volume in manifest["spec"]["volumes"]}
    mounts = {m["mountPath"]: m for m in manifest["spec"]["containers"][0]["volumeMounts"]}
    for path, claim in (("/archive", "upramp-archive"), ("/crds", "upramp-crds")):
        mount = mounts.pop(path)
        assert mount["readOnly"] is True
        assert volumes.pop(mount["name"])["persistentVolumeClaim"] == {
            "claimName": claim,
            "readOnly": True,
        }
    assert mounts.keys() == {"/home/user", "/scratch", "/tmp", "/run/upramp"}
    home = volumes.pop(mounts.pop("/home/user")["name"])
    assert home["persistentVolumeClaim"] == {"claimName": "home-ada"}
    for mount in mounts.values():
        assert volumes.pop(mount["name"])["emptyDir"]["sizeLimit"]
    assert not volumes
    assert not any("hostPath" in volume for volume in manifest["spec"]["volumes"])


def test_what_a_server_is_told(manifest, monkeypatch):
    told = environment(manifest)
    assert told["CRDS_PATH"] == "/crds"
    assert told["CRDS_CONTEXT"] == "jwst_0001.pmap"
    assert told["UPRAMP_ARCHIVE"] == "/archive"
    # A home that is full must not keep a server from starting.
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR"):
        assert told[name].startswith("/run/upramp/")
    # Nothing of the hub's own: its secrets are in its environment.
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "the-proxy's")
    assert not {"PATH", "CONFIGPROXY_AUTH_TOKEN"} & environment(pod()).keys()


@pytest.mark.parametrize(
    ("profile", "memory", "processors", "share", "scratch"),
    [("small", 4, "2", "0.5", 50), ("large", 16, "4", "2.0", 200), ("batch", 32, "8", "4.0", 500)],
)
def test_limits(profile, memory, processors, share, scratch):
    manifest = pod(profile=profile)
    (container,) = manifest["spec"]["containers"]
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert int(limits["memory"]) == (memory + 1) * GIB
    assert float(limits["cpu"]) == float(processors)
    assert int(requests["memory"]) == (memory + 1) * GIB // 2
    assert float(requests["cpu"]) == float(share)
    told = environment(manifest)
    assert int(told["UPRAMP_MEMORY"]) == memory * GIB
    assert told["UPRAMP_THREADS"] == processors
    (found,) = [v for v in manifest["spec"]["volumes"] if v["name"] == "scratch"]
    assert int(found["emptyDir"]["sizeLimit"]) == scratch * GIB
    assert manifest["metadata"]["labels"]["upramp/profile"] == profile


def test_the_small_one_is_as_large_as_the_settings_say():
    told = environment(pod(c=configuration(memory=2 * GIB)))
    assert int(told["UPRAMP_MEMORY"]) == 2 * GIB


def test_only_batch_waits_and_goes_to_nodes_of_its_own():
    for profile in PROFILES:
        spec = pod(profile=profile)["spec"]
        is_batch = profile == "batch"
        assert (spec.get("priorityClassName") == "upramp-batch") is is_batch
        assert bool(spec.get("tolerations")) is is_batch
        assert ("upramp/pool" in str(spec.get("affinity"))) is is_batch


def test_nothing_is_left_of_an_earlier_choice():
    once = spawner()
    for before, after in itertools.permutations(PROFILES, 2):
        chosen(once, before)
        assert chosen(once, after) == pod(profile=after), (before, after)


def test_one_users_choice_is_not_anothers():
    c = configuration()
    ada, bob = spawner("ada", c=c), spawner("bob", c=c)
    chosen(bob, "small")
    chosen(ada, "large")
    # As it stands now, not chosen again.
    assert bob.mem_limit == 5 * GIB
    assert bob.environment["UPRAMP_MEMORY"] == str(4 * GIB)
    assert bob.volumes["scratch"]["emptyDir"] == {"sizeLimit": str(50 * GIB)}


def test_who_chooses_nothing_gets_the_small_one_and_nobody_makes_a_size_up():
    assert pod(profile=None) == pod(profile="small")
    with pytest.raises(ValueError, match="No such profile"):
        pod(profile="gigantic")


def test_a_choice_cannot_carry_more_than_a_profile():
    made = spawner()
    made.user_options = {"profile": "small", "privileged": True, "image": "evil", "uid": 0}
    asyncio.run(made.load_user_options())
    assert (made.privileged, made.image, made.uid) == (False, "upramp/server:1", 1000)


def test_a_kernel_over_its_limit_meets_a_memory_error_and_lives():
    command = [
        part.replace("$(UPRAMP_MEMORY)", str(GIB)) for part in configuration().KubeSpawner.cmd
    ]
    assert command.pop() == "jupyterhub-singleuser"
    code = "try: bytearray(2 * 1024**3)\nexcept MemoryError: print('lives')"
    done = subprocess.run(
        [*command, sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "lives\n"


def test_the_hubs_own_spawner_makes_the_same_pods(monkeypatch):
    from upramp_hub import spawners
    from upramp_hub.spawners.kubernetes import KubernetesSpawner

    monkeypatch.setenv("UPRAMP_KUBERNETES_IMAGE", "upramp/server:1")
    monkeypatch.setenv("UPRAMP_KUBERNETES_BATCH_PRIORITY", "upramp-batch")
    settings = Settings(state=Path("/state"), spawner="kubernetes")
    c = Config()
    spawners.configure(c, settings)
    kubernetes.configure(c, settings)
    own, plain = (chosen(spawner(c=c, kind=k), "large") for k in (KubernetesSpawner, KubeSpawner))
    assert own == plain
    # What all spawners here are told holds for pods as well.
    assert "--ServerApp.jpserver_extensions=upramp_hub.server=True" in str(
        own["spec"]["containers"][0]["args"]
    )
    assert environment(own)["JUPYTERHUB_DEFAULT_URL"] == "/upramp/start"
    assert environment(own)["JUPYTERHUB_DISABLE_USER_CONFIG"] == "1"


# ---- names that are anything


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_gives_a_pod_that_the_cluster_takes(name):
    made = spawner(name)
    manifest = chosen(made, "small")
    assert NAME.fullmatch(manifest["metadata"]["name"])
    assert NAME.fullmatch(made.pvc_name)
    assert manifest["metadata"]["name"].startswith("server-")
    assert made.pvc_name.startswith("home-")
    for key, value in manifest["metadata"]["labels"].items():
        assert LABEL.fullmatch(value), (key, value)
    told = environment(manifest)
    assert told["JUPYTERHUB_USER"] == name
    assert told["HOME"] == "/home/user"
    for mount in manifest["spec"]["containers"][0]["volumeMounts"]:
        assert re.fullmatch(r"(/[a-z]+)+", mount["mountPath"])
        assert "subPath" not in mount
    for volume in manifest["spec"]["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            assert claim["claimName"] in {made.pvc_name, "upramp-archive", "upramp-crds"}


def test_no_two_names_share_a_pod_or_a_home():
    made = [spawner(name) for name in HOSTILE]
    assert len({each.pod_name for each in made}) == len(HOSTILE)
    assert len({each.pvc_name for each in made}) == len(HOSTILE)


# ---- the hub in the cluster


def test_the_hub_meets_the_proxy_under_the_services_names(monkeypatch):
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "the-chart's")
    c = configuration()
    assert c.JupyterHub.hub_bind_url == "http://:8081"
    assert c.JupyterHub.hub_connect_url == "http://hub:8081"
    assert c.ConfigurableHTTPProxy.api_url == "http://proxy-api:8001"
    assert c.ConfigurableHTTPProxy.should_start is False
    assert c.ConfigurableHTTPProxy.auth_token == "the-chart's"


def test_a_cluster_without_an_image_is_refused_with_what_to_do():
    with pytest.raises(UsageError, match=r"UPRAMP_KUBERNETES_IMAGE.*hub\.extraEnv"):
        Cluster.from_environment({})


def test_optional_parts_are_left_to_the_cluster():
    plain = configuration().KubeSpawner
    assert "storage_class" not in plain
    assert "image_pull_secrets" not in plain
    full = configuration(Cluster("i", storage_class="fast", pull_secret="s")).KubeSpawner
    assert full.storage_class == "fast"
    assert full.image_pull_secrets == [{"name": "s"}]


# ---- the chart's values


@pytest.fixture(scope="module")
def values():
    return yaml.safe_load((FOLDER / "values.yaml").read_text())


@pytest.fixture(scope="module")
def objects():
    found = yaml.safe_load_all((FOLDER / "objects.yaml").read_text())
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


# Names that the chart's documentation lists, as far down as these values go.
CHART = {
    "hub": (
        "annotations args baseUrl command concurrentSpawnLimit config consecutiveFailureLimit "
        "containerSecurityContext cookieSecret db deploymentStrategy existingSecret extraConfig "
        "extraContainers extraEnv extraFiles extraPodSpec extraVolumeMounts extraVolumes image "
        "initContainers labels lifecycle livenessProbe loadRoles namedServerLimitPerUser "
        "networkPolicy nodeSelector pdb podSecurityContext readinessProbe redirectToServer "
        "resources service serviceAccount services shutdownOnLogout templatePaths templateVars "
        "tolerations"
    ),
    "hub.image": "name tag pullPolicy pullSecrets",
    "hub.extraFiles.upramp": "mountPath mode data stringData binaryData",
    "hub.db": "type upgrade pvc url password",
    "hub.db.pvc": "annotations selector accessModes storage subPath storageClassName",
    "hub.networkPolicy": "enabled ingress egress egressAllowRules allowedIngressPorts",
    "proxy": "annotations chp deploymentStrategy https labels secretSync secretToken service "
    "traefik",
    "proxy.chp": "containerSecurityContext defaultTarget errorTarget extraCommandLineFlags "
    "extraEnv extraPodSpec image livenessProbe networkPolicy nodeSelector pdb readinessProbe "
    "resources tolerations",
    "proxy.chp.image": "name tag pullPolicy pullSecrets",
    "proxy.chp.pdb": "enabled maxUnavailable minAvailable",
    "proxy.service": "type labels annotations nodePorts disableHttpPort extraPorts "
    "loadBalancerIP loadBalancerSourceRanges",
    "ingress": "enabled annotations ingressClassName hosts pathSuffix pathType tls extraPaths",
    "singleuser": "allowPrivilegeEscalation cloudMetadata cmd cpu defaultUrl events "
    "extraAnnotations extraContainers extraEnv extraFiles extraLabels extraNodeAffinity "
    "extraPodAffinity extraPodAntiAffinity extraPodConfig extraResource extraTolerations fsGid "
    "image initContainers lifecycleHooks memory networkPolicy networkTools nodeSelector "
    "podNameTemplate profileList serviceAccountName startTimeout storage uid",
    "singleuser.storage": "type extraLabels extraVolumes extraVolumeMounts static capacity "
    "homeMountPath dynamic",
    "singleuser.image": "name tag pullPolicy pullSecrets",
    "singleuser.cloudMetadata": "blockWithIptables ip",
    "singleuser.networkPolicy": "enabled ingress egress egressAllowRules allowedIngressPorts "
    "interNamespaceAccessLabels",
    "singleuser.networkPolicy.egressAllowRules": "cloudMetadataServer dnsPortsPrivateIPs "
    "dnsPortsCloudMetadataServer dnsPortsKubeSystemNamespace nonPrivateIPs privateIPs",
    "cull": "enabled users adminUsers removeNamedServers timeout every concurrency maxAge",
    "prePuller": "annotations containerSecurityContext continuous extraImages extraTolerations "
    "hook labels pause pullProfileListImages resources",
    "scheduling": "corePods podPriority userPlaceholder userPods userScheduler",
}


def at(values, path):
    for part in path.split("."):
        values = values[part]
    return values


def test_the_chart_knows_every_name(values):
    assert values.keys() <= {path.partition(".")[0] for path in CHART}
    for path, names in CHART.items():
        unknown = at(values, path).keys() - set(names.split())
        assert not unknown, path


def test_every_variable_is_one_that_the_hub_reads(values):
    told = values["hub"]["extraEnv"]
    assert all(isinstance(value, str) for value in told.values())
    settings, cluster = Settings.from_environment(told), Cluster.from_environment(told)
    known = settings.to_environment().keys() | {
        kubernetes.PREFIX + name.upper() for name in vars(cluster)
    }
    assert told.keys() <= known
    assert settings.spawner == "kubernetes"
    # What the values leave at its default is not written there: all others say it.
    assert settings.memory == 4 * GIB


def test_volumes_and_priorities_are_the_ones_that_the_code_asks_for(values, objects):
    cluster = Cluster.from_environment(values["hub"]["extraEnv"])
    claims = {name for kind, name in objects if kind == "PersistentVolumeClaim"}
    assert claims == {cluster.archive_claim, cluster.crds_claim}
    for name in claims:
        assert objects["PersistentVolumeClaim", name]["spec"]["accessModes"] == ["ReadOnlyMany"]
    priority = objects["PriorityClass", cluster.batch_priority]
    placeholders, users = -10, 0
    assert placeholders < priority["value"] < users
    # The hub looks at the same archive that servers read.
    (volume,), (mount,) = (values["hub"][key] for key in ("extraVolumes", "extraVolumeMounts"))
    assert volume["persistentVolumeClaim"] == {
        "claimName": cluster.archive_claim,
        "readOnly": True,
    }
    assert mount == {"name": volume["name"], "mountPath": kubernetes.ARCHIVE, "readOnly": True}
    assert values["hub"]["extraEnv"]["UPRAMP_HUB_ARCHIVE"] == kubernetes.ARCHIVE
    assert values["singleuser"]["storage"] == {"type": "none"}


def test_the_image_that_is_fetched_ahead_is_the_one_that_servers_run(values):
    image = values["singleuser"]["image"]
    cluster = Cluster.from_environment(values["hub"]["extraEnv"])
    assert cluster.image == f"{image['name']}:{image['tag']}"


def test_ports_and_names_are_the_charts_own(values):
    # The code has them as constants, so nothing here may move them.
    assert not {"fullnameOverride", "nameOverride"} & values.keys()
    assert "service" not in values["hub"]
    assert kubernetes.HUB_PORT == 8081
    assert kubernetes.PROXY_API_PORT == 8001
    assert kubernetes.SERVER_PORT == 8888


def test_a_server_reaches_no_private_address(values):
    import ipaddress

    policy = values["singleuser"]["networkPolicy"]
    assert policy["enabled"]
    rules = policy["egressAllowRules"]
    assert not any(rules[r] for r in ("cloudMetadataServer", "nonPrivateIPs", "privateIPs"))
    (egress,) = policy["egress"]
    assert egress["ports"] == [{"port": 443, "protocol": "TCP"}]
    (to,) = egress["to"]
    excepted = [ipaddress.ip_network(cidr) for cidr in to["ipBlock"]["except"]]
    for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.100.1.1"):
        assert any(ipaddress.ip_address(address) in network for network in excepted)
    # Otherwise each pod would have a container that may do anything.
    assert values["singleuser"]["cloudMetadata"]["blockWithIptables"] is False


def test_only_one_culler_runs(values):
    assert values["cull"] == {"enabled": False}


def test_the_proxy_is_one_that_is_not_worn_out_by_sockets(values):
    assert int(values["proxy"]["chp"]["image"]["tag"].split(".")[0]) >= 5


def test_placeholders_have_their_priority(values):
    scheduling = values["scheduling"]
    assert scheduling["userPlaceholder"]["enabled"] <= scheduling["podPriority"]["enabled"]


def test_the_commands_name_files_and_values_that_there_are(values):
    text = (FOLDER / "README.md").read_text()
    root = FOLDER.parents[1]
    named = set(re.findall(r"hub_config/[\w./-]+", text))
    assert {"hub_config/kubernetes/values.yaml", "hub_config/jupyterhub_config.py"} <= named
    for path in named - {"hub_config/jupyterhub_config.py"}:
        assert (root / path).exists(), path
    (target,) = re.findall(r"--set-file (\S+)\.stringData=", text)
    mounted = at(values, target)
    assert mounted["mountPath"].startswith("/usr/local/etc/jupyterhub/jupyterhub_config.d/")
    assert mounted["mode"] == 0o444
    for profile in kubernetes.profiles(Settings()):
        row = (
            f"| {profile.slug} | {profile.memory // GIB} GiB | {profile.processors} "
            f"({profile.share:g}) | {profile.scratch // GIB} GiB |"
        )
        assert row in text


def test_the_image_is_made_of_what_there_is_for_the_user_that_the_code_names():
    text = (FOLDER / "Dockerfile").read_text()
    root = FOLDER.parents[1]
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        *sources, _target = line.split()
        for source in sources:
            assert (root / source).exists(), source
    targets = re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE)
    assert targets == ["environment", "server", "hub"]
    user = f"{kubernetes.USER}:{kubernetes.USER}"
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == [user, user]
    assert text.count("pip install -c constraints.txt") == text.count("pip install")
