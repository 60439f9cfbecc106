"""What starts for a user, chosen by one setting: a process, a container or a pod.

``admission`` holds what they share: the line of starts, limits, the page's
stages and causes. ``process``, ``container`` and ``kubernetes`` say how.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upramp_hub.settings import Settings

__all__ = ["configure", "templates"]


def templates() -> Path:
    """Give the folder of the hub's own pages."""
    return Path(__file__).resolve().parent.parent / "templates"


def configure(c: Any, settings: Settings) -> None:
    """Tell JupyterHub what starts for a user.

    Parameters
    ----------
    c
        JupyterHub's configuration.
    settings
        Of the hub; ``spawner`` chooses.

    Raises
    ------
    SetupError
        If users' servers could not run on this machine.
    """
    from .admission import last_cause

    # The limits are ours, since JupyterHub's are without a line and without Retry-After.
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.active_server_limit = 0
    # JupyterHub calls what can be called, so the pages are given what holds the function.
    c.JupyterHub.template_vars.update({"upramp": SimpleNamespace(last_cause=last_cause)})
    # The server does not see what a user puts into their home as a module or a setting of it.
    c.Spawner.disable_user_config = True
    # To the welcome the first time, to JupyterLab from then on.
    c.Spawner.default_url = "/upramp/start"
    c.Spawner.args = [
        "--ServerApp.jpserver_extensions=upramp_hub.server=True",
        # What keeps in a notebook which versions, context and references made it.
        "--ServerApp.jpserver_extensions=upramp.kernel.saving=True",
        "--MultiKernelManager.default_kernel_name=upramp",
        # Between server and kernel there is a socket of the machine that all its users share.
        "--KernelManager.transport_encryption=auto",
        # Looking for language servers runs npm at every start, and leaves its log in the home.
        "--LanguageServerManager.autodetect=False",
        # No questions about news and updates of what the hub's operator installs.
        f"--LabApp.app_settings_dir={Path(__file__).parents[1] / 'settings_of_lab'}",
        # Nobody may install into the environment that all servers share; kernels have their own.
        "--LabApp.extension_manager=readonly",
    ]
    # A start may wait in the line; how long a server itself may take is in the spawner.
    c.Spawner.start_timeout = 900
    if settings.spawner == "process":
        _configure_processes(c, settings)
    elif settings.spawner == "container":
        from .container import ContainerSpawner

        c.JupyterHub.spawner_class = ContainerSpawner
        c.ContainerSpawner.settings = settings
        c.ContainerSpawner.remove = True
        c.Spawner.cmd = ["jupyterhub-singleuser"]
    else:
        from upramp_hub import kubernetes

        from .kubernetes import KubernetesSpawner

        c.JupyterHub.spawner_class = KubernetesSpawner
        c.KubernetesSpawner.settings = settings
        c.Spawner.cmd = ["jupyterhub-singleuser"]
        kubernetes.configure(c, settings)


def _configure_processes(c: Any, settings: Settings) -> None:
    import os

    from .process import ProcessSpawner, can_hide

    c.JupyterHub.spawner_class = ProcessSpawner
    c.ProcessSpawner.settings = settings
    c.ProcessSpawner.hides = os.geteuid() == 0 and can_hide(settings)
    # Absolute, and isolated (-I): no file in a home is taken for one of the server's modules.
    c.Spawner.cmd = [sys.executable, "-I", "-m", "upramp_hub.server.quick"]
