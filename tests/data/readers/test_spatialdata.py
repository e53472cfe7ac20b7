"""SpatialData stores that the library wrote itself: elements, links, transformations, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.dataset import open_sample, try_sample
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.data.stores.chosen import Named, choose, choose_table
from prestige.data.stores.frames import frames
from prestige.data.stores.zarrs import LABEL_AXES, element, elements_of, level0
from prestige.data.tables import read_counts
from prestige.errors import DataError

sd = pytest.importorskip("spatialdata", reason="spatialdata is not installed (the extra 'readers')")

HEIGHT, WIDTH = 60, 80
UM = 0.2125
GENES = ("EPCAM", "PTPRC", "ACTA2")
# Where the cells lie in the H&E image, its first pixel from 0 to 1.
PLACES = {"aaaa-1": (10.5, 20.5), "bbbb-1": (70.25, 5.5), "cccc-1": (40.0, 50.75), "dddd-1": (3.5, 58.5)}
# From its pixels to those of the morphology image: turned by a quarter, mirrored, 1.3 times as many.
TO_GLOBAL = np.array([[0.0, 1.3, 11.0], [1.3, 0.0, -7.0], [0.0, 0.0, 1.0]])
ORDER = ("cccc-1", "aaaa-1", "bbbb-1")  # of the table; dddd-1 has no row


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(150, 250, (3, height, width), dtype=np.uint8)


def image(pixels: np.ndarray, transformations: dict[str, Any], **more: Any) -> Any:
    from spatialdata.models import Image2DModel

    return Image2DModel.parse(pixels, dims="cyx", transformations=transformations, **more)


def affine(matrix: np.ndarray) -> Any:
    from spatialdata.transformations import Affine

    return Affine(matrix, input_axes=("x", "y"), output_axes=("x", "y"))


def in_um() -> np.ndarray:
    """Return the cells in micrometres of the morphology image."""
    places = np.column_stack([np.array(list(PLACES.values())), np.ones(len(PLACES))])
    return (places @ TO_GLOBAL.T)[:, :2] * UM


def circles(system: str = "global") -> Any:
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    return ShapesModel.parse(
        in_um(),
        geometry=0,
        radius=np.full(len(PLACES), 2.0),
        index=pd.Index(list(PLACES)),
        transformations={system: Scale([1 / UM, 1 / UM], axes=("x", "y"))},
    )


def squares() -> Any:
    """Return squares around the cells, and a polygon that crosses itself."""
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Scale

    shapes = [shapely.box(x - 1, y - 1, x + 1, y + 1) for x, y in in_um()]
    frame = geopandas.GeoDataFrame(geometry=shapes, index=list(PLACES))
    return ShapesModel.parse(frame, transformations={"global": Scale([1 / UM, 1 / UM], axes=("x", "y"))})


def table(region: Any = "cells", ids: Any = ORDER, **more: Any) -> Any:
    from spatialdata.models import TableModel

    counts = np.array([[1.0, 0, 4], [2, 5, 0], [0, 3, 3]])[: len(ids)]
    regions = pd.Categorical(more.pop("regions", [region] * len(ids)))
    obs = pd.DataFrame({"where": regions, "which": list(ids)}, index=[f"{9 - i}" for i in range(len(ids))])
    var = more.pop("var", pd.DataFrame(index=list(GENES)))
    made = anndata.AnnData(X=csr_matrix(more.pop("counts", counts)), obs=obs, var=var)
    return TableModel.parse(made, region=region, region_key="where", instance_key="which")


def elements(**changed: Any) -> dict[str, Any]:
    """Return the elements of a sound store, some of them changed, or left out by None."""
    made = {
        "HE": image(picture(), {"global": affine(TO_GLOBAL)}),
        "cells": circles(),
        "table": table(),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def write(path: Path, zarr_format: int = 3, **changed: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spatialdata._io.format import SpatialDataContainerFormatV01

        store = sd.SpatialData.init_from_elements(elements(**changed))
        old = {"sdata_formats": SpatialDataContainerFormatV01()} if zarr_format == 2 else {}
        store.write(path, **old)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, int], Path]:
    """Return what copies a sound store to a path."""
    folder = tmp_path_factory.mktemp("stores")
    made = {number: write(folder / f"{number}.zarr", number) for number in (2, 3)}
    return lambda path, zarr_format=3: Path(shutil.copytree(made[zarr_format], path))


def tried(path: Path, counts: Any = "needed", **more: Any) -> tuple[Sample | None, list[str]]:
    spec = SampleSpec(id="S", source="spatialdata", path=path, patient="P", **{"um_per_px": 0.5, **more})
    sample, faults = try_sample(spec, cache_dir=path.parent / "cache", counts=counts)
    return sample, [str(fault) for fault in faults]


def placed(path: Path, name: str, **systems: np.ndarray) -> Path:
    """Say in an element of a store (format 3) how it lies in some systems, as the library says it."""
    file = path / name / "zarr.json"
    content = json.loads(file.read_text())
    axes = [{"name": axis, "type": "space", "unit": "unit"} for axis in "xy"]
    said = [
        {
            "type": "affine",
            "affine": matrix[:2].tolist(),
            "input": {"name": "xy", "axes": axes},
            "output": {"name": system, "axes": axes},
        }
        for system, matrix in systems.items()
    ]
    attributes = content["attributes"]
    holder = attributes["ome"]["multiscales"][0] if "ome" in attributes else attributes
    holder["coordinateTransformations"] = said
    file.write_text(json.dumps(content))
    return path


def opened(path: Path, **more: Any) -> Sample:
    sample, faults = tried(path, **more)
    assert sample is not None, faults
    return sample


def refused(path: Path, **more: Any) -> str:
    sample, faults = tried(path, **more)
    assert sample is None
    return "\n".join(faults)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_cells_lie_where_their_shapes_do(sound: Any, tmp_path: Path, zarr_format: int) -> None:
    sample = opened(sound(tmp_path / "s.zarr", zarr_format))
    expected = np.array([PLACES[name] for name in ORDER]) - 0.5
    np.testing.assert_allclose(sample.xy_px, expected, rtol=0, atol=1e-9)
    assert list(sample.obs.index) == ["9", "8", "7"]
    assert list(sample.obs["which"]) == list(ORDER)
    np.testing.assert_array_equal(sample.counts.toarray(), [[1, 0, 4], [2, 5, 0], [0, 3, 3]])
    np.testing.assert_array_equal(sample.obs["total_counts"], [5, 7, 6])
    assert sample.genes == GENES
    np.testing.assert_array_equal(sample.slide.pixels, picture().transpose(1, 2, 0))
    assert sample.notes == ("1 of 4 shapes of cells have no row in the table",)


def test_the_library_gives_the_same_way_from_shapes_to_image(sound: Any, tmp_path: Path) -> None:
    from spatialdata.transformations import get_transformation_between_coordinate_systems as way

    path = sound(tmp_path / "s.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = sd.read_zarr(path)
        matrix = way(store, store["cells"], store["HE"]).to_affine_matrix(("x", "y"), ("x", "y"))
    named = Named()
    chosen_table, link, _ = choose_table(path, named)
    np.testing.assert_allclose(choose(path, named, chosen_table, link).matrix, matrix, atol=1e-9)


def _steps(made: Any) -> Any:
    from spatialdata import transformations as of

    kind, a, b, c, d = made
    axes = ("x", "y")
    if kind == "scale":
        return of.Scale([a, b], axes=axes)
    if kind == "translation":
        return of.Translation([c, d], axes=axes)
    if kind == "axes":
        return of.MapAxis({"x": "y", "y": "x"})
    if kind == "identity":
        return of.Identity()
    return of.Affine([[a, d / 50, c], [c / 50, b, d], [0, 0, 1]], input_axes=axes, output_axes=axes)


STEP = st.tuples(
    st.sampled_from(["scale", "translation", "axes", "identity", "affine"]),
    st.floats(0.5, 3),
    st.floats(0.5, 3),
    st.floats(-20, 20),
    st.floats(-20, 20),
)


@pytest.fixture(scope="module")
def two_elements(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a store with shapes and labels whose transformations are changed on the disk."""
    from spatialdata.models import Labels2DModel

    labels = Labels2DModel.parse(np.eye(4, dtype=np.uint16), dims="yx")
    path = write(tmp_path_factory.mktemp("steps") / "s.zarr", table=None, labels=labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sd.read_zarr(path)


@settings(max_examples=15)
@given(st.lists(STEP, min_size=1, max_size=4), st.sampled_from(["cells", "labels"]))
def test_compositions_are_those_of_the_library(two_elements: Any, steps: list[Any], name: str) -> None:
    from spatialdata.transformations import Sequence, get_transformation, set_transformation

    whole = Sequence([_steps(step) for step in steps])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        set_transformation(two_elements[name], whole, "global", write_to_sdata=two_elements)
        expected = get_transformation(two_elements[name]).to_affine_matrix(("x", "y"), ("x", "y"))
    folder = "shapes" if name == "cells" else "labels"
    with element(Path(two_elements.path), f"{folder}/{name}", whole=False) as group:
        said = group.attrs.asdict()
    scales = said if name == "cells" else said["ome"]["multiscales"][0]
    found = frames(scales, ("x", "y") if name == "cells" else ("y", "x"), name)
    np.testing.assert_allclose(found["global"], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_polygons_lie_at_the_centre_of_their_area(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "s.zarr", cells=squares())
    if encoding == "geoarrow":
        frame = squares()
        frame.attrs = {}
        frame.to_parquet(path / "shapes" / "cells" / "shapes.parquet", geometry_encoding="geoarrow")
    expected = np.array([PLACES[name] for name in ORDER]) - 0.5
    np.testing.assert_allclose(opened(path).xy_px, expected, rtol=0, atol=1e-9)


def labels_store(path: Path, ids: Any = (70_000, 7, 9), zarr_format: int = 3, **more: Any) -> Path:
    """Write a store whose table describes labels with gaps, at half the image's size."""
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Scale

    mask = np.zeros((HEIGHT // 2, WIDTH // 2), dtype=np.uint32)
    mask[2:5, 3:8], mask[10, 14], mask[20:24, 30:32], mask[0, 0] = 70_000, 7, 9, 5
    half = Scale([2, 2], axes=("x", "y"))
    labels = Labels2DModel.parse(mask, dims="yx", transformations={"global": half})
    made = {"HE": image(picture(), {"global": affine(np.eye(3))}), "nuclei": labels}
    made["table"] = table("nuclei", list(ids))
    return write(path, zarr_format, cells=None, **{**made, **more})


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_are_followed_with_their_gaps(tmp_path: Path, zarr_format: int) -> None:
    sample = opened(labels_store(tmp_path / "s.zarr", zarr_format=zarr_format))
    np.testing.assert_allclose(sample.xy_px, [[10.5, 6.5], [28.5, 20.5], [61.5, 43.5]])


def test_a_row_without_its_label_is_refused(tmp_path: Path) -> None:
    said = refused(labels_store(tmp_path / "s.zarr", (70_000, 7, 8)))
    assert "labels/nuclei: cells without a label in the mask: 1 (8)" in said


def test_ids_are_whole_numbers_to_the_last_digit(tmp_path: Path) -> None:
    """Neighbours beyond 2^53 are one number in float64."""
    ids = [2**53 + 1, 2**53 + 2, 2**53 + 3, 2**53]
    cells = circles()
    cells.index = pd.Index(ids)
    path = write(tmp_path / "s.zarr", cells=cells, table=table(ids=[ids[2], ids[0], ids[1]]))
    expected = np.array([list(PLACES.values())[place] for place in (2, 0, 1)]) - 0.5
    np.testing.assert_allclose(opened(path).xy_px, expected, rtol=0, atol=1e-9)


def test_of_several_regions_the_rows_of_the_chosen_one(tmp_path: Path) -> None:
    """Two sections in one store: image and region of one share a system that the other's do not name."""
    other, second = circles("two"), image(picture(5), {"two": affine(TO_GLOBAL)})
    both = table(["cells", "others"], ["cccc-1", "aaaa-1", "bbbb-1"], regions=["cells", "others", "others"])
    path = write(tmp_path / "s.zarr", others=other, second=second, table=both)
    said = refused(path)
    assert "2 images that may be H&E: HE, second" in said
    assert "image_element:" in said
    one, two = opened(path, image_element="HE"), opened(path, region="others")
    assert list(one.obs["which"]) == ["cccc-1"]
    assert list(two.obs["which"]) == ["aaaa-1", "bbbb-1"]
    np.testing.assert_allclose(two.xy_px[0], np.array(PLACES["aaaa-1"]) - 0.5)
    np.testing.assert_array_equal(two.slide.pixels, picture(5).transpose(1, 2, 0))
    assert "2 rows describe 1 (others), not cells: left out" in one.notes
    assert "no region 'cels'" in (said := refused(path, region="cels"))
    assert "did you mean 'cells'?" in said
    assert "did you mean 'second'?" in refused(path, image_element="seconds")
    assert "no table 'tabel'" in refused(path, table="tabel", image_element="HE")


def test_several_tables_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "s.zarr", more=table())
    said = refused(path)
    assert "2 tables: more (of cells), table (of cells)" in said
    assert "write table:" in said
    assert opened(path, table="more").n_obs == 3


def test_a_pyramid_is_read_at_its_largest_level(tmp_path: Path) -> None:
    large = picture(3, 128, 160)
    big = image(large, {"global": affine(TO_GLOBAL)}, scale_factors=[2, 2])
    sample = opened(write(tmp_path / "s.zarr", HE=big))
    assert sample.slide.pixels.shape == (128, 160, 3)
    np.testing.assert_allclose(sample.xy_px[1], np.array(PLACES["aaaa-1"]) - 0.5)


def test_the_width_of_a_pixel_by_a_system_in_micrometres(sound: Any, tmp_path: Path) -> None:
    both = {"global": TO_GLOBAL, "microns": TO_GLOBAL * [[UM], [UM], [1]]}
    path = sound(tmp_path / "s.zarr")
    assert "no pixel size" in refused(path, um_per_px=None)
    placed(path, "images/HE", **both)
    assert opened(path, um_per_px=None).um_per_px == pytest.approx(1.3 * UM)
    said = refused(path, um_per_px=0.5)
    assert "pixels of 0.5 um by dataset.yaml, of 0.2762 um by its transformation into 'microns'" in said
    assert opened(path, um_per_px=0.5, trust_um_per_px=True).um_per_px == 0.5


def test_pixels_that_are_not_square_are_refused(sound: Any, tmp_path: Path) -> None:
    path = placed(sound(tmp_path / "s.zarr"), "images/HE", **{"global": np.diag([2.0, 1.0, 1.0])})
    assert "its pixels are not square: 2 wide and 1 high in 'global'" in refused(path)


def test_systems_that_disagree_have_to_be_named(sound: Any, tmp_path: Path) -> None:
    path = placed(sound(tmp_path / "s.zarr"), "images/HE", **{"global": TO_GLOBAL, "rough": TO_GLOBAL})
    um = np.diag([1 / UM, 1 / UM, 1.0])
    placed(path, "shapes/cells", **{"global": um, "rough": um * [[3.0], [3.0], [1.0]]})
    said = refused(path)
    assert "lies otherwise on the image by 'rough' than by 'global'" in said
    assert "write coordinate_system: with one of global, rough" in said
    assert opened(path, coordinate_system="global").n_obs == 3
    assert "did you mean 'rough'?" in refused(path, coordinate_system="rogh")
    placed(path, "shapes/cells", **{"global": um, "rough": um})
    assert opened(path).n_obs == 3


def test_elements_of_different_sections_are_refused(sound: Any, tmp_path: Path) -> None:
    path = placed(sound(tmp_path / "s.zarr"), "shapes/cells", elsewhere=np.eye(3))
    words = "lies in elsewhere, the image in global; expected a coordinate system that both name"
    assert words in refused(path)


def test_ids_with_none_in_common_show_both_sides(tmp_path: Path) -> None:
    path = write(tmp_path / "s.zarr", table=table(ids=["x", "y", "z"]))
    said = refused(path)
    assert "none of its rows has a shape in cells (rows are called 'x')" in said
    assert "it has names such as 'aaaa-1'" in said


def test_a_row_without_a_shape_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s.zarr", table=table(ids=["aaaa-1", "bbbb-1", "zzzz-1"]))
    assert "rows without a shape in cells: 1 (zzzz-1)" in refused(path)


def test_points_are_no_region(tmp_path: Path) -> None:
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity

    spots = PointsModel.parse(np.ones((3, 2)), transformations={"global": Identity()})
    path = write(tmp_path / "s.zarr", cells=None, molecules=spots, table=table("molecules"))
    assert "points/molecules are points, which have no shape" in refused(path)


def test_genes_without_names_and_values_that_are_no_counts(tmp_path: Path) -> None:
    numbered = pd.DataFrame({"symbol": list("abc")}, index=["0", "1", "2"])
    said = refused(write(tmp_path / "a.zarr", table=table(var=numbered)))
    assert "has no gene names: they are only numbered" in said
    assert "name the right one of symbol" in said
    floats = np.array([[0.5, 1.5, 0.25]] * 3)
    assert "fractions" in refused(write(tmp_path / "b.zarr", table=table(counts=floats)))


def test_fluorescence_is_no_histology(tmp_path: Path) -> None:
    focus = image(picture()[:1].astype(np.uint16), {"global": affine(TO_GLOBAL)})
    said = refused(write(tmp_path / "a.zarr", HE=None, focus=focus))
    assert "no H&E image: its images are images/focus (1 channel of uint16)" in said
    path = write(tmp_path / "b.zarr", focus=focus)
    assert "images/HE was taken, the only one of 2 images that may be its H&E image" in opened(path).notes
    assert "16 bit" in refused(path, image_element="focus")


def test_three_colours_of_fluorescence_are_no_histology(tmp_path: Path) -> None:
    """8 bit and three channels, and dark: beside an H&E image it is passed over, alone it is refused."""
    dark = image((picture(2) - 150) // 2, {"global": affine(TO_GLOBAL)})
    path = write(tmp_path / "a.zarr", stains=dark)
    assert any("images/HE was taken" in note for note in opened(path).notes)
    assert "the image is dark" in refused(path, image_element="stains")
    assert "images/HE: the image is dark" in refused(write(tmp_path / "b.zarr", HE=dark))


def test_without_a_table_a_section_can_be_predicted(tmp_path: Path) -> None:
    path = write(tmp_path / "s.zarr", table=None)
    assert "no table" in refused(path)
    sample, faults = tried(path, "optional")
    assert sample is not None, faults
    assert list(sample.obs.index) == list(PLACES)
    assert not sample.measured.any()
    np.testing.assert_allclose(sample.xy_px, np.array(list(PLACES.values())) - 0.5)
    labels = labels_store(tmp_path / "l.zarr", table=None)
    sample, faults = tried(labels, "optional")
    assert sample is not None, faults
    assert list(sample.obs.index) == ["5", "7", "9", "70000"]


def test_the_oldest_layout_of_a_table_is_read(sound: Any, tmp_path: Path) -> None:
    """spatialdata looks for it no more, and opens such a store without its table."""
    path = sound(tmp_path / "s.zarr", 2)
    os.rename(path / "tables", path / "table")
    sample = opened(path)
    assert list(sample.obs["which"]) == list(ORDER)
    assert any("its table lies in 'table'" in note for note in sample.notes)


def test_circles_in_the_oldest_layout(sound: Any, tmp_path: Path) -> None:
    path = sound(tmp_path / "s.zarr", 2)
    folder = path / "shapes" / "cells"
    (folder / "shapes.parquet").unlink()
    group = zarr.open_group(folder, mode="a", zarr_format=2)
    group.create_array("coords", data=in_um())
    group.create_array("Index", data=np.array(list(PLACES), dtype="U6"))
    group.attrs["spatialdata_attrs"] = {"version": "0.1", "geos": {"name": "POINT", "type": 0}}
    expected = np.array([PLACES[name] for name in ORDER]) - 0.5
    np.testing.assert_allclose(opened(path).xy_px, expected, rtol=0, atol=1e-9)


def chunked(path: Path) -> Path:
    """Write the image of a store again, in chunks of 16 px."""
    folder = path / "images" / "HE"
    old = zarr.open_group(folder, mode="a")
    name = next(iter(old.array_keys()))
    del old[name]
    array = old.create_array(name, shape=(3, HEIGHT, WIDTH), chunks=(3, 16, 16), dtype=np.uint8)
    array[:] = picture()
    return next(folder.glob(f"{name}/c/0"))


def test_a_chunk_that_is_missing_is_white_and_refused_under_cells(sound: Any, tmp_path: Path) -> None:
    path = sound(tmp_path / "s.zarr")
    chunks = chunked(path)
    (chunks / "3" / "4").unlink()  # x 64 and more, y 48 and more: no cell
    sample = opened(path)
    assert (sample.slide.pixels[48:, 64:] == 255).all()
    assert (sample.slide.pixels[:48] < 255).any()
    assert "1 chunks of images/HE are not stored: white there, and no observation on them" in sample.notes
    (chunks / "1" / "0").unlink()  # aaaa-1 at 10, 20
    said = refused(path)
    assert "2 chunks of the image are not stored, and observations lie where it has no pixels: 1 (8)" in said


def test_a_chunk_that_a_shard_does_not_hold_is_white_and_refused_under_cells(
    sound: Any, tmp_path: Path
) -> None:
    def without(*parts: tuple[slice, slice]) -> None:
        """Write the image again in shards of four chunks, some of which hold nothing and are left out."""
        folder = zarr.open_group(path / "images" / "HE", mode="a")
        name = next(iter(folder.array_keys()))
        del folder[name]
        image = picture()
        for y, x in parts:
            image[:, y, x] = 0
        layout: Any = {"chunks": (3, 16, 16), "shards": (3, 32, 32)}
        folder.create_array(name, data=image, config={"write_empty_chunks": False}, **layout)

    path = sound(tmp_path / "s.zarr")
    beside, under = (slice(48, 64), slice(64, 80)), (slice(16, 32), slice(0, 16))  # aaaa-1 at 10, 20
    without(beside)
    sample = opened(path)
    assert (sample.slide.pixels[beside] == 255).all()
    assert "1 chunks of images/HE are not stored: white there, and no observation on them" in sample.notes
    without(beside, under)
    said = refused(path)
    assert "2 chunks of the image are not stored, and observations lie where it has no pixels: 1 (8)" in said


@pytest.mark.parametrize("part", ["shapes/cells/shapes.parquet", "tables/table/X/data", "images/HE"])
@pytest.mark.parametrize("how", ["cut", "gone", "noise"])
def test_damaged_parts_are_a_line(sound: Any, tmp_path: Path, part: str, how: str) -> None:
    path = sound(tmp_path / "s.zarr")
    files = [path / part] if (path / part).is_file() else sorted((path / part).rglob("c/**/*"))
    for file in [one for one in files if one.is_file()]:
        content = file.read_bytes()
        if how == "gone":
            file.unlink()
        else:
            file.write_bytes(content[: len(content) // 2] if how == "cut" else b"\x07" * len(content))
    said = refused(path)
    assert "\n" not in said
    assert str(path) in said


def test_a_file_of_shapes_that_declares_too_much_is_refused(sound: Any, tmp_path: Path) -> None:
    """A polygon of 100 kB, told a thousand times by reference, stays one polygon."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    path = sound(tmp_path / "s.zarr")
    file = path / "shapes" / "cells" / "shapes.parquet"
    large = shapely.to_wkb(shapely.Point(1, 1).buffer(5, quad_segs=1_500))
    metadata = {
        b"geo": json.dumps({"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}})
    }
    names = [f"cell {i}" for i in range(1000)]
    columns = {"geometry": pa.array([large] * 1000), "__index_level_0__": pa.array(names)}
    pandas = json.dumps({"index_columns": ["__index_level_0__"]})
    made = pa.table(columns).replace_schema_metadata({**metadata, b"pandas": pandas})
    pq.write_table(made, file, dictionary_pagesize_limit=1 << 23)
    assert "none of its rows has a shape" in refused(path)


def test_a_zip_of_a_store_says_how_to_unpack_it(sound: Any, tmp_path: Path) -> None:
    path = sound(tmp_path / "s.zarr")
    packed = shutil.make_archive(str(tmp_path / "s.zarr"), "zip", path)
    shutil.rmtree(path)
    assert "is a zip archive" in refused(path)
    assert "unzip" in refused(Path(packed))


REAL = "exports/spatialdata"


def test_a_xenium_store_without_histology_or_gene_names(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / REAL / "mouse_ileum_xenium_zarr2.zarr"
    if not path.is_dir():
        pytest.skip(f"no store at {path}")
    spec = SampleSpec(id="S", source="spatialdata", path=path, patient="P", um_per_px=1)
    faults = [str(fault) for fault in try_sample(spec, cache_dir=tmp_path)[1]]
    assert len(faults) == 2
    assert "no H&E image: its images are images/morphology_focus (1 channel of uint16)" in faults[0]
    assert "has no gene names" in faults[1]
    name, link, _ = choose_table(path, Named())
    assert (name, link.regions, link.instance_key) == ("tables/table", ("cell_circles",), "cell_id")
    with element(path, "tables/table") as group:
        counts = read_counts(group, where="table")
    assert counts.shape == (23, 5006)
    with element(path, "images/morphology_focus", whole=False) as group:
        focus = level0(group, "focus")
    assert focus.size_px == (5789, 3522)
    np.testing.assert_array_equal(focus.frames["global"], np.eye(3))
    assert {"labels/cell_labels", "labels/nucleus_labels"} <= set(elements_of(path))
    assert counts.sum() == 433


def test_blobs_are_no_tissue(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / REAL / "blobs_zarr3.zarr"
    if not path.is_dir():
        pytest.skip(f"no store at {path}")
    spec = SampleSpec(id="S", source="spatialdata", path=path, patient="P", um_per_px=1)
    faults = [str(fault) for fault in try_sample(spec, cache_dir=tmp_path)[1]]
    name, link, _ = choose_table(path, Named())
    assert (name, link.regions) == ("tables/table", ("blobs_labels",))
    with element(path, "tables/table") as group:
        counts = read_counts(group, where="table")
    assert counts.shape == (10, 3)
    assert counts.sum() == pytest.approx(314.610, abs=1e-3)
    with element(path, "labels/blobs_labels", whole=False) as group:
        placed = level0(group, "labels", LABEL_AXES).frames
    assert set(placed) == {"global", "affine", "scale", "sequence", "translation"}
    np.testing.assert_allclose(placed["sequence"] @ [1, 1, 1], [2 + 10, 3 - 50, 1])  # scale, then shift
    np.testing.assert_allclose(placed["affine"] @ [1, 2, 1], [20 * 2 + 10 + 30, 50 * 2 + 40 + 60, 1])
    assert "no H&E image" in faults[0]
    assert "holds no counts: 100% of the counts are fractions" in faults[1]


@pytest.mark.parametrize("counts", ["needed", "optional"])
def test_oblong_pixels_of_an_old_store(shared_data: Path, tmp_path: Path, counts: Any) -> None:
    path = shared_data / REAL / "raccoon_oldspec.zarr"
    if not path.is_dir():
        pytest.skip(f"no store at {path}")
    spec = SampleSpec(id="S", source="spatialdata", path=path, patient="P", um_per_px=1)
    faults = [str(fault) for fault in try_sample(spec, cache_dir=tmp_path, counts=counts)[1]]
    assert "its pixels are not square: 2 wide and 1 high in 'global'" in faults[-1]
    assert ("no table" in faults[0]) == (counts == "needed")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"obs/zarr.json": "{}", "var/zarr.json": "{}"}, "it is a table of anndata: write source: anndata"),
        ({".zattrs": '{"multiscales": []}'}, "it is an image of OME-Zarr alone: write source: slide"),
        ({"zarr.json": '{"attributes": {"ome": {"bioformats2raw.layout": 3}}}'}, "image of OME-Zarr alone"),
        ({"zarr.json": "{}"}, "copy it again if it was cut off"),
    ],
)
def test_stores_of_other_kinds_are_called_what_they_are(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    store = tmp_path / "a.zarr"
    store.mkdir()
    (store / ".zgroup").write_text("{}")
    for name, text in files.items():
        (store / name).parent.mkdir(exist_ok=True)
        (store / name).write_text(text)
    spec = SampleSpec(id="S", source="spatialdata", path=store, patient="P")
    with pytest.raises(DataError, match=rf"a\.zarr: missing: .*{words}"):
        open_sample(spec, cache_dir=tmp_path / "cache")
