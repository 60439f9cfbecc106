"""Robots that use a hub as people do, and say how it went, stage by stage.

A robot logs in through the form, starts its server and listens to the
progress, opens the lab, starts a kernel, runs cells over the websocket and
checks what they answer, reads the archive, stops its server and logs out; or
stays, as most people do: it leaves its websocket open and its server running.
``python -m upramp_hub.robot --help`` has the options.
"""

from __future__ import annotations

from .fleet import Fleet, Plan
from .report import Report

__all__ = ["Fleet", "Plan", "Report"]
