"""The challenge's stores: both formats, centres from labels, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import ndimage
from scipy.sparse import csr_matrix

from prestige.data.dataset import DatasetConfig, open_dataset, open_sample
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError

GENES = ("EPCAM", "PTPRC", "ACTA2")


def opened(path: Path, **more: Any) -> Sample:
    spec = SampleSpec(id="S", source="challenge", path=path, patient="P", **more)
    return open_sample(spec, cache_dir=path.parent / "cache")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_of_either_format_becomes_a_sample(store: Any, tmp_path: Path, zarr_format: int) -> None:
    sample = opened(store.write(tmp_path / "s.zarr", zarr_format))
    assert list(sample.obs.index) == ["7", "3", "11", "5"]
    np.testing.assert_array_equal(sample.xy_px, [[15.5, 10.5], [5, 3], [59, 39], [20.5, 24.5]])
    np.testing.assert_array_equal(sample.measured, [True, True, False, False])
    np.testing.assert_array_equal(sample.counts.toarray(), [[2, 5, 0], [1, 0, 4], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(sample.obs["total_counts"], [7, 5, 0, 0])
    np.testing.assert_array_equal(sample.obs["group"], [0, 0, 1, 2])
    assert sample.genes == GENES
    np.testing.assert_array_equal(sample.slide.pixels, store.image)
    assert not sample.slide.pixels.flags.writeable


def test_the_pixel_size_is_assumed_only_when_nobody_states_it(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    assumed, stated = opened(path), opened(path, um_per_px=0.425)
    assert (assumed.um_per_px, assumed.slide.um_per_px_assumed) == (0.5, True)
    assert any("0.5 um/px was assumed" in note for note in assumed.notes)
    assert (stated.um_per_px, stated.slide.um_per_px_assumed, stated.notes) == (0.425, False, ())
    assert stated.slide.fingerprint == assumed.slide.fingerprint
    assert stated.fingerprint != assumed.fingerprint
    np.testing.assert_allclose(stated.xy_um, stated.xy_px * 0.425)


def expression(path: Path, ids: list[int], counts: Any, genes: tuple[str, ...] = GENES) -> Path:
    obs = pd.DataFrame({"cell_id": ids}, index=[f"row{i}" for i in range(len(ids))])
    var = pd.DataFrame(index=list(genes))
    anndata.AnnData(X=csr_matrix(np.asarray(counts, dtype=np.float32)), obs=obs, var=var).write_h5ad(path)
    return path


def test_further_expression_is_joined_on_the_cell_and_the_gene(store: Any, tmp_path: Path) -> None:
    further = expression(tmp_path / "v.h5ad", [11, 404], [[9, 1, 3], [1, 1, 1]], ("ACTA2", "EPCAM", "PTPRC"))
    sample = opened(store.write(tmp_path / "s.zarr", 3), expression=further, um_per_px=1)
    np.testing.assert_array_equal(sample.measured, [True, True, True, False])
    np.testing.assert_array_equal(sample.counts.toarray()[2], [1, 3, 9])
    assert any("1 rows of v.h5ad name no cell" in note for note in sample.notes)


@pytest.mark.parametrize(
    ("ids", "counts", "genes", "said"),
    [
        ([3], [[1, 1, 1]], GENES, "has already: 1 \\(3\\)"),
        ([404], [[1, 1, 1]], GENES, "none of its cells"),
        ([11], [[1, 1, 1]], ("A", "B", "C"), "none of the genes"),
        ([11], [[1, 1]], GENES[:2], "lacks genes of the store: 1 \\(ACTA2\\)"),
        ([11, 11], [[1, 1, 1], [1, 1, 1]], GENES, "duplicate ids: 1 \\(11\\)"),
        ([11], [[-1, 1, 1]], GENES, "negative counts in 1 \\(11\\)"),
        ([11], [[np.nan, 1, 1]], GENES, "NaN or infinite counts in 1 \\(11\\)"),
        ([11], [[0.5, 1.5, 0.25]], GENES, "fractions"),
    ],
)
def test_bad_expression_is_refused(
    store: Any, tmp_path: Path, ids: list[int], counts: Any, genes: tuple[str, ...], said: str
) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    with pytest.raises(DataError, match=said):
        opened(path, expression=expression(tmp_path / "v.h5ad", ids, counts, genes))


def test_bad_ids_are_refused(store: Any, tmp_path: Path) -> None:
    store.cells = pd.DataFrame({"cell_id": [7, 3, 3, 5], "group": 0}, index=list("abcd"))
    with pytest.raises(DataError, match=r"cell_id-group: duplicate ids: 1 \(3\)"):
        opened(store.write(tmp_path / "a.zarr", 3))
    store.cells = pd.DataFrame({"cell_id": [7, 3, 8, 9], "group": 0}, index=list("abcd"))
    with pytest.raises(DataError, match=r"without a label in the mask: 2 \(8, 9\)"):
        opened(store.write(tmp_path / "b.zarr", 3))
    store.cells = pd.DataFrame({"cell_id": [7, 11], "group": 0}, index=list("ab"))
    with pytest.raises(DataError, match=r"cell_id-group does not list: 1 \(3\)"):
        opened(store.write(tmp_path / "c.zarr", 3))


def test_bad_images_are_refused(store: Any, tmp_path: Path) -> None:
    sound = store.image
    store.image = sound[..., :1]
    with pytest.raises(DataError, match=r"HE_original: the image has 1 channel; expected an RGB"):
        opened(store.write(tmp_path / "a.zarr", 3))
    store.image = sound.astype(np.uint16)
    with pytest.raises(DataError, match=r"16 bit"):
        opened(store.write(tmp_path / "b.zarr", 2))
    store.image = sound[:30]
    with pytest.raises(DataError, match=r"is 60 x 40 px, the image 60 x 30"):
        opened(store.write(tmp_path / "c.zarr", 3))


def test_damaged_colours_are_noted(store: Any, tmp_path: Path) -> None:
    store.image[:, :30] = (255, 121, 255)
    notes = opened(store.write(tmp_path / "s.zarr", 3)).notes
    assert any("RGB is decoded as YCbCr" in note for note in notes)


@pytest.mark.parametrize(
    "element", ["images/HE_original", "images/HE_nuc_original", "tables/anucleus", "tables/cell_id-group"]
)
def test_a_missing_element_is_named(store: Any, tmp_path: Path, element: str) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    shutil.rmtree(path / element)
    with pytest.raises(DataError, match=rf"missing: {element}"):
        opened(path)


def test_a_table_under_another_name_is_suggested(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    with pytest.raises(DataError, match=r"missing: tables/anuclaus.*did you mean 'tables/anucleus'"):
        opened(path, table="anuclaus")
    with pytest.raises(DataError, match=r"no such store"):
        opened(tmp_path / "nothing.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_cut_off_anywhere_is_refused_and_leaves_nothing(
    store: Any, tmp_path: Path, zarr_format: int
) -> None:
    whole = store.write(tmp_path / "s.zarr", zarr_format)
    one_a_kind = {}
    for part in ("images", "tables/anucleus/layers", "tables/anucleus/obs", "tables/cell_id-group/obs"):
        for file in sorted((whole / part).rglob("*")):
            if file.is_file():
                array = tuple(name for name in file.parent.parts if name != "c" and not name.isdigit())
                kind = file.name if file.name.startswith((".z", "zarr")) else "chunk"
                one_a_kind.setdefault((array, kind), file.relative_to(whole))
    files = list(one_a_kind.values())
    assert len(files) > 12
    refused = 0
    for number, file in enumerate(files):
        cut = tmp_path / f"cut{number}.zarr"
        shutil.copytree(whole, cut)
        (cut / file).write_bytes((whole / file).read_bytes()[: (whole / file).stat().st_size // 2])
        try:
            sample = opened(cut)
        except DataError:
            refused += 1
            assert not list((tmp_path / "cache").rglob("*.partial"))
        else:  # what is not needed may be broken: then all that is read is right
            np.testing.assert_array_equal(sample.slide.pixels, store.image)
            np.testing.assert_array_equal(sample.counts.toarray()[0], [2, 5, 0])
            np.testing.assert_array_equal(sample.obs["group"], [0, 0, 1, 2])
    assert refused >= 0.8 * len(files)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_chunks_are_not_read_as_zeros(store: Any, tmp_path: Path, zarr_format: int) -> None:
    whole = store.write(tmp_path / "s.zarr", zarr_format)
    for number, (chunk, said) in enumerate(
        [
            ("images/HE_original/0/c/0/0/0", "no pixels under 1 of the cells"),
            ("images/HE_nuc_original/0/c/0/1/1", r"without a label in the mask: 1 \(5\)"),
            ("tables/anucleus/layers/counts/data/c/0", "only 0 of 1 chunks of 'data'"),
        ]
    ):
        cut = tmp_path / f"cut{number}.zarr"
        shutil.copytree(whole, cut)
        if zarr_format == 2:
            array, _, place = chunk.partition("/c/")
            chunk = f"{array}/{place.replace('/', '.')}"
        (cut / chunk).unlink()
        with pytest.raises(DataError, match=said):
            opened(cut)


def test_a_chunk_that_a_shard_does_not_hold_is_refused_under_cells(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    image = zarr.open_group(path / "images" / "HE_original", mode="a")

    def write_without(y: slice, x: slice) -> None:
        shown = store.image.copy()
        shown[y, x] = 0
        layout: Any = {"chunks": (3, 16, 16), "shards": (3, 32, 32), "config": {"write_empty_chunks": False}}
        del image["0"]
        image.create_array("0", data=np.ascontiguousarray(shown.transpose(2, 0, 1)), **layout)

    write_without(slice(32, 40), slice(0, 16))  # no cell lies there
    assert opened(path).n_obs == 4
    write_without(slice(0, 16), slice(0, 16))
    with pytest.raises(DataError, match=r"HE_original: no pixels under 1 of the cells: 1 \(3\)"):
        opened(path)


def test_spatialdata_writes_what_is_read(store: Any, tmp_path: Path) -> None:
    """The stores of the tests are made by hand: hold them against the library's own, in both formats."""
    if find_spec("spatialdata") is None:
        pytest.skip("spatialdata is not installed (the extra 'readers')")
    script = tmp_path / "write.py"
    script.write_text(
        "import sys, numpy as np, pandas as pd, anndata, spatialdata as sd\n"
        "from spatialdata.models import Image2DModel, TableModel\n"
        "from spatialdata._io.format import SpatialDataContainerFormatV01\n"
        "d = np.load(sys.argv[1])\n"
        "obs = pd.DataFrame({'cell_id': [3, 7]}, index=['3', '7'])\n"
        "t = anndata.AnnData(X=d['counts'], obs=obs, layers={'counts': d['counts']},\n"
        "    var=pd.DataFrame({'gene_symbols': ['EPCAM', 'PTPRC', 'ACTA2']}, index=list('abc')))\n"
        "g = pd.DataFrame({'cell_id': [7, 3, 11, 5], 'group': [0, 0, 1, 2]}, index=list('7351'))\n"
        "s = sd.SpatialData(images={\n"
        "    'HE_original': Image2DModel.parse(d['image'].transpose(2, 0, 1), dims='cyx'),\n"
        "    'HE_nuc_original': Image2DModel.parse(d['mask'][None], dims='cyx')},\n"
        "    tables={'anucleus': TableModel.parse(t),\n"
        "    'cell_id-group': TableModel.parse(anndata.AnnData(obs=g))})\n"
        "s.write(sys.argv[2] + '/3.zarr')\n"
        "s.write(sys.argv[2] + '/2.zarr', sdata_formats=SpatialDataContainerFormatV01())\n"
    )
    np.savez(tmp_path / "d.npz", image=store.image, mask=store.mask, counts=store.counts)
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "d.npz"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for number in (2, 3):
        sample = opened(tmp_path / f"{number}.zarr")
        np.testing.assert_array_equal(sample.xy_px, [[15.5, 10.5], [5, 3], [59, 39], [20.5, 24.5]])
        np.testing.assert_array_equal(sample.counts.toarray()[:2], [[2, 5, 0], [1, 0, 4]])
        np.testing.assert_array_equal(sample.slide.pixels, store.image)


