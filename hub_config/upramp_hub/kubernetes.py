"""What a user's pod is, for kubespawner: sizes, volumes, limits, rights.

The Helm chart's values say what only the cluster knows (claims, images,
addresses), through variables that begin with ``UPRAMP_KUBERNETES_``; all else
is here, where tests render it into manifests. JupyterHub reads this after the
chart's own configuration, so what is said here counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upramp_hub.settings import Settings

__all__ = [
    "ARCHIVE",
    "CRDS",
    "HOME",
    "HUB_PORT",
    "PREFIX",
    "PROXY_API_PORT",
    "RUNTIME",
    "SCRATCH",
    "SERVER_PORT",
    "USER",
    "Cluster",
    "Profile",
    "configure",
    "profiles",
]

PREFIX: Final = "UPRAMP_KUBERNETES_"

HOME: Final = "/home/user"
ARCHIVE: Final = "/archive"
CRDS: Final = "/crds"
SCRATCH: Final = "/scratch"
RUNTIME: Final = "/run/upramp"
"""Where things are in a pod; ``RUNTIME`` and ``/tmp`` are what a start needs to write."""

USER: Final = 1000
"""The number of the one user of the image, and of their group; homes belong to it."""

HUB_PORT: Final = 8081
PROXY_API_PORT: Final = 8001
SERVER_PORT: Final = 8888
"""Ports that the chart gives to the services ``hub`` and ``proxy-api``, and allows to pods."""

_GIB: Final = 1024**3
_OWN_SHARE: Final = _GIB
"""Bytes of a pod that are not a kernel's: the server, terminals, and files in ``/tmp``."""


@dataclass(frozen=True)
class Cluster:
    """What only the cluster knows.

    Parameters
    ----------
    image
        The image of users' servers.
    archive_claim
        The claim to the volume that holds exposures: folder ``uncal``.
    crds_claim
        The claim to the volume that holds the CRDS cache.
    home
        How much a user's home holds, as Kubernetes writes quantities.
    storage_class
        What homes are made from; empty for the cluster's default.
    batch_priority
        The priority class of batch servers; empty for none.
    pull_secret
        The secret that images are pulled with; empty for none.
    """

    image: str = ""
    archive_claim: str = "upramp-archive"
    crds_claim: str = "upramp-crds"
    home: str = "20Gi"
    storage_class: str = ""
    batch_priority: str = ""
    pull_secret: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Cluster:
        """Read it from variables.

        Parameters
        ----------
        environment
            Variables; None for this process's.

        Raises
        ------
        UsageError
            If no image is named: what another release runs would be no help.
        """
        environment = os.environ if environment is None else environment
        names = {each.name: PREFIX + each.name.upper() for each in fields(cls)}
        cluster = cls(
            **{name: environment[key] for name, key in names.items() if key in environment}
        )
        if not cluster.image:
            raise UsageError(
                names["image"],
                "it names no image, so no server could start",
                "set it in the chart's values, under hub.extraEnv",
            )
        return cluster


@dataclass(frozen=True)
class Profile:
    """A size of server that users choose from.

    Parameters
    ----------
    slug
        Its name in the interface.
    title
        Its name on the page.
    description
        What it is good for.
    memory
        Bytes that one kernel may hold.
    processors
        How many it may use.
    share
        How many it has for itself, when others want them too.
    scratch
        Bytes of scratch that go with the server.
    batch
        Whether it may wait, and make room for those who sit before theirs.
    """

    slug: str
    title: str
    description: str
    memory: int
    processors: int
    share: float
    scratch: int
    batch: bool = False


def profiles(settings: Settings) -> list[Profile]:
    """Give the sizes of servers, the default first.

    Parameters
    ----------
    settings
        Of the hub; ``memory`` is the small one's.
    """
    memory = settings.memory
    return [
        Profile(
            "small",
            "Small",
            "To look at exposures and calibrate one detector",
            memory,
            2,
            0.5,
            50 * _GIB,
        ),
        Profile(
            "large",
            "Large",
            "For large exposures, and stages 2 and 3",
            4 * memory,
            4,
            2.0,
            200 * _GIB,
        ),
        Profile(
            "batch",
            "Batch",
            "For campaigns over many exposures; may wait for room",
            8 * memory,
            8,
            4.0,
            500 * _GIB,
            batch=True,
        ),
    ]


