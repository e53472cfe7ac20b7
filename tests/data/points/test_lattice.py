"""Lattices over the tissue of a slide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.data.points.lattice import Lattice, Spacing, places_on
from prestige.errors import DataError


def tissue(height: int, width: int, share: float) -> np.ndarray:
    """Return tissue whose left share of the columns is stained, and glass beside it."""
    pixels = np.full((height, width, 3), 242, dtype=np.uint8)
    noise = np.random.default_rng(0).integers(-40, 40, (height, int(width * share), 1))
    pixels[:, : noise.shape[1]] = np.clip(noise + [190, 110, 160], 0, 255)
    return pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 160), st.integers(20, 160), st.floats(2, 60), st.sampled_from(["grid", "spots"]))
def test_places_lie_inside_and_as_far_apart_as_asked(height: int, width: int, step: float, kind: str) -> None:
    lattice = Lattice.model_validate({kind: {"spacing_um": step / 2}})
    xy, note = places_on(lattice, tissue(height, width, 1.0), 0.5, where="sample 'S'")
    assert ((xy >= -0.5) & (xy < np.array([width, height]) - 0.5)).all()
    assert f"{len(xy):,} of {len(xy):,}" in note
    if len(xy) > 1:
        apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
        assert apart[~np.eye(len(xy), dtype=bool)].min() >= step * (1 - 1e-9)


def test_glass_is_left_out() -> None:
    xy, note = places_on(Lattice(grid=Spacing(spacing_um=5)), tissue(200, 300, 0.5), 0.5, where="S")
    assert xy[:, 0].max() < 150
    assert note == f"places are a grid, 5 um apart: {len(xy)} of 600 on tissue, the others on glass or dust"


def test_dust_and_a_printed_frame_are_no_tissue() -> None:
    pixels = tissue(200, 300, 0.5)
    pixels[:, 260:] = np.linspace(240, 150, 40)[:, None].astype(np.uint8)  # grey, and darker than glass
    pixels[43:49, 213:219] = [90, 60, 120]
    xy, _ = places_on(Lattice(grid=Spacing(spacing_um=5)), pixels, 0.5, where="S")
    assert xy[:, 0].max() < 150


def test_what_gives_no_places_is_a_line() -> None:
    with pytest.raises(DataError, match="none of 64 places shows tissue"):
        places_on(Lattice(grid=Spacing(spacing_um=12.5)), tissue(200, 200, 0.0), 0.5, where="S")
    with pytest.raises(DataError, match="at most 5,000,000 places; raise spacing_um"):
        places_on(Lattice(grid=Spacing(spacing_um=0.1)), tissue(20, 20, 0.5), 0.5, where="S")
