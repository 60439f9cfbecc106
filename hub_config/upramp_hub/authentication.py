"""Who may sign in: the hub's own accounts, or whom an institution's provider vouches for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .accounts.authenticator import AccountsAuthenticator
from .proposals import mapping_of

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["TEMPLATES", "configure"]

TEMPLATES: Final = Path(__file__).with_name("templates")
"""Where the hub's own pages are; ``JupyterHub.template_paths`` has to have it."""


def configure(c: Any, settings: Settings) -> None:
    """Choose the authenticator.

    Parameters
    ----------
    c
        What JupyterHub's configuration file calls so.
    settings
        The hub's; ``authenticator`` says which.

    Raises
    ------
    UsageError
        If a variable that a provider needs is missing or wrong.
    InputError
        If the file of groups and proposals is none.
    """
    mapping_of(settings.state)  # a slip in that file is said now, not at somebody's start
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.template_vars = {"own_accounts": settings.authenticator == "accounts"}
    # Who is whom, and in which groups, is looked up again for every server that starts.
    c.Authenticator.manage_groups = True
    c.Authenticator.refresh_pre_spawn = True
    c.Authenticator.auth_refresh_age = 60
    if settings.authenticator == "oidc":
        from .oidc import configure_oidc

        configure_oidc(c, settings)
        return
    c.JupyterHub.authenticator_class = AccountsAuthenticator
    c.AccountsAuthenticator.state = str(settings.state)
    # Users with numbers of their own are kept apart, and the proxy is then always ours.
    c.AccountsAuthenticator.vouched = os.geteuid() == 0 and settings.spawner != "kubernetes"
    # Everybody who has an account; nobody else can say a right password.
    c.AccountsAuthenticator.allow_all = True
    # An account that was removed or reset is so for what holds a token as well.
    c.AccountsAuthenticator.auth_refresh_strict = True
