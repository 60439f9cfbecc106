"""The Jupyter kernel "Calibration", and the IPython extension behind it.

The kernel is the ordinary Python kernel with the extension ``upramp.kernel``
loaded; the extension works in any IPython by ``%load_ext upramp.kernel``. It
gives the magics ``%context``, ``%calibrate``, ``%provenance`` and ``%dq``,
pictures a product where others print an address, and keeps a record of what
made a notebook's outputs.

Nothing heavy is imported before a cell asks for it: the first cell answers as
soon as that of the ordinary kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Switch the extension on; IPython calls this for ``%load_ext upramp.kernel``.

    Parameters
    ----------
    shell
        The shell that loads it.
    """
    from .extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Switch it off again, for ``%unload_ext upramp.kernel``.

    Parameters
    ----------
    shell
        The shell that loaded it.
    """
    from .extension import unload

    unload(shell)
