"""The culler as a service that the hub starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import Final

from upramp.errors import UprampError, UsageError
from upramp_hub.metrics import Tally
from upramp_hub.settings import Settings

from .asking import Asking
from .decisions import Rules
from .rounds import Rounds

__all__ = ["main"]

_NEEDED: Final = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN")


def main() -> int:
    """Run until told to end.

    Returns
    -------
    int
        The exit code.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s culler: %(message)s", stream=sys.stderr
    )
    try:
        settings = Settings.from_environment()
        hub, token = (_variable(name) for name in _NEEDED)
        rules = Rules(settings.idle_after, settings.warning)
    except UprampError as error:
        logging.getLogger("upramp.culler").error("%s", error)  # noqa: TRY400 - a sentence
        return error.exit_code
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(hub, token, rules, Tally(settings.state, "culler")))
    return 0


async def _run(hub: str, token: str, rules: Rules, tally: Tally) -> None:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)
    asking = Asking(hub, token)
    watching = asyncio.create_task(_until_alone(task))
    try:
        await Rounds(asking, rules, tally).run()
    finally:
        watching.cancel()
        await asking.close()


async def _until_alone(task: asyncio.Task[None] | None) -> None:
    """End with the hub: a killed one cannot end its culler, and the next starts another."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(1)
    logging.getLogger("upramp.culler").info("the hub is gone, and so is its culler")
    if task is not None:
        task.cancel()


def _variable(name: str) -> str:
    found = os.environ.get(name)
    if not found:
        raise UsageError(
            name, "it is not set", "let the hub start the culler, as jupyterhub_config.py does"
        )
    return found
