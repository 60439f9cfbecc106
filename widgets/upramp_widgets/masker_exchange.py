"""A masker's calls that read and write: files, regions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from upramp.errors import UsageError

from .masker_edits import MaskerEdits
from .masker_files import load, settings, tuned_with

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from .core.mask import Change
    from .core.mask_regions import Layer, RegionList

__all__ = ["MaskerExchange"]


class MaskerExchange(MaskerEdits):
    """Reads and writes a masker's mask; the widget waits for what is being searched."""

    if TYPE_CHECKING:

        def _settle(self) -> None: ...

    def save(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the mask, as ``upramp calibrate --mask`` reads it.

        Parameters
        ----------
        path
            ``.fits``, ``.asdf``, or ``.reg`` for what was done by hand as regions of DS9.

        Returns
        -------
        dict
            What was written: see `MaskModel.save`.

        Raises
        ------
        UsageError
            If the name ends otherwise, or the automatic flags are not known.
        OutputError
            If it cannot be written there.
        """
        self._settle()
        if self.engine.searched_with is None and Path(path).suffix.lower() != ".reg":
            raise UsageError(
                path,
                f"the automatic flags that go into it are not known ({self.model.refused})",
                "save what was done by hand as regions, by a name that ends in .reg",
            )
        with self.engine.lock:
            record = self.engine.mask.save(path)
        self.status = f"{record['file']} is written"
        return record

    def load(self, path: str | os.PathLike[str]) -> Change:
        """Take over a mask from a file, in one step that can be undone.

        Parameters
        ----------
        path
            A mask that was saved here: its threshold is taken over too. Or any that
            `MaskModel.load` reads, or the ramp product of a run, whose jumps become the mask's.

        Raises
        ------
        InputError
            If it cannot be read, is no mask, or does not fit the exposure.
        """
        tuned = settings(tuned_with(path))
        for name, value in tuned.items():
            setattr(self, name, value)
        self._settle()
        with self.engine.lock:
            change = load(self.engine.mask, path)
        self._edited(change)
        return change

    def to_regions(self, layer: Layer = "manual", **chosen: Any) -> RegionList:
        """Give outlines of the mask as regions: see `MaskModel.to_regions`.

        Parameters
        ----------
        layer
            ``manual``, what was done by hand, or ``mask``, all that is flagged.
        **chosen
            ``groups``, ``integrations`` and ``bits``.
        """
        self.wait()
        with self.engine.lock:
            return self.engine.mask.to_regions(layer, **chosen)

    def from_regions(self, regions: Iterable[Any], **where: Any) -> Change:
        """Draw regions, in one step: see `MaskModel.from_regions`.

        Parameters
        ----------
        regions
            Of the package ``regions``.
        **where
            ``groups``, ``integrations``, ``bit``, ``erase``, ``keep_labels``, ``wcs``.
        """
        with self.engine.lock:
            change = self.engine.mask.from_regions(regions, **where)
        self._edited(change)
        return change
