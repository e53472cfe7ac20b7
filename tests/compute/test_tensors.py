"""Files of tensors: what is read, what is refused, and what counts as a number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from prestige.compute.tensors import LARGEST, MOST_HEADER_BYTES, misfits, read_tensors, refuse_absurd
from prestige.errors import ModelError


def test_tensors_and_the_words_of_the_header(tmp_path: Path) -> None:
    save_file({"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([7])}, tmp_path / "t", {"schema": "x/1"})
    tensors, header = read_tensors(tmp_path / "t", kind=ModelError, remedy="again")
    assert header == {"schema": "x/1"}
    assert tensors["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["b"].tolist() == [7]


@pytest.mark.parametrize("cut", [0, 4, 8, 20, -1])
def test_files_that_are_none(cut: int, tmp_path: Path) -> None:
    save_file({"a": torch.ones(4)}, tmp_path / "t")
    (tmp_path / "t").write_bytes((tmp_path / "t").read_bytes()[:cut])
    with pytest.raises(ModelError, match=r"t: cannot be read .*expected a safetensors file; again"):
        read_tensors(tmp_path / "t", kind=ModelError, remedy="again")


def test_a_header_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes((MOST_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}" * 100)
    with pytest.raises(ModelError, match="its header would be 16,777,217 bytes"):
        read_tensors(tmp_path / "t", kind=ModelError, remedy="again")


@pytest.mark.parametrize(
    ("tensor", "sound"),
    [
        (torch.tensor([0.0, -LARGEST, LARGEST]), True),
        (torch.tensor([]), True),
        (torch.tensor(2**40), True),
        (torch.tensor([1.0], dtype=torch.float16), True),
        (torch.tensor([1.0], dtype=torch.float64), True),
        (torch.tensor([0.0, float("nan")]), False),
        (torch.tensor([float("-inf"), 0.0]), False),
        (torch.tensor([1e38]), False),
        (torch.tensor([1e300], dtype=torch.float64), False),
        (torch.tensor([float("inf")], dtype=torch.bfloat16), False),
        (torch.tensor([1j]), False),
    ],
    ids=str,
)
def test_numbers_that_are_weights(tensor: torch.Tensor, sound: bool) -> None:
    if sound:
        refuse_absurd({"a": tensor}, where="f", kind=ModelError)
        return
    with pytest.raises(ModelError, match=r"f: numbers of the tensor 'b' are no weights.*and so are 1 others"):
        refuse_absurd({"a": torch.ones(2), "b": tensor, "c": tensor}, where="f", kind=ModelError)


def test_what_differs_between_two_states() -> None:
    one = {"same": torch.ones(2), "shape": torch.ones(2), "kind": torch.ones(2), "left": torch.ones(1)}
    two = {
        "same": torch.ones(2, dtype=torch.float16),
        "shape": torch.ones(2, 1),
        "kind": torch.ones(2, dtype=torch.int64),
        "right": torch.ones(1),
    }
    assert misfits(one, two) == ["kind", "left", "right", "shape"]
    assert misfits(one, one) == []
