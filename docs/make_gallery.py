"""Make the gallery of these pages from notebooks that were run.

``python docs/make_gallery.py ARCHIVE [--only NAME]... [--work DIR]``: runs each notebook by
papermill on a practice archive, which is made (with the programs that the notebooks name) where
there is none, and writes a page of what it showed: text, cells, and pictures with fewer colours.
A notebook that fails has no page, and the script ends with an error.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from upramp.kernel.install import install
from upramp.notebooks import Notebook, list_notebooks
from upramp.practice import make_archive

GALLERY = Path(__file__).parent / "gallery"
ROOMS = {"stage": "Stages", "mode": "Modes"}
WIDEST = 900
THUMBNAIL = 260
"""Pixels."""

LINES = 24
"""Of text that a cell printed, at most."""


def run(notebook: Notebook, archive: Path, work: Path) -> dict[str, Any]:
    """Run a notebook as a user would, in a folder of its own; give what came of it."""
    import papermill

    folder = work / notebook.name.removesuffix(".ipynb").replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "done.ipynb"
    began = time.monotonic()
    papermill.execute_notebook(
        str(notebook.path), str(target), cwd=str(folder), progress_bar=False, log_output=False
    )
    document = json.loads(target.read_text())
    document["seconds"] = time.monotonic() - began
    document["archive"] = str(archive)
    document["folder"] = str(folder)
    return dict(document)


def page(notebook: Notebook, document: dict[str, Any], folder: Path) -> list[Path]:
    """Write a notebook's page; give its pictures."""
    stem = notebook.name.removesuffix(".ipynb").replace("/", "-")
    lines: list[str] = []
    pictures: list[Path] = []
    for cell in document["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        tags = cell["metadata"].get("tags", [])
        if source.startswith("from upramp"):
            source = source.partition("run = begin(")[0] + "run = begin(...)\nrun"
        if "injected-parameters" not in tags:
            lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                file = folder / "images" / f"{stem}-{len(pictures) + 1}.png"
                save(base64.b64decode("".join(data["image/png"])), file)
                text = re.sub(r"[\[\]]", "", " ".join("".join(data["text/plain"]).split()))
                lines += [f"![{text}](images/{file.name})", ""]
                pictures.append(file)
            elif "text/plain" in data and "application/vnd.upramp.provenance+json" not in data:
                told = plain("".join(data["text/plain"]), document)
                if told and cell["id"] != "provenance":
                    lines += ["```text", *told, "```", ""]
    lines += [
        f"It took {document['seconds']:.0f} s on two cores, imports and the kernel's start too.",
        "",
    ]
    (folder / f"{stem}.md").write_text("\n".join(lines), encoding="utf-8")
    return pictures


def forget(notebook: Notebook, folder: Path) -> None:
    """Take a notebook's page and pictures away: those of an earlier run."""
    stem = notebook.name.removesuffix(".ipynb").replace("/", "-")
    for file in [folder / f"{stem}.md", *(folder / "images").glob(f"{stem}-*.png")]:
        file.unlink(missing_ok=True)


def plain(text: str, document: dict[str, Any]) -> list[str]:
    """Give printed lines without this machine's folders, and not too many of them."""
    for place in (document["folder"], document["archive"]):
        text = text.replace(f"{place}/", "")
    lines = [line.rstrip() for line in text.splitlines()]
    return lines if len(lines) <= LINES else [*lines[:LINES], "..."]


def save(content: bytes, file: Path) -> None:
    """Save a picture in a fraction of its size, with as many colours as it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(content)) as image:
        flat = image.convert("RGB")
        if flat.width > WIDEST:
            flat = flat.resize((WIDEST, round(flat.height * WIDEST / flat.width)))
        flat.quantize(192, method=Image.Quantize.MEDIANCUT).save(file, optimize=True)


def index(made: dict[str, tuple[Notebook, list[Path], float]], folder: Path) -> None:
    """Write the page that leads to all."""
    lines = [
        "# Gallery",
        "",
        "Every notebook of `upramp notebooks`, as it ran by papermill on a practice archive,",
        "with no network. What is seen is simulated. Made by `python docs/make_gallery.py`.",
        "",
    ]
    for room, title in ROOMS.items():
        names = [name for name in made if name.startswith(f"{room}/")]
        if not names:
            continue
        lines += [f"## {title}", ""]
        for name in names:
            notebook, pictures, seconds = made[name]
            stem = name.removesuffix(".ipynb").replace("/", "-")
            lines += [f"### [{notebook.title}]({stem}.md)", ""]
            if pictures:
                best = pictures[len(pictures) // 2]
                small = best.with_name(f"{stem}-small.png")
                with Image.open(best) as image:
                    flat = image.convert("RGB")
                    flat.thumbnail((THUMBNAIL * 2, THUMBNAIL))
                    flat.quantize(128).save(small, optimize=True)
                lines += [f"[![{notebook.title}](images/{small.name})]({stem}.md)", ""]
            lines += [f"`{name}`, {seconds:.0f} s", ""]
    lines += ["```{toctree}", ":hidden:", ""]
    lines += [name.removesuffix(".ipynb").replace("/", "-") for name in made]
    lines += ["```", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def programs(notebooks: list[Notebook]) -> list[str]:
    """Give the practice programs that notebooks say they need."""
    text = "".join(notebook.path.read_text(encoding="utf-8") for notebook in notebooks)
    return sorted(set(re.findall(r"upramp practice DIR --program ([\w-]+)", text)))


def main() -> int:
    """Make the gallery."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--work", type=Path, default=Path("docs-work"))
    options = parser.parse_args()
    notebooks = list_notebooks()
    archive, work = options.archive.resolve(), options.work.resolve()
    names = [one.name.removesuffix(".ipynb") for one in notebooks]
    only = [one.removesuffix(".ipynb") for one in options.only]
    if unknown := set(only) - set(names):
        parser.error(f"there is no notebook {min(unknown)}: there are {', '.join(names)}")
    chosen = [one for one, name in zip(notebooks, names, strict=True) if name in (only or names)]
    make_archive(archive)
    if wanted := programs(chosen):
        make_archive(archive, programs=wanted)
    install(prefix=work / "prefix")
    os.environ["JUPYTER_PATH"] = str(work / "prefix" / "share" / "jupyter")
    os.environ["UPRAMP_ARCHIVE"] = str(archive)
    for variable in ("CRDS_PATH", "CRDS_SERVER_URL"):
        os.environ.pop(variable, None)
    os.environ["CRDS_CONTEXT"] = "jwst_0001.pmap"
    failed = []
    seconds = known()
    for notebook in chosen:
        try:
            document = run(notebook, archive, work)
        except Exception as error:  # noqa: BLE001 - the others are still made
            say(f"{notebook.name} failed: {error}")
            failed.append(notebook.name)
            forget(notebook, GALLERY)
            continue
        forget(notebook, GALLERY)
        page(notebook, document, GALLERY)
        say(f"{notebook.name} {document['seconds']:.0f} s")
        seconds[notebook.name] = document["seconds"]
    made = {}
    for notebook in notebooks:
        stem = notebook.name.removesuffix(".ipynb").replace("/", "-")
        if (GALLERY / f"{stem}.md").is_file() and notebook.name in seconds:
            pictures = sorted(
                (GALLERY / "images").glob(f"{stem}-[0-9]*.png"),
                key=lambda file: int(file.stem.rpartition("-")[2]),
            )
            made[notebook.name] = (notebook, pictures, seconds[notebook.name])
    index(made, GALLERY)
    return 1 if failed else 0


def say(line: str) -> None:
    """Tell whoever waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def known() -> dict[str, float]:
    """Give how long notebooks took that have a page already, as the index says."""
    index = GALLERY / "index.md"
    text = index.read_text(encoding="utf-8") if index.is_file() else ""
    found = re.findall(r"^`(\S+\.ipynb)`, (\d+) s$", text, re.MULTILINE)
    return {name: float(seconds) for name, seconds in found}


if __name__ == "__main__":
    sys.exit(main())
