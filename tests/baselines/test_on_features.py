"""Ridge on features: right where the answer is known, bounded in what it reads, kept whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prestige.baselines.fitted import FittedBaseline, TrainingSide, fit_baseline, unpack_baseline
from prestige.baselines.on_features import OnFeatures
from prestige.baselines.settings import BaselineConfig
from prestige.errors import ModelError
from prestige.metrics import pearson


def fit(raw: object, *made: Any, **settings: Any) -> FittedBaseline:
    return fit_baseline(BaselineConfig.model_validate(raw), TrainingSide(*made, **settings))


def test_ridge_finds_colour_and_texture_on_a_new_slide_and_no_more(tissue) -> None:
    reader, places, y, blocks = tissue()
    one = fit("ridge", reader, places, y, blocks)
    new_reader, new_places, new_y, _ = tissue(seed=1)
    r = pearson(one.predict(new_reader, new_places), new_y)
    assert r[0] > 0.95
    assert r[1] > 0.8
    assert abs(r[2]) < 0.15
    assert one.fitted.n_parameters == 3 * (one.describe()["n_features"] + 1)


def test_random_weights_follow_from_the_seed_and_see_colour(tissue) -> None:
    reader, places, y, blocks = tissue()
    new_reader, new_places, new_y, _ = tissue(seed=1)
    first, second = (fit({"frozen": "compact_xs"}, reader, places, y, blocks, seed=seed) for seed in (0, 1))
    one, two = (one.predict(new_reader, new_places) for one in (first, second))
    assert not np.allclose(one, two)
    assert pearson(one, new_y)[0] > 0.5
    assert abs(pearson(one, new_y)[2]) < 0.15
    described = first.describe()
    assert described["parameters"] == 3 * (described["n_features"] + 1)
    assert described["encoder_parameters"] > described["parameters"]
    assert (first.fitted.flops() or 0) > 0


def test_at_most_so_many_patches_are_read(tissue, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, places, y, blocks = tissue()
    monkeypatch.setattr("prestige.baselines.on_features.MAX_TRAIN", 300)
    one = fit("ridge", reader, places, y, blocks)
    assert one.fitted.n_train == 300
    width = one.describe()["n_features"]
    monkeypatch.setattr("prestige.baselines.on_features._FEATURE_BYTES", 4 * width * 200 + 3)
    assert fit("ridge", reader, places, y, blocks).fitted.n_train == 200


@pytest.mark.parametrize("raw", ["ridge", {"frozen": "compact_xs"}], ids=str)
def test_pieces_of_reading_do_not_matter(raw: object, tissue, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, places, y, blocks = tissue()
    whole = fit(raw, reader, places, y, blocks).predict(reader, places)
    monkeypatch.setattr("prestige.baselines.on_features._BYTES", 3 * 16 * 16 * 17)
    pieces = fit(raw, reader, places, y, blocks).predict(reader, places)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_features_are_those_that_the_regression_reads(tissue) -> None:
    reader, places, y, blocks = tissue(n=200)
    for raw in ("ridge", {"frozen": "compact_xs"}, {"hest": "compact_xs"}):
        one = fit(raw, reader, places, y, blocks)
        x = one.fitted.features(reader, places)
        assert x.shape == (200, one.describe()["n_features"])
        assert x.dtype == np.float32
        assert isinstance(one.fitted, OnFeatures)
        wanted = one.fitted.regression.predict(x)
        np.testing.assert_allclose(one.predict(reader, places), wanted, atol=1e-5)


def test_what_is_kept_needs_no_other_file_and_holds_no_path(tissue, weights: Path, tmp_path: Path) -> None:
    reader, places, y, blocks = tissue(n=120)
    mine = tmp_path / "copy.safetensors"
    mine.write_bytes(weights.read_bytes())
    one = fit({"frozen": {"encoder": "compact_xs", "checkpoint": mine}}, reader, places, y, blocks)
    predicted = one.predict(reader, places)
    arrays, details = one.pack()
    mine.unlink()
    assert str(tmp_path) not in str(details)
    again = unpack_baseline(one.config, arrays, details)
    np.testing.assert_array_equal(again.predict(reader, places), predicted)
    del arrays[next(name for name in arrays if name.startswith("encoder."))]
    with pytest.raises(ModelError, match="weights do not fit"):
        unpack_baseline(one.config, arrays, details)
