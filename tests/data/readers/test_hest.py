"""The layout of HEST-1k: pixels, tables, pixel sizes, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from prestige.data import cache
from prestige.data.dataset import DatasetConfig, open_dataset, open_sample
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.errors import DataError

Writer = Callable[..., Path]


def opened(root: Path, **more: Any) -> Sample:
    spec = SampleSpec(**{"id": "S1", "source": "hest", "path": root, "patient": "P", **more})
    return open_sample(spec, cache_dir=root.parent / "cache")


@pytest.mark.parametrize("layout", [{}, {"tile": None, "rowsperstrip": 7}, {"compression": "deflate"}])
def test_a_folder_becomes_a_sample(hest_folder: Writer, layout: dict[str, Any]) -> None:
    root = hest_folder(**layout)
    sample = opened(root)
    np.testing.assert_array_equal(sample.slide.pixels, tifffile.imread(root / "wsis" / "S1.tif"))
    np.testing.assert_array_equal(sample.xy_px, [[0, 0], [10, 20], [49.4, 30], [25.5, 39.49]])
    np.testing.assert_array_equal(sample.counts.toarray(), np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(sample.obs["total_counts"], [3, 12, 21, 30])
    assert (sample.um_per_px, sample.slide.um_per_px_assumed, sample.notes) == (0.5, False, ())
    assert sample.measured.all()
    assert list(sample.obs["row"]) == [0, 1, 2, 3]


def test_planes_of_colour_are_read_like_pixels_of_colour(hest_folder: Writer) -> None:
    image = np.random.default_rng(2).integers(0, 255, (3, 40, 50), dtype=np.uint8)
    root = hest_folder(image, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(opened(root).slide.pixels, image.transpose(1, 2, 0))


def tissue() -> np.ndarray:
    """Return smooth pink and white squares, which JPEG keeps."""
    colours = np.array([[[250, 250, 250], [220, 130, 190]], [[120, 60, 150], [245, 240, 245]]])
    return np.kron(colours, np.ones((20, 25, 1))).astype(np.uint8)


def test_a_jpeg_is_read_in_its_colours(hest_folder: Writer) -> None:
    root = hest_folder(tissue(), photometric="rgb", compression="jpeg", compressionargs={"level": 95})
    with tifffile.TiffFile(root / "wsis" / "S1.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.YCBCR  # type: ignore[union-attr]
    sample = opened(root)
    assert np.abs(sample.slide.pixels.astype(int) - tissue()).mean() < 4
    assert sample.notes == ()


def test_rgb_under_a_ycbcr_tag_is_read_as_rgb_and_said(hest_folder: Writer) -> None:
    # told that its input is YCbCr, the writer converts nothing
    root = hest_folder(tissue(), photometric="ycbcr", compression="jpeg", compressionargs={"level": 95})
    believed = tifffile.imread(root / "wsis" / "S1.tif")
    assert np.abs(believed[5, 5].astype(int) - (255, 121, 255)).max() < 12  # white, when the tag is believed
    sample = opened(root)
    assert np.abs(sample.slide.pixels.astype(int) - tissue()).mean() < 4
    assert any("hold RGB" in note for note in sample.notes)


def test_the_tables_own_totals_are_taken_where_they_can_be_true(hest_folder: Writer) -> None:
    obs = pd.DataFrame({"total_counts": [10, 20, 30, 40]}, index=list("abcd"))
    sample = opened(hest_folder(obs=obs))
    np.testing.assert_array_equal(sample.obs["total_counts"], [10, 20, 30, 40])
    assert "cover more than its 3 genes" in sample.notes[0]
    sample = opened(hest_folder(obs=obs.assign(total_counts=[10, 20, 30, 29])))
    np.testing.assert_array_equal(sample.obs["total_counts"], [3, 12, 21, 30])
    assert "below the sum" in sample.notes[0]


def test_pixel_sizes(hest_folder: Writer) -> None:
    root = hest_folder(metadata={}, resolution=(20000, 20000), resolutionunit="centimeter")
    assert (opened(root).um_per_px, opened(root, um_per_px=0.5).notes) == (pytest.approx(0.5), ())
    with pytest.raises(DataError, match=r"no pixel size; expected pixel_size_um in .*write um_per_px: in"):
        opened(hest_folder(metadata={}))
    assert opened(hest_folder(metadata={"pixel_size_um_estimated": 0.25})).um_per_px == 0.25
    with pytest.raises(DataError, match=r"pixels of 1 um by dataset.yaml, of 0.5 um by metadata/S1.json;"):
        opened(hest_folder(), um_per_px=1.0)
    noted = opened(hest_folder(), um_per_px=1.0, trust_um_per_px=True)
    assert noted.um_per_px == 1.0
    assert "by dataset.yaml and 0.5 um by metadata/S1.json: the former was taken" in noted.notes[0]
    with pytest.raises(DataError, match=r"pixel_size_um is -1"):
        opened(hest_folder(metadata={"pixel_size_um": -1}))
    (root / "metadata" / "S1.json").write_text("{")
    with pytest.raises(DataError, match=r"S1.json: cannot be read"):
        opened(root)


def test_missing_files_are_named_with_their_neighbours(hest_folder: Writer) -> None:
    root = hest_folder()
    with pytest.raises(DataError, match=r"S1_16um.h5ad: no such file.*did you mean 'S1.h5ad'"):
        opened(root, table="S1_16um.h5ad")
    with pytest.raises(DataError, match=r"(?s)2 faults:.*S2.tif: no such file.*S2.h5ad: no such file"):
        opened(root, id="S2")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((40, 50), np.uint8), "1 channel;"),
        (np.zeros((40, 50, 5), np.uint8), "5 channels"),
        (np.zeros((40, 50, 3), np.uint16), "16 bit"),
    ],
)
def test_images_that_are_not_8_bit_rgb_are_refused(hest_folder: Writer, image: np.ndarray, said: str) -> None:
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    with pytest.raises(DataError, match=rf"S1.tif: the image (has|is) {said}"):
        opened(hest_folder(image, photometric=photometric))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("compression", [None, "deflate", "jpeg"])
def test_a_truncated_tiff_is_refused_and_leaves_nothing(
    hest_folder: Writer, share: float, compression: str | None
) -> None:
    root = hest_folder(compression=compression, photometric="rgb")
    image = root / "wsis" / "S1.tif"
    content = image.read_bytes()
    image.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"S1.tif: "):
        opened(root)
    cache = root.parent / "cache"
    assert not list(cache.glob("slides/*")) + list(cache.glob("samples/*"))


def test_every_fault_of_a_table_is_listed_at_once(hest_folder: Writer) -> None:
    counts = np.array([[np.nan, 1, 1], [1, -2, 1], [1, 1, 1], [1, 1, 1]])
    spatial = [[0, 0], [np.nan, 3], [49.6, 2], [3, -0.6]]
    obs = pd.DataFrame({"row": range(4)}, index=list("abcd"))
    root = hest_folder(counts=counts, spatial=spatial, obs=obs)
    with pytest.raises(DataError) as caught:
        opened(root)
    said = str(caught.value)
    assert said.startswith("4 faults:")
    for part in (
        "no place (NaN) for 1 (b)",
        "outside the image of 50 x 40 px: 2 (c, d)",
        "NaN or infinite counts in 1 (a)",
        "negative counts in 1 (b)",
    ):
        assert part in said


def test_a_table_cut_off_or_without_places_is_refused(hest_folder: Writer) -> None:
    import h5py

    root = hest_folder()
    table = root / "st" / "S1.h5ad"
    with h5py.File(table, "a") as file:
        del file["obsm/spatial"]
    with pytest.raises(DataError, match=r"the element 'obsm/spatial' is missing"):
        opened(root)
    table.write_bytes(table.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"S1.h5ad: cannot be read"):
        opened(root)


def change(root: Path, edit: Callable[[Any], None]) -> None:
    import anndata

    path = root / "st" / "S1.h5ad"
    table = anndata.read_h5ad(path)
    edit(table)
    table.write_h5ad(path)


def test_a_frame_of_places_says_which_column_is_x(hest_folder: Writer) -> None:
    plain = opened(hest_folder())

    def named(*names: str) -> Callable[[Any], None]:
        def edit(table: Any) -> None:
            xy = pd.DataFrame(table.obsm["spatial"], columns=["x", "y"], index=table.obs_names)
            table.obsm["spatial"] = xy[list(names)].set_axis(names, axis=1)

        return edit

    root = hest_folder()
    change(root, named("y", "x"))
    turned = opened(root)
    np.testing.assert_array_equal(turned.xy_px, plain.xy_px)
    assert turned.fingerprint != plain.fingerprint  # it was read otherwise once
    change(root, lambda table: table.obsm["spatial"].rename(columns={"x": "x_um", "y": "y_um"}, inplace=True))
    with pytest.raises(DataError, match="micrometres, by their names"):
        opened(root)


def test_spots_beside_the_tissue_are_not_measured(hest_folder: Writer) -> None:
    root = hest_folder(obs=pd.DataFrame({"in_tissue": ["1", "0", "1", "1"]}, index=list("abcd")))
    sample = opened(root)
    np.testing.assert_array_equal(sample.measured, [True, False, True, True])
    np.testing.assert_array_equal(sample.obs["total_counts"], [3, 0, 21, 30])
    np.testing.assert_array_equal(sample.counts.toarray()[1], 0)
    assert "1 of 4 observations lie off the tissue" in sample.notes[0]
    all_inside = hest_folder(obs=pd.DataFrame({"in_tissue": [1] * 4}, index=list("abcd")))
    assert opened(all_inside).notes == ()
    change(root, lambda table: table.obs.insert(0, "measured", ["yes", "yes", "no", "perhaps"]))
    with pytest.raises(DataError, match=r"S1.h5ad: obs\['measured'\] is 'perhaps' in"):
        opened(root)


def test_controls_are_no_genes_and_no_part_of_totals(hest_folder: Writer) -> None:
    root = hest_folder()
    change(root, lambda table: setattr(table, "var_names", ["EPCAM", "NegControlProbe_00009", "ACTA2"]))
    sample = opened(root)
    assert sample.genes == ("EPCAM", "ACTA2")
    np.testing.assert_array_equal(sample.counts.toarray(), [[0, 2], [3, 5], [6, 8], [9, 11]])
    np.testing.assert_array_equal(sample.obs["total_counts"], [2, 8, 14, 20])
    assert "1 (NegControlProbe_00009) of 3 features are controls" in sample.notes[0]


def test_a_gap_among_the_symbols_is_no_gene_called_nan(hest_folder: Writer) -> None:
    root = hest_folder()
    change(root, lambda table: table.var.insert(0, "gene_symbols", ["A", None, "C"]))
    sample = opened(root)
    assert sample.genes == ("A", "PTPRC", "C")
    change(root, lambda table: setattr(table, "var_names", ["x", "nan", "z"]))
    with pytest.raises(DataError, match=r"genes without a name: 1 \(1\)"):
        opened(root)


def test_where_x_holds_none_the_line_names_what_does(hest_folder: Writer) -> None:
    root = hest_folder()

    def logged(table: Any) -> None:
        table.layers["raw_counts"] = table.X.copy()
        table.raw = table.copy()
        table.X = table.X.log1p()

    change(root, logged)
    with pytest.raises(DataError, match=r"fractions.*layers\['raw_counts'\] and raw.X hold counts: store"):
        opened(root)
    one = np.arange(12.0).reshape(4, 3)
    one[3, 2] = 11.5
    with pytest.raises(DataError, match=r"9% of the counts are fractions \(as 11.5\)"):
        opened(hest_folder(counts=one))


def test_the_kidney(tmp_path: Path, shared_data: Path) -> None:
    root = shared_data / "kidney_visium_hd"
    if not root.is_dir():
        pytest.skip(f"no kidney at {root}")
    spec = SampleSpec(id="KIDNEY", source="hest", path=root, patient="P", table="KIDNEY_16um.h5ad")
    sample = open_sample(spec, cache_dir=tmp_path)
    assert (sample.n_obs, len(sample.genes)) == (125530, 1017)
    assert (sample.slide.height_px, sample.slide.width_px, sample.um_per_px) == (3640, 3116, 2.0055)
    glass = sample.slide.pixels[50:150, 2950:3050].reshape(-1, 3).mean(axis=0)
    assert glass.min() > 220  # the glass beside the tissue is near white


@pytest.mark.parametrize("how", ["no X", "no genes", "no group X"])
def test_places_alone_are_a_section_to_be_predicted(hest_folder: Writer, tmp_path: Path, how: str) -> None:
    import anndata
    import h5py

    root = hest_folder()
    path = root / "st" / "S1.h5ad"
    xy = anndata.read_h5ad(path).obsm["spatial"]
    obs = pd.DataFrame({"row": range(4)}, index=list("abcd"))
    counts = np.zeros((4, 0), dtype=np.float32) if how == "no genes" else None
    anndata.AnnData(X=counts, obs=obs, obsm={"spatial": xy}).write_h5ad(path)
    if how == "no group X":
        with h5py.File(path, "a") as file:
            file.pop("X", None)
    config = DatasetConfig(name="d", samples=(SampleSpec(id="S1", source="hest", path=root, patient="P"),))
    (sample,) = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional").samples
    assert (sample.n_obs, sample.genes, sample.measured.any()) == (4, (), False)
    np.testing.assert_array_equal(sample.xy_px, [[0, 0], [10, 20], [49.4, 30], [25.5, 39.49]])
    with pytest.raises(DataError, match="so it has no counts"):
        open_dataset(config, cache_dir=tmp_path / "cache")


def renamed(root: Path, name: str) -> Path:
    (root / "wsis" / "S1.tif").rename(root / "wsis" / name)
    return root


@pytest.mark.parametrize("name", ["S1.tiff", "S1.TIF", "S1.ome.tif", "S1.svs", "S1.png"])
def test_an_image_may_have_another_name_of_the_same_form(hest_folder: Writer, name: str) -> None:
    assert opened(renamed(hest_folder(), name)).slide.width_px == 50


def test_an_image_may_be_of_any_format_that_is_read(hest_folder: Writer, shared_data: Path) -> None:
    exports = shared_data / "exports" / "wsi"
    if not exports.is_dir():
        pytest.skip("no exports of scanners")
    root = hest_folder(metadata={})
    (root / "wsis" / "S1.tif").unlink()
    slide = root / "wsis" / "S1.svs"
    slide.symlink_to(exports / "svs" / "CMU-1-Small-Region.svs")
    of_svs = opened(root)
    assert (of_svs.slide.width_px, of_svs.um_per_px, of_svs.notes) == (2220, 0.499, ())
    slide.unlink()
    (root / "wsis" / "S1.ome.zarr").symlink_to(exports / "omezarr" / "CMU-1-Small-Region_v04.ome.zarr")
    of_zarr = opened(root)
    np.testing.assert_array_equal(of_zarr.slide.pixels, of_svs.slide.pixels)
    (root / "wsis" / "S1.ome.zarr").unlink()
    (root / "wsis" / "S1").mkdir()
    for name in ("boxes_0.dcm", "boxes_1.dcm"):
        (root / "wsis" / "S1" / name).write_bytes((exports / "dicom" / name).read_bytes())
    with pytest.raises(DataError, match="outside the image"):  # which is of 16 x 16 px
        opened(root)


def test_names_of_images_that_do_not_fit_are_told_with_what_helps(hest_folder: Writer) -> None:
    root = renamed(hest_folder(), "S1.tiff")
    (root / "wsis" / "S1.svs").touch()
    with pytest.raises(DataError, match=r"'S1.svs', 'S1.tiff'.*rename the one that is meant to 'S1.tif'"):
        opened(root)
    (root / "wsis" / "S1.svs").unlink()
    (root / "wsis" / "S1.tiff").unlink()
    with pytest.raises(DataError, match=r"save 'S1.bmp' as a TIFF, 'S1.tif'"):
        opened(renamed(hest_folder(), "S1.bmp"))
    (root / "wsis" / "S1.tif").mkdir()
    with pytest.raises(DataError, match=r"S1.tif: is a folder"):
        opened(root)


def test_the_metadata_may_begin_with_a_byte_order_mark(hest_folder: Writer) -> None:
    root = hest_folder()
    (root / "metadata" / "S1.json").write_bytes(b'\xef\xbb\xbf{"pixel_size_um": 0.25}')
    assert opened(root).um_per_px == 0.25


@pytest.mark.parametrize("stated", [0, -1, 1e300, "wide", [0.5], {}, True, float("nan"), 10**400])
def test_widths_that_are_none_are_refused(hest_folder: Writer, stated: Any) -> None:
    with pytest.raises(DataError, match=r"S1.json: pixel_size_um (is|cannot be read)"):
        opened(hest_folder(metadata={"pixel_size_um": stated}))


def test_pixel_sizes_that_contradict_are_said_and_oblong_pixels_refused(hest_folder: Writer) -> None:
    tagged = {"resolutionunit": "centimeter", "resolution": (40000, 40000)}
    with pytest.raises(
        DataError, match=r"0.5 um by metadata/S1.json, of 0.25 um by the resolution tags of S1"
    ):
        opened(hest_folder(**tagged))
    (note,) = opened(hest_folder(**tagged), trust_um_per_px=True).notes
    assert note == (
        "pixels of 0.5 um by metadata/S1.json and 0.25 um by the resolution tags of S1.tif: the former was "
        "taken"
    )
    stated = opened(hest_folder(**tagged), um_per_px=0.25, trust_um_per_px=True).notes
    assert any("dataset.yaml states 0.25 um/px, the source 0.5" in note for note in stated)
    with pytest.raises(DataError, match=r"S1.tif: its pixels are not square: 0.25 x 0.5 um"):
        opened(hest_folder(**{**tagged, "resolution": (40000, 20000)}))


def test_observations_lie_on_pixels(hest_folder: Writer) -> None:
    root = hest_folder(
        photometric="rgb", compression="deflate", spatial=((20, 20), (10, 20), (49.4, 30), (25.5, 39.49))
    )
    image = root / "wsis" / "S1.tif"
    content = bytearray(image.read_bytes())
    with tifffile.TiffFile(image) as file:
        page: Any = file.pages[0]
        at = page.tags["TileByteCounts"].valueoffset
        size = page.tags["TileByteCounts"].valuebytecount // page.tags["TileByteCounts"].count
    content[at : at + size] = bytes(size)  # the first of 3 x 4 tiles of 16 px
    image.write_bytes(content)
    sample = opened(root)
    assert (sample.slide.pixels[:16, :16] == 255).all()
    assert sample.notes == ("1 of 12 tiles of S1.tif are not stored: they were filled with white",)
    root_again = hest_folder(photometric="rgb")
    image.write_bytes(content)
    with pytest.raises(
        DataError, match=r"S1.tif: the image is sparse \(1 of 12 tiles are not stored\).*1 \(a\)"
    ):
        opened(root_again)


def test_another_page_is_prepared_anew_and_a_plain_image_is_not(hest_folder: Writer) -> None:
    root = hest_folder()
    plain = opened(root)
    pixels = tifffile.imread(root / "wsis" / "S1.tif")
    with tifffile.TiffWriter(root / "wsis" / "S1.tif") as file:
        file.write(pixels[::2, ::2], photometric="rgb")
        file.write(pixels, photometric="rgb")
    sample = opened(root)
    np.testing.assert_array_equal(sample.slide.pixels, pixels)
    assert "the largest, was read" in sample.notes[0]
    assert sample.fingerprint != plain.fingerprint


TAGGED = {"resolution": (20000, 20000), "resolutionunit": "centimeter"}


@pytest.mark.parametrize(
    ("written", "spec", "settings"),
    [
        ({}, {}, "[{}, 0.5, false]"),
        ({"metadata": {}, **TAGGED}, {}, "[{}, 0.5, false]"),
        ({"metadata": {"pixel_size_um": 0.51}, **TAGGED}, {}, "[{}, 0.51, false]"),
        # What the image states is none of the name where dataset.yaml states a width.
        ({"metadata": {}, **TAGGED}, {"um_per_px": 0.49}, "[{}, null, false]"),
        ({"metadata": {"pixel_size_um": 0.51}, **TAGGED}, {"um_per_px": 0.49}, "[{}, 0.51, false]"),
    ],
)
def test_samples_keep_the_names_that_they_were_given(
    hest_folder: Writer, monkeypatch: pytest.MonkeyPatch, written: Any, spec: Any, settings: str
) -> None:
    """The name of a sample in the cache is made of these words and of the files' content."""
    real, words = cache.digest, []

    def spied(*parts: str) -> str:
        words.append(parts)
        return real(*parts)

    monkeypatch.setattr(cache, "digest", spied)
    folder = hest_folder(**written)
    opened(folder, **spec)
    of_slide, of_table = (one for one in words if one[1:2] in (("slide",), ("table",)))
    assert of_slide[:2] == ("hest/2", "slide")
    assert [part.partition("=")[0] for part in of_slide[2:]] == ["image"]
    assert of_table[1:3] == ("table", settings)
    assert [part.partition("=")[0] for part in of_table[3:]] == ["table"]


