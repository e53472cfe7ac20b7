"""Sound slides in formats besides TIFF, and their changes: an image alone, with a lattice over its tissue."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from campaign import images, stores
from campaign.kinds import VALUE, Change
from campaign.values import bytes_of, replaced

NAMES = ("png", "jpeg", "jp2", "scn", "philips", "ome-zarr2", "ome-zarr3")
_PHANTOMS = Path(__file__).resolve().parents[2] / "tests" / "data" / "slides" / "phantoms.py"
_MARKERS = (
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"\xff\xc0",
    b"\xff\xdb",
    b"\xff\xda",
    b"\xff\x51",
    b"\xff\x52",
    b"ihdr",
    b"jp2c",
)
_FILES = ("*/wsis/S1.pic",)
_OF_FILES = (
    Change("bytes", bytes_of(*_FILES), VALUE),
    Change("marker", bytes_of(*_FILES, near=_MARKERS), VALUE),
    Change("replaced", replaced(*_FILES)),
)


def changes(name: str) -> tuple[Change, ...]:
    """Return the changes of a kind of picture."""
    if name.startswith("ome-zarr"):
        return stores.CHANGES
    return images.CHANGES if name in ("scn", "philips") else _OF_FILES


def write(sound: Path, pixels: np.ndarray) -> None:
    """Write every kind, each in a folder of its own with dataset.yaml."""
    for name in NAMES:
        folder = sound / f"picture-{name}"
        slide = folder / "data" / "wsis"
        slide.mkdir(parents=True)
        path = _MAKERS[name](slide, pixels)
        sample = {"id": "S1", "source": "slide", "patient": "P1", "um_per_px": 0.5, "trust_um_per_px": True}
        sample |= {"path": str(path.relative_to(folder)), "points": {"grid": {"spacing_um": 8}}}
        content = yaml.safe_dump({"name": "d", "samples": [sample]}, sort_keys=False)
        (folder / "dataset.yaml").write_text(content)


def _plain(form: str, **how: Any) -> Callable[[Path, np.ndarray], Path]:
    def make(folder: Path, pixels: np.ndarray) -> Path:
        from PIL import Image

        Image.fromarray(pixels).save(folder / "S1.pic", format=form, **how)
        return folder / "S1.pic"

    return make


def _zarr(zarr_format: Literal[2, 3]) -> Callable[[Path, np.ndarray], Path]:
    def make(folder: Path, pixels: np.ndarray) -> Path:
        import zarr

        store = folder.parent / "store.zarr"
        group: Any = zarr.open_group(store, mode="w", zarr_format=zarr_format)
        for number, level in enumerate((pixels, pixels[::2, ::2])):
            channels = np.ascontiguousarray(level.transpose(2, 0, 1))
            group.create_array(str(number), data=channels, chunks=(1, 64, 64))
        axes = [{"name": axis, "unit": "micrometer"} for axis in "cyx"]
        sizes = [[{"type": "scale", "scale": [1.0, um, um]}] for um in (0.5, 1.0)]
        levels = [{"path": str(k), "coordinateTransformations": size} for k, size in enumerate(sizes)]
        said = {"multiscales": [{"axes": axes, "datasets": levels}]}
        group.attrs.update(said if zarr_format == 2 else {"ome": {"version": "0.5", **said}})
        return store

    return make


def _phantoms() -> Any:
    """Return what the tests write scanners' files with."""
    spec = importlib.util.spec_from_file_location("campaign_phantoms", _PHANTOMS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _scn(folder: Path, pixels: np.ndarray) -> Path:
    return _phantoms().scn(folder / "S1.tif", [(pixels, 40, 20)], (160, 192))


def _philips(folder: Path, pixels: np.ndarray) -> Path:
    return _phantoms().philips(folder / "S1.tif", pixels)


_MAKERS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "png": _plain("PNG"),
    "jpeg": _plain("JPEG", quality=95),
    "jp2": _plain("JPEG2000"),
    "scn": _scn,
    "philips": _philips,
    "ome-zarr2": _zarr(2),
    "ome-zarr3": _zarr(3),
}
