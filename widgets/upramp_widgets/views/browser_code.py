"""The browser's half of the image view, out of its modules in ``browser/``.

A widget is given to the browser as one module, for there is no server to fetch
a second one from. The modules are ordinary ones, which import each other by
name; here each becomes a function that gives what it exports, and they are put
one after the other, each before those that import it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

__all__ = ["module", "sheet"]

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z_]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:function|const|class) (\w+))", re.MULTILINE)


@cache
def module(entry: str = "image_view") -> str:
    """Give one module that needs no other.

    Parameters
    ----------
    entry
        Name of the module that the others are needed for; what it exports is
        what the whole exports.
    """
    done: dict[str, str] = {}
    last = _bound(entry, done)
    return "\n".join([*done.values(), last])


@cache
def sheet() -> str:
    """Give the style sheet."""
    return _text("image_view.css")


def _bound(name: str, done: dict[str, str]) -> str:
    """Give a module's text with its imports bound; what it needs is collected first."""
    text = _text(f"{name}.js")
    for _, needed in _IMPORT.findall(text):
        if needed not in done:
            body = _bound(needed, done)
            exported = ", ".join(_EXPORT.findall(body))
            body = _EXPORT.sub("", body)
            done[needed] = f"const {needed}_js = (() => {{\n{body}return {{ {exported} }};\n}})();"
    return _IMPORT.sub(lambda found: f"const {found[1]} = {found[2]}_js;\n", text)


def _text(name: str) -> str:
    return resources.files(__package__).joinpath("browser", name).read_text(encoding="utf-8")
