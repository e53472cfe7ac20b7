"""Opening a data set: every fault at once, identity of images, fingerprints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.dataset import Dataset, DatasetConfig, SampleSpec, open_dataset
from prestige.data.prepared import Card, write_prepared
from prestige.data.sample import Table
from prestige.errors import ConfigError, DataError


def prepared(folder: Path, name: str, *, slide: str | None = None) -> SampleSpec:
    folder = folder / name
    folder.mkdir()
    np.save(folder / "slide.npy", np.zeros((4, 4, 3), dtype=np.uint8))
    obs = pd.DataFrame({"measured": [True, False], "total_counts": [3.0, 0.0]}, index=["a", "b"])
    counts = csr_matrix(np.array([[3.0], [0.0]], dtype=np.float32))
    card = Card("hest", f"sample {name}", slide or f"slide {name}", 0.5, False)
    write_prepared(folder, Table(obs, np.array([[0.0, 1.0], [2.0, 3.0]]), counts, ("G",)), card)
    return SampleSpec(id=name, source="prepared", path=folder, patient=f"P{name}")


def test_samples_come_in_their_order(tmp_path: Path) -> None:
    specs = tuple(prepared(tmp_path, name) for name in "ba")
    dataset = open_dataset(DatasetConfig(name="d", samples=specs))
    assert [sample.id for sample in dataset.samples] == ["b", "a"]
    assert dataset.sample("a").patient == "Pa"
    np.testing.assert_array_equal(dataset.sample("a").xy_um, [[0, 0.5], [1, 1.5]])
    with pytest.raises(ConfigError, match=r"unknown sample 'A'.*did you mean 'a'"):
        dataset.sample("A")
    assert dataset.fingerprint != Dataset("d", dataset.samples[::-1]).fingerprint
    assert dataset.fingerprint == Dataset("other name", dataset.samples).fingerprint


def test_the_faults_of_all_samples_are_listed_at_once(tmp_path: Path) -> None:
    sound, broken = prepared(tmp_path, "a"), prepared(tmp_path, "b")
    (broken.path / "sample.json").write_text(json.dumps({"schema": 1}))
    (tmp_path / "hest").mkdir()
    lost = SampleSpec(id="c", source="hest", path=tmp_path / "hest", patient="P")
    with pytest.raises(DataError) as caught:
        open_dataset(DatasetConfig(name="d", samples=(sound, broken, lost)))
    said = str(caught.value)
    assert said.startswith("3 faults:")
    assert "the schema is 1" in said
    assert "c.tif: no such file" in said


def test_one_image_under_two_patients_is_refused(tmp_path: Path) -> None:
    specs = (prepared(tmp_path, "a", slide="same"), prepared(tmp_path, "b", slide="same"))
    with pytest.raises(DataError, match=r"sample 'b': the very image of sample 'a' under another patient"):
        open_dataset(DatasetConfig(name="d", samples=specs))
    of_one = tuple(spec.model_copy(update={"patient": "P"}) for spec in specs)
    assert len(open_dataset(DatasetConfig(name="d", samples=of_one)).samples) == 2
