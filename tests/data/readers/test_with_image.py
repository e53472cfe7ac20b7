"""What all readers of an image and a table share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.sparse import csr_matrix

from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Table
from prestige.data.slides.images import image_of
from prestige.data.spec import SampleSpec
from prestige.errors import DataError


def read(tmp_path: Path, stated: Any = (), **more: Any) -> Any:
    image = tmp_path / "a.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    how = {"photometric": "rgb", "metadata": None, "tile": (16, 16)}
    tifffile.imwrite(image, pixels, resolution=(20_000, 20_000), resolutionunit=3, **how)
    spec = SampleSpec.model_validate({"id": "S", "source": "hest", "path": tmp_path, "patient": "P", **more})
    obs = pd.DataFrame({"measured": [True, True], "total_counts": [3.0, 4.0]}, index=["a", "b"])
    counts = csr_matrix(np.array([[1, 2], [4, 0]], np.float32))
    table = Table(obs, np.array([[3.0, 4.0], [50.0, 30.0]]), counts, ("A", "B"), ("a note",))
    return prepare_with_image(
        spec,
        tmp_path / "cache",
        source="test/1",
        image=image_of(image),
        table_files={"table": image},
        read_table=lambda: table,
        stated_um=stated,
    )


def test_a_sample_of_an_image_and_a_table(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.card.um_per_px == pytest.approx(0.5)
    assert found.table.notes == ("a note",)
    assert found.table.obs.index.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found.table.xy_px, [[3, 4], [50, 30]])


def test_the_platform_goes_before_the_image_and_the_yaml_before_both(tmp_path: Path) -> None:
    assert read(tmp_path, [("the pitch", 0.51)]).card.um_per_px == 0.51
    with pytest.raises(
        DataError, match=r"0.25 um by dataset\.yaml, of 0.5 um by the resolution tags of a\.tif"
    ):
        read(tmp_path, um_per_px=0.25)
    found = read(tmp_path, um_per_px=0.25, trust_um_per_px=True)
    assert found.table.notes[-1].startswith("pixels of 0.25 um by dataset.yaml and 0.5 um by")


def test_a_profile_is_applied_where_the_sample_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tif: brings no ICC profile"):
        read(tmp_path, icc=True)
    assert read(tmp_path, icc=False).card.um_per_px == pytest.approx(0.5)
