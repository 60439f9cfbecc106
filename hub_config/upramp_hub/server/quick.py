"""``python -m upramp_hub.server.quick``: JupyterHub's server of one user, started sooner.

Two things that a server does at every start take longer than all the rest of
it, and nobody here has a use for them. What is left out is left out by the
ways that its authors foresee: as if one package were not installed, and as if
there were no node.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from upramp_hub import ports

__all__ = ["main"]


def main() -> None:
    """Start the server."""
    leave_out_grammar()
    if ports.are_held():
        ports.share()  # before anything takes tornado's functions for its own
        del os.environ[ports.VARIABLE]  # what a user starts there is none of ours
    leave_out_yarn()
    from jupyterhub.singleuser import main as start

    start()


def leave_out_grammar() -> None:
    """Let nobody compile the grammar of internationalised addresses (RFC 3987).

    jsonschema builds a parser from it when it is imported, which takes two
    seconds of a processor and 16 MB, to check formats that no schema of a server's has.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # how an import is refused


def leave_out_yarn() -> None:
    """Let JupyterLab not ask yarn for its registry, which it needs to build itself."""
    from jupyterlab import commands

    commands._yarn_config = _no_yarn  # noqa: SLF001 - as where there is no node


def _no_yarn(_logger: Any) -> dict[str, dict[str, Any]]:
    return {"yarn config": {}, "npm config": {}}


if __name__ == "__main__":
    main()
