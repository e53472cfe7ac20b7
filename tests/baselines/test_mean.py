"""The training mean, wherever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.baselines.fitted import TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.errors import ModelError


def test_the_mean_is_that_of_the_training_side(tissue) -> None:
    reader, places, y, blocks = tissue()
    one = fit_baseline(BaselineConfig(name="mean"), TrainingSide(reader, places, y, blocks))
    predicted = one.predict(reader, places.take(np.arange(7)))
    np.testing.assert_array_equal(
        predicted, np.tile(y.mean(axis=0, dtype=np.float64).astype(np.float32), (7, 1))
    )
    assert one.fitted.n_parameters == 3
    assert one.fitted.flops() is None
    with pytest.raises(ModelError, match="no features"):
        one.fitted.features(reader, places)
