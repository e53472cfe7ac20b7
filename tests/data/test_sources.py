"""Every source says what it takes, and each key is one of a sample's."""

from __future__ import annotations

from prestige.data.readers import sample_reader
from prestige.data.sources import SOURCES
from prestige.data.spec import SampleSpec


def test_keys_are_those_of_a_sample_and_no_key_of_all_is_one_of_a_source() -> None:
    of_all = {"id", "source", "path", "patient", "um_per_px", "trust_um_per_px", "covariates"}
    for name, source in SOURCES.items():
        assert set(source.keys) <= set(SampleSpec.model_fields) - of_all, name
        assert len(set(source.keys)) == len(source.keys), name
        assert source.what, name


def test_each_has_a_reader() -> None:
    assert all(callable(sample_reader(name)) for name in SOURCES)
