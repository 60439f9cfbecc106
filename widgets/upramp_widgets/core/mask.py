"""A mask of groups: what was found automatically, and what was set and erased by hand.

The automatic flags are another's array, which is never changed nor copied.
What is done by hand lies on top and stays there when a threshold moves: a
pixel set by hand is flagged, and one erased is not, whatever is found there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from .mask_edits import MaskEdits, Where
from .mask_history import Change
from .mask_layers import REMOVABLE
from .mask_paint import combined
from .mask_pixels import Pixels
from .mask_record import chosen, digest, flag_bit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .mask_regions import Layer, RegionList

__all__ = [
    "AUTOMATIC",
    "CLEARED",
    "REMOVABLE",
    "SET",
    "Change",
    "MaskModel",
    "Pixels",
    "Where",
]

CLEARED: Final = 1
AUTOMATIC: Final = 2
SET: Final = 3
"""What `MaskModel.origins` tells of a pixel: flagged automatically but cleared by hand, or
flagged automatically, or by hand alone."""


class MaskModel(MaskEdits):
    """A mask of an exposure: edited as in `MaskEdits`, read and saved here."""

    # ---- results ----------------------------------------------------------

    def flags(self, integration: int, group: int) -> NDArray[np.uint8]:
        """Give all flags of a group.

        Parameters
        ----------
        integration, group
            Which.

        Returns
        -------
        ndarray of uint8
            (ny, nx), a new array.

        Raises
        ------
        UsageError
            If there is no such group.
        """
        plane = self._plane(integration, group)
        flags = np.array(self.automatic[plane], order="C")
        flat = flags.reshape(-1)
        for place, codes in self.paint.patches(plane):
            flat[place] = combined(flat[place], codes)
        return flags

    def plane(
        self, integration: int, group: int | None = None, bit: str = "JUMP_DET"
    ) -> NDArray[np.bool_]:
        """Tell which pixels have a flag in a group.

        Parameters
        ----------
        integration
            Which.
        group
            Which; None: any group.
        bit
            Mnemonic of the flag.

        Returns
        -------
        ndarray of bool
            (ny, nx), a new array.

        Raises
        ------
        UsageError
            If there is no such group or flag.
        """
        number = flag_bit(bit)
        if group is not None:
            return (self.flags(integration, group) & number).astype(np.bool_)
        flags = np.zeros(self.image_shape, np.uint8)
        for one in range(self.shape[1]):
            plane = self._plane(integration, one)
            touched = any(self.paint.patches(plane))
            flags |= self.flags(*plane) if touched else self.automatic[plane]
        return (flags & number).astype(np.bool_)

    def on_top_of(
        self, flags: NDArray[np.uint8], integration: int, group: int, x0: int = 0, y0: int = 0
    ) -> NDArray[np.uint8]:
        """Give other flags with the edits of a group on top, as for a threshold that is tried.

        Parameters
        ----------
        flags
            uint8 (rows, columns): a window of the group.
        integration, group
            Which.
        x0, y0
            Pixel of the image that is the window's first.

        Returns
        -------
        ndarray of uint8
            Of the window's shape, a new array.

        Raises
        ------
        UsageError
            If there is no such group.
        """
        edited = np.array(flags, np.uint8)
        positions, codes = self.paint.painted(self._plane(integration, group))
        y, x = np.divmod(positions, self.shape[3])
        y, x = y - y0, x - x0
        here = (y >= 0) & (y < edited.shape[0]) & (x >= 0) & (x < edited.shape[1])
        y, x = y[here], x[here]
        edited[y, x] = combined(edited[y, x], codes[here])
        return edited

    def origins(
        self, integration: int, group: int | None = None, bit: str = "JUMP_DET"
    ) -> NDArray[np.uint8]:
        """Tell where the flag of each pixel comes from.

        Parameters
        ----------
        integration
            Which.
        group
            Which; None: any group. There what is flagged by hand in one group
            goes before what is automatic in another, and that before what is
            cleared.
        bit
            Mnemonic of the flag.

        Returns
        -------
        ndarray of uint8
            (ny, nx): 0 where there is no flag and never was, else `CLEARED`,
            `AUTOMATIC` or `SET`.

        Raises
        ------
        UsageError
            If there is no such group or flag.
        """
        number = flag_bit(bit)
        groups = range(self.shape[1]) if group is None else [group]
        origins = np.zeros(self.image_shape, np.uint8)
        for one in groups:
            plane = self._plane(integration, one)
            found = ((self.automatic[plane] & number) != 0).astype(np.uint8, order="C")
            found *= AUTOMATIC
            flat = found.reshape(-1)
            for place, codes in self.paint.patches(plane):
                here = flat[place]
                here[((codes & number) != 0) & (here == 0)] = SET
                here[((codes & (number << 8)) != 0) & (here == AUTOMATIC)] = CLEARED
            np.maximum(origins, found, out=origins)
        return origins

    def to_groupdq(self) -> NDArray[np.uint8]:
        """Give all flags of all groups.

        Returns
        -------
        ndarray of uint8
            (nints, ngroups, ny, nx), a new array.
        """
        flags = np.array(self.automatic, order="C")
        for integration, group in self.paint.planes():
            flags[integration, group] = self.flags(integration, group)
        return flags

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the groups of pixels that are flagged.

        Returns
        -------
        dict
            Mnemonic to "automatic", "set_by_hand" (that were not flagged
            automatically), "cleared_by_hand" (that were), and "total".
        """
        return self._tally.counts(self.paint)

    def record(self) -> dict[str, Any]:
        """Say what the mask is, for a provenance.

        Returns
        -------
        dict
            "shape"; "mode", as a saved mask has it; "sha256" of all flags as
            `to_groupdq` gives them; "automatic": how these were found and
            their "sha256"; "counts" as `counts` gives them. All of it goes
            into JSON.
        """
        nints, ngroups = self.shape[:2]
        return {
            "shape": list(self.shape),
            "mode": "REPLACE",
            "sha256": digest(
                self.flags(i, group) for i in range(nints) for group in range(ngroups)
            ),
            "automatic": {"sha256": self._tally.digest, "parameters": self.provenance},
            "counts": self.counts(),
        }

    def _plane(self, integration: int, group: int) -> tuple[int, int]:
        return (
            chosen("integration", integration, self.shape[0])[0],
            chosen("group", group, self.shape[1])[0],
        )

    # ---- files and regions ------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the mask to a file, whole or not at all.

        Parameters
        ----------
        path
            ``.fits``: what ``upramp calibrate --mask`` reads, with all flags
            as they are, so that erased jumps are erased there too; and what
            was done by hand, so that `open` restores it. ``.asdf``: the same.
            ``.reg``: regions of DS9 around what was done by hand.

        Returns
        -------
        dict
            What `record` says, with the "file" and its "file_sha256".

        Raises
        ------
        UsageError
            If the name ends otherwise.
        OutputError
            If it cannot be written there.
        """
        from . import mask_files

        return mask_files.save(self, path)

    def load(self, path: str | os.PathLike[str]) -> Change:
        """Take over a mask from a file, in one step that can be undone.

        Parameters
        ----------
        path
            A mask that was saved here (``.fits``, ``.asdf``): what was done by
            hand there takes the place of what was done here, on top of the
            automatic flags of this model. A FITS mask made otherwise, of the
            ramp's or the image's shape: its flags are set; if its MASKMODE is
            REPLACE, jumps that it has not are erased. ``.reg``: its regions
            are drawn, as `from_regions` says.

        Returns
        -------
        Change
            What changed.

        Raises
        ------
        InputError
            If it cannot be read, is no mask, or does not fit the exposure.
        UsageError
            If it asks for a mode that there is not.
        """
        from . import mask_files

        return mask_files.load(self, path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Restore a mask that was saved here, its automatic flags as well.

        Parameters
        ----------
        path
            ``.fits`` or ``.asdf``.

        Returns
        -------
        MaskModel
            A new one, with nothing to undo.

        Raises
        ------
        InputError
            If it cannot be read, or was not saved here.
        """
        from . import mask_files

        saved = mask_files.read(path)
        model = cls(saved.automatic(), provenance=saved.provenance)
        for plane, positions, codes in saved.painted():
            model.paint.write(plane, positions, codes)
        return model

    def to_regions(
        self,
        layer: Layer = "manual",
        *,
        groups: int | Iterable[int] | None = None,
        integrations: int | Iterable[int] | None = None,
        bits: Iterable[str] | None = None,
    ) -> RegionList:
        """Give outlines of the mask as regions, one per connected piece.

        Parameters
        ----------
        layer
            "manual": what was set, and what was erased, by hand; "mask": all
            that is flagged.
        groups, integrations
            One, several, or None: all.
        bits
            Mnemonics of flags; None: all.

        Returns
        -------
        regions.Regions
            Boxes and polygons along the edges of pixels, with the tags that
            `from_regions` reads. A piece that is the same in several groups
            comes once.

        Raises
        ------
        UsageError
            If there is no such layer, group, integration or flag.
        """
        from . import mask_regions

        return mask_regions.to_regions(
            self, layer, groups=groups, integrations=integrations, bits=bits
        )

    def from_regions(self, regions: Iterable[Any], **where: Any) -> Change:
        """Draw regions, in one step.

        Parameters
        ----------
        regions
            Of the package ``regions``, in pixels. Where a region has tags such
            as ``groups=2-5``, ``integrations=0``, ``bit=JUMP_DET`` or
            ``erased``, these go before what is given here. Regions to be
            excluded take pixels away from those with the same tags.
        **where
            As for `flag`; and ``wcs``, with which regions on the sky are drawn.

        Returns
        -------
        Change
            What changed.

        Raises
        ------
        UsageError
            If a region is of a kind that has no pixels, is on the sky without
            a WCS, or its tags name what there is not.
        """
        from . import mask_regions

        return mask_regions.from_regions(self, regions, **where)
