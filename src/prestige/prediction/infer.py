"""Predictor + patches -> predicted expression: the one way in which train, run and predict infer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from prestige.compute.progress import Progress
from prestige.data.observations import Observations
from prestige.data.patches.augment import to_float
from prestige.data.patches.reader import Reader
from prestige.models.predictor import Predictor

Batch = tuple[Int[np.ndarray, " b"], Float32[np.ndarray, "b g"]]
"""Positions of b observations, and their expression."""

_SPAN_BYTES, _LEAST_ROWS = 1 << 26, 2048  # of expression that is held at once
_PIXELS_ON_GPU = 1 << 22  # of all patches: less than a step of training on the usual batch keeps


def predict_batches(
    predictor: Predictor,
    reader: Reader,
    observations: Observations,
    *,
    order: Int[np.ndarray, " n"] | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 256,
    label: str = "",
) -> Iterator[Batch]:
    """Yield positions of observations with their expression, batch by batch, in bounded memory.

    The patches of the next batch are read while the network works on this one.

    Parameters
    ----------
    order
        In which the observations are gone through, each position once; as they stand by default.
    forward
        What computes the standardised prediction, where it is not the bare predictor: the same
        module as Fabric wraps it, which brings device and precision.
    batch_size
        How many are predicted at once, at least; a GPU takes more.
    label
        Words for a progress bar; none is shown without.

    Yields
    ------
    (b,) positions in ``observations``, and the (b, g) expression of these: log1p scale, never below zero.
    """
    compute = forward or predictor
    device = predictor.train_mean.device
    batch_size = _at_once(batch_size, max(predictor.input_px, reader.widest_px), device)
    order = np.arange(len(observations)) if order is None else order
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def read(batch: Int[np.ndarray, " b"]) -> Tensor:
        chosen = observations.take(batch)
        return reader(chosen.slide_index, chosen.xy_px)

    predictor.eval()
    with Progress(label, len(order)) as progress, ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(read, batches[0]) if batches else None
        for number, batch in enumerate(batches):
            assert ahead is not None
            patches = ahead.result()
            if number + 1 < len(batches):
                ahead = pool.submit(read, batches[number + 1])
            with torch.inference_mode():
                z = compute(to_float(patches.to(device, non_blocking=True)))
                expression = predictor.to_expression(z).cpu().numpy()
            yield batch, expression
            progress.advance(len(batch))


def predict_observations(
    predictor: Predictor,
    reader: Reader,
    observations: Observations,
    *,
    forward: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 256,
    label: str = "",
) -> Float32[np.ndarray, "n g"]:
    """Predict the expression of every observation as one array, in their own order.

    Parameters
    ----------
    forward, batch_size, label
        As of :func:`predict_batches`.

    Returns
    -------
    Array of shape (n observations, g genes), on the log1p scale, never below zero.
    """
    out = np.empty((len(observations), predictor.train_mean.shape[0]), dtype=np.float32)
    for batch, expression in predict_batches(
        predictor, reader, observations, forward=forward, batch_size=batch_size, label=label
    ):
        out[batch] = expression
    return out


def in_spans(
    predict: Callable[..., Float32[np.ndarray, "b g"]],
    n_genes: int,
    observations: Observations,
    *,
    order: Int[np.ndarray, " n"],
    label: str = "",
) -> Iterator[Batch]:
    """Yield what :func:`predict_batches` does, of what returns an array: asked for some rows at a time."""
    n_rows = max(_LEAST_ROWS, _SPAN_BYTES // (4 * n_genes))
    for start in range(0, len(order), n_rows):
        span = order[start : start + n_rows]
        yield span, predict(observations.take(span), label=label)


def _at_once(batch_size: int, side: int, device: torch.device) -> int:
    """Return how many are predicted at once: on a GPU a few large batches, as each costs Python the same."""
    if device.type != "cuda":
        return batch_size
    return max(batch_size, _PIXELS_ON_GPU // side**2)
