"""The registry: every set has what people ask of it, and its keys are those of its source."""

from __future__ import annotations

import re

import pytest

from prestige.data.public.entries import public_sets, wanted
from prestige.data.sources import SOURCES
from prestige.data.spec import SampleSpec
from prestige.errors import ConfigError

SETS = public_sets()


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_whole(name: str) -> None:
    one = SETS[name]
    assert all(len(words) > 4 for words in (one.what, one.licence, one.citation))
    assert one.page.startswith("https://")
    assert one.samples or one.any_sample
    asked = wanted(f"{name}/TENX99" if one.any_sample else name, SETS)
    for sample in asked.ids:
        for file in asked.files(sample):
            assert re.fullmatch(r"https://[a-z0-9.-]+/[A-Za-z0-9_./-]+", file.url), file.url
            assert ".." not in file.path
            assert "{" not in file.path + file.url + str(file.checksum)
            assert file.checksum is None or re.fullmatch(
                r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum
            )
            assert (file.into is None) == (file.unpack == ())


@pytest.mark.parametrize("name", SETS)
def test_its_keys_are_those_of_its_source(name: str) -> None:
    one = SETS[name]
    assert one.source in SOURCES
    spec = SampleSpec.model_validate({"id": "S", "source": one.source, "patient": "P", **one.keys})
    assert spec.misfits == []


def test_names() -> None:
    assert wanted("her2st", SETS).ids == ("B4", "C2", "C3", "C4", "C5", "C6")
    assert wanted("her2st/C2", SETS).ids == ("C2",)
    assert wanted("hest/TENX99", SETS).ids == ("TENX99",)
    with pytest.raises(ConfigError, match=r"unknown public data set 'her2'.*did you mean 'her2st'"):
        wanted("her2", SETS)
    with pytest.raises(ConfigError, match=r"unknown sample 'C22'.*did you mean 'C2'"):
        wanted("her2st/C22", SETS)
    with pytest.raises(ConfigError, match="expected one sample of it: hest/ID; its ids stand on"):
        wanted("hest", SETS)
    with pytest.raises(
        ConfigError, match=r"^hest: 'hest/' is no sample's id; expected one sample of it: hest/ID; its"
    ):
        wanted("hest/", SETS)
    for hostile in ("hest/../x", "hest//etc", "hest/", "her2st/../../x", "../her2st"):
        with pytest.raises(ConfigError):
            wanted(hostile, SETS)
