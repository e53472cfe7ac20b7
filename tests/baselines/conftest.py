"""A slide whose colour and roughness are known, and a small encoder with weights in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prestige.data.observations import Observations
from prestige.data.patches.reader import Patch, PatchReader
from prestige.data.slides.slide import Slide

SIZE = 320
Made = tuple[PatchReader, Observations, np.ndarray, np.ndarray]


def make(seed: int = 0, n: int = 900) -> Made:
    """Return a slide of dark and bright squares, cells on it, expression (dark, rough, neither), blocks."""
    rng = np.random.default_rng(seed)
    bright = np.kron(rng.uniform(60, 220, (20, 20)), np.ones((16, 16)))
    rough = np.kron(rng.uniform(0, 25, (20, 20)), np.ones((16, 16)))
    pixels = bright[..., None] + rough[..., None] * rng.normal(size=(SIZE, SIZE, 1)) + np.zeros(3)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    cell = rng.integers(0, 20, (n, 2))
    xy = cell * 16 + 7.5
    y = np.stack(
        [
            3 - bright[8::16, 8::16][cell[:, 1], cell[:, 0]] / 100,
            rough[8::16, 8::16][cell[:, 1], cell[:, 0]] / 10,
        ]
        + [rng.uniform(0, 1, n)],
        axis=1,
    )
    places = Observations(np.zeros(n, dtype=int), np.arange(n), xy)
    reader = PatchReader([Slide(pixels, 0.5, False, f"slide{seed}")], Patch(8.0, 16))
    return reader, places, y.astype(np.float32), cell[:, 0] // 4 * 5 + cell[:, 1] // 4


@pytest.fixture(scope="session")
def tissue() -> Callable[..., Made]:
    """Return the maker of slides."""
    return make


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of weights of ``compact_xs``, its batch norms moved away from where they begin."""
    import torch
    from safetensors.torch import save_file

    from prestige.models.encoders import build_encoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(77)
        encoder = build_encoder("compact_xs", input_px=16)
        encoder.train()(torch.rand(32, 3, 16, 16))
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(encoder.state_dict(), path)
    return path
