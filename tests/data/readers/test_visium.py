"""``source: visium``: exports of Space Ranger 1 to 3, whole and in parts, sound and not."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prestige.data.prepared import Prepared
from prestige.data.readers import visium
from prestige.data.spec import SampleSpec
from prestige.errors import DataError

from ...small_space_ranger import FEATURES, NAMES, SCALES, VISIUM, Visium, barcodes_of, picture, write_full

TURNED = replace(VISIUM, mirrored=True, degrees=180.0, start_px=(-22.0, -12.5))


def read(path: Path, tmp_path: Path, **keys: Any) -> Prepared:
    spec = SampleSpec(id="S1", source="visium", path=path, patient="P1", **keys)
    assert not spec.misfits
    return visium.read(spec, tmp_path / "cache")


def check(found: Prepared, export: Visium, scale: float, atol: float = 1e-9) -> None:
    """Compare with what was written: spots in tissue, their counts and places."""
    table, array = found.table, export.array
    rows = [row for row in export.rows if array.in_tissue[row]]
    assert list(table.obs.index) == [barcodes_of(array)[row] for row in rows]
    assert table.genes == NAMES
    np.testing.assert_array_equal(table.counts.toarray(), array.counts()[rows])
    np.testing.assert_allclose(table.obs["total_counts"], array.counts()[rows].sum(axis=1))
    xy_px = export.frame[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()[rows]
    np.testing.assert_allclose(table.xy_px, (xy_px + 0.5) * scale - 0.5, atol=atol)
    assert found.card.um_per_px == pytest.approx(array.um_per_px / scale, rel=2e-3)
    assert table.obs["measured"].all()
    assert table.platform == f"Visium, Space Ranger {'3' if 'h5' in export.forms else '2'}.0.0"


@pytest.mark.parametrize(
    "export",
    [
        Visium(1),
        Visium(2, forms=("mtx",)),
        Visium(3, array=TURNED),
        Visium(2, prefix="GSM1_S1_"),
        Visium(1, kind="raw"),
        Visium(3, kind="raw", forms=("mtx",), array=TURNED),
    ],
    ids=lambda export: f"v{export.version}-{export.kind}-{export.forms[0]}-{export.prefix}",
)
def test_spots_in_tissue_by_version_and_form(tmp_path: Path, export: Visium) -> None:
    root = export.write(tmp_path / "S1" / "outs")
    for path in (root, root.parent):
        found = read(path, tmp_path)
        check(found, export, SCALES["hires"])
        assert found.pixels.shape[:2] == tuple(side / 2 for side in reversed(export.array.size_px))
        notes = "\n".join(found.table.notes)
        assert "no full-resolution image is named (image:): tissue_hires_image.png was taken" in notes
        assert re.search(
            "um/px: patches of 32 px are 25[56] um wide; below that the network sees blur", notes
        )
        assert ("the array lies, mirrored" in notes) == export.array.mirrored
        assert ("lie off the tissue" in notes) == (export.kind == "raw")
        assert "genes that share a symbol are called by their row names" in notes


def test_the_full_resolution_image_is_taken_where_it_is_named(tmp_path: Path) -> None:
    export = Visium(3)
    root = export.write(tmp_path / "outs")
    found = read(root, tmp_path, image=write_full(tmp_path / "S1.tif", export.array))
    check(found, export, 1.0)
    assert found.pixels.shape[:2] == tuple(reversed(export.array.size_px))
    assert not any("no full-resolution" in note for note in found.table.notes)


def test_files_of_a_sample_beside_those_of_another_all_in_one_folder(tmp_path: Path) -> None:
    """As the Gene Expression Omnibus hands them out: packed, and with the sample's name before each."""
    flat = tmp_path / "GEO"
    flat.mkdir()
    for name, array in (("S1", VISIUM), ("S2", TURNED)):
        root = Visium(1, array=array, prefix=f"GSM7_{name}_").write(tmp_path / name)
        for path in [*root.glob("*.h5"), *root.glob("spatial/*")]:
            shutil.copy(path, flat)
    for path in [*flat.glob("*.csv"), *flat.glob("*.json")]:
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    check(read(flat, tmp_path), Visium(1, prefix="GSM7_S1_"), SCALES["hires"])
    spec = SampleSpec(id="other", source="visium", path=flat, patient="P1")
    with pytest.raises(DataError, match=r"has several files .*: GSM7_S1_"):
        visium.read(spec, tmp_path / "cache")


