"""The hub's own accounts: who may sign in where no institution says so.

``store`` keeps them, ``attempts`` slows down those who guess, ``authenticator``
is what JupyterHub asks, ``pages`` is what people see.
"""

from __future__ import annotations

from .store import Account, Accounts, Invitation, first_administrator

__all__ = ["Account", "Accounts", "Invitation", "first_administrator"]
