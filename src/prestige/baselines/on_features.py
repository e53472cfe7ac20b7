"""Ridge on features of patches: hand-made ones, or those of a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from prestige.baselines.features import n_features, patch_features
from prestige.baselines.fitted import Fitted, Packed, Totals, TrainingSide, check_shapes
from prestige.baselines.frozen import FrozenEncoder, freeze
from prestige.baselines.hest import HestRidge, fit_hest
from prestige.baselines.kept import KeptFeatures
from prestige.baselines.ridge import Ridge, fit_ridge
from prestige.baselines.settings import BaselineConfig
from prestige.compute.progress import Progress
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader
from prestige.errors import ModelError

MAX_TRAIN = 100_000
"""At most so many patches are read to fit, drawn at random."""
_BYTES = 1 << 25  # of patches read in one call
_FEATURE_BYTES = 1 << 29  # of features held at once: where an encoder has many, fewer patches are read
_KEPT_AT_ONCE = 2048  # observations whose features make a chunk of the store
_ENCODER = "encoder."


@dataclass(frozen=True, eq=False)
class OnFeatures(Fitted):
    """A linear regression on features of patches.

    Attributes
    ----------
    regression
        Features -> expression.
    encoder
        The frozen encoder whose features they are; None for hand-made ones.
    n_train
        Training observations whose patches were read.
    """

    regression: Ridge | HestRidge
    encoder: FrozenEncoder | None
    n_train: int
    regression_kind: ClassVar[type[Ridge] | type[HestRidge]]
    regress: ClassVar[Callable[..., Ridge | HestRidge]]
    """Fits the regression: features, expression, blocks, ``seed=``."""
    readout: ClassVar[Literal["centre_whole", "whole"] | None] = None
    """Which features it takes, whatever the encoder's settings say."""

    @classmethod
    def fit(cls, config: BaselineConfig, given: TrainingSide) -> OnFeatures:
        """Read the patches of the training side, of some where they are too many, and regress on them."""
        encoder, patch_px = None, given.reader.patch.input_px
        if config.model is not None:
            readout = cls.readout or config.model.readout
            encoder = freeze(
                config.model, input_px=patch_px, readout=readout, seed=given.seed, device=given.device
            )
        width = n_features(patch_px) if encoder is None else encoder.n_features
        rows = _rows(len(given), width, given.seed)
        x = features_of(
            encoder, given.reader, given.observations.take(rows), label=f"{config.label}: reading patches"
        )
        return cls(cls.regress(x, given.y[rows], given.block_of[rows], seed=given.seed), encoder, len(rows))

    @property
    def n_parameters(self) -> int:
        """Weights and intercepts of the regression."""
        return self.regression.n_parameters

    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return what the regression says of the observations' patches."""
        out = np.empty((len(observations), len(self.regression.intercept)), dtype=np.float32)
        for rows, x in _batches(self.encoder, reader, observations, label):
            out[rows] = self.regression.predict(x)
        return out

    def features(
        self, reader: PatchReader, observations: Observations, *, label: str = ""
    ) -> Float32[np.ndarray, "n f"]:
        """Return the features of the observations' patches."""
        return features_of(self.encoder, reader, observations, label=label)

    def flops(self) -> int | None:
        """Return the operations of the encoder on one patch, None for hand-made features."""
        return None if self.encoder is None else self.encoder.flops()

    def to(self, device: torch.device) -> None:
        """Let the encoder compute on a device."""
        if self.encoder is not None:
            self.encoder.encoder.to(device)

    def describe(self) -> dict[str, Any]:
        """Return the regression's strength and size, and the size of the encoder."""
        weights = {} if self.encoder is None else {"encoder_parameters": self.encoder.n_weights}
        return weights | self.regression.describe()

    def pack(self) -> Packed:
        """Return what a bundle keeps of it, the encoder's weights among it."""
        arrays, details = self.regression.pack()
        if self.encoder is not None:
            weights, details["encoder"] = self.encoder.pack()
            arrays |= {_ENCODER + name: array for name, array in weights.items()}
        return arrays, details

    def check(self, *, n_genes: int, input_px: int) -> None:
        """Check that the regression is one on the features of these patches, and gives these genes."""
        wanted = n_features(input_px) if self.encoder is None else self.encoder.n_features
        if self.encoder is not None and self.encoder.input_px != input_px:
            raise ModelError(f"the encoder takes {self.encoder.input_px} px, the patch has {input_px} px")
        if self.readout is not None and self.encoder is not None and self.encoder.readout != self.readout:
            raise ModelError(f"the encoder's readout is '{self.encoder.readout}'", expected=self.readout)
        arrays = {name: getattr(self.regression, name) for name in self.regression.shapes(n_genes)}
        shapes = {**self.regression.shapes(n_genes), "mean": (wanted,)}
        check_shapes({name: (array, shapes[name]) for name, array in arrays.items()})
        if not (self.regression.scale > 0).all():
            raise ModelError("a scale of the baseline's features is not above 0")

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> OnFeatures:
        """Return what :meth:`pack` took apart."""
        encoder = None
        if "encoder" in details:
            weights = {
                name.removeprefix(_ENCODER): a for name, a in arrays.items() if name.startswith(_ENCODER)
            }
            encoder = FrozenEncoder.unpack(weights, details["encoder"])
        return cls(cls.regression_kind.unpack(arrays, details), encoder, int(details["n_train"]))


class RidgeOnFeatures(OnFeatures):
    """Ridge whose strength is chosen by leaving out spatial blocks."""

    regression_kind = Ridge
    regress = staticmethod(fit_ridge)


class HestOnFeatures(OnFeatures):
    """HEST-Bench's recipe, of the whole patch's features."""

    regression_kind = HestRidge
    readout = "whole"

    @staticmethod
    def regress(x: np.ndarray, y: np.ndarray, block_of: np.ndarray, *, seed: int) -> HestRidge:
        """Fit the recipe, which chooses nothing."""
        return fit_hest(x, y)


def features_of(
    encoder: FrozenEncoder | None, reader: PatchReader, observations: Observations, *, label: str = ""
) -> Float32[np.ndarray, "n f"]:
    """Return the features of some observations: of an encoder, or hand-made where there is none.

    Parameters
    ----------
    label
        Words for a progress bar; none is shown without.
    """
    width = n_features(reader.patch.input_px) if encoder is None else encoder.n_features
    out = np.empty((len(observations), width), dtype=np.float32)
    for rows, x in _batches(encoder, reader, observations, label):
        out[rows] = x
    return out


def _rows(n: int, width: int, seed: int) -> Int[np.ndarray, " m"]:
    """Return which training observations are read: all, or as many as the memory for features holds."""
    most = max(2, min(MAX_TRAIN, _FEATURE_BYTES // (4 * width)))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=most, replace=False))


def _batches(
    encoder: FrozenEncoder | None, reader: PatchReader, observations: Observations, label: str
) -> Iterator[tuple[slice, Float[np.ndarray, "n f"]]]:
    """Yield (rows, features) over some observations, reading a bounded number of patches at a time."""
    kept = None if encoder is None else KeptFeatures(reader, encoder)
    step = max(1, _BYTES // (3 * reader.patch.input_px**2)) if kept is None else _KEPT_AT_ONCE
    with Progress(label, len(observations)) as progress:
        for start in range(0, len(observations), step):
            rows = slice(start, min(len(observations), start + step))
            some = observations.take(np.arange(rows.start, rows.stop))
            yield rows, patch_features(reader(some.slide_index, some.xy_px)) if kept is None else kept(some)
            progress.advance(rows.stop - start)
    if kept is not None:
        kept.close()
