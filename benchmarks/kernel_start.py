"""From the start of a kernel to the reply to its first cell, beside the ordinary Python kernel."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from upramp.kernel.install import install

if TYPE_CHECKING:
    from benchmarks._table import Row

__all__ = ["rows"]

_PASSES = 7


def rows() -> list[Row]:
    """Start both in turn, and give the medians."""
    from jupyter_client.kernelspec import KernelSpecManager

    ours: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        kernels = install(prefix=Path(folder)).parent
        known = KernelSpecManager()
        specs = KernelSpecManager(kernel_dirs=[str(kernels), *known.kernel_dirs])
        for _ in range(_PASSES):
            plain.append(_first_reply("python3", specs))
            ours.append(_first_reply("upramp", specs))
    project, peer = statistics.median(ours), statistics.median(plain)
    return [
        {
            "figure": "kernel Calibration to its first cell's reply, beside ipykernel",
            "project": project,
            "peer": peer,
            "ratio": project / peer,
            "memory_project": None,
            "memory_peer": None,
        }
    ]


def _first_reply(name: str, specs: object) -> float:
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
    began = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive("1", timeout=60, output_hook=lambda _: None)
        return time.perf_counter() - began
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
