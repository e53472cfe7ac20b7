"""Output folders of Xenium instruments: real ones, and small ones as the versions write them."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from prestige.data.prepared import Prepared
from prestige.data.readers.xenium import opened_folder, read, read_table
from prestige.data.sample import Table
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError
from prestige.start.samples import samples_in

from ...small_xenium import (
    CONTROLS,
    DEPRECATED,
    GENES,
    MIRRORED,
    MORPHOLOGY_UM,
    PROTEINS,
    XeniumFolder,
)

Opened = Callable[..., Prepared]


def spec_of(folder: Path, **more: Any) -> SampleSpec:
    given = {
        "path": folder,
        "image": folder.parent / "he.ome.tif",
        "alignment": folder.parent / "he_imagealignment.csv",
        **more,
    }
    given = {key: value for key, value in given.items() if value is not None}
    return SampleSpec.model_validate({"id": "X", "source": "xenium", "patient": "P", **given})


def opened(folder: Path, **more: Any) -> Prepared:
    return read(spec_of(folder, **more), folder.parent / "cache")


def table_of(folder: Path, counts_of: str = "cell", centre_of: str = "cell") -> Table:
    """Return the table of a folder as if its H&E were the morphology image."""
    found, manifest = opened_folder(
        folder, um_per_px=None, counts_of=counts_of, centre_of=centre_of, counts="needed"
    )
    return read_table(found, manifest, lambda xy_um: xy_um / manifest.um_per_px)


def refused(folder: Path, **more: Any) -> str:
    with pytest.raises(PrestigeError) as told:
        opened(folder, **more)
    assert len(told.value.faults) > 1 or "\n" not in str(told.value)
    return str(told.value)


# --- real exports


def test_the_tiny_bundle_of_version_3(shared_data: Path) -> None:
    table = table_of(shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3")
    assert len(table.obs) == 23
    assert table.obs.index[0] == "akkfpngo-1"
    assert len(table.genes) == 5006
    sums = np.asarray(table.counts.sum(axis=1)).ravel()
    assert sums.sum() == 433
    np.testing.assert_array_equal(table.obs["total_counts"], sums)
    assert ((sums == 0).sum(), np.median(sums), sums.max()) == (3, 9, 78)
    assert table.obs["measured"].all()
    low, high = table.xy_px.min(axis=0), table.xy_px.max(axis=0)
    np.testing.assert_allclose([low, high], [[1868.7, 1353.2], [4331.4, 1845.5]], atol=0.06)
    assert table.notes == (
        "Xenium, onboard analysis 3.0.0.15",
        "8,096 Unassigned Codeword, 609 Negative Control Codeword, 40 Negative Control Probe, "
        "21 Genomic Control, 8 Deprecated Codeword of 13,780 features are controls or no genes: "
        "left out, of the totals too",
    )


@pytest.mark.parametrize(
    "kept", ["cell_feature_matrix.h5", "cell_feature_matrix.tar.gz", "cell_feature_matrix.zarr.zip"]
)
def test_its_matrix_is_the_same_in_every_form(shared_data: Path, tmp_path: Path, kept: str) -> None:
    real = shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3"
    for name in ("experiment.xenium", "cells.csv.gz", kept):
        shutil.copy(real / name, tmp_path / name)
    found, whole = table_of(tmp_path), table_of(real)
    assert found.genes == whole.genes
    assert found.obs.index.equals(whole.obs.index)
    assert (found.counts != whole.counts).nnz == 0
    np.testing.assert_allclose(found.xy_px, whole.xy_px, atol=1e-6)


def test_its_nuclei(shared_data: Path) -> None:
    real = shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3"
    table = table_of(real, counts_of="nucleus", centre_of="nucleus")
    transcripts = pd.read_parquet(real / "transcripts.parquet")
    chosen = transcripts[
        (transcripts["qv"] >= 20) & (transcripts["overlaps_nucleus"] == 1) & transcripts["is_gene"]
    ]
    chosen = chosen[chosen["cell_id"] != "UNASSIGNED"]
    expected = chosen["cell_id"].value_counts().reindex(table.obs.index, fill_value=0)
    np.testing.assert_array_equal(np.asarray(table.counts.sum(axis=1)).ravel(), expected)
    np.testing.assert_array_equal(table.obs["total_counts"], expected)
    whole = table_of(real)
    assert expected.sum() < whole.counts.sum()
    assert (table.counts > whole.counts).nnz == 0
    apart_um = np.linalg.norm(table.xy_px - whole.xy_px, axis=1) * MORPHOLOGY_UM
    assert np.median(apart_um) < 3
    assert apart_um.max() < 10


def test_its_cells_are_those_of_spatialdata_io(shared_data: Path) -> None:
    spatialdata_io = pytest.importorskip("spatialdata_io")
    real = shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3"
    parts = ("cells_boundaries", "nucleus_boundaries", "cells_as_circles", "cells_labels", "nucleus_labels",
             "transcripts", "morphology_mip", "morphology_focus", "aligned_images")  # fmt: skip
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = spatialdata_io.xenium(real, **dict.fromkeys(parts, False))["table"]
    ours = table_of(real)
    assert list(theirs.obs["cell_id"]) == list(ours.obs.index)
    assert tuple(theirs.var_names) == ours.genes
    assert (ours.counts != theirs.X).nnz == 0
    np.testing.assert_allclose(theirs.obsm["spatial"] / MORPHOLOGY_UM, ours.xy_px)


def test_a_folder_without_manifest_is_asked_for_the_pixel_size(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "exports" / "xenium" / "jurkat_raji_xoa1_no_manifest"
    with pytest.raises(DataError, match=r"experiment\.xenium is missing.*write morphology_um_per_px: in"):
        table_of(real)
    found, manifest = opened_folder(
        real, um_per_px=0.2125, counts_of="cell", centre_of="nucleus", counts="needed"
    )
    table = read_table(found, manifest, lambda xy_um: xy_um / manifest.um_per_px)
    assert (len(table.obs), len(table.genes)) == (569, 27)
    assert table.counts.sum() == table.obs["total_counts"].sum() == 50_220
    assert "1 Negative Control Probe" in " ".join(table.notes)
    assert "2 Unassigned Codeword" in " ".join(table.notes)


@pytest.mark.parametrize("name", ["mouse_brain_xoa102_sample1", "mouse_brain5k_xoa3_tables"])
def test_a_folder_without_matrix_is_refused(shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match="no cell_feature_matrix is there") as told:
        table_of(shared_data / "exports" / "xenium" / name)
    assert ("neither cells.parquet nor" in str(told.value)) == (name == "mouse_brain_xoa102_sample1")


# --- folders as the versions write them


def version_1() -> XeniumFolder:
    return XeniumFolder("Xenium-1.0.1", ids=list(range(1, 31)))


def version_4() -> XeniumFolder:
    features = dict.fromkeys(GENES, "Gene Expression") | PROTEINS | CONTROLS | DEPRECATED
    return XeniumFolder("xenium-4.0.0.19", MIRRORED, (200, 150), features=features)


WAYS = {
    "v1, csv of R": (version_1, {"cells": "csv of R", "matrix": "mtx"}),
    "v1, csv": (version_1, {"cells": "csv"}),
    "v1": (version_1, {}),
    "v2": (XeniumFolder, {}),
    "v2, tar": (XeniumFolder, {"matrix": "tar", "cells": "csv"}),
    "v4": (version_4, {}),
    "v9": (lambda: XeniumFolder("xenium-9.1-rc2"), {}),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_every_version_on_its_image(tmp_path: Path, way: str) -> None:
    make, how = WAYS[way]
    folder = make()
    found = opened(folder.write(tmp_path / "outs", **how))
    np.testing.assert_allclose(found.table.xy_px, folder.xy_px, atol=1e-6)
    assert found.card.um_per_px == pytest.approx(folder.um_per_px)
    assert list(found.table.obs.index) == [str(one) for one in folder.ids]
    assert found.table.genes == GENES
    np.testing.assert_array_equal(found.table.counts.toarray(), folder.counts[:, : len(GENES)])
    np.testing.assert_array_equal(found.table.obs["total_counts"], folder.counts[:, : len(GENES)].sum(axis=1))
    assert (found.pixels[tuple(folder.xy_px.round().astype(int)[0, ::-1])] == (110, 60, 150)).all()
    if way == "v4":
        assert "2 Protein Expression" in " ".join(found.table.notes)


@pytest.mark.parametrize("make", [version_1, XeniumFolder, version_4])
def test_counts_and_centres_of_nuclei(tmp_path: Path, make: Callable[[], XeniumFolder]) -> None:
    folder = make()
    path = folder.write(tmp_path / "outs")
    found = opened(path, counts_of="nucleus", centre_of="nucleus")
    np.testing.assert_array_equal(found.table.counts.toarray(), folder.transcripts()[1])
    np.testing.assert_allclose(found.table.xy_px, folder.xy_px, atol=1e-3)
    assert opened(path).table.counts.sum() > found.table.counts.sum()


def test_genes_of_one_symbol_have_no_nuclear_counts(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    _h5(path, "matrix/features/name", np.array([b"EPCAM", b"EPCAM", b"ACTA2", b"CD3E", b"x", b"y", b"z"]))
    found = opened(path, counts_of="nucleus").table
    assert found.genes == ("ENSGEPCAM", "ENSGPTPRC", "ACTA2", "CD3E")
    assert any("ENSGEPCAM, ENSGPTPRC) have no counts" in note for note in found.notes)


def test_a_segmentation_without_nuclei_has_no_counts_of_them(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    folder.cells().assign(nucleus_count=0).to_parquet(path / "cells.parquet")
    assert opened(path).table.obs["measured"].all()
    told = refused(path, counts_of="nucleus")
    assert "no cell that was counted has a nucleus" in told
    assert told.endswith("take the line counts_of: nucleus away")


def test_cells_without_a_nucleus_have_no_nuclear_counts(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    mine = folder.ids[5]
    cells = folder.cells()
    cells.loc[cells["cell_id"] == mine, "nucleus_count"] = 0
    cells.to_parquet(path / "cells.parquet")
    outlines = folder.boundaries()
    outlines[outlines["cell_id"] != mine].to_parquet(path / "nucleus_boundaries.parquet")
    found = opened(path, counts_of="nucleus", centre_of="nucleus").table
    assert list(np.flatnonzero(~found.obs["measured"])) == [5]
    assert found.counts[5].nnz == 0
    np.testing.assert_allclose(found.xy_px, folder.xy_px, atol=1e-3)
    assert "1 of 30 cells have no nucleus: not measured" in found.notes
    assert f"1 ({folder.ids[5]}) have no nucleus there: their own centre was taken" in found.notes


def test_rows_are_joined_by_id(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    pd.read_parquet(path / "cells.parquet").iloc[::-1].to_parquet(path / "cells.parquet")
    found = opened(path).table
    np.testing.assert_allclose(found.xy_px, folder.xy_px[::-1], atol=1e-6)
    np.testing.assert_array_equal(found.counts.toarray(), folder.counts[::-1, : len(GENES)])


def test_ids_as_bytes_and_large_texts(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    for kind in (pa.binary(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.Table.from_pandas(folder.cells())
        place = table.schema.get_field_index("cell_id")
        pq.write_table(
            table.set_column(place, "cell_id", table["cell_id"].cast(kind)), path / "cells.parquet"
        )
        assert list(opened(path).table.obs.index) == folder.ids


def test_totals_are_the_table_s_own_where_they_can_be_true(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    cells = folder.cells()
    cells.assign(transcript_counts=cells["transcript_counts"] + 5).to_parquet(path / "cells.parquet")
    found = opened(path).table
    np.testing.assert_array_equal(found.obs["total_counts"], folder.counts[:, : len(GENES)].sum(axis=1) + 5)
    assert any("obs['transcript_counts'], which cover more" in note for note in found.notes)
    cells.assign(transcript_counts=0).to_parquet(path / "cells.parquet")
    assert any("obs['transcript_counts'] is below the sum" in note for note in opened(path).table.notes)


def test_cells_that_are_not_in_the_matrix_are_not_measured(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    more = folder.cells().iloc[:1].assign(cell_id="zzzzzzzz-1")
    pd.concat([folder.cells(), more]).to_parquet(path / "cells.parquet")
    found = opened(path).table
    assert list(np.flatnonzero(~found.obs["measured"])) == [30]
    assert "1 (zzzzzzzz-1) of cells.parquet are not in cell_feature_matrix.h5: not measured" in found.notes
    assert "experiment.xenium says 30 cells, cells.parquet has 31" in found.notes


def test_a_folder_without_counts_can_be_predicted(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    (path / "cell_feature_matrix.h5").unlink()
    found = read(spec_of(path), tmp_path / "cache", "optional")
    assert not found.table.obs["measured"].any()
    assert len(found.table.obs) == 30


def test_matrices_that_disagree_are_told(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs", matrix="mtx")
    folder.write(path)
    assert not any("disagree" in note for note in opened(path).table.notes)
    barcodes = path / "cell_feature_matrix" / "barcodes.tsv.gz"
    barcodes.write_bytes(gzip.compress("".join(f"x{one}\n" for one in folder.ids[:29]).encode() + b"a\n"))
    told = [note for note in opened(path).table.notes if "disagree" in note]
    assert told == [
        "cell_feature_matrix.h5 and the folder cell_feature_matrix disagree (of 30 barcodes 0 are in both): "
        "the former was taken"
    ]
    (path / "cell_feature_matrix" / "features.tsv.gz").unlink()
    words = "cell_feature_matrix.h5 and the folder cell_feature_matrix disagree (the latter no file features"
    assert any(words in note for note in opened(path).table.notes)


# --- what is refused


def test_no_alignment_is_never_identity(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    told = refused(path, alignment=None)
    assert f"write alignment: {tmp_path / 'he_imagealignment.csv'}" in told
    assert "they are not on one grid" in told
    told = refused(path, alignment="identity")
    assert "no image of the morphology is there to compare" in told
    assert "is 60 x 60 px; the morphology image is 320 x 240 px" not in told


def morphology(path: Path, size: tuple[int, int]) -> Path:
    import tifffile

    (path / "morphology_focus").mkdir(exist_ok=True)
    image = path / "morphology_focus" / "morphology_focus_0000.ome.tif"
    tifffile.imwrite(image, np.zeros(size, np.uint16), tile=(64, 64), ome=True, metadata={"axes": "YX"})
    return image


def test_identity_where_it_is_asked_for_and_can_be(tmp_path: Path) -> None:
    folder = XeniumFolder(matrix=np.eye(3))
    path = folder.write(tmp_path / "outs")
    morphology(path, folder.size_px)
    found = opened(path, alignment="identity")
    np.testing.assert_allclose(found.table.xy_px, folder.xy_px, atol=1e-6)
    assert found.card.um_per_px == pytest.approx(MORPHOLOGY_UM)
    assert "pixel by pixel, as dataset.yaml says" in found.table.notes[-1]
    morphology(path, (241, 320))
    assert "is 320 x 240 px; the morphology image is 320 x 241 px" in refused(path, alignment="identity")
    morphology(path, folder.size_px)
    folder.image(tmp_path / "he.ome.tif", um_per_px=0.25)
    assert "with pixels of 0.25 um; the morphology image" in refused(path, alignment="identity")


def test_an_alignment_in_the_wrong_direction_is_named(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    wrong = tmp_path / "inverse.csv"
    np.savetxt(wrong, np.linalg.inv(folder.matrix), delimiter=",")
    told = refused(path, alignment=wrong)
    assert (
        "makes pixels of 0.1647 um; the OME-XML of he.ome.tif say 0.2741 um: it looks like the inverse"
        in told
    )
    told = refused(path, alignment=wrong, um_per_px=folder.um_per_px, trust_um_per_px=True)
    assert "cells beside the image" in told
    assert f"linalg.inv(loadtxt('{wrong}'" in told
    import os
    import subprocess
    import sys

    code = told.partition('python -c "')[2].partition('"')[0]
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    np.testing.assert_allclose(
        opened(path, alignment=tmp_path / "inverse.csv").table.xy_px, folder.xy_px, atol=1e-6
    )


def test_an_alignment_to_micrometres_is_named(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    np.savetxt(tmp_path / "um.csv", np.diag([MORPHOLOGY_UM, MORPHOLOGY_UM, 1]) @ folder.matrix, delimiter=",")
    told = refused(path, alignment=tmp_path / "um.csv")
    assert "makes pixels of 0.05825 um; the OME-XML of he.ome.tif say 0.2741 um: it looks like one to" in told
    assert "divide its first two rows by 0.2125, the um of a morphology pixel" in told


def test_an_alignment_of_a_larger_copy_is_told(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    small = XeniumFolder(size_px=(60, 80))
    small.xy_px = folder.xy_px / 4
    small.image(tmp_path / "he.ome.tif", um_per_px=4 * folder.um_per_px)
    assert "say 1.097 um, 4 times as wide" in refused(path)


def test_a_pixel_size_that_is_only_nominal_is_noted(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    folder.image(tmp_path / "he.ome.tif", um_per_px=0.25)
    found = opened(path)
    assert found.card.um_per_px == pytest.approx(folder.um_per_px)
    assert any("0.2741 um by the alignment and 0.25 um" in note for note in found.table.notes)


def test_an_image_that_states_a_wrong_width(tmp_path: Path) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    folder.image(tmp_path / "he.ome.tif", um_per_px=0.5)
    told = refused(path)
    assert "say 0.5 um, 1.82 times as wide" in told
    assert "write um_per_px: 0.2741 and trust_um_per_px: true" in told
    found = opened(path, um_per_px=0.2741, trust_um_per_px=True)
    np.testing.assert_allclose(found.table.xy_px, folder.xy_px, atol=1e-6)


ODD_MANIFESTS: list[dict[str, Any]] = [
    {"images": {"morphology_filepath": "x" * 10_000, "morphology_focus_filepath": "../../../etc/passwd"}},
    {"images": [], "xenium_ranger": {"version": [1]}, "analysis_sw_version": 7},
    {"images": {"morphology_filepath": "a\0b"}, "xenium_ranger": [], "num_cells": "many"},
    {"pixel_size": str(MORPHOLOGY_UM), "major_version": 99, "analysis_sw_version": "\u202e"},
]


@pytest.mark.parametrize("odd", ODD_MANIFESTS)
def test_what_a_manifest_says_oddly_stops_nothing(tmp_path: Path, odd: dict[str, Any]) -> None:
    folder = XeniumFolder()
    path = folder.write(tmp_path / "outs")
    _json(path, **odd)
    np.testing.assert_allclose(opened(path).table.xy_px, folder.xy_px, atol=1e-6)


def test_the_software_is_said(shared_data: Path, tmp_path: Path) -> None:
    from prestige.data.platforms.xenium.manifest import read_manifest

    real = shared_data / "exports" / "xenium" / "manifests"
    for name, said in {
        "experiment_prototype_1.0.1.xenium": "Xenium, onboard analysis 1.0.1",
        "experiment_4.0.0.19.xenium": "Xenium, onboard analysis 4.0.0.19",
    }.items():
        (tmp_path / "experiment.xenium").write_bytes((real / name).read_bytes())
        found = read_manifest(tmp_path, None)
        assert (found.said, found.um_per_px) == (said, 0.2125)
    _json(tmp_path, xenium_ranger={"version": "xenium-3.1.0.5"})
    assert read_manifest(tmp_path, None).said == "Xenium, Ranger 3.1.0.5"


def test_cells_beside_the_image(tmp_path: Path) -> None:
    folder = XeniumFolder(n=60)
    folder.xy_px[7] = (-30, 20)
    path = folder.write(tmp_path / "outs")
    found = opened(path).table
    assert len(found.obs) == 59
    assert "1 of 60 cells lie beside the image (320 x 240 px): left out" in found.notes
    np.testing.assert_array_equal(
        found.counts.toarray(), np.delete(folder.counts[:, : len(GENES)], 7, axis=0)
    )
    folder.xy_px[:30] += (400, 0)
    shutil.rmtree(path)
    folder.write(path)
    assert "cells beside the image he.ome.tif of 320 x 240 px" in refused(path)
    assert len(opened(path, trust_alignment=True).table.obs) == 30


def test_fluorescence_is_no_slide(tmp_path: Path, shared_data: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    image = morphology(path, (64, 64))
    names = ("morphology_focus_0000.ome.tif", "ch0000_dapi.ome.tif", "other.tif")
    copies = [Path(shutil.copy(image, tmp_path / name)) for name in names]
    for one in (image, *copies[:2]):
        assert "is a fluorescence image of the instrument" in refused(path, image=one)
    assert "8 bit" in refused(path, image=copies[2])
    real = shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3"
    for name in ("morphology.ome.tif", "morphology_focus/morphology_focus_0000.ome.tif"):
        assert "is a fluorescence image of the instrument" in refused(path, image=real / name)


def _json(path: Path, **changes: Any) -> None:
    file = path / "experiment.xenium"
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def _cells(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(path / "cells.parquet")).to_parquet(path / "cells.parquet")


def _h5(path: Path, name: str, value: Any) -> None:
    with h5py.File(path / "cell_feature_matrix.h5", "r+") as file:
        del file[name]
        file[name] = value


def _cut(name: str, size: int) -> Callable[[Path], Any]:
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


def _gone(name: str) -> Callable[[Path], Any]:
    return lambda path: (path / name).unlink()


def _assigned(**columns: Any) -> Callable[[Path], Any]:
    return lambda path: _cells(path, lambda cells: cells.assign(**columns))


def _fractions(path: Path) -> None:
    with h5py.File(path / "cell_feature_matrix.h5") as file:
        n = len(file["matrix/data"])
    _h5(path, "matrix/data", np.linspace(0.1, 3, n))


OTHER_TYPES = np.array([b"Negative Control Probe"] * 7)
BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no manifest": (_gone("experiment.xenium"), "morphology_um_per_px"),
    "no pixel size": (lambda path: _json(path, pixel_size=None), "says no pixel_size"),
    "an absurd pixel size": (lambda path: _json(path, pixel_size=-1), "pixel_size is -1"),
    "a pixel size in words": (lambda path: _json(path, pixel_size="wide"), "pixel_size cannot be read"),
    "a broken manifest": (_cut("experiment.xenium", 9), "cannot be read"),
    "no cells": (_gone("cells.parquet"), "neither cells.parquet nor cells.csv.gz is there"),
    "no matrix": (_gone("cell_feature_matrix.h5"), "no cell_feature_matrix is there"),
    "cells cut off": (_cut("cells.parquet", 900), "cannot be read"),
    "cells are empty": (_cut("cells.parquet", 0), "cannot be read"),
    "no centres": (
        lambda path: _cells(path, lambda cells: cells.drop(columns="x_centroid")),
        "has no column",
    ),
    "centres in words": (_assigned(x_centroid="a"), "'x_centroid' cannot be read"),
    "no ids": (_assigned(cell_id=None), "the column 'cell_id' has gaps"),
    "ids are fractions": (_assigned(cell_id=0.5), "numbers that are not whole"),
    "one id for all": (_assigned(cell_id="a"), "cells that are there twice: 29"),
    "doubled": (lambda path: _cells(path, lambda cells: pd.concat([cells, cells[:2]])), "there twice: 2"),
    "places that are none": (_assigned(x_centroid=np.nan), "no place (NaN)"),
    "ids of another run": (_assigned(cell_id=[f"zz{k}" for k in range(30)]), "none of its cells is in"),
    "ids without suffix": (
        lambda path: _cells(path, lambda cells: cells.assign(cell_id=cells["cell_id"].str[:-2])),
        "they differ in the '-1' behind barcodes",
    ),
    "a barcode without place": (
        lambda path: _cells(path, lambda cells: cells[1:]),
        "cells that are not: 1 (",
    ),
    "matrix cut off": (_cut("cell_feature_matrix.h5", 3000), "cell_feature_matrix.h5"),
    "fractions": (_fractions, "counts are fractions"),
    "no genes": (
        lambda path: _h5(path, "matrix/features/feature_type", OTHER_TYPES),
        "no features of the type",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_folders_are_a_line(tmp_path: Path, name: str) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    change, words = BAD[name]
    change(path)
    told = refused(path)
    assert words in told, told


def test_faults_are_told_together(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    for name in ("experiment.xenium", "cells.parquet", "cell_feature_matrix.h5"):
        (path / name).unlink()
    told = refused(path)
    assert told.startswith("3 faults:")
    told = refused(
        XeniumFolder().write(tmp_path / "outs"), image=tmp_path / "no.tif", alignment=tmp_path / "no.csv"
    )
    assert told.startswith("2 faults:")


def test_what_else_path_may_name(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "run" / "outs")
    at = {"image": tmp_path / "run" / "he.ome.tif", "alignment": tmp_path / "run" / "he_imagealignment.csv"}
    assert "did you mean the folder 'outs' in it?" in refused(tmp_path / "run", **at)
    assert f"write path: {path}" in refused(path / "experiment.xenium", **at)
    assert "did you mean 'outs'?" in refused(path.with_name("out"), **at)


@pytest.mark.parametrize("forms", [("h5", "parquet"), ("mtx", "csv"), ("tar", "csv")])
def test_files_that_bear_the_name_of_a_data_set(tmp_path: Path, forms: tuple[str, str]) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for name, version, seed in (("Rep1", "xenium-3.0.0.15", 0), ("Rep10", "xenium-1.0.2", 1)):
        folder = XeniumFolder(version, seed=seed)
        path = folder.write(tmp_path / name / "outs", matrix=forms[0], cells=forms[1])
        apart = {"image": tmp_path / name / "he.ome.tif"}
        apart["alignment"] = tmp_path / name / "he_imagealignment.csv"
        whole = opened(path, counts_of="nucleus", centre_of="nucleus", **apart).table
        for one in path.iterdir():
            one.rename(flat / f"Xenium_{name}_{one.name}")
        for one in apart.values():
            one.rename(flat / f"Xenium_{name}_{one.name}")
    assert "has several tables of cells: Xenium_Rep10_cells, Xenium_Rep1_cells" in refused(flat, **apart)
    first, found = samples_in([flat])[0]
    assert (found.id, first.id) == ("Xenium_Rep10", "Xenium_Rep1")
    assert found.keys == {key: flat / f"Xenium_Rep10_{one.name}" for key, one in apart.items()}
    table = opened(flat, id="Rep10", counts_of="nucleus", centre_of="nucleus", **found.keys).table
    pd.testing.assert_frame_equal(table.obs, whole.obs)
    np.testing.assert_array_equal(table.xy_px, whole.xy_px)
    (flat / "Xenium_Rep1_experiment.xenium").unlink()
    assert "morphology_um_per_px" in samples_in([flat])[0][0].to_write
    (flat / "Xenium_Rep1_experiment.xenium").touch()
    told = refused(flat, id="Rep1", image=found.keys["image"], alignment=found.keys["alignment"])
    assert "Xenium_Rep1_experiment.xenium" in told


def test_a_manifest_that_contradicts_the_yaml(tmp_path: Path) -> None:
    path = XeniumFolder().write(tmp_path / "outs")
    assert "dataset.yaml morphology_um_per_px: 0.5" in refused(path, morphology_um_per_px=0.5)
    (path / "experiment.xenium").unlink()
    assert opened(path, morphology_um_per_px=MORPHOLOGY_UM).card.um_per_px == pytest.approx(
        XeniumFolder().um_per_px
    )


# --- the same tissue as a store of the challenge


def _tiles(path: Path, rows: range, columns: range) -> np.ndarray:
    """Decode some tiles of the largest level of a TIFF."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        across = -(-page.imagewidth // page.tilewidth)

        def tile(row: int, column: int) -> np.ndarray:
            number = row * across + column
            file.filehandle.seek(page.dataoffsets[number])
            data = file.filehandle.read(page.databytecounts[number])
            return page.decode(data, number, jpegtables=page.jpegtables)[0][0]

        out = np.vstack([np.hstack([tile(row, column) for column in columns]) for row in rows])
    return out[..., 0] if out.shape[-1] == 1 else out


