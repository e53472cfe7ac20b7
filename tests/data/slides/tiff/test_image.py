"""A TIFF by parts and levels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

PIXELS = np.kron(np.random.default_rng(3).integers(90, 250, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
HALF = PIXELS.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3)).astype(np.uint8)


def pyramid(path: Path, *, flag: int = 1, below: bool = False, **how: Any) -> Path:
    settings = {"photometric": "rgb", "metadata": None, "tile": (16, 32), **how}
    with tifffile.TiffWriter(path) as file:
        file.write(PIXELS, subifds=1 if below else 0, **settings)
        file.write(HALF, subfiletype=flag, **settings)
        if not below:
            file.write(np.full((10, 64, 3), 7, np.uint8), subfiletype=1, **settings)
    return path


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"below": True}, {"planarconfig": "separate"}])
def test_parts_of_every_level(tmp_path: Path, how: dict[str, Any]) -> None:
    if how.get("planarconfig"):
        tifffile.imwrite(
            tmp_path / "a.tif", PIXELS.transpose(2, 0, 1), photometric="rgb", tile=(16, 32), **how
        )
        image = image_of(tmp_path / "a.tif")
        assert len(image.levels) == 1
    else:
        image = image_of(pyramid(tmp_path / "a.tif", **how))
        assert [(one.height_px, one.width_px, one.downsample) for one in image.levels] == [
            (96, 128, 1),
            (48, 64, 2),
        ]
        np.testing.assert_array_equal(image.read(1, 30, 10, 20, 38), HALF[10:48, 30:50])
    rng = np.random.default_rng(0)
    parts = [
        (int(x), int(y), 40, 30)
        for x, y in zip(rng.integers(0, 88, 30), rng.integers(0, 66, 30), strict=True)
    ]
    with ThreadPoolExecutor(4) as pool:
        for (x, y, width, height), found in zip(
            parts, pool.map(lambda at: image.read(0, *at), parts), strict=True
        ):
            np.testing.assert_array_equal(found, PIXELS[y : y + height, x : x + width])
    image.close()


def test_a_smaller_page_that_nothing_calls_a_copy_is_no_level(tmp_path: Path) -> None:
    assert len(image_of(pyramid(tmp_path / "a.tif", flag=0)).levels) == 1


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha_is_put_on_white(tmp_path: Path, kind: str) -> None:
    alpha = np.full((*PIXELS.shape[:2], 1), 255, np.uint8)
    alpha[:20] = 0
    alpha[20:40] = 128
    stored = PIXELS if kind == "unassalpha" else (PIXELS * (alpha / 255)).round().astype(np.uint8)
    content = np.concatenate([stored, alpha], axis=2)
    tifffile.imwrite(
        tmp_path / "a.tif", content, photometric="rgb", extrasamples=[kind], compression="zlib", tile=(16, 16)
    )
    image = image_of(tmp_path / "a.tif")
    image.write(tmp_path / "slide")
    found = open_pixels(tmp_path / "slide")
    assert (found[:20] == 255).all()
    np.testing.assert_allclose(found[20:40], PIXELS[20:40] * (128 / 255) + 127, atol=1.01)
    np.testing.assert_array_equal(found[40:], PIXELS[40:])
    np.testing.assert_array_equal(image.read(0, 3, 4, 50, 60), found[4:64, 3:53])
    image.close()


def test_planes_with_alpha_are_put_on_white(tmp_path: Path) -> None:
    alpha = np.zeros(PIXELS.shape[:2], np.uint8)
    alpha[50:] = 255
    content = np.stack([*PIXELS.transpose(2, 0, 1), alpha])
    how: Any = {"planarconfig": "separate", "extrasamples": ["unassalpha"], "tile": (16, 16)}
    tifffile.imwrite(tmp_path / "a.tif", content, photometric="rgb", **how)
    found = image_of(tmp_path / "a.tif").read(0, 0, 0, 128, 96)
    assert (found[:50] == 255).all()
    np.testing.assert_array_equal(found[50:], PIXELS[50:])


def test_tiles_that_are_not_stored_are_white_in_every_part(tmp_path: Path) -> None:
    def tiles() -> Any:
        for y in range(0, 96, 32):
            for x in range(0, 128, 32):
                yield None if (y, x) == (32, 64) else PIXELS[y : y + 32, x : x + 32]

    how: Any = {
        "shape": PIXELS.shape,
        "dtype": np.uint8,
        "tile": (32, 32),
        "photometric": "rgb",
        "compression": "zlib",
    }
    tifffile.imwrite(tmp_path / "a.tif", tiles(), **how)
    expected = PIXELS.copy()
    expected[32:64, 64:96] = 255
    np.testing.assert_array_equal(
        image_of(tmp_path / "a.tif").read(0, 50, 20, 70, 60), expected[20:80, 50:120]
    )


def test_a_dark_image_is_refused_when_it_is_decoded(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS // 8, photometric="rgb")
    with pytest.raises(DataError, match=r"a\.tif: the image is dark"):
        image_of(tmp_path / "a.tif").write(tmp_path / "slide")


def test_the_profile_of_the_slides_page_is_given(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", iccprofile=profile)
    assert image_of(tmp_path / "a.tif").icc_profile() == profile
    tifffile.imwrite(tmp_path / "b.tif", PIXELS, photometric="rgb")
    assert image_of(tmp_path / "b.tif").icc_profile() is None


def test_label_and_overview_of_a_qptiff_are_never_the_slide(tmp_path: Path) -> None:
    def said(kind: str) -> str:
        name = "PerkinElmer-QPI-ImageDescription"
        return f"<?xml ?><{name}><ImageType>{kind}</ImageType></{name}>"

    with tifffile.TiffWriter(tmp_path / "a.qptiff") as file:
        file.write(
            PIXELS, photometric="rgb", metadata=None, tile=(16, 16), description=said("FullResolution")
        )
        file.write(
            np.full((20, 20, 3), 90, np.uint8),
            photometric="rgb",
            metadata=None,
            description=said("Thumbnail"),
        )
        file.write(
            HALF,
            photometric="rgb",
            metadata=None,
            tile=(16, 16),
            subfiletype=1,
            description=said("ReducedResolution"),
        )
        file.write(
            np.full((200, 200, 3), 90, np.uint8), photometric="rgb", metadata=None, description=said("Label")
        )
    image = image_of(tmp_path / "a.qptiff")
    assert [(one.height_px, one.width_px) for one in image.levels] == [(96, 128), (48, 64)]
    np.testing.assert_array_equal(image.read(0, 0, 0, 128, 96), PIXELS)
