"""Small sections made by hand, and tiny sources on the disk: the challenge's store, a folder of HEST-1k."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.sample import Sample
from prestige.data.slides.slide import Slide

GENES = ("EPCAM", "PTPRC", "ACTA2")


@dataclass
class Store:
    """What a tiny challenge store holds; a test changes a part, then writes it."""

    image: np.ndarray = field(
        default_factory=lambda: np.random.default_rng(0).integers(1, 255, (40, 60, 3), dtype=np.uint8)
    )
    mask: np.ndarray = field(default_factory=lambda: _mask())
    cells: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(
            {"cell_id": [7, 3, 11, 5], "group": [0, 0, 1, 2]}, index=list("7352")
        )
    )
    counts: np.ndarray = field(default_factory=lambda: np.array([[1.0, 0, 4], [2, 5, 0]]))
    measured: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"cell_id": [3, 7]}, index=["3", "7"])
    )
    genes: tuple[str, ...] = GENES

    def write(self, path: Path, zarr_format: int) -> Path:
        """Write it as spatialdata does, in several chunks."""
        import anndata
        import zarr

        anndata.settings.auto_shard_zarr_v3 = False
        side = 16 if self.mask.size < 5000 else 256
        root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
        for name, pixels in (
            ("HE_original", self.image.transpose(2, 0, 1)),
            ("HE_nuc_original", self.mask[None]),
        ):
            group = root.require_group(f"images/{name}")
            group.create_array("0", data=pixels, chunks=(pixels.shape[0], side, side))
            scales = {"multiscales": [{"axes": [{"name": a} for a in "cyx"], "datasets": [{"path": "0"}]}]}
            group.attrs.update(scales if zarr_format == 2 else {"ome": scales})
        var = pd.DataFrame(
            {"gene_symbols": list(self.genes)}, index=[f"ENSG{i}" for i in range(len(self.genes))]
        )
        tables = root.require_group("tables")
        spatial = np.full((len(self.measured), 2), -1e6)  # another frame: whoever reads it fails
        anucleus = anndata.AnnData(
            X=csr_matrix(np.log1p(self.counts)),
            obs=self.measured,
            var=var,
            layers={"counts": csr_matrix(self.counts)},
            obsm={"spatial": spatial},  # type: ignore[dict-item]
        )
        anndata.io.write_elem(tables, "anucleus", anucleus)
        group_table = {"obs": self.cells, "var": pd.DataFrame(index=pd.Index([], dtype=object))}
        cells = tables.require_group("cell_id-group")
        for name, frame in group_table.items():
            anndata.io.write_elem(cells, name, frame)
        return path


def _mask() -> np.ndarray:
    mask = np.zeros((40, 60), dtype=np.uint32)
    mask[2:5, 3:8] = 3  # centre x 5, y 3
    mask[10:12, 14:18] = 7  # over two chunks: x 15.5, y 10.5
    mask[39, 59] = 11  # the last pixel
    mask[20:30, 20:22] = 5  # x 20.5, y 24.5
    mask[35, 0:9] = 99  # not in the table
    return mask


@pytest.fixture
def store() -> Store:
    """Return a sound store of four cells, two of them measured."""
    return Store()


@pytest.fixture
def hest_folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a HEST-1k folder with one sample S1 of four spots."""

    def write(
        image: np.ndarray | None = None,
        counts: np.ndarray | None = None,
        spatial: Any = ((0, 0), (10, 20), (49.4, 30), (25.5, 39.49)),
        obs: pd.DataFrame | None = None,
        metadata: dict[str, Any] | None = None,
        **tiff: Any,
    ) -> Path:
        import anndata
        import tifffile

        root = tmp_path / "hest"
        for name in ("wsis", "st", "metadata"):
            (root / name).mkdir(parents=True, exist_ok=True)
        image = (
            np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8) if image is None else image
        )
        tifffile.imwrite(root / "wsis" / "S1.tif", image, **{"tile": (16, 16), **tiff})
        counts = np.arange(12.0).reshape(4, 3) if counts is None else counts
        obs = pd.DataFrame({"row": range(4)}, index=list("abcd")) if obs is None else obs
        table = anndata.AnnData(
            X=csr_matrix(counts),
            obs=obs,
            var=pd.DataFrame(index=list(GENES)),
            obsm={"spatial": np.asarray(spatial)},  # type: ignore[dict-item]
        )
        table.write_h5ad(root / "st" / "S1.h5ad")
        metadata = {"pixel_size_um": 0.5} if metadata is None else metadata
        (root / "metadata" / "S1.json").write_text(json.dumps(metadata))
        return root

    return write


def _make_slide(height: int = 200, width: int = 300, um_per_px: float = 0.5, seed: int = 0) -> Slide:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    return Slide(pixels, um_per_px, False, f"slide {seed}")


def _make_sample(
    name: str = "s",
    xy_px: Any = None,
    *,
    patient: str = "p",
    n: int = 50,
    counts: Any = None,
    genes: Sequence[str] | None = None,
    measured: Any = True,
    totals: Any = None,
    slide: Slide | None = None,
    covariates: Mapping[str, str] | None = None,
    seed: int = 0,
    **columns: Any,
) -> Sample:
    rng = np.random.default_rng(seed)
    slide = slide or _make_slide()
    if xy_px is None:
        n = n if counts is None else len(counts)
        xy_px = rng.uniform(0, [slide.width_px - 1, slide.height_px - 1], (n, 2))
    xy_px = np.asarray(xy_px, np.float64)
    n = len(xy_px)
    seen = np.broadcast_to(np.asarray(measured, bool), n).copy()
    table = rng.poisson(2.0, (n, 4)) + 1 if counts is None else np.asarray(counts)
    table = np.where(seen[:, None], table, 0).astype(np.float32)
    total = table.sum(axis=1) if totals is None else np.broadcast_to(np.asarray(totals, np.float64), n)
    obs = pd.DataFrame(
        {"measured": seen, "total_counts": total.astype(np.float64), **columns},
        index=[f"{name}-{i}" for i in range(n)],
    )
    return Sample(
        id=name,
        patient=patient,
        slide=slide,
        obs=obs,
        xy_px=xy_px,
        counts=csr_matrix(table),
        genes=tuple(genes) if genes is not None else tuple(f"g{j}" for j in range(table.shape[1])),
        covariates=covariates or {},
        source="made",
        fingerprint=f"{name} {seed}",
    )


@pytest.fixture(scope="session")
def make_slide() -> Callable[..., Slide]:
    """Return what makes a slide of random pixels."""
    return _make_slide


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., Sample]:
    """Return what makes a sample from arrays, with random ones where none are given."""
    return _make_sample