def test_the_pancreas_lies_where_it_lies_as_a_store_of_the_challenge(
    store: Any, shared_data: Path, tmp_path: Path
) -> None:
    """H&E turned by 90 degrees, mirrored, at another pixel size: the same centres to half a pixel."""
    import anndata
    import tifffile
    from PIL import Image

    from prestige.data.readers import challenge

    real = shared_data / "pancreas_xenium"
    if not real.is_dir():
        pytest.skip(f"no pancreas at {real}")
    where = range(6, 7), range(10, 12)
    slide, mask = _tiles(real / "HE.tif", *where), _tiles(real / "nuclei.tif", *where)
    table = anndata.read_h5ad(real / "train.h5ad")
    groups = pd.read_parquet(real / "cell_groups.parquet")
    groups = groups[groups["cell_id"].isin(np.unique(mask))]
    table = table[table.obs["cell_id"].isin(groups["cell_id"])]
    store.image, store.mask, store.genes = slide, mask, tuple(table.var_names)
    store.cells = groups.set_index(groups["cell_id"].astype(str).to_numpy())
    store.measured = table.obs[["cell_id"]].set_axis(table.obs["cell_id"].astype(str).to_numpy())
    store.counts = np.asarray(table.X.todense())
    path = store.write(tmp_path / "s.zarr", 3)
    of_store = SampleSpec.model_validate({"id": "S", "source": "challenge", "path": path, "patient": "P"})
    expected = challenge.read(of_store, tmp_path / "cache").table

    # The frame of the instrument: pixels of half the width, from a corner elsewhere.
    ids = [int(one) for one in expected.obs.index]
    assert len(ids) > 150
    folder = XeniumFolder(
        "xenium-1.0.2", n=len(ids), ids=ids, features=dict.fromkeys(expected.genes, "Gene Expression")
    )
    folder.counts = expected.counts.toarray().astype(int)
    outs = folder.write(tmp_path / "outs")
    corner, per_px = np.array([700, 1900]), 0.425 / MORPHOLOGY_UM
    xy_um = (expected.xy_px + corner) * per_px * MORPHOLOGY_UM
    cells = pd.read_parquet(outs / "cells.parquet")
    cells[["x_centroid", "y_centroid"]] = xy_um
    cells.to_parquet(outs / "cells.parquet")
    # flipud, then a quarter turn: x' = h - 1 - y, y' = w - 1 - x; then smaller
    turned = np.rot90(np.flipud(slide))
    height, width = slide.shape[:2]
    size = round(0.85 * height), round(0.85 * width)
    Image.fromarray(np.ascontiguousarray(turned)).resize(size, Image.Resampling.BICUBIC).save(
        tmp_path / "he.png"
    )
    tifffile.imwrite(tmp_path / "he.tif", np.asarray(Image.open(tmp_path / "he.png")), photometric="rgb")
    x_scale, y_scale = height / size[0], width / size[1]
    to_turned = np.array([[x_scale, 0, x_scale / 2 - 0.5], [0, y_scale, y_scale / 2 - 0.5], [0, 0, 1]])
    to_slide = np.array([[0, -1, width - 1], [-1, 0, height - 1], [0, 0, 1]])
    to_morphology = np.array([[per_px, 0, per_px * corner[0]], [0, per_px, per_px * corner[1]], [0, 0, 1]])
    matrix = to_morphology @ to_slide @ to_turned
    np.savetxt(tmp_path / "he_matrix.csv", matrix, delimiter=",")
    found = opened(outs, image=tmp_path / "he.tif", alignment=tmp_path / "he_matrix.csv")
    assert found.card.um_per_px == pytest.approx(0.425 / 0.85, rel=1e-3)
    back = np.column_stack([found.table.xy_px, np.ones(len(ids))]) @ (to_slide @ to_turned).T
    assert np.abs(back[:, :2] - expected.xy_px).max() < 0.5
    assert (found.table.counts != expected.counts).nnz == 0

    # and the pixels there are the same
    def colours(pixels: np.ndarray, xy_px: np.ndarray) -> np.ndarray:
        x, y = xy_px.round().astype(int).T
        return pixels[y, x].astype(float).ravel()

    same = np.corrcoef(colours(slide, expected.xy_px), colours(found.pixels, found.table.xy_px))[0, 1]
    moved = np.corrcoef(colours(slide, expected.xy_px), colours(found.pixels, found.table.xy_px[::-1]))[0, 1]
    assert same > 0.9 > moved
