"""Colours by the profile of the image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from prestige.data.slides.colours import in_srgb
from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

from .phantoms import picture

PIXELS = picture(40, 60)


def saved(path: Path, profile: bytes | None) -> Path:
    how: dict[str, Any] = {} if profile is None else {"icc_profile": profile}
    Pillow.fromarray(PIXELS).save(path, **how)
    return path


def swapped() -> bytes:
    """Return sRGB's profile with red and green exchanged: what a profile does is seen at once."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = {}
    for k in range(int.from_bytes(content[128:132], "big")):
        entry = 132 + 12 * k
        at[bytes(content[entry : entry + 4])] = entry
    red, green = at[b"rXYZ"], at[b"gXYZ"]
    content[red + 4 : red + 12], content[green + 4 : green + 12] = (
        content[green + 4 : green + 12],
        content[red + 4 : red + 12],
    )
    return bytes(content)


def test_what_a_profile_says_is_done(tmp_path: Path) -> None:
    image = in_srgb(image_of(saved(tmp_path / "a.png", swapped())))
    image.write(tmp_path / "slide")
    found = np.asarray(open_pixels(tmp_path / "slide"), dtype=int)
    assert np.abs(found - PIXELS[..., [1, 0, 2]]).max() <= 2
    np.testing.assert_array_equal(image.read(0, 5, 6, 20, 10), found[6:16, 5:25])
    assert image.notes[-1].startswith("the colours of a.png were taken to sRGB by its profile ")
    assert (image.height_px, image.width_px, len(image.levels)) == (40, 60, 1)


def test_pillow_does_the_same(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "exports" / "wsi" / "tiff" / "boxes.tiff"
    if not path.is_file():
        pytest.skip("no exports of scanners")
    image = image_of(path)
    profile = image.icc_profile()
    assert profile is not None
    plain = Pillow.fromarray(image.read(0, 0, 0, 300, 250))
    target = ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(plain, ImageCms.ImageCmsProfile(io.BytesIO(profile)), target)
    np.testing.assert_array_equal(in_srgb(image).read(0, 0, 0, 300, 250), np.asarray(expected))
    image.close()


def test_without_a_profile_or_with_a_broken_one_it_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: brings no ICC profile.*take the line icc: true away"):
        in_srgb(image_of(saved(tmp_path / "a.png", None)))
    with pytest.raises(DataError, match=r"b\.png: its ICC profile cannot be read"):
        in_srgb(image_of(saved(tmp_path / "b.png", b"no profile at all" * 20)))
