"""``python -m upramp.detector1``: compile all kernels into the installation, for all users."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from upramp.errors import OutputError
from upramp.progress import for_terminal

from . import kernel_cache, kernels


def main() -> int:
    """Compile what the installation does not have yet.

    Returns
    -------
    int
        0 done, 1 if the installation may not be written.
    """
    try:
        folder = kernel_cache.open_installation()
    except OutputError as error:
        sys.stderr.write(f"upramp: {error}\n")
        return error.exit_code
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name != "__main__":
            importlib.import_module(f"upramp.detector1.{module.name}")
    compiled = kernels.prepare(for_terminal())
    kernel_cache.let_others_read(folder)
    sys.stdout.write(f"compiled {compiled} kernels into {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
