"""The head: from features of two kinds to genes, whatever the features' scale."""

from __future__ import annotations

import pytest
import torch

from prestige.models.heads import LinearHead, Readout


def head(readout: Readout = "centre_whole", dropout: float = 0.0) -> LinearHead:
    torch.manual_seed(0)
    made = LinearHead(5, 7, 3, readout, dropout)
    torch.nn.init.normal_(made.linear.weight)
    return made


def features() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(4, 5), torch.randn(4, 7)


def test_untrained_it_gives_zero() -> None:
    assert not LinearHead(5, 7, 3, "centre_whole", 0.1)(*features()).any()


@pytest.mark.parametrize(("readout", "n_features"), [("centre_whole", 12), ("whole", 7)])
def test_it_reads_what_it_is_told_to(readout: Readout, n_features: int) -> None:
    made, (centre, whole) = head(readout), features()
    assert made.linear.in_features == n_features
    moved = made(centre + torch.randn(4, 5), whole)
    assert torch.allclose(moved, made(centre, whole)) == (readout == "whole")
    assert not torch.allclose(made(centre, whole + torch.randn(4, 7)), made(centre, whole))


def test_the_scale_of_the_features_does_not_matter() -> None:
    made, (centre, whole) = head(), features()
    torch.testing.assert_close(made(9 * centre, whole / 7), made(centre, whole), rtol=1e-2, atol=1e-2)


def test_dropout_acts_in_training_alone() -> None:
    made, (centre, whole) = head(dropout=0.5), features()
    made.eval()
    assert torch.equal(made(centre, whole), made(centre, whole))
    made.train()
    assert not torch.equal(made(centre, whole), made(centre, whole))
