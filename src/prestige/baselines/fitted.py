"""A baseline fitted on the training side: what a fit is given, what it gives, and how it is kept."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from prestige.baselines.settings import BaselineConfig
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader
from prestige.errors import ConfigError, DataError, ModelError

Packed = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Arrays for a safetensors file, and details that JSON holds."""
Totals = Float[np.ndarray, " n"] | None
"""Total counts of n observations; None where they are not given."""


@dataclass(frozen=True, eq=False)
class TrainingSide:
    """What a baseline is fitted on.

    Attributes
    ----------
    reader
        Gives the patches.
    observations
        The n training observations.
    y
        (n, g) their expression on the log1p scale.
    block_of
        (n,) their spatial blocks (of all samples, distinct), by which strengths are chosen.
    gap_um
        Distance that the split keeps between its sides.
    totals
        (n,) their total counts, for the diagnostic that needs them.
    seed
        Of the choice of rows and folds, and of random weights.
    device
        Where an encoder computes.

    Raises
    ------
    DataError
        When there is no training observation, or the arrays do not fit each other.
    """

    reader: PatchReader
    observations: Observations
    y: Float[np.ndarray, "n g"]
    block_of: Int[np.ndarray, " n"]
    gap_um: float = 0.0
    totals: Totals = None
    seed: int = 0
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        n = len(self.observations)
        if not n or n != len(self.y) or n != len(self.block_of):
            raise DataError(
                f"{n} observations, {len(self.y)} targets, {len(self.block_of)} blocks do not fit",
                where="the training side of a baseline",
                expected="as many of each, and at least one",
            )

    def __len__(self) -> int:
        return len(self.observations)


_OTHER = "take a run of another baseline, or of an encoder"


class Fitted(ABC):
    """What the registry's entry names: one kind of baseline, fitted.

    A subclass sets ``n_train``, the training observations used, and defines ``fit``, ``predict`` and
    ``n_parameters``; one that predicts slides it was not fitted on also ``pack`` and ``unpack``.
    """

    n_train: int

    @classmethod
    @abstractmethod
    def fit(cls, config: BaselineConfig, given: TrainingSide) -> Fitted:
        """Fit it on the training side."""

    @abstractmethod
    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return the expression of some observations, as :meth:`FittedBaseline.predict` does."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Fitted coefficients; never those of a frozen encoder."""

    def describe(self) -> dict[str, Any]:
        """Return what a manifest says of this kind alone, ready for JSON."""
        return {}

    def flops(self) -> int | None:
        """Return the floating point operations of its encoder on one patch, None without one."""
        return None

    def features(
        self, reader: PatchReader, observations: Observations, *, label: str = ""
    ) -> Float32[np.ndarray, "n f"]:
        """Return the features of some observations that it is a regression on."""
        raise ModelError("this baseline has no features", remedy="take a run of an encoder, frozen or ridge")

    def to(self, device: torch.device) -> None:  # noqa: B027 (most compute with numpy)
        """Compute on a device from now on, where anything is."""

    def pack(self) -> Packed:
        """Return what a bundle keeps of it."""
        raise ModelError("this baseline keeps no model: it knows nothing of other slides", remedy=_OTHER)

    def check(self, *, n_genes: int, input_px: int) -> None:
        """Check that it predicts so many genes from patches of this width, after :meth:`unpack`.

        Raises
        ------
        ModelError
            When its parts do not fit each other, or these.
        """
        raise ModelError("no model of this baseline is kept", remedy=_OTHER)

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> Fitted:
        """Return what :meth:`pack` took apart; the arrays are not looked at."""
        raise ModelError("no model of this baseline is kept", remedy=_OTHER)


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline after fitting; predicts as a model does.

    Attributes
    ----------
    config
        Which one, with its encoder where it has one.
    fitted
        What was fitted.
    seconds
        Time to fit, reading of patches included.
    """

    config: BaselineConfig
    fitted: Fitted
    seconds: float

    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return the expression (log1p scale, >= 0) of some observations, float32.

        Parameters
        ----------
        reader
            Gives the patches; not called by a baseline that looks at none.
        observations
            Where to predict.
        totals
            Their own total counts, for the diagnostic that needs them.
        label
            Words for a progress bar; none is shown without.

        Raises
        ------
        DataError
            When the totals are needed and not given, or a slide has no training observation.
        """
        return self.fitted.predict(reader, observations, totals=totals, label=label)

    def describe(self) -> dict[str, Any]:
        """Return what a manifest keeps, ready for JSON."""
        return {
            "baseline": self.config.label,
            "why": self.config.entry.why,
            "parameters": self.fitted.n_parameters,
            "n_train": self.fitted.n_train,
            "seconds": self.seconds,
            **self.fitted.describe(),
        }

    def pack(self) -> Packed:
        """Return what a bundle keeps of it: arrays, and what JSON holds.  No path is in it."""
        arrays, details = self.fitted.pack()
        contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        return contiguous, {"n_train": self.fitted.n_train, "seconds": self.seconds, **details}


def fit_baseline(config: BaselineConfig, given: TrainingSide) -> FittedBaseline:
    """Fit a baseline on the training side.

    Raises
    ------
    ConfigError
        When it is trained and not fitted, or its encoder does not exist.
    DataError
        When the diagnostic is given no totals.
    ModelError
        When the encoder does not take these patches, or its weights cannot be had.
    """
    if config.entry.fitted is None:
        raise ConfigError(f"'{config.name}' is trained as a model is, not fitted", where="fit_baseline")
    started = time.perf_counter()
    fitted = config.entry.kind().fit(config, given)
    return FittedBaseline(config, fitted, time.perf_counter() - started)


def unpack_baseline(
    config: BaselineConfig, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]
) -> FittedBaseline:
    """Return what :meth:`FittedBaseline.pack` took apart, built without any connection or other file.

    Raises
    ------
    ModelError
        When no model of this baseline is kept.
    KeyError, TypeError, ValueError, PrestigeError
        When the parts are not those of this baseline.
    """
    if not config.entry.kept or config.entry.fitted is None:
        raise ModelError("no model of this baseline is kept", remedy=_OTHER)
    return FittedBaseline(config, config.entry.kind().unpack(arrays, details), float(details["seconds"]))


def check_shapes(arrays: Mapping[str, tuple[np.ndarray, tuple[int, ...]]]) -> None:
    """Check that arrays of a baseline, by name, are of numbers and have the shapes that belong to them.

    Raises
    ------
    ModelError
        With the first that has not.
    """
    for name, (array, shape) in arrays.items():
        if array.shape != shape or array.dtype.kind != "f":
            raise ModelError(
                f"the array '{name}' of the baseline is {array.dtype} of shape {array.shape}",
                expected=f"numbers of shape {shape}",
            )
