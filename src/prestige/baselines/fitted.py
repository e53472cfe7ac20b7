"""A baseline fitted on the training side: how it is fitted, predicts, is kept and read back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from prestige.baselines.coordinates import Neighbours, fit_neighbours
from prestige.baselines.depth import DepthLines, fit_depth
from prestige.baselines.features import n_features, patch_features
from prestige.baselines.frozen import FrozenEncoder, freeze
from prestige.baselines.hest import HestRidge, fit_hest
from prestige.baselines.kept import KeptFeatures
from prestige.baselines.ridge import Ridge, fit_ridge
from prestige.baselines.settings import BaselineConfig
from prestige.compute.progress import Progress
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader
from prestige.errors import ConfigError, DataError, PrestigeError, StorageError
from prestige.settings import build

SCHEMA = "prestige.baseline/2"
MAX_TRAIN = 100_000
_BYTES = 1 << 25  # of patches read in one call
_FEATURE_BYTES = 1 << 29  # of features held at once
_KEPT_AT_ONCE = 2048  # observations whose features make a chunk of the store
_ENCODER = "encoder."

Part = Ridge | HestRidge | Neighbours | DepthLines
_PARTS: dict[str, type[Part]] = {
    "ridge": Ridge,
    "frozen": Ridge,
    "hest": HestRidge,
    "coordinates": Neighbours,
    "depth": DepthLines,
}


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline after fitting; predicts as a model does.

    Attributes
    ----------
    config
        Which one, with its encoder where it has one.
    mean
        Training mean of each gene.
    part
        What was fitted; None for the mean.
    encoder
        The frozen encoder whose features it reads, or None.
    n_train
        Training observations used.
    seconds
        Time to fit, reading of patches included.
    """

    config: BaselineConfig
    mean: Float[np.ndarray, " g"]
    part: Part | None
    encoder: FrozenEncoder | None
    n_train: int
    seconds: float

    @property
    def n_parameters(self) -> int:
        """Fitted coefficients: means, or weights and intercepts; never those of a frozen encoder."""
        return len(self.mean) if self.part is None else self.part.n_parameters

    def predict(
        self,
        reader: PatchReader,
        observations: Observations,
        *,
        totals: Float[np.ndarray, " n"] | None = None,
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

        Raises
        ------
        DataError
            When the totals are needed and not given, or a slide has no training observation.
        """
        if isinstance(self.part, Neighbours):
            return self.part.predict(observations)
        if isinstance(self.part, DepthLines):
            return self.part.predict(_needed(totals))
        out = np.empty((len(observations), len(self.mean)), dtype=np.float32)
        if self.part is None:
            out[:] = self.mean.astype(np.float32)
            return out
        label = f"{self.config.label}: predicting"
        for rows, features in _batches(reader, observations, label, self.encoder):
            out[rows] = self.part.predict(features)
        return out

    def flops(self) -> int | None:
        """Return the floating point operations of its encoder on one patch, None without one."""
        return None if self.encoder is None else self.encoder.flops()

    def describe(self) -> dict[str, Any]:
        """Return what a manifest keeps, ready for JSON."""
        found: dict[str, Any] = {
            "baseline": self.config.label,
            "why": self.config.entry.why,
            "parameters": self.n_parameters,
            "n_train": self.n_train,
            "seconds": self.seconds,
        }
        if self.encoder is not None:
            found["encoder_parameters"] = self.encoder.n_weights
        if isinstance(self.part, Ridge | HestRidge):
            found |= {"alpha": self.part.alpha, "n_features": len(self.part.mean)}
        if isinstance(self.part, HestRidge):
            found["components"] = self.part.components.shape[1]
        if isinstance(self.part, Neighbours):
            found["neighbours"] = self.part.k
        if isinstance(self.part, Ridge | Neighbours):
            found["left_out_errors"] = {f"{tried:.3g}": error for tried, error in self.part.errors.items()}
        return found

    def save(self, path: Path) -> None:
        """Write one ``.safetensors`` file, whole or not at all; it needs no other file to be read.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        arrays: dict[str, np.ndarray] = {"train_mean": self.mean}
        details: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.config.name,
            "n_train": self.n_train,
            "seconds": self.seconds,
        }
        if self.part is not None:
            more, details["part"] = self.part.pack()
            arrays |= more
        if self.encoder is not None:
            weights, details["encoder"] = self.encoder.pack()
            arrays |= {_ENCODER + name: array for name, array in weights.items()}
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            save_file(arrays, temporary, metadata={"prestige": json.dumps(details)})
            os.replace(temporary, path)
        except (OSError, SafetensorError) as error:
            raise StorageError(f"cannot be written ({error})", where=path) from error
        finally:
            temporary.unlink(missing_ok=True)


