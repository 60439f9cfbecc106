"""What a cell shows for exposures, results, data models and flags.

IPython looks these up by the type's name, so nothing is imported for a type
that never turns up, and no class of the official packages is changed. A
display that fails leaves what would be shown without it.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from .markup import Card

__all__ = [
    "array_card",
    "comparison_card",
    "exposure_card",
    "install",
    "model_card",
    "result_card",
    "uninstall",
]

_HTML: Final = "text/html"
_PLAIN: Final = "text/plain"


def exposure_card(exposure: Any) -> Card:
    """Show an exposure on disk: what `upramp info` says, and a picture.

    Parameters
    ----------
    exposure
        An `upramp.Exposure`.
    """
    from upramp.exposure.describe import describe
    from upramp.exposure.description_text import sections

    from .markup import Card
    from .thumbnails import exposure_thumbnail

    rows = [(label, text) for label, text, _ in sections(describe(exposure)) if text]
    what = "last minus first group" if exposure.is_ramp else "the image"
    return Card(
        exposure.path.name,
        rows,
        picture=exposure_thumbnail(exposure),
        picture_text=f"{what} of {exposure.path.name}",
    )


_PICTURED: Final = {
    "i2d": "the resampled image",
    "rate": "the slope image",
    "cal": "the calibrated image",
    "psfsub": "the image less its star",
    "s2d": "the resampled spectrum",
    "ramp": "the ramp",
    "dark": "the ramp",
}
"""Of which product a result shows a picture: the first that there is."""


def result_card(result: Any) -> Card:
    """Show what a calibration gave.

    Parameters
    ----------
    result
        An `upramp.stages.Result`.
    """
    from .markup import Card
    from .thumbnails import thumbnail

    provenance = result.provenance
    source = provenance.get("input", {}).get("file", "an exposure")
    rows: list[tuple[object, object]] = [
        (suffix, _summary(model)) for suffix, model in result.models.items()
    ]
    rows.append(("made by", _maker(provenance)))
    delegated = provenance.get("delegated")
    if delegated:
        rows.append(("official steps", "; ".join(f"{k}: {v}" for k, v in delegated.items())))
    rows += [("wrote", str(path)) for path in result.products]
    kind = next(
        (kind for kind in _PICTURED if _array(result.models.get(kind), "data") is not None), ""
    )
    return Card(
        f"{source}, calibrated",
        rows,
        picture=thumbnail(_array(result.models[kind], "data")) if kind else "",
        picture_text=f"{_PICTURED.get(kind, '')} of {source}",
        data=result.provenance,
    )


def model_card(model: Any) -> Card:
    """Show a data model of the official packages.

    Parameters
    ----------
    model
        Of `stdatamodels`; its metadata may hold anything.
    """
    from .flags import count_flags
    from .markup import Card, clipped
    from .thumbnails import thumbnail

    meta = model.meta.instance if hasattr(model, "meta") else {}
    rows: list[tuple[object, object]] = []
    mode = [_at(meta, "instrument", name) for name in ("name", "detector", "filter", "pupil")]
    rows.append(("mode", " ".join(clipped(one, 40) for one in mode if one)))
    target = _at(meta, "target", "catalog_name") or _at(meta, "target", "proposer_name")
    if target:
        rows.append(("target", target))
    data = _array(model, "data")
    if data is not None:
        rows.append(("data", _summary(model)))
    for name in ("dq", "pixeldq", "groupdq"):
        flags = _array(model, name)
        if flags is not None and flags.dtype.kind in "iu" and flags.size:
            counts = sorted(count_flags(flags).items(), key=lambda one: -one[1])
            shares = (f"{key} {100 * count / flags.size:.3g} %" for key, count in counts)
            rows.append((name, ", ".join(shares)))
    for label, name in (("jwst", "calibration_software_version"), ("written", "date")):
        if _at(meta, name):
            rows.append((label, _at(meta, name)))
    if _at(meta, "ref_file", "crds", "context_used"):
        rows.append(("context", _at(meta, "ref_file", "crds", "context_used")))
    name = _at(meta, "filename") or "not saved"
    return Card(
        f"{type(model).__name__}: {clipped(name, 120)}",
        [row for row in rows if row[1]],
        picture="" if data is None else thumbnail(data),
        picture_text=f"the data of {clipped(name, 120)}",
    )


def array_card(array: Any) -> Card | None:
    """Show an array of flags by their names; leave all other arrays to numpy.

    Parameters
    ----------
    array
        Any numpy array.
    """
    from .flags import flags_card, is_flags
    from .markup import Card

    if not is_flags(array) or not array.size:
        return None
    card = flags_card(array)
    text = repr(array)
    return Card(
        card.title, card.rows, notes=text.splitlines(), header=card.header, preformatted=True
    )


def comparison_card(comparison: Any) -> Card:
    """Show what two products differ in.

    Parameters
    ----------
    comparison
        An `upramp.stages.Comparison`.
    """
    from .markup import Card

    verdict, *lines = comparison.to_text().splitlines()
    return Card(
        f"{comparison.a.name} and {comparison.b.name}: {verdict}", notes=lines, preformatted=True
    )


def _summary(model: Any) -> str:
    import numpy as np

    from .markup import clipped

    data = _array(model, "data")
    if data is None:
        return type(model).__name__
    text = f"{data.dtype.name} {' x '.join(map(str, data.shape))}"
    meta = getattr(model, "meta", None)
    units = getattr(meta, "bunit_data", None)
    if isinstance(units, str):
        text += f" {clipped(units, 20)}"
    if data.ndim == 2 and data.dtype.kind == "f" and data.size:
        finite = data[np.isfinite(data)]
        if finite.size:
            text += f", median {np.median(finite):.4g}"
        if finite.size < data.size:
            text += f", {data.size - finite.size} pixels without a value"
    return text


def _maker(provenance: Any) -> str:
    versions = provenance.get("versions", {})
    return (
        f"engine {provenance.get('engine')}, upramp {versions.get('upramp')}, "
        f"jwst {versions.get('jwst')}, {provenance.get('context')}"
    )


def _array(model: Any, name: str) -> Any:
    # Only what is there: asking a data model for an array that it lacks would make one.
    import numpy as np

    instance = getattr(model, "instance", None)
    if isinstance(instance, dict) and name not in instance:
        return None
    array = getattr(model, name, None)
    return array if isinstance(array, np.ndarray) else None


def _at(tree: Any, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if hasattr(tree, "get") else None
    return tree


_CARDS: Final[dict[tuple[str, str], Callable[[Any], Card | None]]] = {
    ("upramp.exposure.exposure", "Exposure"): exposure_card,
    ("upramp.stages.result", "Result"): result_card,
    ("upramp.stages.compare", "Comparison"): comparison_card,
    ("stdatamodels.model_base", "DataModel"): model_card,
}


def install(shell: Any) -> None:
    """Have IPython show these types.

    Parameters
    ----------
    shell
        The shell.
    """
    formatters = shell.display_formatter.formatters
    for (module, name), card in _CARDS.items():
        formatters[_HTML].for_type_by_name(module, name, functools.partial(_html, card))
        formatters[_PLAIN].for_type_by_name(module, name, functools.partial(_text, card))
    formatters[_HTML].for_type_by_name("numpy", "ndarray", functools.partial(_html, array_card))


def uninstall(shell: Any) -> None:
    """Have it show them as it did.

    Parameters
    ----------
    shell
        The shell.
    """
    formatters = shell.display_formatter.formatters
    types = [(_HTML, key) for key in _CARDS] + [(_PLAIN, key) for key in _CARDS]
    types.append((_HTML, ("numpy", "ndarray")))
    for kind, key in types:
        formatters[kind].deferred_printers.pop(key, None)
        for known in list(formatters[kind].type_printers):
            if (known.__module__, known.__name__) == key:
                formatters[kind].type_printers.pop(known)


def _html(card: Callable[[Any], Card | None], thing: Any) -> str | None:
    try:
        made = card(thing)
        return None if made is None else made.to_html()
    except Exception:  # whatever a file or a header holds, a cell shows something
        logging.getLogger(__name__).debug("a display failed", exc_info=True)
        return None


def _text(card: Callable[[Any], Card | None], thing: Any, pretty: Any, cycle: bool) -> None:
    try:
        made = None if cycle else card(thing)
    except Exception:  # as above
        logging.getLogger(__name__).debug("a display failed", exc_info=True)
        made = None
    if made is not None:
        pretty.text(made.to_text())
        return
    try:
        text = repr(thing)
    except Exception:  # noqa: BLE001 - as above: not even its own text
        text = object.__repr__(thing)
    pretty.text(text)
