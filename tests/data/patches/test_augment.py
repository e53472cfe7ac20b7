"""Augmentation: exact symmetries, stain directions worked out by hand, one source of chance."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prestige.data.patches.augment import (
    EOSIN,
    HAEMATOXYLIN,
    AugmentConfig,
    apply_symmetry,
    augment,
    draw_parameters,
    draw_stains,
    draw_symmetries,
    restain,
    to_float,
)
from prestige.data.patches.buffers import Buffers

OFF = AugmentConfig(flips=False, quarter_turns=False, stain_jitter=0)


def batch(b: int = 16, d: int = 7, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (b, 3, d, d), generator=generator, dtype=torch.uint8)
    return x.contiguous(memory_format=torch.channels_last)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augmented(
    x: torch.Tensor, config: AugmentConfig, chance: torch.Generator, buffers: Buffers | None = None
) -> torch.Tensor:
    return augment(x, draw_parameters(len(x), config, chance), buffers)


def test_to_float() -> None:
    x = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    torch.testing.assert_close(to_float(x).flatten(), torch.tensor([0.0, 0.2, 1.0]))
    assert to_float(batch()).is_contiguous(memory_format=torch.channels_last)


def test_nothing_allowed_changes_nothing() -> None:
    x = batch()
    torch.testing.assert_close(augmented(x, OFF, seeded()), to_float(x))


@pytest.mark.parametrize("d", [1, 2, 7, 8])
def test_turns_and_mirrors_are_the_eight_symmetries(d) -> None:
    x = batch(200, d)
    config = AugmentConfig(stain_jitter=0)
    got = augmented(x, config, seeded(5))
    element = draw_symmetries(200, config, seeded(5))
    assert set(element.tolist()) == set(range(8))
    for i, e in enumerate(element.tolist()):
        image = x[i].flip(2) if e >= 4 else x[i]
        torch.testing.assert_close(got[i], to_float(torch.rot90(image, e % 4, (1, 2))[None])[0])


@given(e=st.integers(0, 7), d=st.integers(1, 9))
def test_every_symmetry_has_its_inverse(e, d) -> None:
    x = batch(3, d)
    inverse = e if e >= 4 else (4 - e) % 4
    back = apply_symmetry(apply_symmetry(x, torch.full((3,), e)), torch.full((3,), inverse))
    assert torch.equal(back, x)


@pytest.mark.parametrize(
    ("flips", "turns", "allowed"),
    [
        (True, False, {0, 2, 4, 6}),
        (False, True, {0, 1, 2, 3}),
        (False, False, {0}),
        (True, True, set(range(8))),
    ],
)
def test_only_what_is_allowed_is_drawn(flips, turns, allowed) -> None:
    config = AugmentConfig(flips=flips, quarter_turns=turns)
    element = draw_symmetries(8000, config, seeded())
    assert set(element.tolist()) == allowed
    counts = torch.bincount(element)[sorted(allowed)]
    assert (counts.float() / 8000 * len(allowed) - 1).abs().max() < 0.15


@given(strength=st.floats(0, 0.5), seed=st.integers(0, 50))
def test_one_pass_equals_the_formula(strength, seed) -> None:
    """The tables give what the logarithm, the matrix product and the exponential give."""
    x, config = batch(5, 6, seed), AugmentConfig(stain_jitter=strength)
    got = augmented(x, config, seeded(seed))
    generator = seeded(seed)
    element = draw_symmetries(5, config, generator)
    expected = restain(apply_symmetry(x, element), *draw_stains(5, strength, generator))
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=0)
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= float(got.min()) <= float(got.max()) <= 1


@pytest.mark.parametrize("stain", [HAEMATOXYLIN, EOSIN])
def test_more_stain_is_more_of_its_own_colour(stain) -> None:
    """A patch of one pure stain keeps its direction in optical density, whatever is drawn."""
    length = math.sqrt(sum(v * v for v in stain))
    direction = torch.tensor([v / length for v in stain])
    matrix, _ = draw_stains(300, 0.2, seeded(1))
    after = (matrix @ direction) @ direction
    torch.testing.assert_close(matrix @ direction, after[:, None] * direction[None], atol=1e-5, rtol=0)
    assert 0.8 <= float(after.min()) < 0.83
    assert 1.17 < float(after.max()) <= 1.2 + 1e-6


def test_restain_by_hand() -> None:
    """I = 127 has (I + 1) / 256 = 1/2; twice its density is 1/4, that is 63 of 255."""
    x = torch.full((1, 3, 1, 1), 127, dtype=torch.uint8)
    out = restain(x, 2 * torch.eye(3)[None], torch.zeros(1, 3))
    torch.testing.assert_close(out.flatten() * 255, torch.full((3,), 63.0), atol=1e-3, rtol=0)
    darker = restain(x, torch.eye(3)[None], torch.full((1, 3), math.log(2)))
    torch.testing.assert_close(darker, out)


def test_white_stays_near_white() -> None:
    x = torch.full((64, 3, 4, 4), 255, dtype=torch.uint8)
    out = augmented(x, AugmentConfig(stain_jitter=0.05), seeded())
    assert float(out.min()) > 0.94


def test_generator_is_the_only_source_of_chance() -> None:
    x, config = batch(), AugmentConfig()
    torch.manual_seed(1)
    first = augmented(x, config, seeded(9))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(augmented(x, config, seeded(9)), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(augmented(x, config, seeded(10)), first)


def test_memory_order_of_the_input_does_not_matter() -> None:
    x = batch()
    assert torch.equal(
        augmented(x.contiguous(), AugmentConfig(), seeded()), augmented(x, AugmentConfig(), seeded())
    )


def test_what_is_held_of_a_batch_stays_as_it_is() -> None:
    buffers = Buffers()
    first = augmented(batch(seed=1), AugmentConfig(), seeded(1), buffers)
    kept, middle = first.clone(), first[:, :, 2:5]
    del first
    for seed in range(2, 6):
        again = augmented(batch(seed=seed), AugmentConfig(), seeded(seed), buffers)
        assert torch.equal(again, augmented(batch(seed=seed), AugmentConfig(), seeded(seed)))
    assert torch.equal(middle, kept[:, :, 2:5])


def test_the_input_is_left_alone() -> None:
    x = batch()
    kept = x.clone()
    augmented(x, AugmentConfig(), seeded())
    assert torch.equal(x, kept)


def test_config_refuses_negative_strength() -> None:
    with pytest.raises(ValidationError):
        AugmentConfig(stain_jitter=-0.1)
