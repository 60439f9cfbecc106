"""A world small enough for the official pipeline to finish in seconds.

A 32 x 32 NIRCam subarray, and a CRDS cache with a reference of that size for
each type that stage 1 reads; every other type that a step asks for is N/A.
"""

import hashlib

import numpy as np
from astropy.io import fits

SIZE = 32
START = (101, 201)
NGROUPS = 6
PMAP = "jwst_0007.pmap"


def _mapping(header, selector):
    lines = ["header = {", *(f"    {key!r} : {value!r}," for key, value in header.items())]
    tail = ["}", "", f"selector = {selector}", ""]
    digest = hashlib.sha1("\n".join([*lines, *tail]).encode()).hexdigest()
    return "\n".join([*lines, f"    'sha1sum' : {digest!r},", *tail])


def _reference(path, reftype, arrays, **keywords):
    primary = fits.PrimaryHDU()
    primary.header.update(
        {
            "TELESCOP": "JWST",
            "INSTRUME": "NIRCAM",
            "DETECTOR": "NRCALONG",
            "REFTYPE": reftype.upper(),
            "SUBARRAY": "SUB64P",
            "SUBSTRT1": START[0],
            "SUBSTRT2": START[1],
            "SUBSIZE1": SIZE,
            "SUBSIZE2": SIZE,
            "FASTAXIS": -1,
            "SLOWAXIS": 2,
            **keywords,
        }
    )
    hdus = [primary, *(fits.ImageHDU(array, name=name) for name, array in arrays.items())]
    fits.HDUList(hdus).writeto(path)


def write_references(folder):
    flat = np.ones((SIZE, SIZE), np.float32)
    dq = np.zeros((SIZE, SIZE), np.uint32)
    dead = dq.copy()
    dead[3, 4] = 1
    coeffs = np.zeros((3, SIZE, SIZE), np.float32)
    coeffs[1] = 1
    coeffs[2] = 1e-7
    dark = np.zeros((NGROUPS, SIZE, SIZE), np.float32)
    arrays = {
        "mask": {"DQ": dead},
        "saturation": {"SCI": 60000 * flat, "DQ": dq},
        "superbias": {"SCI": 1000 * flat, "ERR": flat, "DQ": dq},
        "linearity": {"COEFFS": coeffs, "DQ": dq},
        "dark": {"SCI": dark, "DQ": dq},
        "gain": {"SCI": 1.8 * flat},
        "readnoise": {"SCI": 10 * flat},
    }
    for kind, content in arrays.items():
        extra = {"NFRAMES": 1, "GROUPGAP": 0, "NGROUPS": NGROUPS} if kind == "dark" else {}
        _reference(folder / f"jwst_nircam_{kind}_0007.fits", kind, content, **extra)
    return list(arrays)


def write_rules(folder, with_file, all_types):
    imap = dict.fromkeys((kind.upper() for kind in all_types), "N/A")
    common = {"derived_from": "hand", "observatory": "JWST"}
    for kind in with_file:
        name = f"jwst_nircam_{kind}_0007.rmap"
        imap[kind.upper()] = name
        header = {
            **common,
            "classes": ("Match", "UseAfter"),
            "file_ext": ".fits",
            "filekind": kind.upper(),
            "filetype": kind.upper(),
            "instrument": "NIRCAM",
            "mapping": "REFERENCE",
            "name": name,
            "parkey": (
                ("META.INSTRUMENT.DETECTOR",),
                ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME"),
            ),
            "suffix": kind,
            "text_descr": kind,
        }
        ending = "asdf" if kind.startswith("pars-") else "fits"
        file = f"jwst_nircam_{kind}_0007.{ending}"
        selector = f"Match({{('NRCALONG',): UseAfter({{'2020-01-01 00:00:00': '{file}'}})}})"
        (folder / name).write_text(_mapping(header, selector))
    instrument = {
        **common,
        "instrument": "NIRCAM",
        "mapping": "INSTRUMENT",
        "name": "jwst_nircam_0007.imap",
        "parkey": ("REFTYPE",),
    }
    (folder / "jwst_nircam_0007.imap").write_text(_mapping(instrument, repr(imap)))
    pipeline = {
        **common,
        "mapping": "PIPELINE",
        "name": PMAP,
        "parkey": ("META.INSTRUMENT.NAME",),
    }
    (folder / PMAP).write_text(_mapping(pipeline, repr({"NIRCAM": "jwst_nircam_0007.imap"})))


def make_exposure(path, *, counts=None, nints=2, exp_type="NRC_IMAGE"):
    """Write a level 1b exposure with the official package."""
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(5)
    if counts is None:
        slope = rng.uniform(5, 400, (SIZE, SIZE))
        counts = 1000 + slope * np.arange(1, NGROUPS + 1)[:, None, None]
        counts = counts[None] + rng.normal(0, 8, (nints, NGROUPS, SIZE, SIZE))
        counts[0, 3:, 10, 11] += 5000  # a cosmic ray
    nints, ngroups = counts.shape[:2]
    model = datamodels.Level1bModel()
    model.data = np.clip(np.round(counts), 0, 65535).astype(np.uint16)
    model.update(
        {
            "meta": {
                "telescope": "JWST",
                "instrument": {
                    "name": "NIRCAM",
                    "detector": "NRCALONG",
                    "module": "A",
                    "channel": "LONG",
                    "filter": "F356W",
                    "pupil": "CLEAR",
                },
                "observation": {"date": "2022-07-01", "time": "00:00:00.000"},
                "exposure": {
                    "type": exp_type,
                    "readpatt": "RAPID",
                    "nints": nints,
                    "ngroups": ngroups,
                    "nframes": 1,
                    "groupgap": 0,
                    "frame_divisor": 1,
                    "frame_time": 2.0,
                    "group_time": 2.0,
                    "integration_time": 2.0 * ngroups,
                    "exposure_time": 2.0 * ngroups * nints,
                    "noutputs": 1,
                    "integration_start": 1,
                    "integration_end": nints,
                    "start_time": 59761.0,
                    "zero_frame": False,
                },
                "wcsinfo": {
                    "ra_ref": 80.0,
                    "dec_ref": -69.5,
                    "roll_ref": 30.0,
                    "v2_ref": 88.0,
                    "v3_ref": -492.0,
                    "v3yangle": 0.1,
                    "vparity": -1,
                },
                "subarray": {
                    "name": "SUB64P",
                    "xstart": START[0],
                    "ystart": START[1],
                    "xsize": SIZE,
                    "ysize": SIZE,
                    "fastaxis": -1,
                    "slowaxis": 2,
                },
            }
        }
    )
    model.save(str(path))
    model.close()
    return path
