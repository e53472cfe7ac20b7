"""Everything registered as a baseline: fitted, packed, unpacked, and refused where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prestige.baselines.fitted import TrainingSide, fit_baseline, unpack_baseline
from prestige.baselines.settings import BaselineConfig, baselines
from prestige.errors import ConfigError, DataError, ModelError

FITTED = [
    "mean",
    "ridge",
    "coordinates",
    "depth",
    {"frozen": "compact_xs"},
    {"frozen": {"encoder": "timm:resnet10t", "readout": "whole"}},
    {"hest": {"encoder": "compact_xs"}},
]


def config(raw: object) -> BaselineConfig:
    return BaselineConfig.model_validate(raw)


def test_all_that_are_fitted_are_tested_here() -> None:
    assert {config(raw).name for raw in FITTED} == {n for n in baselines if baselines.get(n).fitted}


@pytest.mark.parametrize("raw", FITTED, ids=str)
def test_every_baseline_predicts_is_kept_and_says_why(raw: object, tissue) -> None:
    reader, places, y, blocks = tissue()
    totals = np.random.default_rng(0).uniform(10, 200, len(y))
    side = TrainingSide(reader, places, y, blocks, gap_um=4.0, totals=totals, seed=4)
    one = fit_baseline(config(raw), side)
    new_reader, new_places, _, _ = tissue(seed=1, n=50)
    predicted = one.predict(new_reader, new_places, totals=totals[:50])
    assert predicted.shape == (50, 3)
    assert predicted.dtype == np.float32
    assert (predicted >= 0).all()
    assert one.fitted.n_parameters > 0
    assert one.fitted.n_train == len(y)
    described = json.loads(json.dumps(one.describe(), allow_nan=False))
    assert described["baseline"] == config(raw).label
    assert described["why"] == config(raw).entry.why
    repeated = fit_baseline(config(raw), side)
    np.testing.assert_array_equal(repeated.predict(new_reader, new_places, totals=totals[:50]), predicted)
    if not config(raw).entry.kept:
        with pytest.raises(ModelError, match="keeps no model: it knows nothing of other slides"):
            one.pack()
        with pytest.raises(ModelError, match="no model of this baseline is kept"):  # a bundle that says it is
            unpack_baseline(config(raw), {}, {"seconds": 0.0})
        return
    arrays, details = one.pack()
    again = unpack_baseline(config(raw), arrays, json.loads(json.dumps(details, allow_nan=False)))
    np.testing.assert_array_equal(again.predict(new_reader, new_places), predicted)
    assert again.describe() == one.describe()


def test_bad_input_is_refused(tissue, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue(n=20)
    with pytest.raises(DataError, match="19 targets"):
        TrainingSide(reader, places, y[:19], blocks[:19])
    with pytest.raises(DataError, match="at least one"):
        TrainingSide(reader, places.take(np.arange(0)), y[:0], blocks[:0])
    side = TrainingSide(reader, places, y, blocks)
    with pytest.raises(ConfigError, match="trained as a model"):
        fit_baseline(config({"shuffled": "compact_xs"}), side)
    missing = {"frozen": {"encoder": "compact_xs", "checkpoint": tmp_path / "none.safetensors"}}
    with pytest.raises(ModelError, match="no such file"):
        fit_baseline(config(missing), side)
