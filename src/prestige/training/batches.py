"""Batches of a training, each a pure function of the seed and the step, made while the network works."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from prestige.compute.devices import own_stream
from prestige.data.observations import Observations
from prestige.data.patches.augment import draw_parameters
from prestige.data.patches.on_device import fits
from prestige.data.patches.reader import Reader
from prestige.errors import ModelError
from prestige.training.schedule import TrainConfig

STEP_SEED = 1_000_003
"""What a step draws follows from the seed times this plus the step."""

_MOST_AT_ONCE = 16  # batches that are made at once on a GPU
_BYTES_AT_ONCE = 1 << 28  # that they take there; three times as many are alive at a time


@dataclass(frozen=True, eq=False)
class TrainData:
    """What a training sees: patches, and expression on the log1p scale."""

    reader: Reader
    train: Observations
    train_y: Float[np.ndarray, "n g"]
    validation: Observations
    validation_y: Float[np.ndarray, "v g"]


class BatchLoader:
    """A data loader: batches as a pure function of the step, the next ones made while the model works.

    On a GPU those of several steps are made at once, on a stream of their own: drawing, copying and starting
    kernels takes Python as long for one batch as for many.
    """

    def __init__(self, data: TrainData, config: TrainConfig, seed: int, device: torch.device) -> None:
        if len(data.train) < 2 or len(data.validation) < 2:
            raise ModelError(
                f"{len(data.train)} training and {len(data.validation)} validation observations",
                expected="at least 2 of each",
            )
        self.data = data
        self.batch_size = min(config.batch_size, len(data.train))
        self.validation = _subset(data.validation, data.validation_y, config.validation_observations, seed)
        self._augment, self._seed, self._device = config.augment, seed, device
        self._order: tuple[int, Int[np.ndarray, " n"]] | None = None
        self._y = torch.from_numpy(data.train_y)
        self._stream: torch.cuda.Stream | None = None
        self._at_once = 1
        if device.type == "cuda":
            self._stream = own_stream(device, "batches")
            self._y = self._y.to(device) if fits(self._y.nbytes, device) else self._y
            self._stream.wait_stream(torch.cuda.default_stream(device))  # which sends them, and the slides
            n_bytes = self.batch_size * data.reader.bytes_a_patch
            self._at_once = max(1, min(_MOST_AT_ONCE, _BYTES_AT_ONCE // n_bytes))

    def batch(self, step: int) -> tuple[Float[Tensor, "b 3 d d"], Float[Tensor, "b g"]]:
        """Return the patches (0..1, augmented) and the expression of one step's observations."""
        return self._made(step, step + 1)[0]

    def batches(
        self, start: int, stop: int
    ) -> Generator[tuple[Float[Tensor, "b 3 d d"], Float[Tensor, "b g"]], None, None]:
        """Yield the batches of the steps from ``start`` on, before ``stop``."""
        step, ready, used = start, [], _Used(self._stream)
        with ThreadPoolExecutor(1) as pool, closing(used):
            ahead = pool.submit(self._made, start, stop)
            while step < stop:
                before, ready = ready, ahead.result()
                step += len(ready)
                used.follow(before)
                if step < stop:
                    ahead = pool.submit(self._made, step, stop)
                yield from ready

    def _made(self, start: int, stop: int) -> list[tuple[Float[Tensor, "b 3 d d"], Float[Tensor, "b g"]]]:
        """Make the batches of the next steps, as many as are made at once."""
        steps = range(start, min(start + self._at_once, stop))
        if self._stream is None:
            x, y = self._gathered(steps)
        else:
            with torch.cuda.stream(self._stream):
                x, y = self._gathered(steps)
            self._stream.synchronize()
        return list(zip(x.split(self.batch_size), y.split(self.batch_size), strict=True))

    def _gathered(self, steps: range) -> tuple[Float[Tensor, "n 3 d d"], Float[Tensor, "n g"]]:
        """Return the patches and the expression of some steps' observations, one step after another."""
        chosen = np.concatenate([self._chosen(step) for step in steps])
        seeds = [self._seed * STEP_SEED + step for step in steps]
        chance = [torch.Generator().manual_seed(seed) for seed in seeds]
        parameters = draw_parameters(self.batch_size, self._augment, *chance)
        y = self._y[torch.from_numpy(chosen).to(self._y.device)].to(self._device)
        seen = self.data.train.take(chosen)
        patches = self.data.reader.augmented(seen.slide_index, seen.xy_px, parameters)
        return patches.to(self._device), y

    def _chosen(self, step: int) -> Int[np.ndarray, " b"]:
        """Return the positions of a step's observations: each epoch is a new permutation."""
        per_epoch = len(self.data.train) // self.batch_size
        epoch, place = divmod(step, per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (
                epoch,
                np.random.default_rng([self._seed, epoch]).permutation(len(self.data.train)),
            )
        return self._order[1][place * self.batch_size : (place + 1) * self.batch_size]


class _Used:
    """Holds batches until the network, which is given work faster than it does it, is done with them.

    Their memory belongs to the stream that they are made on, which knows nothing of who reads them.
    """

    def __init__(self, stream: torch.cuda.Stream | None) -> None:
        self._stream = stream
        self._held: list[object] = []
        self._taken: torch.cuda.Event | None = None

    def follow(self, batches: list) -> None:
        """Wait for the steps on all batches before these, whose steps have been started by now."""
        if self._stream is None:
            return
        if self._taken is not None:
            self._taken.synchronize()
        self._taken, self._held = torch.cuda.Event(), [batches]
        self._taken.record(torch.cuda.current_stream(self._stream.device))

    def close(self) -> None:
        """Wait for all steps that were started."""
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).synchronize()
        self._held = []


def _subset(
    observations: Observations, y: Float[np.ndarray, "n g"], most: int, seed: int
) -> tuple[Observations, Float[np.ndarray, "m g"]]:
    """Return at most ``most`` observations, drawn once: the same for every configuration."""
    if len(observations) <= most:
        return observations, y
    chosen = np.sort(np.random.default_rng([seed, 1]).choice(len(observations), most, replace=False))
    return observations.take(chosen), y[chosen]
