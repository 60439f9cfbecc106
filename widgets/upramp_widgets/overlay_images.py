"""What an overlay lies on: the pixels of whatever an image comes as, and where they look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UprampError, UsageError
from upramp.exposure import open_exposure
from upramp.exposure.hdus import parse_header

from .core.sky_open import open_sky

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from upramp.exposure import Exposure

    from .core.sky import Sky

__all__ = ["OverlayImage", "images_of"]

_BEST: Final = ("cal", "rate", "rateints", "ramp", "dark")
"""Which of a calibration's products is looked at, the best first."""

_REMEDY: Final = (
    "give a path, an exposure, a data model, the result of upramp.calibrate, or an array with wcs"
)


class OverlayImage:
    """An image and its sky.

    Parameters
    ----------
    name
        What it is called.
    pixels
        (ny, nx).
    unit
        Of the pixels.
    find
        Opens its sky; what it raises is kept as `error`.

    Attributes
    ----------
    sky : Sky or None
        Where the pixels look; None until `prepare` has found it, and where there is nothing
        to be found.
    error : UprampError or None
        Why there is none.
    """

    def __init__(
        self, name: str, pixels: NDArray[Any], unit: str, find: Callable[[], Sky]
    ) -> None:
        self.name, self.pixels, self.unit = name, pixels, unit
        self.sky: Sky | None = None
        self.error: UprampError | None = None
        self._find = find

    @property
    def problem(self) -> str:
        """Why there is no sky, in a sentence; empty if there is one."""
        return "" if self.error is None else str(self.error)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def prepare(self) -> None:
        """Find the sky, and make what its fast ways need. The first time takes seconds."""
        try:
            sky = self._find()
            if sky.shape is not None and sky.shape != self.shape:
                raise InputError(
                    self.name,
                    f"its WCS is of {sky.shape} rows and columns, its pixels are {self.shape}",
                    "give the WCS of this image",
                )
            _ = sky.grids
        except UprampError as error:
            self.error = error
        else:
            self.sky = sky


def images_of(
    image: Any, *, wcs: Any = None, slit: int | str | None = None, plane: int | None = None
) -> list[OverlayImage]:
    """Read what a person gives as an image or as several.

    Parameters
    ----------
    image
        A path, an `upramp.Exposure`, a data model, the result of `upramp.calibrate`, an array;
        a tuple of an array and its WCS; or a list of these.
    wcs
        Whatever `open_sky` takes, in place of the image's own; needed for an array.
    slit
        Which slit of a product with several: its place, from 0, or its name.
    plane
        Which plane of a cube or of several integrations, from 0; None for the middle one. Of
        a ramp, which integration: its last group less its first is shown.

    Returns
    -------
    list of OverlayImage
        At least one.

    Raises
    ------
    InputError
        If one holds no image.
    UsageError
        If one is nothing of the above, or there are none.
    """
    if isinstance(image, (list, tuple)) and not _is_pair(image):
        if not len(image):
            raise UsageError("the list of images", "it is empty", "give at least one")
        if wcs is not None:
            raise UsageError("wcs", "it is one for several images", "give pairs (array, wcs)")
        return [_one(each, None, slit, plane) for each in image]
    return [_one(image, wcs, slit, plane)]


def _is_pair(image: Any) -> bool:
    """Say whether it is an array and its WCS; a list is always one of images."""
    return (
        isinstance(image, tuple)
        and len(image) == 2
        and isinstance(image[0], np.ndarray)
        and not isinstance(image[1], (np.ndarray, list, tuple))
    )


def _one(image: Any, wcs: Any, slit: int | str | None, plane: int | None) -> OverlayImage:
    if _is_pair(image):
        image, wcs = image
    if isinstance(image, (str, os.PathLike)):
        with open_exposure(Path(image)) as exposure:
            return _of_exposure(exposure, wcs, slit, plane)
    if hasattr(image, "hdus") and hasattr(image, "source"):
        return _of_exposure(image, wcs, slit, plane)
    if hasattr(image, "models") and hasattr(image, "provenance"):
        return _of_model(_best_of(image), wcs, slit, plane)
    if isinstance(image, np.ndarray):
        return _of_array(image, wcs, plane)
    if hasattr(image, "meta") or hasattr(image, "slits"):
        return _of_model(image, wcs, slit, plane)
    raise UsageError(f"an object of type {type(image).__name__}", "it is no image", _REMEDY)