def test_matrices_that_disagree_are_told_and_the_h5_is_taken(tmp_path: Path) -> None:
    root = Visium(forms=("h5", "mtx")).write(tmp_path / "a")
    assert not any("disagree" in note for note in read(root, tmp_path).table.notes)
    other = Visium(forms=("mtx",), array=replace(VISIUM, rows=10)).write(tmp_path / "b")
    shutil.rmtree(root / "filtered_feature_bc_matrix")
    shutil.copytree(other / "filtered_feature_bc_matrix", root / "filtered_feature_bc_matrix")
    found = read(root, tmp_path)
    check(found, Visium(), SCALES["hires"])
    assert any(
        "filtered_feature_bc_matrix.h5 and the folder filtered_feature_bc_matrix disagree (5 features x "
        in note
        for note in found.table.notes
    )


def test_the_width_of_a_pixel_is_never_that_of_a_spot_of_55_um(tmp_path: Path) -> None:
    export = Visium(scales={"spot_diameter_fullres": 3.0})
    check(read(export.write(tmp_path / "a"), tmp_path), export, SCALES["hires"])
    few = Visium()
    root = few.write(tmp_path / "b")
    path = root / "spatial" / "tissue_positions.csv"
    lines = path.read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[1] == "1"]
    rows = [line.split(",") for line in kept]
    path.write_text("\n".join([lines[0], *(",".join([*row[:2], "0", "0", *row[4:]]) for row in rows)]))
    assert read(root, tmp_path).card.um_per_px == pytest.approx(8.0)  # by the fiducials


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


FAULTS = [
    ("spatial/tissue_positions.csv", None, "has no positions of spots; expected tissue_positions.parquet or"),
    ("spatial/scalefactors_json.json", None, "has no scale factors"),
    (
        "filtered_feature_bc_matrix.h5",
        None,
        "has no matrix of counts; expected filtered_feature_bc_matrix.h5 or",
    ),
    (
        "spatial/tissue_positions.csv",
        lambda text: text[:-40],
        "has another number of fields than 6|No columns",
    ),
    (
        "spatial/tissue_positions.csv",
        lambda text: text.replace("in_tissue", "tissues"),
        "has no column in_tissue",
    ),
    (
        "spatial/tissue_positions.csv",
        lambda text: text.replace("-1,1,", "-1,2,"),
        r"obs\['in_tissue'\] is '2'",
    ),
    ("spatial/tissue_positions.csv", lambda text: text.replace("-1,", "-2,"), "barcodes without a place"),
    (
        "spatial/tissue_positions.csv",
        lambda text: text.replace("-1,1,", "-1,0,"),
        "no row of the matrix lies in tissue",
    ),
    (
        "spatial/tissue_positions.csv",
        lambda text: text.replace(",1,", ",1,1"),
        "beside a regular array|have rows",
    ),
    ("spatial/scalefactors_json.json", lambda text: text[:-9], "cannot be read"),
    ("spatial/scalefactors_json.json", lambda text: "[]", "holds no JSON object"),
    (
        "spatial/scalefactors_json.json",
        lambda text: text.replace("0.5", '"a"'),
        "'tissue_hires_scalef' is \"a\"",
    ),
    (
        "spatial/scalefactors_json.json",
        lambda text: text.replace("26.25", "33.0"),
        "by the 100 um pitch of the",
    ),
    (
        "spatial/scalefactors_json.json",
        lambda text: text.replace("0.5", "0.25"),
        "its pictures are of images of",
    ),
]


@pytest.mark.parametrize(("name", "change", "told"), FAULTS)
def test_a_broken_export_is_one_line(tmp_path: Path, name: str, change: Any, told: str) -> None:
    root = Visium().write(tmp_path / "S1")
    path = root / name
    if change is None:
        path.unlink()
    else:
        path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=told) as error:
        read(root, tmp_path)
    assert "\n" not in str(error.value)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "S1").mkdir()
    with pytest.raises(DataError, match="3 faults"):
        read(tmp_path / "S1", tmp_path)


