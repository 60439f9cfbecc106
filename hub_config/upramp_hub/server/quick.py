"""``python -m upramp_hub.server.quick``: JupyterHub's server of one user, started sooner.

Two things that a server does at every start take longer than all the rest of
it, and nobody here has a use for them: a grammar waits until somebody asks for
it, and JupyterLab is told that there is no node.
"""

from __future__ import annotations

import os
from typing import Any

from upramp.spared_imports import spare_grammar
from upramp_hub import ports

__all__ = ["main"]


def main() -> None:
    """Start the server."""
    spare_grammar()
    if ports.are_held():
        ports.share()  # before anything takes tornado's functions for its own
        del os.environ[ports.VARIABLE]  # what a user starts there is none of ours
    leave_out_yarn()
    from jupyterhub.singleuser import main as start

    start()


def leave_out_yarn() -> None:
    """Let JupyterLab not ask yarn for its registry, which it needs to build itself."""
    from jupyterlab import commands

    commands._yarn_config = _no_yarn  # noqa: SLF001 - as where there is no node


def _no_yarn(_logger: Any) -> dict[str, dict[str, Any]]:
    return {"yarn config": {}, "npm config": {}}


if __name__ == "__main__":
    main()
