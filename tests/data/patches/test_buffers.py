"""Memory is given again when nobody holds it, and never while anybody does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from prestige.data.patches.buffers import Buffers


def place(array: np.ndarray) -> int:
    return array.ctypes.data


def test_the_same_memory_once_it_is_free() -> None:
    buffers = Buffers()
    first = buffers.take((4, 3), np.float32)
    where = place(first)
    assert (first.shape, first.dtype, first.flags.c_contiguous) == ((4, 3), np.float32, True)
    assert where % 64 == 0
    del first
    assert place(buffers.take((2, 24), np.uint8)) == where  # as many bytes, other numbers
    assert place(buffers.take((1,), np.uint8)) == where  # fewer
    assert place(buffers.take((49,), np.uint8)) != where  # more


@pytest.mark.parametrize(
    "holding",
    [
        lambda array: array,
        lambda array: array[1:].reshape(-1)[::2],
        lambda array: torch.from_numpy(array),
        lambda array: torch.from_numpy(array)[1].view(-1).as_strided((2,), (1,)),
        lambda array: (torch.from_numpy(array).requires_grad_() * 2.5).grad_fn,
    ],
    ids=["array", "view", "tensor", "view of a tensor", "graph"],
)
def test_what_is_held_is_not_given_again(holding) -> None:
    buffers = Buffers()
    array = buffers.take((6, 5), np.float32)
    where = place(array)
    held = holding(array)
    del array
    others = [buffers.take((6, 5), np.float32) for _ in range(3)]
    assert len({where, *map(place, others)}) == 4
    del held
    assert place(buffers.take((6, 5), np.float32)) == where


def test_few_are_kept() -> None:
    buffers = Buffers()
    held = [buffers.take((8,), np.uint8) for _ in range(50)]
    assert len({place(array) for array in held}) == 50
    assert len(buffers._kept) <= 4


def test_threads_never_share() -> None:
    buffers = Buffers()

    def filled(number: int) -> bool:
        array = buffers.take((1000,), np.int64)
        array[:] = number
        return bool((array == number).all()) and int(array.sum()) == 1000 * number

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(filled, range(2000)))
