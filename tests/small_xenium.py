"""Output folders of Xenium instruments, small, as the versions write them, beside an H&E image."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import tifffile

MORPHOLOGY_UM = 0.2125
TURNED = np.array([[0.011, 1.29, 40.0], [-1.29, 0.011, 900.0], [0, 0, 1]])
"""A quarter turn, and H&E pixels 1.29 times as wide as those of the morphology image."""

MIRRORED = np.array([[-0.0069, 1.9531, 143.9], [1.9531, 0.0069, 77.1], [0, 0, 1]])
GENES = ("EPCAM", "PTPRC", "ACTA2", "CD3E")
CONTROLS = {
    "NegControlProbe_00042": "Negative Control Probe",
    "UnassignedCodeword_0001": "Unassigned Codeword",
    "UnassignedCodeword_0002": "Unassigned Codeword",
}
PROTEINS = {"CD20": "Protein Expression", "Ki-67": "Protein Expression"}
DEPRECATED = {"DeprecatedCodeword_0321": "Deprecated Codeword", "Intergenic_7": "Genomic Control"}


def text_ids(n: int) -> list[str]:
    """Return ids as instruments write them since version 1.3, in no order."""
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    return [f"{(7919 * (k + 3)) % 2**32:08x}".translate(letters) + "-1" for k in range(n)]


@dataclass
class XeniumFolder:
    """What a folder holds; a test changes a part, then writes it."""

    version: str = "xenium-2.0.0.10"
    matrix: np.ndarray = field(default_factory=lambda: TURNED)
    size_px: tuple[int, int] = (240, 320)
    n: int = 30
    features: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(GENES, "Gene Expression") | CONTROLS
    )
    ids: list[Any] = field(default_factory=list)
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        height, width = self.size_px
        self.ids = self.ids or text_ids(self.n)
        self.xy_px = rng.uniform((20, 20), (width - 21, height - 21), (self.n, 2))
        self.counts = rng.poisson(2.0, (self.n, len(self.features)))
        self.counts[3, : len(GENES)] = 0
        self.is_gene = np.array([kind == "Gene Expression" for kind in self.features.values()])

    def um(self, xy_px: np.ndarray) -> np.ndarray:
        """Return places in micrometres in the instrument's frame."""
        ones = np.ones((*xy_px.shape[:-1], 1))
        return (np.concatenate([xy_px, ones], axis=-1) @ self.matrix.T)[..., :2] * MORPHOLOGY_UM

    @property
    def um_per_px(self) -> float:
        """Width of an H&E pixel."""
        a, b, c, d = self.matrix[:2, :2].ravel()
        return MORPHOLOGY_UM * abs(a * d - b * c) ** 0.5

    def cells(self) -> pd.DataFrame:
        """Return the table of cells of the version."""
        xy_um, of_gene = self.um(self.xy_px), self.counts[:, self.is_gene].sum(axis=1)
        table = {
            "cell_id": self.ids,
            "x_centroid": xy_um[:, 0],
            "y_centroid": xy_um[:, 1],
            "transcript_counts": of_gene,
            "control_probe_counts": self.counts[:, ~self.is_gene].sum(axis=1),
            "total_counts": self.counts.sum(axis=1),
            "cell_area": np.linspace(20, 90, self.n),
            "nucleus_area": np.linspace(10, 30, self.n),
        }
        if not self.version.lower().startswith("xenium-1"):
            table["nucleus_count"] = np.ones(self.n, int)
            table["segmentation_method"] = ["Segmented by nucleus expansion of 5.0\N{MICRO SIGN}m"] * self.n
        return pd.DataFrame(table)

    def boundaries(self) -> pd.DataFrame:
        """Return outlines of nuclei: rings of 9 and of 13 vertices about the centres."""
        rows = []
        for number, (one, centre) in enumerate(zip(self.ids, self.xy_px, strict=True)):
            angle = np.linspace(0, 2 * np.pi, 9 if number % 2 else 13)
            ring = centre + 4.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            ring[-1] = ring[0]
            rows += [(one, x, y, number + 1) for x, y in self.um(ring)]
        return pd.DataFrame(rows, columns=["cell_id", "vertex_x", "vertex_y", "label_id"])

    def transcripts(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Return transcripts of which the counts are made, and the counts of nuclei."""
        rng = np.random.default_rng(self.seed + 1)
        cell, feature = np.nonzero(self.counts)
        times = self.counts[cell, feature]
        cell, feature = np.repeat(cell, times), np.repeat(feature, times)
        over = rng.random(len(cell)) < 0.5
        names = np.array(list(self.features), dtype=object)
        table = pd.DataFrame(
            {
                "transcript_id": np.arange(len(cell)),
                "cell_id": np.array(self.ids, dtype=object)[cell],
                "overlaps_nucleus": over.astype(np.uint8),
                "feature_name": names[feature],
                "qv": np.float32(40),
            }
        )
        nobody = -1 if isinstance(self.ids[0], int) else "UNASSIGNED"
        extra = table.iloc[:20].assign(cell_id=nobody, overlaps_nucleus=1)
        poor = table.iloc[:20].assign(qv=np.float32(19.9), overlaps_nucleus=1)
        nucleus = np.zeros(self.counts.shape)
        np.add.at(nucleus, (cell[over], feature[over]), 1)
        return pd.concat([table, extra, poor], ignore_index=True), nucleus[:, self.is_gene]

    def write(self, path: Path, *, matrix: str = "h5", cells: str = "parquet") -> Path:
        """Write the folder, with the table and matrix in the given forms, and the H&E image beside it."""
        path.mkdir(parents=True, exist_ok=True)
        manifest = {"num_cells": self.n, "pixel_size": MORPHOLOGY_UM, "analysis_sw_version": self.version}
        (path / "experiment.xenium").write_text(json.dumps(manifest))
        table, outlines, transcripts = self.cells(), self.boundaries(), self.transcripts()[0]
        if self.version.lower().startswith("xenium-1"):
            outlines = outlines.drop(columns="label_id")
        for name, frame in (("cells", table), ("nucleus_boundaries", outlines), ("transcripts", transcripts)):
            if cells == "parquet":
                frame.to_parquet(path / f"{name}.parquet")
            else:
                frame.to_csv(path / f"{name}.csv.gz", index=cells == "csv of R")
        {"h5": self._h5, "mtx": self._mtx, "tar": self._tar}[matrix](path)
        self.image(path.parent / "he.ome.tif")
        np.savetxt(path.parent / "he_imagealignment.csv", self.matrix, delimiter=",", fmt="%.12g")
        return path

    def image(self, path: Path, um_per_px: float | None = None) -> None:
        """Write the H&E image: dark where cells are."""
        height, width = self.size_px
        pixels = np.full((height, width, 3), 232, np.uint8)
        y, x = np.mgrid[:height, :width]
        for cx, cy in self.xy_px:
            pixels[(x - cx) ** 2 + (y - cy) ** 2 < 16] = (110, 60, 150)
        um = um_per_px or self.um_per_px
        sizes = {f"PhysicalSize{axis}": um for axis in "XY"}
        units = {f"PhysicalSize{axis}Unit": "\N{MICRO SIGN}m" for axis in "XY"}
        tifffile.imwrite(
            path,
            pixels,
            ome=True,
            photometric="rgb",
            tile=(64, 64),
            metadata={"axes": "YXS", **sizes, **units},
        )

    def _h5(self, path: Path) -> None:
        rows = [(self.counts[k].nonzero()[0], self.counts[k][self.counts[k] > 0]) for k in range(self.n)]
        with h5py.File(path / "cell_feature_matrix.h5", "w") as file:
            file["matrix/barcodes"] = np.array([str(one).encode() for one in self.ids])
            file["matrix/data"] = np.concatenate([values for _, values in rows]).astype(np.int32)
            file["matrix/indices"] = np.concatenate([places for places, _ in rows]).astype(np.int64)
            file["matrix/indptr"] = np.cumsum([0, *(len(places) for places, _ in rows)])
            file["matrix/shape"] = np.array([len(self.features), self.n], np.int32)
            names = [name.encode() for name in self.features]
            file["matrix/features/name"] = np.array(names)
            file["matrix/features/id"] = np.array([b"ENSG" + name for name in names])
            file["matrix/features/feature_type"] = np.array(
                [kind.encode() for kind in self.features.values()]
            )
            file["matrix/features/genome"] = np.array([b"GRCh38"] * len(names))

    def _texts(self) -> dict[str, bytes]:
        cell, feature = np.nonzero(self.counts)
        lines = [f"{f + 1} {c + 1} {self.counts[c, f]}" for c, f in zip(cell, feature, strict=True)]
        head = "%%MatrixMarket matrix coordinate integer general\n%metadata_json: {}\n"
        size = f"{len(self.features)} {self.n} {len(lines)}\n"
        features = "".join(f"ENSG{name}\t{name}\t{kind}\n" for name, kind in self.features.items())
        texts = {
            "matrix.mtx.gz": head + size + "\n".join(lines) + "\n",
            "features.tsv.gz": features,
            "barcodes.tsv.gz": "".join(f"{one}\n" for one in self.ids),
        }
        return {name: gzip.compress(text.encode(), mtime=0) for name, text in texts.items()}

    def _mtx(self, path: Path) -> None:
        folder = path / "cell_feature_matrix"
        folder.mkdir()
        for name, content in self._texts().items():
            (folder / name).write_bytes(content)

    def _tar(self, path: Path) -> None:
        with tarfile.open(path / "cell_feature_matrix.tar.gz", "w:gz") as archive:
            for name, content in self._texts().items():
                member = tarfile.TarInfo(f"cell_feature_matrix/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def for_the_page(folder: Path) -> None:
    """Write what docs/data.md names."""
    XeniumFolder("xenium-3.0.0.15").write(folder / "outs")
