"""The size that a compressed image states in its head."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from prestige.data.slides.tiff.codestreams import size_px

PIXELS = np.random.default_rng(0).integers(0, 255, (24, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        imagecodecs.jpeg_encode(PIXELS),
        imagecodecs.jpeg2k_encode(PIXELS, codecformat="j2k"),
        imagecodecs.jpeg2k_encode(PIXELS, codecformat="jp2"),
        imagecodecs.png_encode(PIXELS),
    ],
)
def test_it_is_that_of_the_pixels(data: bytes) -> None:
    assert size_px(data) == (24, 40)
    for end in (0, 1, 2, 5, 11, 20):
        assert size_px(data[:end]) is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xff\xff", b"\xff\xd8\xff\xe0\0\0" * 9, b"RIFF" * 9, bytes(99)]
)
def test_others_state_none(data: bytes) -> None:
    assert size_px(data) is None
