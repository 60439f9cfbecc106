"""Putting the kernelspec ``upramp`` where Jupyter finds it, and taking it away."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from upramp.atomic import output_errors, staging_directory
from upramp.errors import OutputError, UsageError

__all__ = ["NAME", "SPECIFICATION", "install", "kernels_folder", "remove"]

NAME: Final = "upramp"
"""The kernelspec's name; users see "Calibration"."""

SPECIFICATION: Final = Path(__file__).parent / "spec"
"""The kernelspec as the package carries it."""


def kernels_folder(*, user: bool = False, prefix: str | os.PathLike[str] | None = None) -> Path:
    """Give the folder of kernelspecs.

    Parameters
    ----------
    user
        This user's own folder, which every environment's Jupyter looks into.
    prefix
        An environment; None for this one.

    Raises
    ------
    UsageError
        If the user's folder is asked for, and Jupyter is not installed to tell it.
    """
    if not user:
        return Path(prefix or sys.prefix) / "share" / "jupyter" / "kernels"
    try:
        from jupyter_core.paths import jupyter_data_dir
    except ImportError as error:
        raise UsageError(
            "kernel", "Jupyter is not installed here", "install it by pip install 'upramp[hub]'"
        ) from error
    return Path(jupyter_data_dir()) / "kernels"


def install(*, user: bool = False, prefix: str | os.PathLike[str] | None = None) -> Path:
    """Install the kernelspec, in place of one that was installed before.

    Parameters
    ----------
    user
        For this user, whichever environment Jupyter runs in.
    prefix
        Into an environment; None for this one.

    Returns
    -------
    Path
        The kernelspec's folder.

    Raises
    ------
    UsageError
        If this environment has no Jupyter kernel to run.
    OutputError
        If the folder cannot be written.
    """
    _require_ipykernel()
    parent = kernels_folder(user=user, prefix=prefix)
    target = parent / NAME
    with output_errors(target):
        parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder of kernelspecs: Jupyter would take a half-made one inside for a kernel.
    with staging_directory(parent.parent) as stage, output_errors(target):
        made = stage / NAME
        made.mkdir(mode=0o755)
        for file in sorted(SPECIFICATION.iterdir()):
            if file.suffix in {".json", ".png", ".svg"}:
                shutil.copyfile(file, made / file.name)
        specification = made / "kernel.json"
        content = json.loads(specification.read_text("utf-8"))
        # Whoever starts it may be of another environment: it names its own interpreter.
        content["argv"][0] = sys.executable
        specification.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        for file in made.iterdir():
            file.chmod(0o644)
        if os.path.lexists(target):
            _require_kernelspec(target)
            target.rename(stage / "before")
        made.rename(target)
    return target


def remove(*, user: bool = False, prefix: str | os.PathLike[str] | None = None) -> Path:
    """Take the kernelspec away.

    Parameters
    ----------
    user, prefix
        As for `install`.

    Returns
    -------
    Path
        The folder that was removed.

    Raises
    ------
    UsageError
        If there is none.
    OutputError
        If it cannot be removed.
    """
    target = kernels_folder(user=user, prefix=prefix) / NAME
    if not os.path.lexists(target):
        raise UsageError(
            target, "there is no kernelspec here", "see where by jupyter kernelspec list"
        )
    with output_errors(target):
        if target.is_symlink():
            target.unlink()
        else:
            _require_kernelspec(target)
            shutil.rmtree(target)
    return target


def _require_ipykernel() -> None:
    from importlib.util import find_spec

    if find_spec("ipykernel") is None:
        raise UsageError(
            "kernel",
            "ipykernel, which runs notebooks, is not installed here",
            "install it by pip install 'upramp[hub]'",
        )


def _require_kernelspec(target: Path) -> None:
    if target.is_symlink() or (target / "kernel.json").is_file():
        return
    raise OutputError(
        target, "something else than a kernelspec is here", "move it away, then install again"
    )
