"""Loose exposures become one association, or a sentence says why not."""

import json

import pytest

from upramp.errors import InputError, UsageError
from upramp.stages.facts import Facts
from upramp.stages.made_associations import Loose, associate, write_association


def loose(name, kind="cal", **facts):
    told = {
        "exp_type": "NRC_IMAGE",
        "instrument": "NIRCAM",
        "detector": "NRCALONG",
        "filter": "F356W",
        "pupil": "CLEAR",
        "subarray": "FULL",
        "program": "01234",
        "observation": "001",
        "target": "NGC 628",
        **facts,
    }
    return Loose(f"{name}_{kind}.fits", kind, Facts(f"in/{name}_{kind}.fits", **told))


CORONAGRAPHY = {"exp_type": "NRC_CORON", "filter": "F210M", "pupil": "MASKRND", "kind": "calints"}


def test_dithers_become_a_mosaic():
    made = associate([loose("a"), loose("b", detector="NRCBLONG")])
    assert made.pipeline == "Image3Pipeline"
    assert made.kind == "image3"
    assert made.identity == "o001"
    assert made.product == "jw01234-o001_ngc-628_nircam_clear-f356w"
    assert made.members == (("a_cal.fits", "science"), ("b_cal.fits", "science"))


def test_several_observations_are_what_the_rules_find_by_themselves():
    made = associate([loose("a"), loose("b", observation="002")])
    assert made.identity == "a3001"
    assert made.product.startswith("jw01234-a3001_")


def test_reference_stars_are_members_of_their_own():
    made = associate([loose("a", **CORONAGRAPHY), loose("b", is_psf=True, **CORONAGRAPHY)])
    assert made.pipeline == "Coron3Pipeline"
    assert made.members == (("a_calints.fits", "science"), ("b_calints.fits", "psf"))
    stars = [loose(name, exp_type="NIS_AMI", instrument="NIRISS") for name in "ab"]
    assert associate(stars).pipeline == "Ami3Pipeline"  # which can do without


def test_spectra_of_backgrounds_are_members_of_their_own():
    slit = {"exp_type": "MIR_LRS-FIXEDSLIT", "instrument": "MIRI", "filter": "P750L"}
    made = associate(
        [loose("a", pupil=None, **slit), loose("b", "x1d", is_background=True, **slit)]
    )
    assert made.members == (("a_cal.fits", "science"), ("b_x1d.fits", "background"))
    with pytest.raises(InputError, match="give its x1d product instead"):
        associate([loose("a", **slit), loose("b", is_background=True, **slit)])
    alone = associate([loose("b", is_background=True, **slit)])
    assert alone.members == (("b_cal.fits", "science"),)


@pytest.mark.parametrize(
    ("exposures", "words"),
    [
        ([loose("a"), loose("b", filter="F444W")], "its FILTER is F444W and that of others F356W"),
        ([loose("a"), loose("b", instrument="NIRISS")], "it is of NIRISS and others of NIRCAM"),
        ([loose("a"), loose("b", exp_type="NRC_CORON")], "of the type NRC_CORON and others"),
        ([loose("a"), loose("b", pattern="WFSC")], "of the type NRC_IMAGE and others"),
        ([loose("a", exp_type="NRC_DARK")], "no official pipeline of stage 3"),
        ([loose("a", exp_type=None)], "type undefined"),
        ([loose("a", **CORONAGRAPHY)], "none has IS_PSF in its header"),
        ([loose("a", is_psf=True, **CORONAGRAPHY)], "none of the target"),
        ([loose("a", pattern="WFSC")], "combined in pairs, and 1 were given"),
    ],
)
def test_what_does_not_belong_together_is_said(exposures, words):
    with pytest.raises(InputError) as caught:
        associate(exposures)
    assert words in str(caught.value)
    assert caught.value.subject.startswith("in/")


def test_names_are_given_once():
    with pytest.raises(UsageError, match="it is given twice"):
        associate([loose("a"), loose("a")])


@pytest.mark.peer
def test_the_file_is_one_that_the_official_packages_read(tmp_path):
    from jwst.associations import load_asn

    made = associate([loose("a", **CORONAGRAPHY), loose("b", is_psf=True, **CORONAGRAPHY)])
    file = tmp_path / "x_asn.json"
    write_association(made, file)
    with file.open() as text:
        found = load_asn(text)
    assert found["asn_type"] == "coron3"
    assert found["asn_id"] == "o001"
    product = json.loads(file.read_text())["products"][0]
    assert product["name"] == made.product
    assert [(m["expname"], m["exptype"]) for m in product["members"]] == list(made.members)