def configure(c: Any, settings: Settings, cluster: Cluster | None = None) -> None:
    """Tell kubespawner what a pod is, and the hub where things are in the cluster.

    Parameters
    ----------
    c
        JupyterHub's configuration.
    settings
        Of the hub.
    cluster
        What only the cluster knows; None for what the environment says.

    Raises
    ------
    UsageError
        If the environment names no image.
    """
    cluster = Cluster.from_environment() if cluster is None else cluster
    _configure_addresses(c)
    _configure_names(c)
    _configure_server(c, settings, cluster)
    _configure_storage(c, cluster)
    _configure_rights(c)
    c.KubeSpawner.profile_list = [
        _as_kubespawner_has_it(profile, cluster, default=number == 0)
        for number, profile in enumerate(profiles(settings))
    ]


def _configure_addresses(c: Any) -> None:
    # Hub, proxy and servers are pods of their own: they meet under the names of services.
    c.JupyterHub.hub_bind_url = f"http://:{HUB_PORT}"
    c.JupyterHub.hub_connect_url = f"http://hub:{HUB_PORT}"
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://proxy-api:{PROXY_API_PORT}"
    # The chart makes this secret for the two of them; the hub's own would not be the proxy's.
    if token := os.environ.get("CONFIGPROXY_AUTH_TOKEN"):
        c.ConfigurableHTTPProxy.auth_token = token


def _configure_names(c: Any) -> None:
    # Names of objects and labels are made of users' names, which may be anything: those that
    # are no such name already get a hash, so that no two users share one.
    c.KubeSpawner.slug_scheme = "safe"
    c.KubeSpawner.pod_name_template = "server-{user_server}"
    # One home for all servers of a user, and never deleted with them: it is their work.
    c.KubeSpawner.pvc_name_template = "home-{username}"
    c.KubeSpawner.delete_pvc = False
    # What the chart's network policies let through to the hub; others of its labels are ours.
    c.KubeSpawner.extra_labels = {"hub.jupyter.org/network-access-hub": "true"}


def _configure_server(c: Any, settings: Settings, cluster: Cluster) -> None:
    c.KubeSpawner.image = cluster.image
    c.KubeSpawner.image_pull_policy = "IfNotPresent"
    if cluster.pull_secret:
        c.KubeSpawner.image_pull_secrets = [{"name": cluster.pull_secret}]
    c.KubeSpawner.ip = "0.0.0.0"  # noqa: S104 - of the pod, which a network policy guards
    c.KubeSpawner.port = SERVER_PORT
    c.KubeSpawner.working_dir = HOME
    # A kernel that wants more than its limit meets a MemoryError in its cell and lives; the
    # pod's limit, which is higher, would have the system kill it without a word. The cluster
    # puts the variable of the profile in.
    c.KubeSpawner.cmd = [
        *("prlimit", "--data=$(UPRAMP_MEMORY)", "--core=0", "--"),
        "jupyterhub-singleuser",
    ]
    c.KubeSpawner.environment = {
        "HOME": HOME,
        # Not in the home: a server with a full one has to start.
        "JUPYTER_RUNTIME_DIR": f"{RUNTIME}/jupyter",
        "IPYTHONDIR": f"{RUNTIME}/ipython",
        "JUPYTERLAB_WORKSPACES_DIR": f"{RUNTIME}/workspaces",
        "XDG_CACHE_HOME": f"{RUNTIME}/cache",
        "MPLCONFIGDIR": f"{RUNTIME}/matplotlib",
        "JUPYTERHUB_ACTIVITY_INTERVAL": "60",
        "UPRAMP_ARCHIVE": ARCHIVE,
        "UPRAMP_SCRATCH": SCRATCH,
        "CRDS_PATH": CRDS,
        "CRDS_CONTEXT": settings.context,
        # The cache is everybody's, so nobody's to write; and a lock in it could not be taken.
        "CRDS_READONLY_CACHE": "1",
    }
    # What a pod's process number 1 has to do, collecting processes that ended, the server
    # does not; and the addresses of all services as variables only give things away.
    c.KubeSpawner.extra_pod_config = {
        "shareProcessNamespace": True,
        "enableServiceLinks": False,
    }
    # Kernels that are asked to end get the time to write what they hold.
    c.KubeSpawner.delete_grace_period = 30


