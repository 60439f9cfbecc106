"""Small products for tests of `compare` to change."""

from __future__ import annotations

from io import BytesIO

import asdf
import numpy as np
from astropy.io import fits

from upramp.stages import compare


def tree_hdu(tree):
    return fits.BinTableHDU.from_columns(
        [
            fits.Column(
                "ASDF_METADATA", f"{len(data)}B", array=np.frombuffer(data, np.uint8)[np.newaxis]
            )
            for data in [serialized(tree)]
        ],
        name="ASDF",
    )


def serialized(tree):
    buffer = BytesIO()
    asdf.AsdfFile(tree).write_to(buffer)
    return buffer.getvalue()


class Product:
    """A small rate product that a test changes before it is written."""

    def __init__(self, shape=(12, 16)):
        random = np.random.default_rng(5)
        self.keywords = {
            "TELESCOP": "JWST",
            "DATAMODL": "ImageModel",
            "FILENAME": "jw01_rate.fits",
            "DATE": "2026-01-01T00:00:00",
            "TGROUP": 10.7,
            "CAL_VER": "3.0.0",
        }
        self.arrays = {
            "SCI": random.normal(100, 10, shape).astype(np.float32),
            "ERR": random.normal(1, 0.1, shape).astype(np.float32),
            "DQ": random.integers(0, 8, shape).astype(np.uint32),
            "VAR_RNOISE": np.zeros(shape, np.float32),
        }
        self.times = np.array(
            [(1, 59000.25, b"ab"), (2, 59000.5, b"c")],
            dtype=[("integration_number", "i4"), ("int_mid_MJD_UTC", "f8"), ("note", "S4")],
        )
        self.tree = {"meta": {"date": "2026-01-01", "exposure": {"group_time": 10.7}}, "x": [1, 2]}
        self.keywords_of = {"SCI": {"BUNIT": "DN/s"}}

    def write(self, path):
        primary = fits.PrimaryHDU()
        primary.header.update(self.keywords)
        hdus = [primary]
        for name, values in self.arrays.items():
            hdus.append(fits.ImageHDU(values, name=name))
            hdus[-1].header.update(self.keywords_of.get(name, {}))
        if self.times is not None:
            hdus.append(fits.BinTableHDU(self.times, name="INT_TIMES"))
        if self.tree is not None:
            hdus.append(tree_hdu(self.tree))
        fits.HDUList(hdus).writeto(path)
        return path


def embedded(path, text):
    values = np.frombuffer(text.encode(), np.uint8)[np.newaxis]
    column = fits.Column("ASDF_METADATA", f"{len(text)}B", array=values)
    table = fits.BinTableHDU.from_columns([column], name="ASDF")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def array(comparison, name):
    (found,) = [part for part in comparison.arrays if part.name == name]
    return found


def equal_pair(folder):
    """Give two equal products, and a function that writes and compares them."""
    a, b = Product(), Product()

    def run():
        return compare(a.write(folder / "a.fits"), b.write(folder / "b.fits"))

    return a, b, run
