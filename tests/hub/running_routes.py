"""Which routes the hub, and a user's server, have once they are made: asked of tornado itself.

Run as a program, each in a process of its own, it writes them as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from proxy_process import environment

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CONFIGURATION = Path(__file__).resolve().parents[2] / "hub_config" / "jupyterhub_config.py"


def routes_of(what, folder):
    """Give a pattern, its handler's module and the methods that it answers, for each route.

    ``what`` is ``hub`` or ``server``; ``folder`` one for its files.
    """
    archive = folder / "archive"
    for name in ("uncal", "crds"):
        (archive / name).mkdir(parents=True, exist_ok=True)
    own = {
        "HOME": folder,
        "UPRAMP_ARCHIVE": archive,
        "UPRAMP_HUB_STATE": folder / "state",
        "UPRAMP_HUB_ARCHIVE": archive,
        **{f"JUPYTER_{each}_DIR": folder / each for each in ("RUNTIME", "CONFIG", "DATA")},
    }
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        [sys.executable, __file__, what],
        cwd=folder,
        env=environment(**{name: str(value) for name, value in own.items()}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def rules_in(router):
    """Give each handler of a router, and of those in it, with its pattern."""
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from rules_in(rule.target)
        elif isinstance(rule.target, type):
            yield rule.matcher.regex.pattern.removesuffix("$"), rule.target


def told(application):
    """Give the same of an application, for JSON."""
    from tornado.web import RequestHandler

    refuses = RequestHandler._unimplemented_method
    return [
        [
            pattern,
            handler.__module__,
            [each for each in METHODS if getattr(handler, each.lower()) is not refuses],
        ]
        for pattern, handler in rules_in(application.default_router)
    ]


def hub():
    from jupyterhub.app import JupyterHub

    app = JupyterHub.instance()
    asyncio.run(app.initialize(["-f", str(CONFIGURATION), "--log-level=ERROR"]))
    return app.tornado_application


def server():
    from types import SimpleNamespace

    from jupyter_server.serverapp import ServerApp
    from traitlets.config import Config

    from upramp_hub import spawners
    from upramp_hub.settings import Settings

    # With what the hub's servers are started with.
    c = Config()
    c.JupyterHub.template_vars = {}
    spawners.configure(c, Settings.from_environment())
    given = [each for each in c.Spawner.args if "jpserver_extensions" in each]
    assert given
    app = ServerApp.instance()
    app.initialize([*given, "--allow-root", "--no-browser"], new_httpserver=False)
    return SimpleNamespace(default_router=app.web_app.default_router)


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(told({"hub": hub, "server": server}[sys.argv[1]]())) + "\n")
