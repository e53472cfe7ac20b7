"""dataset.yaml: what is read, and what is refused before any data is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.dataset import read_dataset
from prestige.errors import ConfigError

SOUND = (
    "name: d\nsamples:\n  - {id: 1, source: hest, path: a/b, patient: 7, covariates: {condition: inflamed}}\n"
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dataset.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = SOUND + "  - {id: S2, source: challenge, path: /x, patient: p, expression: ../v.h5ad}\n"
    config = read_dataset(written(tmp_path, text))
    one, two = config.samples
    assert (one.id, one.patient, one.path) == ("1", "7", tmp_path / "a" / "b")
    assert dict(one.covariates) == {"condition": "inflamed"}
    assert (two.path, two.expression) == (Path("/x"), tmp_path.parent / "v.h5ad")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("patient: 7", "patiant: 7", r"unknown key 'samples.0.patiant'.*did you mean 'patient'"),
        ("patient: 7", "um_per_px: 1", r"the key 'samples.0.patient' is missing"),
        ("source: hest", "source: hset", r"sample '1': unknown source 'hset'.*did you mean 'hest'"),
        ("patient: 7", "patient: 7, um_per_px: 0", r"um_per_px' is 0"),
        ("patient: 7", "patient: 7, um_per_px: .nan", r"um_per_px"),
        ("id: 1", "id: a/b", r"samples.0.id' is 'a/b'"),
        ("  - {", "  - {id: 1, source: hest, path: c, patient: 8}\n  - {", r"id '1' is given more than once"),
        (SOUND, "name: d\nsamples: []\n", r"'samples' is \[\]"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_dataset(written(tmp_path, SOUND.replace(before, after)))


@pytest.mark.parametrize("name", ["kidney", "pancreas"])
def test_the_shipped_data_sets(repository: Path, name: str) -> None:
    config = read_dataset(repository / "examples" / "datasets" / f"{name}.yaml")
    assert config.name == name
    assert all(sample.path.is_absolute() for sample in config.samples)
