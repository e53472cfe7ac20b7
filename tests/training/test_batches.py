"""Batches are a function of the seed and the step, whoever makes them and wherever they are made."""

from dataclasses import replace
from itertools import count
from unittest.mock import Mock
from weakref import ref

import numpy as np
import pytest
import torch

from prestige.data.patches import on_device as module
from prestige.data.patches.on_device import DeviceReader, StreamedReader, on_device
from prestige.training.batches import BatchLoader, TrainData, _Used

from ..small_train import settings, train_data

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU on this machine")


@pytest.fixture
def data(small_samples) -> TrainData:
    return train_data(small_samples)


def test_every_epoch_takes_each_observation_at_most_once(data: TrainData) -> None:
    loader = BatchLoader(data, settings(), 0, torch.device("cpu"))
    per_epoch = len(data.train) // 32
    first = np.concatenate([loader._chosen(step) for step in range(per_epoch)])
    second = np.concatenate([loader._chosen(step) for step in range(per_epoch, 2 * per_epoch)])
    assert len(np.unique(first)) == len(first) == per_epoch * 32
    assert not np.array_equal(first, second)
    assert np.array_equal(loader._chosen(1), first[32:64])  # going back gives the same batch


def test_batches_made_ahead_are_those_made_one_by_one(data: TrainData) -> None:
    loader = BatchLoader(data, settings(), 0, torch.device("cpu"))
    ahead = list(loader.batches(5, 9))
    assert len(ahead) == 4
    for step, (x, y) in zip(range(5, 9), ahead, strict=True):
        x_alone, y_alone = loader.batch(step)
        assert torch.equal(x, x_alone)
        assert torch.equal(y, y_alone)


@pytest.mark.parametrize("stop", [17, 18, 20, 24])
def test_batches_made_several_at_once_are_those_made_one_by_one(
    data: TrainData, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    alone, together = (BatchLoader(data, settings(), 2, torch.device("cpu")) for _ in range(2))
    together._at_once = 4
    read: list[int] = []

    def counted(slide_index, xy_px, parameters):
        read.append(len(xy_px))
        return data.reader.augmented(slide_index, xy_px, parameters)

    reader = Mock(widest_px=16, bytes_a_patch=1, augmented=counted)
    monkeypatch.setattr(together, "data", replace(data, reader=reader))
    expected = [alone.batch(step) for step in range(15, stop)]
    made = list(together.batches(15, stop))
    for (x, y), (expected_x, expected_y) in zip(made, expected, strict=True):
        assert torch.equal(x, expected_x)
        assert torch.equal(y, expected_y)
    assert sum(read) == 32 * (stop - 15)  # nothing past the end
    assert len(read) == -(-(stop - 15) // 4)


class Batches(list):
    """A list that a weak reference can point at."""


def test_batches_are_held_until_the_steps_on_them_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int]] = []
    numbers = count()

    class Event:
        def __init__(self) -> None:
            self.number = next(numbers)

        def record(self, _) -> None:
            told.append(("recorded", self.number))

        def synchronize(self) -> None:
            told.append(("waited", self.number))

    network = Mock(spec=torch.cuda.Stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: network)
    used = _Used(Mock(spec=torch.cuda.Stream, device=torch.device("cuda", 0)))
    groups = [Batches([torch.zeros(1)]) for _ in range(3)]
    alive = [ref(group) for group in groups]
    used.follow([])  # the first ones are given out, and none came before
    for number in range(3):
        used.follow(groups.pop(0))  # its steps have been started
        assert told[-2:] == [("waited", number), ("recorded", number + 1)]
        assert [group() is not None for group in alive[:number]] == [False] * number
        assert alive[number]() is not None
    used.close()
    network.synchronize.assert_called_once()
    assert alive[2]() is None


@needs_gpu
@pytest.mark.parametrize("fits", [True, False])
def test_batches_of_a_gpu_are_those_of_the_cpu(
    data: TrainData, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    gpu = torch.device("cuda", 0)
    if not fits:
        monkeypatch.setattr(module, "fits", lambda *_: False)
    reader = on_device(data.reader, gpu)
    assert isinstance(reader, DeviceReader if fits else StreamedReader)
    near = TrainData(reader, data.train, data.train_y, data.validation, data.validation_y)
    cpu = torch.device("cpu")
    made, expected = (
        list(BatchLoader(data, settings(), 3, device).batches(0, 40))
        for data, device in ((near, gpu), (data, cpu))
    )
    for (x, y), (expected_x, expected_y) in zip(made, expected, strict=True):
        assert x.device == y.device == gpu
        assert x.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(x.cpu(), expected_x, atol=5e-6, rtol=0)
        assert torch.equal(y.cpu(), expected_y)


@needs_gpu
def test_a_batch_is_not_written_over_while_the_network_reads_it(data: TrainData) -> None:
    gpu = torch.device("cuda", 0)
    near = TrainData(
        on_device(data.reader, gpu), data.train, data.train_y, data.validation, data.validation_y
    )
    sums = []
    for x, _ in BatchLoader(near, settings(), 3, gpu).batches(0, 60):
        torch.cuda._sleep(2_000_000)  # a slow network: the next batches are made meanwhile
        sums.append(x.double().sum())
    expected = [
        x.double().sum() for x, _ in BatchLoader(data, settings(), 3, torch.device("cpu")).batches(0, 60)
    ]
    np.testing.assert_allclose([float(s) for s in sums], [float(s) for s in expected], rtol=1e-5)
