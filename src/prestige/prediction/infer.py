"""Predictor + patches -> predicted expression: the one way in which train, run and predict infer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from prestige.compute.progress import Progress
from prestige.data.observations import Observations
from prestige.data.patches.augment import to_float
from prestige.data.patches.reader import Reader
from prestige.models.predictor import Predictor

_PIXELS_ON_GPU = 1 << 22  # of all patches: less than a step of training on the usual batch keeps


def predict_observations(
    predictor: Predictor,
    reader: Reader,
    observations: Observations,
    *,
    order: Int[np.ndarray, " n"] | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 256,
    label: str | None = None,
) -> Float[np.ndarray, "n g"]:
    """Predict the expression of every observation, on the log1p scale, never below zero.

    Parameters
    ----------
    order
        In which the observations are gone through, each position once; the result is in their own order.
    forward
        What computes the standardised prediction, where it is not the bare predictor: the same
        module as Fabric wraps it, which brings device and precision.
    batch_size
        How many are predicted at once, at least; a GPU takes more.
    label
        Words for a progress bar; none is shown without.

    Returns
    -------
    Array of shape (n observations, g genes), float32.
    """
    compute = forward or predictor
    device = predictor.train_mean.device
    out = np.empty((len(observations), predictor.train_mean.shape[0]), dtype=np.float32)
    batch_size = _at_once(batch_size, max(predictor.input_px, reader.widest_px), device)
    spans = [slice(start, start + batch_size) for start in range(0, len(observations), batch_size)]

    order = np.arange(len(observations)) if order is None else order

    def read(span: slice) -> Tensor:
        chosen = observations.take(order[span])
        return reader(chosen.slide_index, chosen.xy_px)

    predictor.eval()
    with (
        Progress(label or "", len(observations)) as progress,
        ThreadPoolExecutor(1) as pool,
        torch.inference_mode(),
    ):
        ahead = pool.submit(read, spans[0]) if spans else None
        for number, span in enumerate(spans):
            assert ahead is not None
            patches = ahead.result()
            if number + 1 < len(spans):
                ahead = pool.submit(read, spans[number + 1])
            z = compute(to_float(patches.to(device, non_blocking=True)))
            y = predictor.to_expression(z)
            out[order[span]] = y.cpu().numpy()
            if label:
                progress.advance(y.shape[0])
    return out


def _at_once(batch_size: int, side: int, device: torch.device) -> int:
    """Return how many are predicted at once: on a GPU a few large batches, as each costs Python the same."""
    if device.type != "cuda":
        return batch_size
    return max(batch_size, _PIXELS_ON_GPU // side**2)
