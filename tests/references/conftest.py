"""Tiny CRDS caches, made by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

PMAP = "jwst_0001.pmap"


def _mapping(header, selector):
    def text(checksum):
        lines = ["header = {"]
        lines += [f"    {key!r} : {value!r}," for key, value in header.items()]
        if checksum is not None:
            lines.append(f"    'sha1sum' : {checksum!r},")
        return "\n".join([*lines, "}", "", f"selector = {selector}", ""])

    digest = hashlib.sha1(text(None).encode()).hexdigest()
    return text(digest)


class Cache:
    """A CRDS cache for NIRCam with rules of the simplest kind."""

    def __init__(self, root: Path):
        self.root = root
        self.mappings = root / "mappings" / "jwst"
        self.references = root / "references" / "jwst" / "nircam"
        for folder in (self.mappings, self.references, root / "config" / "jwst"):
            folder.mkdir(parents=True)
        self.server_config = root / "config" / "jwst" / "server_config"
        self.server_config.write_text(
            repr(
                {
                    "observatory": "jwst",
                    "operational_context": PMAP,
                    "last_synced": "2022-01-01 00:00:00",
                    "bad_files_list": [],
                }
            )
        )
        (self.server_config.parent / "ref_cache_subdir_mode").write_text("instrument")

    def rules(self, kinds):
        """Write pmap, imap and an rmap for each kind whose value is a file's name."""
        imap = {}
        for kind, name in kinds.items():
            if name == "N/A":
                imap[kind.upper()] = "N/A"
                continue
            rmap = f"jwst_nircam_{kind}_0001.rmap"
            imap[kind.upper()] = rmap
            (self.mappings / rmap).write_text(
                _mapping(
                    {
                        "classes": ("Match", "UseAfter"),
                        "derived_from": "hand",
                        "file_ext": ".fits",
                        "filekind": kind.upper(),
                        "filetype": kind.upper(),
                        "instrument": "NIRCAM",
                        "mapping": "REFERENCE",
                        "name": rmap,
                        "observatory": "JWST",
                        "parkey": (
                            ("META.INSTRUMENT.DETECTOR",),
                            ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME"),
                        ),
                        "suffix": kind,
                        "text_descr": kind,
                    },
                    "Match({('NRCALONG',): UseAfter({'2020-01-01 00:00:00': '" + name + "'})})",
                )
            )
        common = {"derived_from": "hand", "observatory": "JWST"}
        (self.mappings / "jwst_nircam_0001.imap").write_text(
            _mapping(
                {
                    **common,
                    "instrument": "NIRCAM",
                    "mapping": "INSTRUMENT",
                    "name": "jwst_nircam_0001.imap",
                    "parkey": ("REFTYPE",),
                },
                repr(imap),
            )
        )
        (self.mappings / PMAP).write_text(
            _mapping(
                {
                    **common,
                    "mapping": "PIPELINE",
                    "name": PMAP,
                    "parkey": ("META.INSTRUMENT.NAME",),
                },
                repr({"NIRCAM": "jwst_nircam_0001.imap"}),
            )
        )

    def image(self, name, array, extname="SCI", **keywords):
        path = self.references / name
        hdu = fits.ImageHDU(np.asarray(array), name=extname)
        hdu.header.update(keywords)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
        return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A whole cache with a gain and a dark-less context, and the environment for it."""
    made = Cache(tmp_path / "crds")
    made.rules(
        {
            "gain": "jwst_nircam_gain_0001.fits",
            "superbias": "N/A",
            "pars-jumpstep": "jwst_nircam_pars-jumpstep_0001.asdf",
        }
    )
    made.image("jwst_nircam_gain_0001.fits", np.full((4, 6), 1.8, np.float32))
    (made.references / "jwst_nircam_pars-jumpstep_0001.asdf").write_text("placeholder")
    for name in ("CRDS_CONTEXT", "CRDS_SERVER_URL", "CRDS_READONLY_CACHE", "CRDS_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRDS_PATH", str(made.root))
    return made


@pytest.fixture
def header():
    return {
        "INSTRUME": "NIRCAM",
        "DETECTOR": "NRCALONG",
        "EXP_TYPE": "NRC_IMAGE",
        "DATE-OBS": "2022-07-01",
        "TIME-OBS": "00:00:00",
        "NAXIS": 0,
    }