def test_a_width_in_dataset_yaml_must_be_one_too(hest_folder: Writer) -> None:
    with pytest.raises(DataError, match=r"sample 'S1': the width of a pixel \(dataset.yaml\) is 1e\+300"):
        opened(hest_folder(), um_per_px=1e300)


@pytest.mark.parametrize("file", ["st/S1.h5ad", "wsis/S1.tif"])
def test_what_has_no_end_is_refused_before_it_is_hashed(hest_folder: Writer, file: str) -> None:
    root = hest_folder()
    (root / file).unlink()
    os.mkfifo(root / file)
    with pytest.raises(DataError, match="is a pipe"):
        opened(root)
    (root / file).unlink()
    (root / file).symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is a device"):
        opened(root)


def test_a_column_that_nobody_needs_is_left_out_and_said(hest_folder: Writer) -> None:
    import h5py

    root = hest_folder()
    with h5py.File(root / "st" / "S1.h5ad", "a") as file:
        file["obs/odd"] = np.zeros(3)
        order = [*file["obs"].attrs["column-order"], "odd"]
        del file["obs"].attrs["column-order"]
        file["obs"].attrs["column-order"] = np.array(order, dtype=h5py.string_dtype())
    sample = opened(root)
    assert "odd" not in sample.obs.columns
    assert [note for note in sample.notes if note.startswith("obs['odd'] cannot be read (")]


def test_a_column_of_two_values_a_row_is_a_fault_of_the_table(hest_folder: Writer) -> None:
    root = hest_folder()
    with h5py.File(root / "st" / "S1.h5ad", "a") as file:
        two = file.create_dataset("obs/measured", data=np.zeros((4, 2)))
        two.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    with pytest.raises(DataError, match="the element 'obs/measured' cannot be read"):
        opened(root)