def _configure_storage(c: Any, cluster: Cluster) -> None:
    c.KubeSpawner.storage_pvc_ensure = True
    c.KubeSpawner.storage_capacity = cluster.home
    c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
    if cluster.storage_class:
        c.KubeSpawner.storage_class = cluster.storage_class
    c.KubeSpawner.volumes = {
        "archive": _shared("archive", cluster.archive_claim),
        "crds": _shared("crds", cluster.crds_claim),
        "home": {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}},
        "runtime": {"name": "runtime", "emptyDir": {"sizeLimit": "2Gi"}},
        # It goes with the server; how much it holds is in the profile.
        "scratch": {"name": "scratch", "emptyDir": {}},
        "tmp": {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
    }
    c.KubeSpawner.volume_mounts = {
        "archive": {"name": "archive", "mountPath": ARCHIVE, "readOnly": True},
        "crds": {"name": "crds", "mountPath": CRDS, "readOnly": True},
        "home": {"name": "home", "mountPath": HOME},
        "runtime": {"name": "runtime", "mountPath": RUNTIME},
        "scratch": {"name": "scratch", "mountPath": SCRATCH},
        "tmp": {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
    }


def _shared(name: str, claim: str) -> dict[str, Any]:
    # Read-only twice: the volume cannot be written even by whoever mounts it otherwise.
    return {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}


def _configure_rights(c: Any) -> None:
    # A user's code has no business with the cluster's interface.
    c.KubeSpawner.automount_service_account_token = False
    c.KubeSpawner.uid = USER
    c.KubeSpawner.gid = USER
    c.KubeSpawner.fs_gid = USER
    c.KubeSpawner.privileged = False
    c.KubeSpawner.allow_privilege_escalation = False
    c.KubeSpawner.pod_security_context = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        # A home of a million files would otherwise be gone through at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
    }
    c.KubeSpawner.container_security_context = {
        "capabilities": {"drop": ["ALL"]},
        # Users cannot change what others of the image's files are, nor leave anything there.
        "readOnlyRootFilesystem": True,
    }


def _as_kubespawner_has_it(profile: Profile, cluster: Cluster, *, default: bool) -> dict[str, Any]:
    # Every profile sets the same keys: kubespawner applies them onto what the user's last
    # choice left, and a key that only one sets would stay.
    limit = profile.memory + _OWN_SHARE
    return {
        "slug": profile.slug,
        "display_name": profile.title,
        "description": (
            f"{profile.description}. {profile.processors} processors, "
            f"{profile.memory // _GIB} GiB of memory, {profile.scratch // _GIB} GiB of scratch."
        ),
        "default": default,
        "kubespawner_override": {
            "mem_limit": limit,
            # Half of it is put aside: servers are idle most of the time.
            "mem_guarantee": limit // 2,
            "cpu_limit": profile.processors,
            "cpu_guarantee": profile.share,
            "environment": {
                "UPRAMP_MEMORY": str(profile.memory),
                "UPRAMP_THREADS": str(profile.processors),
            },
            "extra_labels": {"upramp/profile": profile.slug},
            "volumes": {"scratch": {"emptyDir": {"sizeLimit": str(profile.scratch)}}},
            "priority_class_name": cluster.batch_priority if profile.batch else "",
            # Nodes that are kept for batch take nothing else; without such nodes, any will do.
            "tolerations": [_TOLERATION] if profile.batch else [],
            "node_affinity_preferred": [_PREFERENCE] if profile.batch else [],
        },
    }


_TOLERATION: Final = {"key": "upramp/batch", "operator": "Exists", "effect": "NoSchedule"}
_PREFERENCE: Final = {
    "weight": 100,
    "preference": {
        "matchExpressions": [{"key": "upramp/pool", "operator": "In", "values": ["batch"]}]
    },
}
