"""What any model has to beat: configurations of the grid like any other, fitted on the training side only.

``features.py`` looks at a patch with hand-made features, ``ridge.py`` fits them; here they are
registered, each with one line of why, fitted, kept and read back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from prestige.baselines.features import patch_features
from prestige.baselines.ridge import Ridge, fit_ridge
from prestige.data.observations import Observations
from prestige.data.patches import PatchReader
from prestige.errors import DataError, StorageError
from prestige.progress import Progress
from prestige.registry import Registry

__all__ = ["Baseline", "FittedBaseline", "baselines", "fit_baseline", "read_baseline"]

SCHEMA = "prestige.baseline/1"
MAX_TRAIN = 100_000
_BYTES = 1 << 25  # of patches read in one call


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline after fitting; predicts as a model does.

    Attributes
    ----------
    name
        As registered.
    why
        What a model that does not beat it has failed to show.
    mean
        Training mean of each gene.
    ridge
        None for the mean.
    n_parameters
        Fitted coefficients: means, or weights and intercepts.
    n_train
        Training observations used.
    seconds
        Time to fit, reading of patches included.
    """

    name: str
    why: str
    mean: Float[np.ndarray, " g"]
    ridge: Ridge | None
    n_parameters: int
    n_train: int
    seconds: float

    def predict(self, reader: PatchReader, observations: Observations) -> Float32[np.ndarray, "n g"]:
        """Return the expression (log1p scale, >= 0) of some observations, float32.

        Parameters
        ----------
        reader
            Gives the patches; not called for the mean.
        observations
            Where to predict.
        """
        out = np.empty((len(observations), len(self.mean)), dtype=np.float32)
        if self.ridge is None:
            out[:] = self.mean.astype(np.float32)
            return out
        for rows, features in _batches(reader, observations, f"{self.name}: predicting"):
            out[rows] = self.ridge.predict(features)
        return out

    def describe(self) -> dict[str, Any]:
        """Return what a manifest keeps, ready for JSON."""
        found: dict[str, Any] = {
            "baseline": self.name,
            "why": self.why,
            "parameters": self.n_parameters,
            "n_train": self.n_train,
            "seconds": self.seconds,
        }
        if self.ridge is not None:
            errors = {f"{alpha:.3g}": error for alpha, error in self.ridge.errors.items()}
            found |= {
                "alpha": self.ridge.alpha,
                "n_features": len(self.ridge.mean),
                "left_out_errors": errors,
            }
        return found

    def save(self, path: Path) -> None:
        """Write one ``.safetensors`` file, whole or not at all.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        arrays = {"train_mean": np.ascontiguousarray(self.mean, dtype=np.float64)}
        details = self.describe() | {"schema": SCHEMA}
        if self.ridge is not None:
            ridge = self.ridge
            arrays |= {
                "mean": ridge.mean,
                "scale": ridge.scale,
                "weights": ridge.weights,
                "intercept": ridge.intercept,
            }
            details["errors"] = [[alpha, error] for alpha, error in ridge.errors.items()]
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


@dataclass(frozen=True)
class Baseline:
    """An entry of the registry: one line of why, and whether it looks at patches."""

    why: str
    reads_patches: bool


baselines: Registry[Baseline] = Registry("baseline")
baselines.register("mean")(
    Baseline("each gene's training mean: what is right without looking at the slide", reads_patches=False)
)
baselines.register("ridge")(
    Baseline(
        "ridge on stain and texture: what colour and roughness say without learned features",
        reads_patches=True,
    )
)


def fit_baseline(
    name: str,
    reader: PatchReader,
    train: Observations,
    train_y: Float[np.ndarray, "n g"],
    *,
    block_of_train: Int[np.ndarray, " n"],
    seed: int = 0,
    max_train: int = MAX_TRAIN,
) -> FittedBaseline:
    """Fit a baseline on the training side.

    Parameters
    ----------
    name
        "mean" or "ridge".
    reader
        Gives the patches.
    train
        Training observations.
    train_y
        Their expression on the log1p scale.
    block_of_train
        Their spatial blocks (of all samples, distinct), by which ridge chooses its strength.
    seed
        Of the choice of rows and folds.
    max_train
        Ridge reads at most so many patches, drawn at random; its 80 weights a gene need no more.

    Raises
    ------
    ConfigError
        When the name is not known.
    DataError
        When there is no training observation, or the arrays do not fit each other.
    """
    entry = baselines.get(name)
    if not len(train) or len(train) != len(train_y) or len(train) != len(block_of_train):
        raise DataError(
            f"{len(train)} observations, {len(train_y)} targets, {len(block_of_train)} blocks do not fit",
            where=f"baseline '{name}'",
            expected="as many of each, and at least one",
        )
    started = time.perf_counter()
    mean = train_y.mean(axis=0, dtype=np.float64)
    if not entry.reads_patches:
        return FittedBaseline(
            name, entry.why, mean, None, len(mean), len(train), time.perf_counter() - started
        )
    rows = np.arange(len(train))
    if len(rows) > max_train:
        rows = np.sort(np.random.default_rng(seed).choice(len(train), size=max_train, replace=False))
    batches = _batches(reader, train.take(rows), f"{name}: reading patches")
    features = np.concatenate([part for _, part in batches])
    ridge = fit_ridge(features, train_y[rows], block_of_train[rows], seed=seed)
    return FittedBaseline(
        name=name,
        why=entry.why,
        mean=mean,
        ridge=ridge,
        n_parameters=ridge.weights.size + ridge.intercept.size,
        n_train=len(rows),
        seconds=time.perf_counter() - started,
    )


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
        ridge = None
        if "weights" in arrays:
            errors = {float(alpha): float(error) for alpha, error in details["errors"]}
            parts = (arrays[key] for key in ("mean", "scale", "weights", "intercept"))
            ridge = Ridge(*parts, alpha=float(details["alpha"]), errors=errors)
        return FittedBaseline(
            name=details["baseline"],
            why=details["why"],
            mean=arrays["train_mean"],
            ridge=ridge,
            n_parameters=int(details["parameters"]),
            n_train=int(details["n_train"]),
            seconds=float(details["seconds"]),
        )
    except FileNotFoundError:
        raise StorageError("no such file", where=path, expected="a fitted baseline") from None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise StorageError(f"cannot be read ({error})", where=path, expected=SCHEMA) from error


def _batches(
    reader: PatchReader, places: Observations, label: str
) -> Iterator[tuple[slice, Float[np.ndarray, "n f"]]]:
    """Yield (rows, features) over some observations, reading a bounded number of patches at a time."""
    step = max(1, _BYTES // (3 * reader.patch.input_px**2))
    with Progress(label, len(places)) as progress:
        for start in range(0, len(places), step):
            rows = slice(start, min(len(places), start + step))
            yield rows, patch_features(reader(places.slide_index[rows], places.xy_px[rows]))
            progress.advance(rows.stop - start)
