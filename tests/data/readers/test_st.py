"""Classic Spatial Transcriptomics: files of a section, spots that count, pixel size, what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.dataset import open_sample
from prestige.data.platforms.st.spots import pitch_of, read_spots
from prestige.data.readers.st import read_table
from prestige.data.sample import Sample, bare_glass
from prestige.data.slides.images import image_of
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError

from ... import small_sources

GENES = ["ERBB2", "KRT8", "CD3E"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    small_sources.st(tmp_path)
    return tmp_path / "tumours"


def opened(root: Path, **more: Any) -> Sample:
    spec = SampleSpec.model_validate({"id": "A1", "source": "st", "path": root, "patient": "A", **more})
    return open_sample(spec, cache_dir=root.parent / "cache")


def counts_of(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "counts" / "A1.tsv.gz", sep="\t", index_col=0)


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], **how: Any) -> None:
    table = change(pd.read_csv(path, sep="\t", **how))
    table.to_csv(path, sep="\t", index=bool(how))


def edit_counts(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    edit(root / "counts" / "A1.tsv.gz", change, index_col=0)


def edit_spots(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    edit(root / "spots" / "A1_selection.tsv", change)


def test_a_section_becomes_a_sample(root: Path) -> None:
    sample, counts = opened(root), counts_of(root)
    assert list(sample.obs.index) == list(counts.index[:20])
    np.testing.assert_array_equal(sample.counts.toarray(), counts.to_numpy()[:20])
    assert list(sample.genes) == GENES
    x, y = np.array([name.split("x") for name in sample.obs.index], float).T
    np.testing.assert_array_equal(sample.xy_px, np.column_stack([10 * x, 10 * y - 15]))
    np.testing.assert_array_equal(sample.obs[["array_x", "array_y"]], np.column_stack([x, y]))
    assert sample.um_per_px == pytest.approx(20)
    assert sample.notes[:2] == (
        "neighbours lie 10.00 px apart, taken for 200 um (an array of 1k spots by its places): 20 um/px",
        "left out: 10 of 30 spots, which are not selected",
    )


def test_the_pitch_may_be_stated_and_the_width_of_a_pixel_goes_before_it(root: Path) -> None:
    assert opened(root, pitch_um=150).um_per_px == pytest.approx(15)
    with pytest.raises(
        DataError, match=r"pixels of 9 um by dataset\.yaml, of 20 um by the pitch of the array"
    ):
        opened(root, um_per_px=9)
    assert opened(root, um_per_px=9, trust_um_per_px=True).um_per_px == 9


def test_an_array_that_is_neither_needs_its_pitch(root: Path) -> None:
    def far(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(x=table.x + 60, new_x=table.new_x + 60)

    edit_spots(root, far)
    edit_counts(
        root, lambda t: t.set_axis([f"{int(n.split('x')[0]) + 60}x{n.split('x')[1]}" for n in t.index])
    )
    with pytest.raises(DataError, match=r"neither of an array of 1k nor of 2k.*write pitch_um:"):
        opened(root)
    assert opened(root, pitch_um=100).um_per_px == pytest.approx(10)
    assert opened(root, um_per_px=7).um_per_px == 7


def test_a_matrix_of_genes_by_spots_is_turned(root: Path) -> None:
    first = opened(root)
    edit_counts(root, lambda t: t.T.rename(columns=lambda name: f"X{name}"))
    second = opened(root)
    np.testing.assert_array_equal(first.counts.toarray(), second.counts.toarray())
    assert (first.genes, list(first.obs.index)) == (second.genes, list(second.obs.index))


def test_fractional_names_are_those_of_the_measured_places(root: Path) -> None:
    first = opened(root)
    rng = np.random.default_rng(0)
    shift = rng.uniform(-0.2, 0.2, (30, 2)).round(3)
    edit_spots(root, lambda t: t.assign(new_x=t.x + shift[:, 0], new_y=t.y + shift[:, 1]))
    moved = pd.read_csv(root / "spots" / "A1_selection.tsv", sep="\t")
    names = [f"{x:.2f}x{y:.2f}" for x, y in zip(moved.new_x, moved.new_y, strict=True)]
    edit_counts(root, lambda t: t.set_axis(names))
    second = opened(root)
    assert list(second.obs.index) == list(first.obs.index)
    np.testing.assert_array_equal(first.counts.toarray(), second.counts.toarray())


def test_files_are_named_one_by_one(root: Path) -> None:
    first = opened(root)
    other = root.parent / "elsewhere"
    other.mkdir()
    shutil.move(root / "spots" / "A1_selection.tsv", other / "places.tsv")
    shutil.move(root / "images" / "A1.tif", other / "slide.tif")
    shutil.move(root / "counts" / "A1.tsv.gz", root / "matrix.tsv.gz")
    named = {"spots": other / "places.tsv", "image": other / "slide.tif"}
    for more in ({"path": root, "table": "matrix.tsv.gz"}, {"path": root / "matrix.tsv.gz"}):
        found = opened(root, **named, **more)
        np.testing.assert_array_equal(first.counts.toarray(), found.counts.toarray())


def test_a_name_within_another_is_another_sample(root: Path) -> None:
    for path in sorted(root.rglob("A1*")):
        shutil.copy(path, path.with_name(path.name.replace("A1", "A10")))
    assert len(opened(root).obs) == 20
    assert len(opened(root, id="A10").obs) == 20


def test_all_that_is_missing_or_ambiguous_is_told_at_once(root: Path) -> None:
    (root / "images" / "A1.tif").unlink()
    (root / "spots" / "A1_selection.tsv").unlink()
    shutil.copy(root / "counts" / "A1.tsv.gz", root / "A1_other.tsv.gz")
    shutil.move(root / "counts" / "A1.tsv.gz", root / "A1_counts.tsv.gz")
    with pytest.raises(PrestigeError) as told:
        opened(root)
    assert len(told.value.faults) == 3
    words = str(told.value)
    assert "no image of 'A1'" in words
    assert "name it: spots: in dataset.yaml" in words
    assert "several files may be the matrix of counts of 'A1': 'A1_counts.tsv.gz', 'A1_other.tsv.gz'" in words


def no_counts(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(np.log1p)


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "fractions": (lambda root: edit_counts(root, no_counts), "holds no counts: .* fractions"),
    "other section": (
        lambda root: edit_counts(root, lambda t: t.set_axis([f"{20 - k % 6}x{k}" for k in range(30)])),
        r"A1.tsv.gz: 30 of its 30 spots are not in A1_selection.tsv \('20x0', '19x1'\), and 20 of the 20 "
        r"there not here \('2x3', '2x4'\); .*names such as '2x3'",
    ),
    "no spots": (
        lambda root: edit_counts(root, lambda t: t.set_axis([f"spot{k}" for k in range(30)])),
        r"neither its rows \('spot0', 'spot1'\) nor its columns \('ERBB2', 'KRT8'\) are spots",
    ),
    "several sections": (
        lambda root: edit_counts(
            root, lambda t: t.set_axis([f"{k % 2}x{one}" for k, one in enumerate(t.index)])
        ),
        r"A1.tsv.gz: holds the spots of several sections: 2 \(0, 1\); .*; write those of this section into",
    ),
    "none selected": (
        lambda root: edit_spots(root, lambda t: t.assign(selected=0)),
        "no spot is selected that",
    ),
    "outside": (
        lambda root: edit_spots(root, lambda t: t.assign(pixel_x=t.pixel_x + 40)),
        "outside the image of 90 x 70 px",
    ),
    "NaN": (
        lambda root: edit_spots(root, lambda t: t.assign(pixel_y=t.pixel_y.where(t.x != 4))),
        r"no place \(NaN\) for 3 \(4x3, 4x4, 4x5\)",
    ),
    "swapped names": (
        lambda root: edit_spots(root, lambda t: t.rename(columns={"x": "y", "y": "x"})),
        "spots are not in A1_selection.tsv",
    ),
    "twice": (
        lambda root: edit_counts(root, lambda t: t.set_axis([*t.index[:-1], t.index[0]])),
        r"has several rows of one spot: 1 \(2x3\)",
    ),
    "one gene": (lambda root: edit_counts(root, lambda t: t.iloc[:, :0]), "has no header"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_a_line(root: Path, name: str) -> None:
    change, words = BAD[name]
    change(root)
    with pytest.raises(DataError, match=words) as told:
        opened(root)
    assert "\n" not in str(told.value)


def test_names_that_state_y_before_x_are_refused(root: Path) -> None:
    spots = pd.read_csv(root / "spots" / "A1_selection.tsv", sep="\t")
    under = spots[spots["selected"] == 1]
    own = [f"{x}x{y}" for x, y in zip(under["x"], under["y"], strict=True)]
    edit_counts(root, lambda t: t.loc[own])
    assert len(opened(root).obs) == 20
    exchanged = [f"{y}_{x}" for x, y in zip(under["x"], under["y"], strict=True)]
    edit_counts(root, lambda t: t.set_axis(exchanged))
    with pytest.raises(DataError, match=r"of its 20 spots are selected as they are called, 20 with x and y"):
        opened(root)


def test_pixels_that_are_swapped_are_said_to_be_mirrored(root: Path) -> None:
    swapped = {"pixel_x": "pixel_y", "pixel_y": "pixel_x"}
    edit_spots(root, lambda t: t.assign(selected=(t.x < 7).astype(int)).rename(columns=swapped))
    assert "the array lies mirrored on the image: are pixel_x and pixel_y swapped?" in opened(root).notes


def test_reads_that_belong_to_no_gene_are_left_out(root: Path) -> None:
    edit_counts(root, lambda t: t.assign(**{"__ambiguous[A+B]": 5, "__no_feature": 7}))
    sample = opened(root)
    assert list(sample.genes) == GENES
    np.testing.assert_array_equal(sample.obs["total_counts"], sample.counts.sum(axis=1).A1)


REAL = {  # spots, genes by data/README.md and by opening the files apart from the package
    "B4": (283, 15289, 935_146),
    "C2": (187, 15706, 1_926_633),
    "C3": (180, 15821, 2_033_498),
    "C4": (184, 15842, 2_213_922),
    "C5": (181, 15721, 2_014_132),
    "MOB1": (379, 1000, 958_111),
    "MOB2": (407, 1000, 1_127_390),
    "MOB3": (438, 1000, 1_538_864),
    "MOB4": (403, 1000, 1_324_531),
}


@pytest.mark.parametrize("name", ["B4", "MOB1"])
def test_counts_of_real_sections(shared_data: Path, name: str) -> None:
    n_spots, n_genes, total = REAL[name]
    if name.startswith("MOB"):
        root = shared_data / "mouse_olfactory_bulb"
        table = read_table(
            root / f"{name}.tsv.gz", root / f"alignment_table_{name}.tsv", root / "mouse_genes.tsv.gz"
        )
        assert {"Penk", "Doc2g"} <= set(table.genes)
    else:
        root = shared_data / "her2st"
        table = read_table(
            root / "ST-cnts" / f"{name}.tsv.gz", root / "ST-spotfiles" / f"{name}_selection.tsv"
        )
        assert {"ERBB2", "FASN"} <= set(table.genes)
    assert table.counts.shape == (n_spots, n_genes)
    assert table.obs["total_counts"].sum() == total


def test_sections_of_one_tumour_are_told_apart(shared_data: Path) -> None:
    root = shared_data / "her2st"
    with pytest.raises(DataError, match=r"C3.tsv.gz: 29 of its 180 spots are not in C5_selection.tsv"):
        read_table(root / "ST-cnts" / "C3.tsv.gz", root / "ST-spotfiles" / "C5_selection.tsv")


def test_a_real_section_lies_on_its_tissue(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "mouse_olfactory_bulb"
    given = {
        "id": "MOB1",
        "source": "st",
        "path": root,
        "patient": "1",
        "symbols": root / "mouse_genes.tsv.gz",
    }
    sample = open_sample(SampleSpec.model_validate(given), cache_dir=tmp_path / "cache")
    assert (sample.slide.width_px, sample.slide.height_px) == (1905, 1905)
    assert sample.um_per_px == pytest.approx(
        4.36, abs=0.002
    )  # 141 um / 32.34 px, fitted apart from the package
    assert sample.um_per_px == pytest.approx(4.44, rel=0.02)  # as often quoted, from nearest neighbours
    assert bare_glass(sample) is None
    dense = sample.counts[:, sample.genes.index("Penk")].toarray().ravel() > 0
    assert dense.mean() > 0.3  # a gene of the granule layer


@pytest.mark.parametrize(("name", "size"), [("B4", (9272, 9923)), ("C5", (9272, 9901))])
def test_images_and_pitches_of_real_tumours(shared_data: Path, name: str, size: tuple[int, int]) -> None:
    root = shared_data / "her2st"
    image = image_of(root / "ST-imgs" / f"{name}.jpg")
    assert (image.width_px, image.height_px) == size
    assert image.stated_um() == {}  # 72 dots per inch mean nothing
    path = root / "ST-spotfiles" / f"{name}_selection.tsv"
    pitch = pitch_of(read_spots(path), where=str(path))
    assert pitch is not None
    assert (pitch.kind, pitch.mirrored) == ("1k", False)
    assert 200 / pitch.px == pytest.approx(0.69, abs=0.005)
