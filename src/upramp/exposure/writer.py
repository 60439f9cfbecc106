"""Products that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from upramp.atomic import replacing
from upramp.errors import OutputError, UprampError, UsageError

if TYPE_CHECKING:
    import os

__all__ = ["write_model"]


def write_model(model: Any, path: str | os.PathLike[str]) -> Path:
    """Save a data model atomically, with its metadata and history.

    The product that was there before is replaced only when the new one is
    whole and on disk. ``model.meta.filename`` becomes the product's name.

    Parameters
    ----------
    model : stdatamodels.DataModel
        What to save.
    path
        The product, ``.fits`` or ``.asdf``; its folder must exist.

    Returns
    -------
    Path
        The product.

    Raises
    ------
    UsageError
        If the name ends otherwise.
    OutputError
        If it cannot be written: no folder, no room, no permission, or
        contents that have no place in the format.
    """
    path = Path(path)
    if path.suffix not in (".fits", ".asdf"):
        raise UsageError(path, "products are FITS or ASDF", "end its name in .fits or .asdf")
    try:
        with replacing(path) as temporary:
            # As text: from a Path, stdatamodels does not take the file's name.
            model.save(str(temporary))
    except UprampError:
        raise
    except MemoryError as error:
        problem = "there is not memory enough to write it"
        raise OutputError(path, problem, "use a machine with more") from error
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise OutputError(path, f"it could not be written ({first})", "see the reason") from error
    return path
