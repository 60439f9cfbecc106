"""Fixtures of the kernel's tests.

shell
    An IPython shell in this process with the extension loaded, and its
    displays caught: ``shell.shown`` lists the data of each.
crds
    The practice archive's cache and context in the environment.
notebook_kernel
    Starts the real kernel, and runs cells in it.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from upramp.practice.crds_context import CODE_DEFAULTS

EXPOSURE = "jw99001001001_02101_00001_nrcalong_uncal.fits"


@pytest.fixture
def crds(practice_archive, monkeypatch):
    for name in ("CRDS_PATH_SINGLE", "CRDS_SERVER_URL", "UPRAMP_ARCHIVE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRDS_PATH", str(practice_archive / "crds"))
    monkeypatch.setenv("CRDS_CONTEXT", CODE_DEFAULTS)
    return practice_archive


@pytest.fixture
def exposure(crds):
    return crds / "uncal" / EXPOSURE


@pytest.fixture
def shell(monkeypatch, tmp_path):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from upramp.kernel import context

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(context, "_AT_START", {})
    made = InteractiveShell.instance()
    made.extension_manager.load_extension("upramp.kernel")

    def run(cell):
        with capture_output() as caught:
            result = made.run_cell(cell)
        return SimpleNamespace(
            value=result.result,
            error=result.error_in_exec or result.error_before_exec,
            text=caught.stdout,
            errors=caught.stderr,
            data=[output.data for output in caught.outputs],
        )

    yield SimpleNamespace(ipython=made, run=run)
    made.extension_manager.unload_extension("upramp.kernel")
    InteractiveShell.clear_instance()


class NotebookKernel:
    def __init__(self, folder, environment):
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import KernelManager

        specs = KernelSpecManager(kernel_dirs=[str(folder)])
        self.manager = KernelManager(kernel_name="upramp", kernel_spec_manager=specs)
        self.manager.start_kernel(env={**os.environ, **environment})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def run(self, cell):
        messages = []
        reply = self.client.execute_interactive(cell, timeout=120, output_hook=messages.append)
        found = SimpleNamespace(status=reply["content"]["status"], data=[], text="", error=None)
        for message in messages:
            content = message["content"]
            if "data" in content:
                found.data.append(content["data"])
            elif message["msg_type"] == "stream":
                found.text += content["text"]
            elif message["msg_type"] == "error":
                found.error = content
        return found

    def stop(self, *, now=False):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)


@pytest.fixture
def notebook_kernel(crds, tmp_path, monkeypatch):
    from upramp.kernel.install import install

    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    install(prefix=tmp_path / "prefix")
    folder = tmp_path / "prefix" / "share" / "jupyter" / "kernels"
    started = []

    def start(**environment):
        started.append(NotebookKernel(folder, environment))
        return started[-1]

    yield start
    for kernel in started:
        if kernel.manager.has_kernel:
            kernel.stop(now=True)
