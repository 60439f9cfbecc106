"""What official packages import and do not use waits until somebody uses it."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHECK = """
import sys
from upramp.spared_imports import spare_grammar
{first}
spare_grammar()
import jsonschema
early = "rfc3987_syntax" in sys.modules
checker = jsonschema.FormatChecker()
found = []
for address in ("http://example.org/\\u00e4", "http://a b"):
    try:
        checker.check(address, "iri")
        found.append(True)
    except jsonschema.FormatError:
        found.append(False)
print(early, found, "rfc3987_syntax" in sys.modules)
"""


def printed(code):
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.strip()


def said(first=""):
    return printed(CHECK.format(first=first))


def test_the_grammar_of_addresses_waits_for_the_first_check():
    pytest.importorskip("rfc3987_syntax")
    assert said() == "False [True, False] True"


def test_what_is_imported_already_stays_as_it_is():
    pytest.importorskip("rfc3987_syntax")
    assert said("import jsonschema") == "True [True, False] True"


def test_official_pipelines_are_imported_without_the_grammar():
    pytest.importorskip("jwst")
    code = (
        "import sys; from upramp.stages.later_specs import later_class;"
        "print(later_class('Image2Pipeline').__name__, 'rfc3987_syntax' in sys.modules)"
    )
    assert printed(code) == "Image2Pipeline False"
