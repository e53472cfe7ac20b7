"""Each gene's training mean: what is right without looking at the slide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from prestige.baselines.fitted import Fitted, Packed, Totals, TrainingSide, check_shapes
from prestige.baselines.settings import BaselineConfig
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader


@dataclass(frozen=True, eq=False)
class TrainingMean(Fitted):
    """The same for every observation.

    Attributes
    ----------
    mean
        (g,) of each gene on the log1p scale.
    n_train
        Training observations that it is the mean of.
    """

    mean: Float[np.ndarray, " g"]
    n_train: int

    @classmethod
    def fit(cls, config: BaselineConfig, given: TrainingSide) -> TrainingMean:
        """Take the mean of the training side."""
        return cls(given.y.mean(axis=0, dtype=np.float64), len(given))

    @property
    def n_parameters(self) -> int:
        """One a gene."""
        return len(self.mean)

    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return the mean for each observation."""
        return np.tile(self.mean.astype(np.float32), (len(observations), 1))

    def pack(self) -> Packed:
        """Return what a bundle keeps of it."""
        return {"mean": self.mean}, {}

    def check(self, *, n_genes: int, input_px: int) -> None:
        """Check that it has a mean for each gene."""
        check_shapes({"mean": (self.mean, (n_genes,))})

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> TrainingMean:
        """Return what :meth:`pack` took apart."""
        return cls(arrays["mean"], int(details["n_train"]))
