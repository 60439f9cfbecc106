"""What JupyterHub is told, and why: the same file on a laptop, a server and Kubernetes.

What differs between those comes from variables (``UPRAMP_HUB_...``, see
``upramp_hub/settings.py``), which the launcher, the systemd units or the
values of the Helm chart set.
"""

from __future__ import annotations

import sys

from upramp_hub import authentication, ballast, metrics, ports, spawners
from upramp_hub.settings import LAUNCHER_TOKEN, MONITORING_TOKEN, PROXY_TOKEN, Settings

settings = Settings.from_environment()
state = settings.state
c = get_config()  # type: ignore[name-defined] # noqa: F821 - JupyterHub puts it here

# ---- addresses ------------------------------------------------------------------------------

# Only the proxy is reached from outside; the hub listens on this machine alone.
c.JupyterHub.bind_url = f"http://{settings.address}:{settings.port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"

# Nobody else on this machine may take the hub's port while the hub is started again.
if ports.are_held():
    ports.share()

# The proxy is a process of its own, so that a hub that dies takes no connection with it:
# a running cell finishes over the websocket that it was started from.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.api_port}"
c.ConfigurableHTTPProxy.auth_token = settings.secret(PROXY_TOKEN)

# Servers outlive the hub, which finds them again in its database.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False

# ---- what must not be lost, or seen ---------------------------------------------------------

# A user who fills the disk that it lies on takes the hub's database no room to be written.
ballast.install(settings)

# All of it lies in one folder that only the hub's user may enter.
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

# A login lasts a week, and a token a month: none lives for ever.
c.JupyterHub.cookie_max_age_days = 7
c.JupyterHub.token_expires_in_max_seconds = 30 * 24 * 3600

# Behind a web server, everybody would seem to come from it, and be locked out together.
c.JupyterHub.trusted_downstream_ips = [
    address.strip() for address in settings.trusted.split(",") if address.strip()
]

# Pages of the hub may be in no frame of anybody's.
c.JupyterHub.tornado_settings = {
    # Nor are its cookies, or a server's, sent with what another site asks for.
    "cookie_options": {"samesite": "Lax"},
    "headers": {
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    },
}

# ---- who comes in ---------------------------------------------------------------------------

authentication.configure(c, settings)

# ---- what starts for them -------------------------------------------------------------------

spawners.configure(c, settings)

# ---- services -------------------------------------------------------------------------------

c.JupyterHub.services = [
    {
        "name": "culler",
        "command": [sys.executable, "-m", "upramp_hub.culler"],
        "environment": settings.to_environment(),
    },
    {
        # What the launcher asks to stop all servers when it is stopped itself.
        "name": "launcher",
        "api_token": settings.secret(LAUNCHER_TOKEN),
    },
    {
        # Whoever reads /hub/metrics and the details of /health: its token is a file of the state.
        "name": "monitoring",
        "api_token": settings.secret(MONITORING_TOKEN),
    },
]
c.JupyterHub.load_roles = [
    {
        "name": "culler",
        "services": ["culler"],
        # It asks servers with tokens of their own owners, made for that server and some minutes:
        # a server can read what it is sent, and must not get the key to all others. Where a
        # server listens, the proxy knows; asked there, being asked counts as no use.
        "scopes": [
            "list:users",
            "read:users:activity",
            "read:servers",
            "delete:servers",
            "tokens",
            "proxy",
        ],
    },
    {
        "name": "launcher",
        "services": ["launcher"],
        "scopes": ["list:users", "read:servers", "delete:servers", "proxy"],
    },
    {"name": "monitoring", "services": ["monitoring"], "scopes": ["read:metrics"]},
]

# What a user has been doing is asked every minute; five, the default, would make a server
# look idle that is not.
c.JupyterHub.last_activity_interval = 60

# ---- what can be seen from outside ----------------------------------------------------------

# /hub/metrics for Prometheus, with a token of scope read:metrics; /health for monitors.
c.JupyterHub.authenticate_prometheus = True
metrics.install(settings)
c.JupyterHub.log_level = "INFO"
