"""A small matrix of 10x Genomics, as Cell Ranger and Space Ranger write it: h5, and a folder of texts."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.sparse import csc_matrix

IDS = ("AAAC-1", "AAAG-1", "AAAT-1", "AACA-1")
FEATURES = (
    ("ENSG1", "CD3E", "Gene Expression"),
    ("CD4", "CD4", "Antibody Capture"),
    ("ENSG2", "TBCE", "Gene Expression"),
    ("NegControlProbe_00042", "NegControlProbe_00042", "Negative Control Probe"),
    ("ENSG3", "TBCE", "Gene Expression"),
)
VALUES = np.array([[3, 9, 0, 1, 2], [0, 0, 0, 0, 0], [0, 8, 7, 0, 0], [1, 0, 2, 5, 4]])  # observations x f
GENES = VALUES[:, [0, 2, 4]]


def write_h5(
    path: Path,
    change: Callable[[Any], None] | None = None,
    *,
    values: Any = VALUES,
    ids: Sequence[str] = IDS,
    features: Sequence[tuple[str, str, str]] = FEATURES,
    **types: str,
) -> Path:
    """Write a matrix (observations x features, that above by default), in parts of given types."""
    matrix = csc_matrix(values.T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name, values in (
            ("data", matrix.data),
            ("indices", matrix.indices),
            ("indptr", matrix.indptr),
            ("shape", np.array(matrix.shape)),
            ("barcodes", np.array(ids, dtype="S")),
        ):
            group[name] = values.astype(types.get(name, values.dtype))
        for place, name in enumerate(("id", "name", "feature_type")):
            group[f"features/{name}"] = np.array([one[place] for one in features], dtype="S")
        file.attrs["software_version"] = "spaceranger-3.0.0"
        file.attrs["library_ids"] = np.array([b"L1", b"L2"])
        if change is not None:
            change(file)
    return path


def write_folder(
    path: Path,
    packed: bool = False,
    *,
    values: Any = VALUES,
    ids: Sequence[str] = IDS,
    features: Sequence[tuple[str, str, str]] = FEATURES,
    **contents: str,
) -> Path:
    """Write a matrix as a folder of texts; a keyword replaces the content of a file."""
    path.mkdir()
    entries = [f"{f + 1} {o + 1} {values[o, f]}" for o, f in zip(*np.nonzero(values), strict=True)]
    texts = {
        "matrix.mtx": "%%MatrixMarket matrix coordinate integer general\n"
        '%metadata_json: {"software_version": "spaceranger-2.0.0", "format_version": 2}\n'
        + f"{len(features)} {len(ids)} {len(entries)}\n"
        + "\n".join(entries)
        + "\n",
        "barcodes.tsv": "\n".join(ids) + "\n",
        "features.tsv": "\n".join("\t".join(one) for one in features) + "\n",
    }
    for name, text in {**texts, **{key.replace("_", "."): text for key, text in contents.items()}}.items():
        if not text:
            continue
        content = gzip.compress(text.encode()) if packed else text.encode()
        (path / f"{name}{'.gz' if packed else ''}").write_bytes(content)
    return path
