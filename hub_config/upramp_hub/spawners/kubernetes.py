"""Servers as pods. What a pod is, the values of the Helm chart say; here is who may start when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kubespawner import KubeSpawner

from .admission import Admission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["KubernetesSpawner"]


class KubernetesSpawner(Admission, KubeSpawner):
    """KubeSpawner with the hub's line, limits and stages before it."""

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Give the places in the line, then what the cluster says of the pod."""
        async for event in self.stages.events():
            yield event
            if event["progress"] >= 30:
                break
        else:
            return
        # The pod has been asked for: the cluster's own events are the truth from here on.
        await asyncio.sleep(0)
        async for event in KubeSpawner.progress(self):
            yield event
