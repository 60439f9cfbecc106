"""Servers as containers, where there is a container engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from dockerspawner import DockerSpawner
from traitlets import default

from .admission import Admission
from .folders import folder_name, make_private, make_shared

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CONTAINER_HOME", "ContainerSpawner", "image"]

CONTAINER_HOME: Final = "/home/user"
_ARCHIVE: Final = "/archive"
_RUNTIME: Final = "/run/upramp"
_USER: Final = 1000
"""The number of the one user of the image; homes belong to it."""


def image() -> str:
    """Give the image that servers are made of: ``UPRAMP_HUB_IMAGE``, or this release's."""
    import upramp

    return os.environ.get("UPRAMP_HUB_IMAGE") or f"upramp/server:{upramp.__version__}"


class ContainerSpawner(Admission, DockerSpawner):
    """A server as a container without rights, with its user's home and the archive in it."""

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return []  # nothing of the hub's environment belongs into a container

    @default("image")
    def _default_image(self) -> str:
        return image()

    @property
    def home(self) -> Path:
        """The user's home on this machine."""
        return self.settings.homes / folder_name(self.user.name)

    @property
    def volume_binds(self) -> dict[str, dict[str, str]]:
        """What of this machine is seen in the container."""
        return {
            str(self.home): {"bind": CONTAINER_HOME, "mode": "rw"},
            str(self.settings.archive): {"bind": _ARCHIVE, "mode": "ro"},
        }

    def get_env(self) -> dict[str, str]:
        """Give the server's environment."""
        environment: dict[str, str] = super().get_env()
        environment.update(
            HOME=CONTAINER_HOME,
            # Not in the home: a server with a full one has to start.
            JUPYTER_RUNTIME_DIR=f"{_RUNTIME}/jupyter",
            IPYTHONDIR=f"{_RUNTIME}/ipython",
            JUPYTERLAB_WORKSPACES_DIR=f"{_RUNTIME}/workspaces",
            XDG_CACHE_HOME=f"{_RUNTIME}/cache",
            MPLCONFIGDIR=f"{_RUNTIME}/matplotlib",
            JUPYTERHUB_ACTIVITY_INTERVAL="60",
            UPRAMP_ARCHIVE=_ARCHIVE,
            UPRAMP_MEMORY=str(self.settings.memory),
            CRDS_PATH=f"{_ARCHIVE}/crds",
            CRDS_CONTEXT=self.settings.context,
            CRDS_READONLY_CACHE="1",
        )
        return environment

    @default("extra_host_config")
    def _default_extra_host_config(self) -> dict[str, Any]:
        memory = self.settings.memory
        return {
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": 1024,
            "cpu_shares": 1024,
            # One process meets its limit as a MemoryError in its cell; all of them together meet
            # the container's, at which the system kills one.
            "ulimits": [{"Name": "data", "Soft": memory, "Hard": memory}],
            "mem_limit": 2 * memory,
            "tmpfs": {_RUNTIME: f"uid={_USER},gid={_USER},mode=0700,size=512m,exec"},
            "init": True,
        }

    @default("extra_create_kwargs")
    def _default_extra_create_kwargs(self) -> dict[str, Any]:
        return {"user": f"{_USER}:{_USER}", "working_dir": CONTAINER_HOME}

    async def launch(self) -> Any:
        """Make the home, and start the container."""
        self.stages.tell(15, "Preparing your home", self.times.expected)
        self.warn_once(make_shared(self.settings.homes))
        make_private(self.home, _USER if os.geteuid() == 0 else None)
        return await super().launch()
