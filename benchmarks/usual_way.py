"""The usual ways of reading patches, that ours is held against.

Patches cut to one HDF5 file a size, one patch a chunk, uncompressed; or tiles read from the TIFF by wsidata
(and so by LazySlide).  Both by a DataLoader of two workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

BATCH = 128


class PatchFile(Dataset):
    """Patches in an HDF5 file, opened by each worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._images: Any = None
        with h5py.File(path) as file:
            self._n = len(file["img"])  # pyright: ignore[reportArgumentType]

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, i: int) -> torch.Tensor:
        if self._images is None:
            self._images = h5py.File(self.path)["img"]
        return torch.from_numpy(self._images[i])


def write_patches(path: Path, pixels: np.ndarray, start: np.ndarray, width: int) -> None:
    """Cut patches one by one, each into a chunk of its own; ``start`` are their first columns and rows."""
    with h5py.File(path, "w") as file:
        shape = (len(start), width, width, 3)
        images = file.create_dataset("img", shape, np.uint8, chunks=(1, *shape[1:]))
        for i, (x, y) in enumerate(start):
            images[i] = pixels[y : y + width, x : x + width]


def tiles(tiff: Path, start: np.ndarray, width: int) -> Dataset | None:
    """Return the tile reader's data set of the same patches, or None where it is not installed."""
    try:
        from wsidata import TileSpec, open_wsi  # pyright: ignore[reportMissingImports]
        from wsidata.dataset import TileImagesDataset  # pyright: ignore[reportMissingImports]
        from wsidata.io import add_tiles  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    slide = open_wsi(tiff, store=None)
    spec = TileSpec.from_wsidata(slide, tile_px=width)
    add_tiles(slide, "tiles", start, spec, np.zeros(len(start), int))
    return TileImagesDataset(slide, transform=partial(_image, width=width))


def _image(tile: np.ndarray, width: int) -> torch.Tensor:
    assert tile.shape == (width, width, 3)
    return torch.from_numpy(tile)


def loader_of(data: Dataset) -> DataLoader:
    """Return the DataLoader: two workers that stay, shuffled batches."""
    return DataLoader(data, BATCH, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True)


def rate_of(data: Dataset, key: str | None = None) -> Callable[[], float]:
    """Return what gives the patches a second over an epoch, once every file was read and the workers run."""
    loader = loader_of(data)
    for _ in loader:
        pass

    def rate() -> float:
        batches = iter(loader)
        next(batches)
        began, seen = time.perf_counter(), 0
        for batch in batches:
            seen += len(batch if key is None else batch[key])
        return seen / (time.perf_counter() - began)

    return rate
