"""Running notebooks as a user without a browser does: by plain papermill."""

from __future__ import annotations

import base64
import json
import os
import shutil

import pytest

from upramp.kernel.install import install
from upramp.notebooks import list_notebooks
from upramp.practice import make_archive
from upramp.practice.crds_context import CODE_DEFAULTS


class Executed:
    """A notebook that was run."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.document = json.loads(path.read_text())

    def outputs(self, identity):
        """Give what a cell's outputs hold, by media type."""
        cell = next(cell for cell in self.document["cells"] if cell.get("id") == identity)
        return [output["data"] for output in cell["outputs"] if "data" in output]

    def text(self, identity):
        """Give what a cell says in plain text, progress bars' included."""
        return "\n".join("".join(one.get("text/plain", "")) for one in self.outputs(identity))

    def pictures(self):
        """Give the text of each cell that was to show a picture, and has one, by the cell's id.

        Each is in the page that nbconvert makes of the notebook too.
        """
        page = self.html()
        found = {}
        for cell in self.document["cells"]:
            if cell["cell_type"] != "code" or "run.show(" not in "".join(cell["source"]):
                continue
            (data,) = [one["data"] for one in cell["outputs"] if "data" in one]
            png = data.get("image/png")
            assert png, f"{cell['id']}: {data.get('text/plain')}"
            assert base64.b64decode("".join(png)).startswith(b"\x89PNG")
            assert f"data:image/png;base64,{''.join(png).strip()}" in page
            found[cell["id"]] = "".join(data["text/plain"])
        return found

    def html(self):
        """Give the notebook as a page, made with no kernel."""
        import nbformat
        from nbconvert import HTMLExporter

        document = nbformat.reads(json.dumps(self.document), as_version=4)
        return HTMLExporter().from_notebook_node(document)[0]

    @property
    def outcome(self):
        """The outcome that was written beside the products."""
        (file,) = self.folder.glob("*/*_outcome.json")
        return json.loads(file.read_text())


def run_notebook(name, folder, archive, *, context=CODE_DEFAULTS, **parameters):
    """Run a notebook in a folder, with an archive beside it and nothing else set."""
    import papermill

    install(prefix=folder / "prefix")
    source = next(one.path for one in list_notebooks() if one.name == name)
    target = folder / "done.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "prefix" / "share" / "jupyter"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("UPRAMP_ARCHIVE", str(archive))
        patch.setenv("CRDS_CONTEXT", context)
        for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(variable, "http://127.0.0.1:9")  # where nobody answers: no network
        for variable in ("CRDS_PATH", "CRDS_SERVER_URL", "JPY_SESSION_NAME"):
            patch.delenv(variable, raising=False)
        papermill.execute_notebook(
            str(source), str(target), parameters, cwd=str(folder), progress_bar=False
        )
    return Executed(target, folder)


def _linked(source, target):
    """Give a file a second name, or copy it where there is none to be had."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def grown(practice_archive, tmp_path_factory):
    """Give what adds programs to the practice archive, in a folder of its own.

    What is there is not made again, and files are replaced as wholes: the archive
    itself stays as it is.
    """

    def grow(*programs):
        folder = tmp_path_factory.mktemp("grown") / "archive"
        shutil.copytree(practice_archive, folder, copy_function=_linked)
        make_archive(folder, programs)
        return folder

    return grow


@pytest.fixture(scope="session")
def run_in():
    """Give what runs a notebook of this installation in a folder, on an archive."""
    return run_notebook


@pytest.fixture
def execute(practice_archive, tmp_path):
    """Give what runs a notebook of this installation on the practice archive."""

    def run(name, **parameters):
        return run_notebook(name, tmp_path, practice_archive, **parameters)

    return run


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """Give what makes practice programs and runs notebooks on them, for a module's tests.

    The programs' archive is made once; what is given is the notebook that was run and the archive.
    """
    from upramp.practice import make_archive

    archive = tmp_path_factory.mktemp("programs") / "archive"

    def run(name, *programs, **parameters):
        if programs:
            make_archive(archive, programs, processes=1)
        folder = tmp_path_factory.mktemp("notebook")
        return run_notebook(name, folder, archive, **parameters), archive

    return run