def test_a_crop_of_real_tissue(store: Any, tmp_path: Path, shared_data: Path) -> None:
    """Nuclei of the pancreas, against the centres that scipy finds."""
    import tifffile

    folder = shared_data / "pancreas_xenium"
    if not folder.is_dir():
        pytest.skip(f"no pancreas at {folder}")
    with tifffile.TiffFile(folder / "nuclei.tif") as file:
        page: Any = file.pages[0]
        number = 6 * -(-page.imagewidth // page.tilewidth) + 10  # one tile, in the middle of the tissue
        file.filehandle.seek(page.dataoffsets[number])
        tile = page.decode(file.filehandle.read(page.databytecounts[number]), number)[0]
    mask = np.asarray(tile[0, :, :, 0])
    ids = np.unique(mask[mask > 0]).astype(int)
    store.mask, store.image = mask, np.ones((*mask.shape, 3), dtype=np.uint8)
    store.cells = pd.DataFrame({"cell_id": ids, "group": 0}, index=ids.astype(str))
    store.measured = pd.DataFrame({"cell_id": ids[:2]}, index=ids[:2].astype(str))
    sample = opened(store.write(tmp_path / "s.zarr", 3))
    expected = np.array(ndimage.center_of_mass(mask > 0, mask, ids))[:, ::-1]
    assert len(ids) > 50
    np.testing.assert_allclose(sample.xy_px, expected, rtol=0, atol=1e-9)


def linked_table(path: Path, name: str, **attributes: Any) -> None:
    """Say in a table of a store which column links it to which element."""
    anndata.io.write_elem(
        zarr.open_group(path / "tables" / name, mode="a"), "uns/spatialdata_attrs", attributes
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_cells_and_counts_are_linked_as_the_tables_say(store: Any, tmp_path: Path, zarr_format: int) -> None:
    """Row names that are numbers too, in another order, and rows of another element."""
    region = ["HE_nuc_original"] * 4
    store.cells = pd.DataFrame(
        {"nucleus": [7, 3, 11, 5, 99], "group": 0, "region": [*region, "cells"]}, index=list("12345")
    )
    store.measured = pd.DataFrame({"nucleus": [3, 7], "region": region[:2]}, index=["7", "3"])
    path = store.write(tmp_path / "s.zarr", zarr_format)
    attributes = {"region": ["HE_nuc_original", "cells"], "region_key": "region", "instance_key": "nucleus"}
    for name in ("cell_id-group", "anucleus"):
        linked_table(path, name, **attributes)
    sample = opened(path, um_per_px=1)
    assert list(sample.obs.index) == ["7", "3", "11", "5"]
    np.testing.assert_array_equal(sample.xy_px, [[15.5, 10.5], [5, 3], [59, 39], [20.5, 24.5]])
    np.testing.assert_array_equal(sample.counts.toarray()[:2], [[2, 5, 0], [1, 0, 4]])
    assert sample.notes == ("1 rows describe 1 (cells), not HE_nuc_original: left out",)


def test_channels_are_read_by_their_names(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    group = zarr.open_group(path / "images/HE_original", mode="a")
    ome: Any = group.attrs["ome"]
    group.attrs["ome"] = {**ome, "omero": {"channels": [{"label": name} for name in "bgr"]}}
    np.testing.assert_array_equal(opened(path).slide.pixels, store.image[..., ::-1])


def he_alone(store: Any, path: Path, how: str) -> Path:
    """Write a store of a section without counts."""
    if how == "rows":
        store.counts, store.measured = np.zeros((0, 3)), store.measured[:0]
    elif how == "zeros":
        store.counts = np.zeros((2, 3))
    store.write(path, 3)
    if how == "table":
        shutil.rmtree(path / "tables" / "anucleus")
    return path


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("table", "missing: tables/anucleus; .*without it a section can be predicted"),
        ("rows", "no observation has counts; .*one of H&E alone can be predicted"),
        ("zeros", "no observation has counts"),
    ],
)
def test_a_section_of_he_alone_is_for_prediction(store: Any, tmp_path: Path, how: str, said: str) -> None:
    path = he_alone(store, tmp_path / "s.zarr", how)
    spec = SampleSpec(id="S", source="challenge", path=path, patient="P")
    config = DatasetConfig(name="d", samples=(spec,))
    for _ in range(2):  # anew, and from the cache
        (sample,) = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional").samples
        assert list(sample.obs.index) == ["7", "3", "11", "5"]
        np.testing.assert_array_equal(sample.xy_px, [[15.5, 10.5], [5, 3], [59, 39], [20.5, 24.5]])
        assert sample.counts.nnz == 0
        with pytest.raises(DataError, match=said):
            open_dataset(config, cache_dir=tmp_path / "cache")


def test_a_section_without_any_table_has_a_cell_for_each_label(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    shutil.rmtree(path / "tables")
    spec = SampleSpec(id="DC1", source="challenge", path=path, patient="P")
    config = DatasetConfig(name="d", samples=(spec,))
    (sample,) = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional").samples
    assert list(sample.obs.index) == ["3", "5", "7", "11", "99"]
    np.testing.assert_array_equal(sample.xy_px[[0, 1, 4]], [[5, 3], [20.5, 24.5], [4, 35]])
    assert any("a cell for each of the 5 labels" in note for note in sample.notes)
    with pytest.raises(DataError, match="missing: tables/cell_id-group, tables/anucleus"):
        opened(path)


def large(store: Any, path: Path) -> Path:
    """Write a store of the large variant: a second H&E image, mirrored, and what is never read."""
    store.write(path, 3)
    images = zarr.open_group(path / "images", mode="a")
    scales = {"multiscales": [{"axes": [{"name": a} for a in "cyx"], "datasets": [{"path": "0"}]}]}
    for name, pixels in {
        "HE_registered": store.image[:, ::-1].transpose(2, 0, 1),
        "HE_nuc_registered": store.mask[None, :, ::-1],
        "DAPI": np.full((1, 8, 8), 7, np.uint16),
        "group": np.zeros((1, 8, 8), np.uint8),
    }.items():
        group = images.require_group(name)
        group.create_array("0", data=np.ascontiguousarray(pixels))
        group.attrs["ome"] = scales
    points = path / "points" / "transcripts" / "points.parquet"
    points.mkdir(parents=True)
    (points / "part.0.parquet").write_bytes(b"no parquet")
    return path


def test_the_large_variant_has_a_second_histology_image(store: Any, tmp_path: Path) -> None:
    path = large(store, tmp_path / "s.zarr")
    usual, registered = opened(path), opened(path, image_element="HE_registered")
    np.testing.assert_array_equal(registered.slide.pixels, store.image[:, ::-1])
    np.testing.assert_array_equal(registered.xy_px[:, 0], 59 - usual.xy_px[:, 0])
    assert (registered.um_per_px, registered.slide.um_per_px_assumed) == (0.2125, True)
    assert usual.fingerprint == opened(path, image_element="HE_original").fingerprint
    with pytest.raises(DataError, match="missing: images/HE_registered, images/HE_nuc_registered"):
        opened(store.write(tmp_path / "small.zarr", 3), image_element="HE_registered")
    with pytest.raises(
        PrestigeError, match="unknown H&E image 'DAPI'; expected one of HE_original, HE_registered"
    ):
        opened(path, image_element="DAPI")


def test_counts_change_nothing_where_they_are_optional(store: Any, tmp_path: Path) -> None:
    spec = SampleSpec(id="S", source="challenge", path=store.write(tmp_path / "s.zarr", 2), patient="P")
    config = DatasetConfig(name="d", samples=(spec,))
    one, other = (
        open_dataset(config, cache_dir=tmp_path / "cache", counts=counts).fingerprint
        for counts in ("needed", "optional")
    )
    assert one == other


def test_further_expression_of_a_store_without_counts(store: Any, tmp_path: Path) -> None:
    path = he_alone(store, tmp_path / "s.zarr", "table")
    further = expression(tmp_path / "v.h5ad", [11], [[9, 1, 3]])
    spec = SampleSpec(id="S", source="challenge", path=path, patient="P", expression=further)
    config = DatasetConfig(name="d", samples=(spec,))
    (sample,) = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional").samples
    np.testing.assert_array_equal(sample.measured, [False, False, True, False])


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("layers", {"codecs": []}),
        ("layers/counts/indptr", {"codecs": [{"name": "bytes", "configuration": {"level": 3}}]}),
        (
            "layers/counts/data",
            {"codecs": [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": "x"}}]},
        ),
        ("layers/counts", {"attributes": "x"}),
        ("layers/counts", {"attributes": {}}),
        ("obs/cell_id", {"shape": [5]}),
    ],
)
def test_metadata_that_zarr_refuses_are_one_line(
    store: Any, tmp_path: Path, part: str, change: dict[str, Any]
) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    file = path / "tables" / "anucleus" / part / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(DataError, match="tables/anucleus"):
        opened(path)
