"""An H&E image lies where its alignment says, and nowhere without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.sparse import csr_matrix

from prestige.data.platforms.alignment import read_alignment
from prestige.data.platforms.xenium.manifest import Manifest
from prestige.data.platforms.xenium.registered import Registered, register
from prestige.data.sample import Table
from prestige.data.slides.images import image_of
from prestige.errors import DataError


def placed(tmp_path: Path, matrix: list[list[float]]) -> Registered:
    rows = [*matrix, [0.0, 0.0, 1.0]]
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    pixels = np.random.default_rng(0).integers(150, 255, (80, 100, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "he.tif", pixels, photometric="rgb", metadata=None)
    return Registered(image_of(tmp_path / "he.tif"), read_alignment(tmp_path / "a.csv"), 0.2)


def table(xy_px: np.ndarray) -> Table:
    n = len(xy_px)
    obs = pd.DataFrame({"measured": [True] * n, "total_counts": [1.0] * n}, index=[f"c{i}" for i in range(n)])
    return Table(obs, xy_px, csr_matrix(np.ones((n, 1), np.float32)), ("A",))


def test_micrometres_become_pixels_by_the_inverse(tmp_path: Path) -> None:
    found = placed(tmp_path, [[0.0, -2.0, 200.0], [2.0, 0.0, 10.0]])  # a quarter turn, two for one
    assert found.um_per_px == pytest.approx(0.4)
    # H&E (30, 40) -> morphology (-80 + 200, 60 + 10) = (120, 70) px = (24, 14) um
    np.testing.assert_allclose(found.on_image(np.array([[24.0, 14.0]])), [[30, 40]])


def test_few_cells_beside_the_image_are_left_out_and_many_refused(tmp_path: Path) -> None:
    found = placed(tmp_path, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    xy_px = np.column_stack([np.linspace(1, 90, 40), np.full(40, 20.0)])
    assert found.on_it(table(xy_px), trusted=False).obs.shape[0] == 40
    xy_px[0] = [101, 20]
    kept = found.on_it(table(xy_px), trusted=False)
    assert kept.obs.index.tolist() == [f"c{i}" for i in range(1, 40)]
    assert kept.counts.shape[0] == len(kept.xy_px) == 39
    assert kept.notes[-1] == "1 of 40 cells lie beside the image (100 x 80 px): left out"
    xy_px[:10, 1] = 90
    with pytest.raises(DataError, match=r"places 10 of 40 cells beside the image he\.tif"):
        found.on_it(table(xy_px), trusted=False)
    assert len(found.on_it(table(xy_px), trusted=True).obs) == 30
    with pytest.raises(DataError, match="places 40 of 40 cells"):
        found.on_it(table(xy_px + 500), trusted=True)


def test_nothing_is_assumed(tmp_path: Path) -> None:
    image = tmp_path / "morphology_focus.ome.tif"
    image.write_bytes(b"")
    manifest = Manifest(0.2125, None, "Xenium", ())
    with pytest.raises(DataError, match=r"(?s)fluorescence image of the.*no alignment says how"):
        register(image, None, manifest, tmp_path, trusted=False)
