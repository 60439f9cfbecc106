"""The official pipelines on a program of one mode, from level 1b to the last product."""

import json
import os
from contextlib import contextmanager

import pytest

from upramp.practice import environment, make_archive
from upramp.practice.archive import DEFAULT_SEED


@contextmanager
def official_chain(forget_crds, folder, program, plans):
    """Make a program, run stages 1 to 3 on some of its exposures; give where all of it is.

    The products are in ``folder / "products"``, the archive in ``folder / "archive"``.
    """
    from jwst.pipeline import Ami3Pipeline, Coron3Pipeline, Detector1Pipeline, Image2Pipeline

    archive, products = folder / "archive", folder / "products"
    products.mkdir()
    make_archive(archive, [program], seed=DEFAULT_SEED)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(archive).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        patch.chdir(products)
        options = {"output_dir": str(products), "save_results": True}
        for plan in plans:
            uncal = archive / "uncal" / f"{plan.root}_uncal.fits"
            Detector1Pipeline.call(os.fspath(uncal), **options)
            Image2Pipeline.call(f"{plan.root}_rateints.fits", **options)
        kind = "ami3" if program == "niriss-ami" else "coron3"
        members = [
            {
                "expname": f"{plan.root}_calints.fits",
                "exptype": "psf" if plan.target.is_reference else "science",
            }
            for plan in plans
        ]
        association = {
            "asn_type": kind,
            "asn_rule": "DMS_Level3_Base",
            "asn_id": "a3001",
            "asn_pool": "none",
            "program": plans[0].root[2:7],
            "products": [{"name": "product", "members": members}],
        }
        (products / "asn.json").write_text(json.dumps(association))
        pipeline = {"ami3": Ami3Pipeline, "coron3": Coron3Pipeline}[kind]
        pipeline.call("asn.json", **options)
        yield products
