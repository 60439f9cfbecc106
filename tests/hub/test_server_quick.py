"""A server starts without what takes long and serves nobody."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("jupyterlab", reason="the hub's packages are not installed")

CODE = """
import subprocess, sys
from upramp_hub.server import quick
started = []
class Recorded(subprocess.Popen):
    def __init__(self, command, *rest, **more):
        started.append(str(command))
        super().__init__(command, *rest, **more)
subprocess.Popen = Recorded
quick.spare_grammar()
quick.leave_out_yarn()
import jsonschema, jupyterlab.labapp, jupyterhub.singleuser
assert "rfc3987_syntax" not in sys.modules
assert not [each for each in started if "yarn" in each or "node" in each], started
validator = jsonschema.Draft202012Validator(
    {"type": "string", "format": "uri"}, format_checker=jsonschema.FormatChecker()
)
validator.validate("http://127.0.0.1/")
print("sooner")
"""


def test_neither_the_grammar_nor_yarn_is_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == ("sooner\n", 0), done.stderr
