"""The server's part: a notebook's metadata say what made its outputs.

A kernel cannot write the metadata of its notebook. It leaves a record in the
cells (`.records`), and this hook of the server sums them up when the notebook
is saved, by whatever front end. It is a server extension: with the wheel it is
on; elsewhere ``jupyter server extension enable upramp.kernel.saving`` or, in a
server's configuration,
``c.ContentsManager.pre_save_hook = "upramp.kernel.saving.pre_save_hook"``.
"""

from __future__ import annotations

from typing import Any

from .records import KEY, sum_up

__all__ = ["pre_save_hook", "record_in_metadata"]


def pre_save_hook(model: Any, **_: Any) -> None:
    """Sum up, in a notebook that is being saved, what made its outputs.

    Parameters
    ----------
    model
        The contents manager's model, changed in place.
    **_
        Path and contents manager.
    """
    if isinstance(model, dict) and model.get("type") == "notebook":
        record_in_metadata(model.get("content"))


def record_in_metadata(notebook: Any) -> None:
    """Write into a notebook's metadata what made its outputs.

    A notebook without outputs was made by nothing, and loses what it said; one
    whose outputs carry no record keeps it.

    Parameters
    ----------
    notebook
        Its JSON, changed in place; what is no notebook is left alone.
    """
    if not isinstance(notebook, dict) or not isinstance(notebook.get("metadata"), dict):
        return
    record = sum_up(notebook)
    metadata = notebook["metadata"]
    if record:
        metadata[KEY] = record.to_dict()
    elif KEY in metadata and not _has_outputs(notebook):
        del metadata[KEY]


def _has_outputs(notebook: dict[str, Any]) -> bool:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        return True
    return any(isinstance(cell, dict) and cell.get("outputs") for cell in cells)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "upramp.kernel.saving"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.contents_manager.register_pre_save_hook(pre_save_hook)
