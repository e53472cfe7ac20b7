"""Output folders of Xenium: one in the files that are read first, one in archives and texts."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml

from campaign.kinds import VALUE, Change
from campaign.tables import changes as of_hdf5
from campaign.values import bytes_of, json_of, replaced, text_of

_N, _SIDE, _UM = 40, 128, 0.2125
_GENES = ("EPCAM", "PTPRC", "ACTA2")
_FEATURES = (*_GENES, "NegControlProbe_00042", "UnassignedCodeword_0001")
_TYPES = ("Gene Expression",) * 3 + ("Negative Control Probe", "Unassigned Codeword")
_MATRIX = np.array([[0.0, 1.5, 30.0], [-1.5, 0.0, 400.0], [0.0, 0.0, 1.0]])
_IDS = [f"{k:08x}".translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop")) + "-1" for k in range(_N)]


def write(sound: Path) -> None:
    """Write both folders, each with its image, its alignment and dataset.yaml."""
    rng = np.random.default_rng(9)
    xy_px = rng.uniform(10, _SIDE - 11, (_N, 2))
    counts = rng.poisson(3.0, (_N, len(_FEATURES)))
    tables = _tables(xy_px, counts)
    for name in ("xenium", "xenium-packed"):
        outs = sound / name / "outs"
        outs.mkdir(parents=True)
        _image(sound / name / "he.tif", xy_px)
        said = {"pixel_size": _UM, "num_cells": _N, "analysis_sw_version": "xenium-3.0.0.15", "images": {}}
        (outs / "experiment.xenium").write_text(json.dumps(said))
        sample: dict[str, Any] = {"id": "S", "source": "xenium", "path": "outs", "patient": "P"}
        sample |= {"image": "he.tif", "alignment": "alignment.csv", "um_per_px": 0.31875}
        if name == "xenium":
            _h5(outs / "cell_feature_matrix.h5", counts)
            for table, frame in tables.items():
                frame.to_parquet(outs / f"{table}.parquet")
            np.savetxt(sound / name / "alignment.csv", _MATRIX, delimiter=",")
        else:
            _tar(outs / "cell_feature_matrix.tar.gz", counts)
            for table, frame in tables.items():
                frame.to_csv(outs / f"{table}.csv.gz", index=False)
            _zip(sound / name / "alignment.zip", xy_px)
            sample |= {"alignment": "alignment.zip", "counts_of": "nucleus", "centre_of": "nucleus"}
        content = yaml.safe_dump({"name": "d", "samples": [sample]}, sort_keys=False)
        (sound / name / "dataset.yaml").write_text(content)


def _tables(xy_px: np.ndarray, counts: np.ndarray) -> dict[str, pd.DataFrame]:
    xy_um = _morphology_px(xy_px) * _UM
    cells = pd.DataFrame({"cell_id": _IDS, "x_centroid": xy_um[:, 0], "y_centroid": xy_um[:, 1]})
    cells = cells.assign(transcript_counts=counts[:, :3].sum(axis=1), cell_area=20.0, nucleus_count=1)
    angle = np.linspace(0, 2 * np.pi, 9)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    around = (xy_um[:, None] + 2 * ring).reshape(-1, 2)
    outlines = pd.DataFrame(
        {"cell_id": np.repeat(_IDS, 9), "vertex_x": around[:, 0], "vertex_y": around[:, 1]}
    )
    cell, feature = np.nonzero(counts)
    transcripts = pd.DataFrame(
        {
            "cell_id": np.array(_IDS)[cell],
            "feature_name": np.array(_FEATURES)[feature],
            "qv": np.linspace(15, 40, len(cell)),
            "overlaps_nucleus": np.arange(len(cell)) % 3 // 1 % 2,
        }
    )
    return {"cells": cells, "nucleus_boundaries": outlines, "transcripts": transcripts}


def _morphology_px(xy_px: np.ndarray) -> np.ndarray:
    return xy_px @ _MATRIX[:2, :2].T + _MATRIX[:2, 2]


def _image(path: Path, xy_px: np.ndarray) -> None:
    import tifffile

    pixels = np.full((_SIDE, _SIDE, 3), 230, np.uint8)
    y, x = np.mgrid[:_SIDE, :_SIDE]
    for cx, cy in xy_px:
        pixels[(x - cx) ** 2 + (y - cy) ** 2 < 9] = (110, 60, 150)
    tifffile.imwrite(path, pixels, tile=(32, 32), photometric="rgb")


def _h5(path: Path, counts: np.ndarray) -> None:
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(counts)
    with h5py.File(path, "w") as file:
        file["matrix/barcodes"] = np.array([one.encode() for one in _IDS])
        file["matrix/shape"] = np.array([len(_FEATURES), _N], np.int32)
        for part in ("data", "indices", "indptr"):
            file.create_dataset(f"matrix/{part}", data=getattr(matrix, part), compression="gzip")
        file["matrix/features/id"] = np.array([b"ENSG" + one.encode() for one in _FEATURES])
        file["matrix/features/name"] = np.array([one.encode() for one in _FEATURES])
        file["matrix/features/feature_type"] = np.array([one.encode() for one in _TYPES])


def _tar(path: Path, counts: np.ndarray) -> None:
    cell, feature = np.nonzero(counts)
    lines = [f"{f + 1} {c + 1} {counts[c, f]}" for c, f in zip(cell, feature, strict=True)]
    size = f"{len(_FEATURES)} {_N} {len(lines)}"
    rows = [f"ENSG{name}\t{name}\t{kind}" for name, kind in zip(_FEATURES, _TYPES, strict=True)]
    texts = {
        "matrix.mtx.gz": ["%%MatrixMarket matrix coordinate integer general", "%", size, *lines],
        "features.tsv.gz": rows,
        "barcodes.tsv.gz": _IDS,
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, of_text in texts.items():
            content = gzip.compress(("\n".join(of_text) + "\n").encode(), mtime=0)
            member = tarfile.TarInfo(f"cell_feature_matrix/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _zip(path: Path, xy_px: np.ndarray) -> None:
    pairs = np.hstack([_morphology_px(xy_px[:8]), xy_px[:8]])
    lines = ["fixedX,fixedY,alignmentX,alignmentY", *(",".join(map(repr, row)) for row in pairs.tolist())]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints.csv", "\n".join(lines))


def column_of(pattern: str) -> Callable[[Path, Random], str]:
    """Return a change of a column of a parquet, or of its rows, as other software writes them, or nobody."""
    return lambda folder, rng: _column(rng.choice(sorted(folder.glob(pattern))), rng)


def _column(path: Path, rng: Random) -> str:
    table = pd.read_parquet(path)
    name = rng.choice(list(table.columns))
    n = len(table)
    ways: dict[str, Callable[[], pd.DataFrame]] = {
        "gone": lambda: table.drop(columns=name),
        "renamed": lambda: table.rename(columns={name: name.upper()}),
        "bytes": lambda: table.assign(**{name: [str(one).encode() for one in table[name]]}),
        "no UTF-8": lambda: table.assign(**{name: b"\xff"}),
        "texts": lambda: table.assign(**{name: table[name].astype(str)}),
        "one text": lambda: table.assign(**{name: "x" * 100_000}),
        "a category": lambda: table.assign(**{name: table[name].astype("category")}),
        "numbers": lambda: table.assign(**{name: np.arange(n)}),
        "NaN": lambda: table.assign(**{name: np.nan}),
        "infinite": lambda: table.assign(**{name: np.inf}),
        "negative": lambda: table.assign(**{name: -1.0}),
        "huge": lambda: table.assign(**{name: 1e300}),
        "lists": lambda: table.assign(**{name: pd.Series([[1, 2]] * n)}),
        "times": lambda: table.assign(**{name: pd.Timestamp("2024-01-01")}),
        "no rows": lambda: table[:0],
        "rows twice": lambda: pd.concat([table, table]),
        "fewer rows": lambda: table[: n // 2],
        "backwards": lambda: table[::-1],
    }
    way = rng.choice(list(ways))
    ways[way]().to_parquet(path, index=False)
    return f"{path.name}, {name}: {way}"


def _unpacked(folder: Path, rng: Random) -> str:
    """Change the bytes of a text before it is packed again."""
    path = rng.choice(sorted(folder.glob("outs/*.csv.gz")))
    with path.open("rb") as packed, gzip.open(packed) as stream:
        lines = stream.read().decode().splitlines()
    at = rng.randrange(len(lines))
    ways: dict[str, Callable[[], list[str]]] = {
        "a bomb": lambda: [*lines[:at], "a" * 50_000_000],
        "a line of words": lambda: [*lines[:at], ",".join(["x"] * 4), *lines[at:]],
        "wider": lambda: [*lines[:at], lines[at] + ",1,2,3", *lines[at + 1 :]],
        "narrower": lambda: [*lines[:at], lines[at].partition(",")[0], *lines[at + 1 :]],
        "quotes": lambda: [*lines[:at], '"' + lines[at], *lines[at + 1 :]],
        "no head": lambda: lines[1:],
        "head alone": lambda: lines[:1],
        "row names": lambda: [f"{number},{line}" for number, line in enumerate(lines)],
        "cut": lambda: lines[:at],
    }
    way = rng.choice(list(ways))
    path.write_bytes(gzip.compress("\n".join(ways[way]()).encode(), compresslevel=1))
    return f"{path.name}: {way}"


_OTHER = "the files name fewer cells, other places or other counts that fit together"
_BESIDE = (
    Change("manifest", json_of("outs/experiment.xenium"), "another pixel size, or no other meaning"),
    Change("manifest text", text_of("outs/experiment.xenium"), VALUE),
    Change(
        "replaced",
        replaced("outs/*", "alignment.*"),
        "without a table that is not needed, or another form of it",
    ),
)
CHANGES: tuple[Change, ...] = (
    *(Change(f"h5 {one.name}", one.apply, one.other) for one in of_hdf5("outs/cell_feature_matrix.h5")),
    Change("parquet bytes", bytes_of("outs/cells.parquet", near=(b"PAR1",)), VALUE),
    Change("parquet column", column_of("outs/*.parquet"), _OTHER),
    Change("alignment", text_of("alignment.csv"), "another number of the matrix"),
    Change("alignment bytes", bytes_of("alignment.csv"), VALUE),
    *_BESIDE,
)
PACKED: tuple[Change, ...] = (
    Change("packed bytes", bytes_of("outs/*.gz", "alignment.zip"), VALUE),
    Change("texts", _unpacked, _OTHER),
    *_BESIDE,
)