def test_a_full_image_that_is_named_needs_no_scale_factors(tmp_path: Path) -> None:
    export = Visium(2)
    root = export.write(tmp_path / "outs")
    (root / "spatial" / "scalefactors_json.json").unlink()
    (root / "spatial" / "tissue_positions.csv").rename(root / "spatial" / "tissue_positions_list.txt")
    image = write_full(tmp_path / "S1.tif", VISIUM)
    found = read(root, tmp_path, image=image)
    check(found, export, 1.0)
    assert any("no picture by which the size of the image" in note for note in found.table.notes)
    with pytest.raises(DataError, match=r"has no scale factors; .*; else name the full-resolution image"):
        read(root, tmp_path)
    for name in ("S2", "S3"):  # of others: which is meant is not known
        (root / f"{name}_scalefactors_json.json").touch()
    with pytest.raises(DataError, match=r"has several files scalefactors_json.json"):
        read(root, tmp_path, image=image)


def test_barcodes_of_another_writer_are_told_with_both_sides(tmp_path: Path) -> None:
    root = Visium().write(tmp_path / "S1")
    path = root / "spatial" / "tissue_positions.csv"
    path.write_text(path.read_text().replace("-1,", ","))
    with pytest.raises(DataError, match="they differ in the '-1' behind barcodes; make them alike"):
        read(root, tmp_path)