def _of_array(array: NDArray[Any], wcs: Any, plane: int | None) -> OverlayImage:
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float32), np.nan)
    pixels = _flat(array, plane, "the array")

    def find() -> Sky:
        if wcs is None:
            raise InputError(
                "the array", "it comes without a WCS", "give one: WcsOverlay(array, wcs=...)"
            )
        return open_sky(wcs, shape=pixels.shape)

    return OverlayImage("array", pixels, "", find)


def _of_exposure(
    exposure: Exposure, wcs: Any, slit: int | str | None, plane: int | None
) -> OverlayImage:
    images = [hdu for hdu in exposure.hdus if hdu.is_image and len(hdu.shape) >= 2]
    science = [hdu for hdu in images if hdu.name == "SCI"] or images[:1]
    if not science:
        raise InputError(exposure.path, "it holds no image", "give a product that does")
    hdu = science[_number([_slit_name(exposure, one) for one in science], slit)]
    if exposure.is_ramp:
        pixels = _signal(exposure, plane)
    else:
        pixels = _flat(exposure[hdu.index], plane, exposure.path)
    path, unit = exposure.path, exposure.header.text("BUNIT") or ""
    inputs = _inputs(exposure.kind == "s3d", hdu.shape, plane)

    def find() -> Sky:
        if wcs is not None:
            return open_sky(wcs, shape=pixels.shape)
        # By its path: whoever gave the exposure may have closed it by now.
        return open_sky(path, slit=slit, inputs=inputs)

    return OverlayImage(path.name, pixels, unit, find)


def _of_model(model: Any, wcs: Any, slit: int | str | None, plane: int | None) -> OverlayImage:
    slits = getattr(model, "slits", None)
    name = str(getattr(model.meta, "filename", None) or type(model).__name__)
    part = model
    if slits is not None and len(slits):
        part = slits[_number([str(getattr(one, "name", "") or "") for one in slits], slit)]
    data = getattr(part, "data", None)
    if data is None:
        raise InputError(name, "it holds no image", "give a model that does")
    pixels = _flat(np.asarray(data), plane, name)
    unit = str(getattr(getattr(part, "meta", None), "bunit_data", None) or "")
    inputs = _inputs("IFUCube" in type(model).__name__, np.shape(data), plane)

    def find() -> Sky:
        if wcs is not None:
            return open_sky(wcs, shape=pixels.shape)
        return open_sky(model, slit=slit, inputs=inputs)

    return OverlayImage(name, pixels, unit, find)


def _best_of(result: Any) -> Any:
    for kind in _BEST:
        if result.models.get(kind) is not None:
            return result.models[kind]
    raise InputError("the result", "it holds no image", "calibrate with a stage that makes one")


def _number(names: list[str], slit: int | str | None) -> int:
    """Give the place of a slit; of one that is not there its sky will say so."""
    if isinstance(slit, str):
        return names.index(slit) if slit in names else 0
    return slit if slit is not None and 0 <= slit < len(names) else 0


def _slit_name(exposure: Exposure, hdu: Any) -> str:
    return str(parse_header(exposure.source, hdu.raw).get("SLTNAME", ""))


def _inputs(by_wavelength: bool, shape: tuple[int, ...], plane: int | None) -> tuple[float, ...]:
    """Give what the gwcs of a cube takes after x and y."""
    return (float(_at(shape[0], plane)),) if by_wavelength and len(shape) == 3 else ()


# ---- planes -------------------------------------------------------------------------------


def _signal(exposure: Exposure, integration: int | None) -> NDArray[Any]:
    """Give what a ramp gathered: its last group less its first."""
    nints, ngroups = exposure.shape[:2]
    at = 0 if integration is None else _at(nints, integration)
    last: NDArray[Any] = exposure.read_group(at, ngroups - 1)
    return last - exposure.read_group(at, 0) if ngroups > 1 else last


def _flat(array: NDArray[Any], plane: int | None, subject: object) -> NDArray[Any]:
    """Give one plane of an array of two to four dimensions; of a ramp, what it gathered."""
    if array.ndim not in (2, 3, 4) or not array.size:
        raise InputError(
            subject, f"an array of shape {array.shape} is no image", "give (ny, nx) or a cube"
        )
    if array.ndim == 4:
        ramp = array[0 if plane is None else _at(len(array), plane)]
        signal: NDArray[Any] = ramp[-1].astype(np.float32)
        return signal - ramp[0] if len(ramp) > 1 else signal
    return array if array.ndim == 2 else array[_at(len(array), plane)]


def _at(count: int, wanted: int | None) -> int:
    if wanted is None:
        return count // 2
    if not 0 <= wanted < count:
        raise UsageError("plane", f"there is no {wanted}", f"give 0 to {count - 1}")
    return wanted