def fit_baseline(
    config: BaselineConfig,
    reader: PatchReader,
    train: Observations,
    train_y: Float[np.ndarray, "n g"],
    *,
    block_of_train: Int[np.ndarray, " n"],
    gap_um: float = 0.0,
    totals: Float[np.ndarray, " n"] | None = None,
    seed: int = 0,
    max_train: int = MAX_TRAIN,
    device: torch.device | str = "cpu",
) -> FittedBaseline:
    """Fit a baseline on the training side.

    Parameters
    ----------
    config
        Which one.
    reader
        Gives the patches.
    train
        Training observations.
    train_y
        Their expression on the log1p scale.
    block_of_train
        Their spatial blocks (of all samples, distinct), by which strengths are chosen.
    gap_um
        Distance that the split keeps between its sides.
    totals
        Their total counts, for the diagnostic that needs them.
    seed
        Of the choice of rows and folds, and of random weights.
    max_train
        At most so many patches are read, drawn at random; fewer where an encoder has so many features
        that they would not fit into half a gigabyte.
    device
        Where an encoder computes.

    Raises
    ------
    ConfigError
        When it is trained and not fitted, or its encoder does not exist.
    DataError
        When there is no training observation, or the arrays do not fit each other.
    ModelError
        When the encoder does not take these patches, or its weights cannot be had.
    """
    if not len(train) or len(train) != len(train_y) or len(train) != len(block_of_train):
        raise DataError(
            f"{len(train)} observations, {len(train_y)} targets, {len(block_of_train)} blocks do not fit",
            where=f"baseline '{config.name}'",
            expected="as many of each, and at least one",
        )
    if config.name == "shuffled":
        raise ConfigError("'shuffled' is trained as a model is, not fitted", where="fit_baseline")
    started = time.perf_counter()
    mean = train_y.mean(axis=0, dtype=np.float64)
    part: Part | None = None
    encoder, n_train = None, len(train)
    if config.name == "coordinates":
        gap_px = {number: gap_um / slide.um_per_px for number, slide in enumerate(reader.slides)}
        part = fit_neighbours(train, train_y, block_of_train, gap_px=gap_px, seed=seed)
    elif config.name == "depth":
        part = fit_depth(_needed(totals), train_y)
    elif config.name != "mean":
        encoder = _encoder(config, reader, seed, device)
        rows = _rows(len(train), reader, encoder, max_train=max_train, seed=seed)
        features = _features(reader, train.take(rows), f"{config.label}: reading patches", encoder)
        n_train = len(rows)
        if config.name == "hest":
            part = fit_hest(features, train_y[rows])
        else:
            part = fit_ridge(features, train_y[rows], block_of_train[rows], seed=seed)
    return FittedBaseline(config, mean, part, encoder, n_train, time.perf_counter() - started)


def read_baseline(path: Path) -> FittedBaseline:
    """Read what :meth:`FittedBaseline.save` wrote.

    Raises
    ------
    StorageError
        When the file is missing, cut off or something else.
    """
    try:
        with safe_open(path, framework="numpy") as stored:
            details = json.loads((stored.metadata() or {})["prestige"])
            arrays = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
        if details["schema"] != SCHEMA:
            raise ValueError(f"has schema {details['schema']}")
        encoder = None
        if "encoder" in details:
            weights = {key: array for key, array in arrays.items() if key.startswith(_ENCODER)}
            weights = {key.removeprefix(_ENCODER): array for key, array in weights.items()}
            encoder = FrozenEncoder.unpack(weights, details["encoder"])
        model = None if encoder is None else encoder.model
        return FittedBaseline(
            config=build(BaselineConfig, {"name": details["name"], "model": model}, where=path),
            mean=arrays["train_mean"],
            part=_PARTS[details["name"]].unpack(arrays, details["part"]) if "part" in details else None,
            encoder=encoder,
            n_train=int(details["n_train"]),
            seconds=float(details["seconds"]),
        )
    except FileNotFoundError:
        raise StorageError("no such file", where=path, expected="a fitted baseline") from None
    except (OSError, SafetensorError, PrestigeError, KeyError, ValueError, TypeError) as error:
        raise StorageError(f"cannot be read ({error})", where=path, expected=SCHEMA) from error


def _needed(totals: np.ndarray | None) -> np.ndarray:
    if totals is None:
        raise DataError("no total counts are given", where="baseline 'depth'", expected="one an observation")
    return totals


def _encoder(
    config: BaselineConfig, reader: PatchReader, seed: int, device: torch.device | str
) -> FrozenEncoder | None:
    if config.model is None:
        return None
    readout = "whole" if config.name == "hest" else config.model.readout
    return freeze(config.model, input_px=reader.patch.input_px, readout=readout, seed=seed, device=device)


def _rows(
    n: int, reader: PatchReader, encoder: FrozenEncoder | None, *, max_train: int, seed: int
) -> Int[np.ndarray, " m"]:
    """Return which training observations are read: all, or as many as the memory for features holds."""
    width = n_features(reader.patch.input_px) if encoder is None else encoder.n_features
    most = max(2, min(max_train, _FEATURE_BYTES // (4 * width)))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=most, replace=False))


def _features(
    reader: PatchReader, places: Observations, label: str, encoder: FrozenEncoder | None
) -> Float[np.ndarray, "n f"]:
    """Return the features of some observations, float32."""
    width = n_features(reader.patch.input_px) if encoder is None else encoder.n_features
    out = np.empty((len(places), width), dtype=np.float32)
    for rows, features in _batches(reader, places, label, encoder):
        out[rows] = features
    return out


def _batches(
    reader: PatchReader, places: Observations, label: str, encoder: FrozenEncoder | None
) -> Iterator[tuple[slice, Float[np.ndarray, "n f"]]]:
    """Yield (rows, features) over some observations, reading a bounded number of patches at a time."""
    kept = None if encoder is None else KeptFeatures(reader, encoder)
    step = max(1, _BYTES // (3 * reader.patch.input_px**2)) if kept is None else _KEPT_AT_ONCE
    with Progress(label, len(places)) as progress:
        for start in range(0, len(places), step):
            rows = slice(start, min(len(places), start + step))
            some = places.take(np.arange(rows.start, rows.stop))
            yield rows, patch_features(reader(some.slide_index, some.xy_px)) if kept is None else kept(some)
            progress.advance(rows.stop - start)
    if kept is not None:
        kept.close()