def test_images_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    root = Visium().write(tmp_path / "S1")
    hires = root / "spatial" / "tissue_hires_image.png"
    with pytest.raises(
        DataError, match=r"it is as large as tissue_hires_image.png: take the line image: away"
    ):
        read(root, tmp_path, image=hires)
    full = write_full(tmp_path / "full.tif", VISIUM)
    pixels = np.asarray(read(root, tmp_path, image=full).pixels)
    for name, other, told in (
        ("turned", np.rot90(pixels), "width and height are exchanged"),
        ("half", pixels[::3, ::3], "it is 0.33[0-9] times as large: export it at full resolution"),
        ("crop", pixels[: -pixels.shape[0] // 3], "it is of another section, or a crop"),
    ):
        Image.fromarray(np.ascontiguousarray(other)).save(tmp_path / f"{name}.png")
        with pytest.raises(DataError, match=told):
            read(root, tmp_path, image=tmp_path / f"{name}.png")
    Image.fromarray(np.ascontiguousarray(picture(VISIUM, SCALES["hires"])[:40, :40])).save(hires)
    (root / "spatial" / "tissue_lowres_image.png").unlink()
    with pytest.raises(
        DataError, match=r"the image has 40 x 40 px, and observations lie at x .* are outside"
    ):
        read(root, tmp_path)
    hires.unlink()
    with pytest.raises(DataError, match=r"has no picture, neither tissue_hires_image.png nor"):
        read(root, tmp_path)


def test_a_black_picture_is_passed_over_and_fluorescence_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    root = Visium().write(tmp_path / "S1")
    hires, lowres = (root / "spatial" / f"tissue_{name}_image.png" for name in ("hires", "lowres"))
    Image.fromarray(picture(VISIUM, SCALES["hires"]) * 0).convert("RGBA").save(hires)
    found = read(root, tmp_path)
    check(found, Visium(), SCALES["lowres"])
    assert any(
        "the image is black (tissue_hires_image.png): tissue_lowres" in one for one in found.table.notes
    )
    glow = np.zeros_like(picture(VISIUM, SCALES["lowres"]))
    glow[::4, ::4] = (0, 0, 220)
    Image.fromarray(glow).save(lowres)
    with pytest.raises(DataError, match="2 faults") as error:
        read(root, tmp_path)
    assert "fluorescence" in str(error.value)


def test_visium_hd_is_sent_to_its_reader(tmp_path: Path) -> None:
    bins = tmp_path / "outs" / "binned_outputs"
    (bins / "square_008um").mkdir(parents=True)
    (tmp_path / "segmented_outputs").mkdir()
    told = "is the output of Visium HD; expected Visium; write source: visium_hd"
    for path in (tmp_path, tmp_path / "outs", bins, bins / "square_008um"):
        with pytest.raises(DataError, match=f"{told}$"):
            read(path, tmp_path)
    with pytest.raises(DataError, match=f"{told}, and cells: true$"):
        read(tmp_path / "segmented_outputs", tmp_path)


def test_counts_and_centres_are_those_of_spatialdata_io(tmp_path: Path) -> None:
    spatialdata_io = pytest.importorskip("spatialdata_io")
    spatialdata = pytest.importorskip("spatialdata")
    export = Visium(3)
    root = export.write(tmp_path / "S1")
    image = write_full(tmp_path / "S1.tif", export.array)
    ours = read(root, tmp_path, image=image).table
    with warnings.catch_warnings(action="ignore"):
        theirs = spatialdata_io.visium(
            root, dataset_id="S1", counts_file="filtered_feature_bc_matrix.h5", fullres_image_file=image
        )
    table = theirs["table"]
    assert list(table.var["gene_ids"]) == [one[0] for one in FEATURES]
    order = table.obs_names.get_indexer(ours.obs.index)
    assert (order >= 0).all()
    assert (table.X[order] != ours.counts).nnz == 0
    with warnings.catch_warnings(action="ignore"):
        circles = spatialdata.transform(theirs["S1"], to_coordinate_system="S1")
    centres = np.column_stack([circles.geometry.x, circles.geometry.y])
    at = {number: row for row, number in enumerate(circles.index)}
    placed = centres[[at[number] for number in table.obs["spot_id"].iloc[order]]]
    np.testing.assert_allclose(placed, ours.xy_px, atol=1e-6)


REAL = [  # folder, spots, genes, sum, um/px of the full-resolution image, scale factor of what is read
    ("placenta_cytassist_sr3", 2898, 19465, 3_085_005, 4.667, 0.2),
    ("sr1_100spots", 100, 100, 932, 0.7252, 0.045004502),
    ("sr1_raw_50spots", 22, 49, 384, 0.7251, 0.051033426),
    ("sr1_raw_50spots/outs", 22, 49, 384, 0.7251, 0.051033426),
]


@pytest.mark.parametrize(("name", "n", "genes", "total", "um_per_px", "scale"), REAL)
def test_real_exports(
    shared_data: Path,
    tmp_path: Path,
    name: str,
    n: int,
    genes: int,
    total: int,
    um_per_px: float,
    scale: float,
) -> None:
    path = shared_data / "exports" / "visium" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    found = read(path, tmp_path)
    assert (found.table.counts.shape, int(found.table.counts.sum())) == ((n, genes), total)
    assert found.card.um_per_px == pytest.approx(um_per_px / scale, rel=2e-4)
    notes = "\n".join(found.table.notes)
    assert "tissue_lowres_image.png was taken" in notes
    assert ("black" in notes) == (name == "sr1_100spots")
    assert ("disagree (49 features x 50 barcodes against 50" in notes) == ("raw" in name)


def test_a_real_image_of_full_resolution(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "exports" / "visium" / "placenta_cytassist_sr3"
    if not path.exists():
        pytest.skip(f"no {path}")
    found = read(path, tmp_path, image=path / "spatial" / "detected_tissue_image.jpg")
    assert found.card.um_per_px == pytest.approx(4.667, abs=5e-4)
    assert found.pixels.shape == (3000, 3000, 3)
    assert any("patches of 32 px are 149 um wide" in note for note in found.table.notes)


def test_a_real_crop_is_refused(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "exports" / "visium" / "sr2_12spots"
    if not path.exists():
        pytest.skip(f"no {path}")
    with pytest.raises(
        DataError, match=r"45 x 77 px, and observations lie at x 1,489 to 1,533, y 295 to 371"
    ) as e:
        read(path, tmp_path)
    assert "12 of 12 are outside (GTGGCGTGCACCAGAG-1, " in str(e.value)


@pytest.mark.parametrize("same", [True, False])
def test_two_files_of_places_are_read_where_they_agree(tmp_path: Path, same: bool) -> None:
    export = Visium(3)
    root = export.write(tmp_path / "outs")
    lines = (root / "spatial/tissue_positions.csv").read_text().splitlines()
    lines = sorted(lines[1:])  # as Space Ranger 1 names the file: no header, any order
    if not same:
        first = lines[0].split(",")
        lines[0] = ",".join([*first[:4], str(float(first[4]) + 40), first[5]])
    (root / "spatial/tissue_positions_list.csv").write_text("\n".join(lines) + "\n")
    if same:
        check(read(root, tmp_path), export, SCALES["hires"])
        return
    with pytest.raises(DataError) as refused:
        read(root, tmp_path)
    assert "tissue_positions.csv: disagrees with 'tissue_positions_list.csv'" in str(refused.value)
