"""Inference in batches gives what one pass gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from prestige.data.observations import Observations, all_observations
from prestige.data.patches.augment import to_float
from prestige.data.patches.reader import Patch, PatchReader
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction import infer
from prestige.prediction.infer import _at_once, in_spans, predict_batches, predict_observations

PATCH = Patch(8.0, 16)


@pytest.fixture
def predictor() -> Predictor:
    mean, std = np.array([0.5, 1.0, 2.0]), np.array([0.4, 0.5, 3.0])
    made = build_predictor(
        ModelConfig(encoder="compact_xs"), input_px=16, train_mean=mean, train_std=std, seed=0
    )
    torch.manual_seed(1)
    torch.nn.init.normal_(made.head.linear.weight)  # an untrained head would give the mean everywhere
    return made


def reader_of(samples: tuple[Any, ...]) -> PatchReader:
    return PatchReader([sample.slide for sample in samples], PATCH)


def test_batches_of_any_size_give_the_rows_in_order(predictor: Predictor, small_samples: Any) -> None:
    reader, observations = (
        reader_of(small_samples),
        all_observations(small_samples).take(np.arange(0, 640, 31)),
    )
    predictor.eval()
    with torch.inference_mode():
        x = to_float(reader(observations.slide_index, observations.xy_px))
        expected = predictor.expression(x).numpy()
    for size in (1, 4, 21, 100):
        found = predict_observations(predictor, reader, observations, batch_size=size)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.dtype == np.float32
    assert found.min() == 0  # the third gene varies enough to be clipped


def test_batches_come_in_the_order_asked_for(predictor: Predictor, small_samples: Any) -> None:
    reader, observations = reader_of(small_samples), all_observations(small_samples).take(np.arange(100))
    order = np.random.default_rng(0).permutation(100)
    batches = list(predict_batches(predictor, reader, observations, order=order, batch_size=30))
    assert [len(rows) for rows, _ in batches] == [30, 30, 30, 10]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in batches]), order)
    whole = predict_observations(predictor, reader, observations)
    for rows, expression in batches:
        np.testing.assert_allclose(expression, whole[rows], rtol=1e-4, atol=1e-5)


def test_what_returns_an_array_is_asked_for_some_rows_at_a_time(
    small_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infer, "_LEAST_ROWS", 10)
    monkeypatch.setattr(infer, "_SPAN_BYTES", 4 * 3 * 40)  # 40 rows of 3 genes
    observations = all_observations(small_samples).take(np.arange(100))

    def predict(asked: Observations, *, label: str) -> np.ndarray:
        assert label == "words"
        return np.repeat(asked.row[:, None], 3, axis=1).astype(np.float32)

    order = np.arange(100)[::-1].copy()
    spans = list(in_spans(predict, 3, observations, order=order, label="words"))
    assert [len(rows) for rows, _ in spans] == [40, 40, 20]
    for rows, expression in spans:
        np.testing.assert_array_equal(expression[:, 0], observations.row[rows])
    assert len(next(in_spans(predict, 300, observations, order=order, label="words"))[0]) == 10


def test_dropout_is_off_whatever_state_the_predictor_is_in(predictor: Predictor, small_samples: Any) -> None:
    reader, observations = reader_of(small_samples), all_observations(small_samples).take(np.arange(20))
    predictor.train()
    first = predict_observations(predictor, reader, observations)
    predictor.train()
    np.testing.assert_array_equal(first, predict_observations(predictor, reader, observations))


def test_nothing_to_predict(predictor: Predictor, small_samples: Any) -> None:
    none: Observations = all_observations(small_samples).take(np.arange(0))
    assert predict_observations(predictor, reader_of(small_samples), none).shape == (0, 3)


def test_what_computes_may_be_wrapped(predictor: Predictor, small_samples: Any) -> None:
    reader, observations = reader_of(small_samples), all_observations(small_samples).take(np.arange(5))

    def zero(x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 3)

    found = predict_observations(predictor, reader, observations, forward=zero)
    np.testing.assert_allclose(found, np.tile([0.5, 1.0, 2.0], (5, 1)), atol=1e-6)


@pytest.mark.parametrize(
    ("device", "side", "expected"),
    [("cpu", 64, 128), ("cuda", 32, 4096), ("cuda", 64, 1024), ("cuda", 128, 256), ("cuda", 224, 128)],
)
def test_a_gpu_is_given_large_batches(device: str, side: int, expected: int) -> None:
    assert _at_once(128, side, torch.device(device)) == expected
