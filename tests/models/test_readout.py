"""The cells of a map that are its centre."""

from __future__ import annotations

import pytest
import torch

from prestige.models.readout import central, whole


def numbered(cells: int) -> torch.Tensor:
    return torch.arange(cells * cells, dtype=torch.float32).view(1, 1, cells, cells)


@pytest.mark.parametrize(
    ("cells", "mean"),
    [
        (1, 0.0),
        (2, 1.5),  # all four: 0 1 2 3
        (3, 4.0),  # the middle one alone
        (4, 7.5),  # 5 6 9 10
        (5, 12.0),
    ],
)
def test_centre_is_the_middle_cell_or_the_middle_four(cells: int, mean: float) -> None:
    assert central(numbered(cells)).item() == mean


def test_cells_next_to_the_centre_do_not_count() -> None:
    features = torch.full((1, 1, 6, 6), torch.nan)
    features[..., 2:4, 2:4] = 1.0
    assert central(features).item() == 1.0


def test_whole_is_the_mean_of_all_cells() -> None:
    assert whole(numbered(4)).item() == 7.5
    features = torch.stack([torch.zeros(5, 5), torch.eye(5)])[None]
    centre, everything = central(features), whole(features)
    assert centre.tolist() == [[0.0, 1.0]]
    assert everything[0].tolist() == pytest.approx([0.0, 0.2], abs=1e-6)


def test_gradients_lie_in_memory_as_the_maps_do() -> None:
    maps = torch.rand(2, 8, 5, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    features = maps * 1
    seen: list[torch.Tensor] = []
    features.register_hook(seen.append)
    centre, everything = central(features), whole(features)
    (centre.square().sum() + everything.square().sum()).backward()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
