"""An image alone: places on a lattice or from a file, and no counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.dataset import open_sample, read_dataset, try_sample
from prestige.data.readers.slide import read
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError, raise_all

from ... import small_sources
from ..slides.phantoms import philips, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_sources.slide(tmp_path)
    return tmp_path


def spec_of(folder: Path, **more: Any) -> SampleSpec:
    given = {"id": "S", "source": "slide", "path": folder / "biopsy.tif", "patient": "P"}
    if isinstance(more.get("points"), str) and "." in more["points"]:
        more["points"] = folder / more["points"]
    return SampleSpec.model_validate({**given, **more})


def opened(folder: Path, **more: Any) -> Sample:
    sample, faults = try_sample(spec_of(folder, **more), cache_dir=folder / "cache", counts="optional")
    raise_all(faults)
    assert sample is not None
    assert not sample.measured.any()
    assert sample.counts.shape == (sample.n_obs, 0)
    return sample


def test_a_grid_lies_on_the_tissue(folder: Path) -> None:
    # The image is 60 x 40 px of 0.5 um, the left 40 columns tissue.  A place every 5 um is one every 10 px.
    sample = opened(folder, points={"grid": {"spacing_um": 5}})
    expected = [[x, y] for y in (5, 15, 25, 35) for x in (5, 15, 25, 35)]
    np.testing.assert_array_equal(sample.xy_px, expected)
    assert list(sample.obs.index[:2]) == ["1", "2"]
    words = "places are a grid, 5 um apart: 16 of 24 on tissue, the others on glass or dust"
    assert words in sample.notes


def test_spots_have_six_neighbours(folder: Path) -> None:
    xy = opened(folder, points={"spots": {"spacing_um": 4}}).xy_px
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    near = np.sort(distance, axis=1)[:, 1]
    np.testing.assert_allclose(near, 8)
    inner = (xy > 9).all(axis=1) & (xy < [30, 30]).all(axis=1)
    assert (np.isclose(distance[inner], 8).sum(axis=1) == 6).all()


@pytest.mark.parametrize("points", ["grid", "spots", None])
def test_a_lattice_has_a_spacing_of_its_own(tmp_path: Path, points: str | None) -> None:
    small_sources._image(tmp_path / "biopsy.tif", 400, 600)
    step, rows = {"spots": (200, 173.2)}.get(points or "", (100, 100))
    xy = opened(tmp_path, points=points).xy_px
    assert sorted(set(np.diff(xy[xy[:, 1] == xy[0, 1], 0]))) == [step]
    np.testing.assert_allclose(np.diff(np.unique(xy[:, 1])), rows, atol=0.1)


def test_a_lattice_follows_the_width_of_a_pixel(folder: Path) -> None:
    first = opened(folder, points={"grid": {"spacing_um": 5}})
    second = opened(folder, points={"grid": {"spacing_um": 5}}, um_per_px=0.25, trust_um_per_px=True)
    assert first.n_obs == 16
    assert second.n_obs == 4  # every 20 px


@pytest.mark.parametrize(
    ("points", "unit", "names", "xy"),
    [
        ("cells.csv", None, ["a", "b"], [[4, 5], [20.5, 30]]),
        ("cells.csv", "um", ["a", "b"], [[8, 10], [41, 60]]),
        ("cells_um.csv", None, ["a", "b"], [[4, 5], [20.5, 30]]),
        ("cells.geojson", None, ["n1"], [[4, 3]]),
        ("cells.geojson", "um", ["n1"], [[8, 6]]),
        ("nuclei.tif", None, ["2", "7"], [[30.5, 20.5], [6, 4]]),
    ],
)
def test_places_come_from_a_file(folder: Path, points: str, unit: Any, names: list[str], xy: Any) -> None:
    if (points, unit) == ("cells.csv", "um"):
        with pytest.raises(DataError, match=r"outside the image of 60 x 40 px: 1 \(b\)"):
            opened(folder, points=points, points_unit=unit)
        return
    sample = opened(folder, points=points, points_unit=unit)
    assert list(sample.obs.index) == names
    np.testing.assert_allclose(sample.xy_px, xy)


def test_a_yaml_names_lattices_and_files(folder: Path) -> None:
    rows = [
        "{id: A, source: slide, path: biopsy.tif, patient: P, points: grid}",
        "{id: B, source: slide, path: biopsy.tif, patient: P, points: {spots: {spacing_um: 4}}}",
        "{id: C, source: slide, path: biopsy.tif, patient: P, points: cells.csv}",
    ]
    yaml = folder / "dataset.yaml"
    yaml.write_text("name: d\nsamples:\n" + "".join(f"  - {row}\n" for row in rows))
    grid, spots, file = (sample.points for sample in read_dataset(yaml).samples)
    assert grid is not None
    assert not isinstance(grid, Path)
    assert grid.words == "a grid, 50 um apart"
    assert spots is not None
    assert not isinstance(spots, Path)
    assert spots.words == "spots in rows, 4 um apart"
    assert file == folder / "cells.csv"
    for wrong in ("{grid: {spacing_um: 0}}", "{grid: {}, spots: {}}", "{}", "{grid: {spacing: 3}}"):
        yaml.write_text(f"name: d\nsamples:\n  - {rows[0].replace('grid', wrong)}\n")
        with pytest.raises(PrestigeError, match="points"):
            read_dataset(yaml)


def write(name: str, content: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        if name.endswith(".npy"):
            np.save(path, content)
        elif name.endswith(".tif"):
            tifffile.imwrite(path, content)
        else:
            path.write_text(content)

    return apply


POINT = '{"type": "Point", "coordinates": [3, 4]}'
BAD: dict[str, tuple[Callable[[Path], None], dict[str, Any], str]] = {
    "no file": (lambda f: None, {"points": "absent.csv"}, "absent.csv: no such file"),
    "no places": (write("a.csv", "x,y\n"), {"points": "a.csv"}, "no observations"),
    "no columns": (
        write("a.csv", "id,score\n1,2\n"),
        {"points": "a.csv"},
        "'id', 'score'; expected columns x and y",
    ),
    "no numbers": (write("a.csv", "x,y\n1,b\n"), {"points": "a.csv"}, "the column 'y' holds 'b' in row 1"),
    "NaN": (write("a.csv", "x,y\n1,\n2,2\n"), {"points": "a.csv"}, r"no place \(NaN\) for 1 \(1\)"),
    "another image": (
        write("a.geojson", '{"type": "MultiPoint", "coordinates": [[3, 4], [600, 9]]}'),
        {"points": "a.geojson"},
        r"outside the image of 60 x 40 px: 1 \(1-2\)",
    ),
    "another size": (
        write("a.npy", np.ones((20, 30), np.int32)),
        {"points": "a.npy"},
        "a.npy: is 30 x 20 px, the image 60 x 40",
    ),
    "another size, TIFF": (
        write("a.tif", np.ones((20, 30), np.uint16)),
        {"points": "a.tif"},
        "a.tif: is 30 x 20 px, the image 60 x 40",
    ),
    "no text": (
        write("a.geojson", '{"type": "Feature", "id": "a\\u0000", "geometry": ' + POINT + "}"),
        {"points": "a.geojson"},
        r"ids with characters that no table stores: 1 \('a",
    ),
    "no labels": (
        write("a.npy", np.zeros((40, 60), np.int32)),
        {"points": "a.npy"},
        "holds no label above 0",
    ),
    "negative": (
        write("a.npy", np.full((40, 60), -3)),
        {"points": "a.npy"},
        r"holds negative labels: 1 \(-3\)",
    ),
    "fractions": (write("a.npy", np.zeros((40, 60))), {"points": "a.npy"}, "holds 40 x 60 values of float64"),
    "colours": (
        write("a.tif", np.zeros((40, 60, 3), np.uint8)),
        {"points": "a.tif"},
        "holds 40 x 60 x 3 values of uint8",
    ),
    "too fine": (
        lambda f: None,
        {"points": {"grid": {"spacing_um": 0.01}}},
        "one every 0.02 px.*raise spacing_um",
    ),
    "too coarse": (
        lambda f: None,
        {"points": {"grid": {"spacing_um": 29}}},
        "none of 1 places shows tissue|places are",
    ),
    "key of others": (lambda f: None, {"table": "x"}, "'table' has no meaning for source: slide"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_a_line(folder: Path, name: str) -> None:
    change, more, words = BAD[name]
    change(folder)
    if name == "too coarse":
        assert opened(folder, **more).n_obs == 1
        return
    with pytest.raises(PrestigeError, match=words) as told:
        opened(folder, **more)
    assert "\n" not in str(told.value)


def test_an_image_without_a_width_of_a_pixel_is_refused(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(120, 240, (40, 60, 3), dtype=np.uint8)
    tifffile.imwrite(folder / "biopsy.tif", pixels, photometric="rgb")
    with pytest.raises(DataError, match=r"no pixel size; .*write um_per_px: in dataset.yaml"):
        opened(folder)
    sample = opened(folder, um_per_px=1, points={"grid": {"spacing_um": 10}})
    assert sample.n_obs == 24


def test_training_and_scoring_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"it has no counts; .*can be predicted, not trained on, split or scored"
    ):
        open_sample(spec_of(folder, points="cells.csv"), cache_dir=folder / "cache")


def test_an_array_of_objects_is_not_unpickled(folder: Path) -> None:
    np.save(folder / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects"):
        opened(folder, points="a.npy")


def test_a_lattice_has_no_places_where_the_image_has_no_pixels(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    image = philips(tmp_path / "a.tiff", picture(256, 256), absent=[5])  # x 64 to 128, y 64 to 128
    spec = SampleSpec.model_validate(
        {"id": "S", "source": "slide", "path": image, "patient": "P", "points": {"grid": {"spacing_um": 4}}}
    )
    prepared = read(spec, tmp_path / "cache", "optional")
    xy = prepared.table.xy_px
    inside = ((xy >= 63.5) & (xy < 127.5)).all(axis=1)
    assert len(xy) > 100
    assert not inside.any()
    assert any("holds no pixels" in note for note in prepared.table.notes)
