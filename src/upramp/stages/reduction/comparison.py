"""A reduction's products beside those of reference: which belong together, and how they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from upramp.errors import InputError

from .choices import OFFICIAL, stage_of
from .intake import suffix_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Product
    from .run import Reduction

__all__ = ["compared", "counterpart", "references"]


def references(reduction: Reduction) -> list[Path]:
    """Give the products of reference that a reduction was given, or have them made.

    Parameters
    ----------
    reduction
        Whose products are to be compared; it notes what cannot be found.
    """
    products = [one for one in reduction.products if one.path.suffix == ".fits"]
    found: list[Path] = []
    for name in reduction.choices.reference_products:
        path = Path(name)
        if name == OFFICIAL:
            found += _made_officially(reduction)
        elif path.is_dir():
            with reduction.noting("comparison", path.name):
                found += _of_folder(path, products)
        else:
            found.append(path)
    return found


def _of_folder(folder: Path, products: Sequence[Product]) -> list[Path]:
    files = sorted(one for one in folder.iterdir() if one.suffix == ".fits" and one.is_file())
    there = [one for one in files if counterpart(products, one.name) is not None]
    if not there:
        raise InputError(folder, "it holds no product of the names made", "name another folder")
    return there


def counterpart(products: Sequence[Product], name: str) -> Product | None:
    """Find the product that one of reference belongs to.

    It has its name. In stage 3 the archive numbers targets where loose exposures name
    them: there, program, instrument, optical elements and kind are enough, if they leave
    but one.

    Parameters
    ----------
    products
        The reduction's.
    name
        The name of the product of reference.
    """
    for one in products:
        if one.path.name == name:
            return one
    alike = [
        one
        for one in products
        if stage_of(one.pipeline) == 3 and _but_target(one.path.name) == _but_target(name)
    ]
    return alike[0] if len(alike) == 1 else None


def _but_target(name: str) -> tuple[str, ...]:
    """Take a name of stage 3 apart: all of it but the association and the target."""
    first, *rest = name.split("_")
    program, dash, _ = first.partition("-")
    return (program, *rest[1:]) if dash and len(rest) > 1 else (name,)


def _made_officially(reduction: Reduction) -> list[Path]:
    """Have the official pipeline do stage 1 too, in a folder of its own."""
    from upramp.stages import calibrate

    found: list[Path] = []
    by_name = {path.name: path for path in reduction.inputs}
    made = {one.path.name for one in reduction.products}
    for step in reduction.steps:
        if stage_of(step.pipeline) != 1 or step.status != "done":
            continue
        with reduction.noting("comparison", step.files[0]):
            result = calibrate(
                by_name[step.files[0]],
                engine="stsci",
                overrides=reduction.choices.overrides(step.pipeline),
                output_dir=reduction.choices.output_dir / OFFICIAL,
                progress=reduction.progress(),
            )
            found += [one for one in result.products if one.name in made]
    return found


def compared(reduction: Reduction, reference: Path) -> dict[str, Any]:
    """Compare a product of reference with the reduction's own.

    Parameters
    ----------
    reduction
        Whose products it may belong to.
    reference
        Its file.

    Returns
    -------
    dict
        ``product``, ``reference``, ``identical`` and ``verdict``.

    Raises
    ------
    InputError
        If it belongs to none, or cannot be compared.
    """
    from upramp.stages.compare import compare

    ours = counterpart(reduction.products, reference.name)
    if ours is None:
        kind = suffix_of(reference)
        alike = [one.path.name for one in reduction.products if one.suffix == kind]
        raise InputError(
            reference,
            "no product of this name was made"
            + (f"; those of its kind are {', '.join(alike[:3])}" if alike else ""),
            "give one that belongs to it",
        )
    found = compare(ours.path, reference)
    return {
        "product": ours.path.name,
        "reference": str(reference),
        "identical": found.identical,
        "verdict": found.verdict,
    }
