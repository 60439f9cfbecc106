"""Where a calibration works and what it leaves: staging, the log, the folder of products."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from upramp.atomic import staging_directory
from upramp.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["log_path", "made_folder", "require_not_input", "staging"]


def made_folder(folder: Path) -> Path:
    """Make a folder for products, if need be.

    Parameters
    ----------
    folder
        The folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        # Of a name with a null character in it.
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(
            folder, f"the folder cannot be made ({reason})", "choose another output folder"
        ) from error
    return folder


def require_not_input(product: Path, source: Path) -> None:
    """Refuse a product that would replace what it is made from.

    Parameters
    ----------
    product, source
        The two files.
    """
    if product.exists() and product.samefile(source):
        raise OutputError(
            product, "this product would replace its own input", "choose another output folder"
        )


@contextmanager
def staging(output_dir: Path | None) -> Iterator[Path]:
    """Give a folder to write products into before they are published.

    Parameters
    ----------
    output_dir
        Where they are to appear; None where none are.
    """
    if output_dir is not None:
        with staging_directory(output_dir) as folder:
            yield folder
        return
    with _temporary_space():
        holder = tempfile.TemporaryDirectory(prefix="upramp-")
    with holder as name:
        yield Path(name)


@contextmanager
def log_path(output_dir: Path | None, root: str, chosen: Path | None) -> Iterator[Path]:
    """Say where the official log goes; one that nobody asked for is gone after success.

    Parameters
    ----------
    output_dir
        Where products go, if they go anywhere.
    root
        What they are named after.
    chosen
        Where the user wants the log.
    """
    if chosen is not None:
        yield chosen
    elif output_dir is not None:
        yield output_dir / f"{root}_calibrate.log"
    else:
        with _temporary_space():
            handle, name = tempfile.mkstemp(prefix=f"{root}-", suffix="_calibrate.log")
        os.close(handle)
        file = Path(name)
        yield file
        file.unlink(missing_ok=True)  # after success alone: an error's sentence names it


@contextmanager
def _temporary_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            error.filename or "temporary files",
            f"nothing can be written here ({error.strerror})",
            "free some space, or set TMPDIR to another folder",
        ) from error
