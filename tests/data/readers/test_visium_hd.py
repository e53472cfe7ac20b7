"""``source: visium_hd``: bins of all widths with the sums of one tissue, segmented cells, and faults."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.prepared import Prepared
from prestige.data.readers import visium_hd
from prestige.data.spec import SampleSpec
from prestige.errors import DataError

from ...small_space_ranger import CELLS, HD, NAMES, SCALES, bins_of, write_full, write_hd

TURNED = replace(HD, mirrored=True, degrees=170.0)


def read(path: Path, tmp_path: Path, **keys: Any) -> Prepared:
    spec = SampleSpec(id="H1", source="visium_hd", path=path, patient="P1", **keys)
    assert not spec.misfits
    return visium_hd.read(spec, tmp_path / "cache")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hd(tmp_path_factory.mktemp("hd") / "outs", cells=True)


@pytest.mark.parametrize("bin_um", [None, 2, 8, 16, 6, 32])
def test_bins_of_any_width_hold_the_sums_of_one_tissue(
    export: Path, tmp_path: Path, bin_um: int | None
) -> None:
    found = read(export, tmp_path, bin_um=bin_um)
    larger, counts, inside = bins_of(HD, bin_um or 8)
    table = found.table
    order = np.argsort(table.obs.index)
    width = f"s_{bin_um or 8:03d}um"
    ids = [f"{width}_{row:05d}_{column:05d}-1" for row, column in larger.array[inside].tolist()]
    assert list(table.obs.index[order]) == ids
    assert table.genes == NAMES
    np.testing.assert_array_equal(table.counts.toarray()[order], counts[inside])
    assert table.counts.sum() == HD.counts()[HD.in_tissue].sum()
    xy_px = (larger.xy_px[inside] + 0.5) * SCALES["hires"] - 0.5
    np.testing.assert_allclose(table.xy_px[order], xy_px, atol=1e-6)
    assert found.card.um_per_px == pytest.approx(1.0)
    made_of = {6: "9 of 2 um", 32: "4 of 16 um"}.get(bin_um or 8)
    told = f"bins of {bin_um or 8} um" + (f", each the sum of up to {made_of}" if made_of else "")
    assert told in table.notes


def test_of_which_bins_larger_ones_are_made_changes_nothing(export: Path, tmp_path: Path) -> None:
    first = read(export, tmp_path, bin_um=16).table
    few = tmp_path / "few"
    shutil.copytree(export, few)
    for width in ("008", "016"):
        shutil.rmtree(few / "binned_outputs" / f"square_{width}um")
    other = read(few, tmp_path, bin_um=16).table
    assert "bins of 16 um, each the sum of up to 64 of 2 um" in other.notes
    order, others = np.argsort(first.obs.index), np.argsort(other.obs.index)
    assert list(first.obs.index[order]) == list(other.obs.index[others])
    assert (first.counts[order] != other.counts[others]).nnz == 0
    np.testing.assert_allclose(first.xy_px[order], other.xy_px[others], atol=1e-6)
    assert read(few / "binned_outputs" / "square_002um", tmp_path).table.counts.sum() == first.counts.sum()


def test_a_mirrored_array_and_the_full_resolution_image(tmp_path: Path) -> None:
    root = write_hd(tmp_path / "outs", TURNED, widths=(2,))
    image = write_full(tmp_path / "H1.btf", TURNED)
    found = read(root, tmp_path, image=image, bin_um=2)
    assert found.card.um_per_px == pytest.approx(0.5)
    np.testing.assert_allclose(found.table.xy_px, TURNED.xy_px[TURNED.in_tissue], atol=1e-9)
    assert "the array lies, mirrored, turned by -10 degrees on the image" in found.table.notes
    pooled = read(root, tmp_path, image=image, bin_um=6).table  # each at the mean of the bins it is made of
    whole = np.bincount(TURNED.array // 3 @ [1000, 1], TURNED.in_tissue) == 9
    place = TURNED.array // 3 @ [1000, 1]
    centres = {
        f"s_006um_{key // 1000:05d}_{key % 1000:05d}-1": TURNED.xy_px[place == key].mean(axis=0)
        for key in np.flatnonzero(whole)[:20]
    }
    at = pooled.obs.index.get_indexer(list(centres))
    np.testing.assert_allclose(pooled.xy_px[at], list(centres.values()), atol=1e-6)


def test_without_microns_per_pixel_the_pitch_of_the_bins_says_it(export: Path, tmp_path: Path) -> None:
    root = broken(export, tmp_path)
    path = positions(root, 8).with_name("scalefactors_json.json")
    said = json.loads(path.read_text())
    path.write_text(json.dumps({key: said[key] for key in said if key != "microns_per_pixel"}))
    assert read(root, tmp_path).card.um_per_px == pytest.approx(1.0)


def test_segmented_cells_lie_at_the_centroids_of_their_outlines(export: Path, tmp_path: Path) -> None:
    for path in (export, export / "segmented_outputs"):
        table = read(path, tmp_path, cells=True).table
        assert list(table.obs.index) == ["cellid_000000001-1", "cellid_000000009-1", "cellid_000000030-1"]
        np.testing.assert_array_equal(table.counts.toarray()[:, 4], list(CELLS))
        centres = [(9 + 4 * (column + 1), 9 + 4 * (row + 0.5)) for row, column in CELLS.values()]
        xy_px = (np.array(centres) + 0.5) * SCALES["hires"] - 0.5
        np.testing.assert_allclose(table.xy_px, xy_px, atol=1e-6)
    with pytest.raises(DataError, match="asks for cells and for bins"):
        read(export, tmp_path, cells=True, bin_um=8)


def broken(export: Path, tmp_path: Path) -> Path:
    root = tmp_path / "broken"
    shutil.copytree(export, root)
    return root


def positions(root: Path, width: int) -> Path:
    return root / "binned_outputs" / f"square_{width:03d}um" / "spatial" / "tissue_positions.parquet"


@pytest.mark.parametrize(
    ("bin_um", "change", "told"),
    [
        (5, None, "has no bins of 5 um, and none that make them: those of 2, 8, 16 um are there"),
        (8, lambda frame: frame[["barcode", "in_tissue"]], "has no column array_row and no column array_col"),
        (8, lambda frame: frame.assign(array_row=frame["array_row"] + 100), "barcodes without a place"),
        (8, lambda frame: frame.assign(in_tissue=0), "no row of the matrix lies in tissue"),
        (
            8,
            lambda frame: frame.assign(pxl_col_in_fullres=np.nan),
            "the column 'pxl_col_in_fullres' holds 'nan'",
        ),
        (
            8,
            lambda frame: frame.assign(array_row=frame["array_row"][::-1].to_numpy() % 7),
            "beside a regular",
        ),
        (8, lambda frame: frame.assign(array_row=frame["array_row"] + 0.5), "that are not whole"),
        (
            8,
            lambda frame: frame.assign(
                pxl_row_in_fullres=frame["pxl_row_in_fullres"] * 0.9,
                pxl_col_in_fullres=frame["pxl_col_in_fullres"] * 0.9,
            ),
            "pixels are 0.55556 um by the pitch of the bins, 0.5 um by microns_per_pixel",
        ),
    ],
)
def test_broken_bins_are_one_line(export: Path, tmp_path: Path, bin_um: int, change: Any, told: str) -> None:
    root = broken(export, tmp_path)
    if change is not None:
        path = positions(root, bin_um)
        change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(DataError, match=told) as error:
        read(root, tmp_path, bin_um=bin_um)
    assert "\n" not in str(error.value)


def test_a_pitch_that_contradicts_a_trusted_width_is_noted(export: Path, tmp_path: Path) -> None:
    root = broken(export, tmp_path)
    path = positions(root, 8)
    frame = pd.read_parquet(path)
    for name in ("pxl_row_in_fullres", "pxl_col_in_fullres"):
        frame[name] *= 0.9
    frame.to_parquet(path)
    um = 0.5 / SCALES["hires"]
    found = read(root, tmp_path, um_per_px=um, trust_um_per_px=True)
    told = "pixels are 0.55556 um by the pitch of the bins, 0.5 um by microns_per_pixel: the latter was taken"
    assert told in found.table.notes
    with pytest.raises(DataError, match=r"0.55556 um by the pitch .*is right, add trust_um_per_px: true"):
        read(root, tmp_path, um_per_px=um)


def test_other_faults_of_an_export(export: Path, tmp_path: Path) -> None:
    root = broken(export, tmp_path)
    path = positions(root, 8)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"tissue_positions.parquet: cannot be read .*; copy it again"):
        read(root, tmp_path)
    scales = positions(root, 16).with_name("scalefactors_json.json")
    scales.write_text(scales.read_text().replace("16.0", "8.0"))
    with pytest.raises(DataError, match="states bins of 8 um, in a folder of bins of 16 um"):
        read(root, tmp_path, bin_um=16)
    folder = root / "binned_outputs"
    shutil.copy(folder / "square_016um" / "filtered_feature_bc_matrix.h5", folder / "square_002um")
    with pytest.raises(DataError, match="barcodes that are not those of bins of 2 um"):
        read(root, tmp_path, bin_um=2)
    shutil.rmtree(root / "segmented_outputs" / "filtered_feature_cell_matrix.h5", ignore_errors=True)
    outlines = root / "segmented_outputs" / "cell_segmentations.geojson"
    content = json.loads(outlines.read_text())
    outlines.write_text(json.dumps({**content, "features": content["features"][:2]}))
    with pytest.raises(DataError, match=r"cells without an outline: 1 .cellid_000000001-1. of 3"):
        read(root, tmp_path, cells=True)
    with pytest.raises(DataError, match=r"has no folder binned_outputs/.*; write cells: true, or name the"):
        read(root / "segmented_outputs", tmp_path)
    shutil.rmtree(root / "segmented_outputs")
    with pytest.raises(DataError, match="has no folder segmented_outputs"):
        read(root, tmp_path, cells=True)
    shutil.rmtree(folder)
    with pytest.raises(
        DataError, match=r"has no folder binned_outputs/square_NNNum; .* spots of Visium are source"
    ):
        read(root, tmp_path)
    (root / "binned_outputs.tar.gz").touch()
    with pytest.raises(DataError, match=r"; unpack what is packed there \(binned_outputs.tar.gz\)$"):
        read(root, tmp_path)


def test_real_bins(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "exports" / "visium_hd" / "mouse_brain_002um_10bins"
    if not path.exists():
        pytest.skip(f"no {path}")
    found = read(path, tmp_path, bin_um=2)
    assert (found.table.counts.shape, found.table.counts.nnz) == ((10, 10), 0)
    assert found.card.um_per_px == pytest.approx(0.27382 / 0.02505533, rel=1e-4)
    assert "the array lies, mirrored, turned by 179 degrees on the image" in found.table.notes
    assert len(read(path, tmp_path).table.obs) == 10  # of 8 um, made of those of 2 um
