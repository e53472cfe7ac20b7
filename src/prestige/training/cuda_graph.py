"""Training steps on a GPU, captured as a CUDA graph and replayed.

A step of a small network is hundreds of kernels of a few microseconds each, and starting one from Python
takes as long.  Captured as a CUDA graph, all of them start at once.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable

import torch
from torch import Tensor

from prestige.compute.devices import own_stream

WARMUP_STEPS = 3
"""Steps that are taken as usual before one is captured: libraries choose their kernels in the first ones."""

_log = logging.getLogger(__name__)


class GraphedStep:
    """Takes steps on one CUDA device; the kernels are those of the step as written, in the same order.

    What a step changes (weights, running means, the optimizer's state and learning rate) has to stay where it
    is in memory.  Chance is drawn from torch's default state on the device, so a seed set before a step holds
    for it, captured or not.  A step that cannot be captured is taken as usual.

    Parameters
    ----------
    take
        Takes one step on a batch and returns its loss; all batches have the shape of the first.
    device
        Where everything lies.
    """

    def __init__(self, take: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> None:
        self._take, self._device = take, device
        self._stream = own_stream(device, "steps")
        self._graph: torch.cuda.CUDAGraph | None = None
        self._until_captured = WARMUP_STEPS
        self._given: tuple[Tensor, ...] = ()
        self._loss: Tensor | None = None

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step and return its loss, which stays as it is."""
        if self._until_captured == 0 and self._graph is None:
            self._capture(x, y)
        self._until_captured -= 1
        if self._graph is None:
            return self._plainly(x, y)
        for mine, given in zip(self._given, (x, y), strict=True):
            mine.copy_(given)
        self._graph.replay()
        assert self._loss is not None
        return self._loss.clone()

    def _plainly(self, x: Tensor, y: Tensor) -> Tensor:
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):  # the one that captures: what autograd keeps is a stream's
            loss = self._take(x, y)
        here.wait_stream(self._stream)
        return loss

    def _capture(self, x: Tensor, y: Tensor) -> None:
        """Capture a step; nothing of it is computed yet."""
        gc.collect()
        gc.disable()  # a capture that is thrown away during another would spoil that
        given, graph = (x.clone(), y.clone()), torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream(self._device)
        chance = torch.cuda.default_generators[self._stream.device_index]
        before = chance.clone_state()
        try:
            # Other threads go on using the device meanwhile: batches are made ahead.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._loss = self._take(*given)
        except RuntimeError as error:
            chance.graphsafe_set_state(before)  # it would wait for the end of the capture
            _log.warning("steps are not captured, which makes small networks slower: %s", error)
            return
        finally:
            torch.cuda.set_stream(here)  # which torch leaves undone where a capture failed
            gc.enable()
        self._graph, self._given = graph, given
