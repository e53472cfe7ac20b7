"""Every source says what it takes, and each key is one of a sample's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from prestige.data.readers import sample_reader
from prestige.data.sources import SOURCES
from prestige.data.spec import SampleSpec
from prestige.errors import ConfigError, DataError


def test_keys_are_those_of_a_sample_and_no_key_of_all_is_one_of_a_source() -> None:
    of_all = {"id", "source", "path", "patient", "um_per_px", "trust_um_per_px", "covariates"}
    for name, source in SOURCES.items():
        assert set(source.keys) <= set(SampleSpec.model_fields) - of_all, name
        assert len(set(source.keys)) == len(source.keys), name
        assert source.what, name


def test_each_has_a_reader() -> None:
    """Each its own, in the module of its name."""
    assert {name: sample_reader(name).__module__ for name in SOURCES} == {
        name: f"prestige.data.readers.{name}" for name in SOURCES
    }


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown source 'hset'.*did you mean 'hest'"):
        sample_reader("hset")
    with pytest.raises(ConfigError, match="unknown source 'with_image'"):  # a module, but no platform
        sample_reader("with_image")


FOLDERS = ("challenge", "hest", "prepared", "spatialdata", "st", "visium", "visium_hd", "xenium")


@pytest.mark.parametrize("source", FOLDERS)
def test_a_folder_that_is_missing_is_told_once_with_the_nearest_name(source: str, tmp_path: Path) -> None:
    (tmp_path / "section_1").mkdir()
    image: dict[str, Any] = {"image": tmp_path / "S.tif"} if "image" in SOURCES[source].needs else {}
    spec = SampleSpec(id="S", source=source, path=tmp_path / "sektion_1", patient="P", **image)
    with pytest.raises(DataError) as told:
        sample_reader(source)(spec, tmp_path / "cache")
    assert len(told.value.faults) == 1
    assert re.search(
        r"sektion_1: no such (folder|store); expected .*; did you mean 'section_1'\?$", str(told.value)
    )
    (tmp_path / "sektion_1").touch()
    if source != "st":  # which takes the table itself too
        with pytest.raises(
            DataError, match=r"sektion_1: is a file; expected .*; name the folder that it lies in"
        ):
            sample_reader(source)(spec, tmp_path / "cache")
