"""Ceilings of a fold's test side: written from its counts, read over samples and folds, whole or refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.errors import DataError, StorageError
from prestige.evaluate.ceilings import COLUMNS, FILE, read_ceilings, write_ceilings
from prestige.prediction.files import write_truth
from prestige.stats.ceilings import ceiling_counts, ceiling_log
from prestige.stats.moments import spatial_blocks

GENES = ("G2", "G0", "G3")
PANEL = Panel(GENES, 50.0, np.zeros(3), np.ones(3))


def scored_side(samples) -> Observations:
    """Return the measured observations of the second and the last sample, the first rows left out."""
    rows = [np.flatnonzero(samples[number].measured)[20:] for number in (1, 3)]
    index = np.repeat([1, 3], [len(part) for part in rows])
    xy = np.concatenate([samples[k].xy_px[part] for k, part in zip((1, 3), rows, strict=True)])
    return Observations(index, np.concatenate(rows), xy)


def test_they_are_of_the_panels_genes_and_the_test_sides_counts(small_samples, tmp_path: Path) -> None:
    side = scored_side(small_samples)
    path = write_ceilings(tmp_path / "fold-0", side, small_samples, PANEL, block_um=20.0)
    assert path == tmp_path / "fold-0" / FILE
    assert [item.name for item in path.parent.iterdir()] == [FILE]
    table = pd.read_parquet(path)
    assert tuple(table.columns) == COLUMNS
    assert list(zip(table["sample"], table["gene"], strict=True)) == [
        (sample, gene) for sample in ("S1", "S3") for gene in GENES
    ]
    sample = small_samples[3]
    rows = side.row[side.slide_index == 3]
    counts = np.asarray(sample.counts.todense())[rows][:, [2, 0, 3]]
    blocks = spatial_blocks(sample.xy_px[rows] * 0.5, 20.0)
    totals = np.asarray(sample.counts.sum(axis=1)).ravel()[rows].astype(float)
    of_sample = table[table["sample"] == "S3"]
    for name, wanted in (
        ("ceiling_counts", ceiling_counts(counts, block_of=blocks)),
        ("ceiling_log", ceiling_log(counts, totals, 50.0, block_of=blocks)),
    ):
        np.testing.assert_array_equal(of_sample[name], wanted.value)
        np.testing.assert_array_equal(of_sample[f"{name}_lower"], wanted.lower)
    assert set(of_sample["n_obs"]) == {len(rows)}
    assert set(of_sample["n_blocks"]) == {len(np.unique(blocks))}


def test_counts_of_other_observations_change_nothing(small_samples, tmp_path: Path) -> None:
    side = scored_side(small_samples)
    before = pd.read_parquet(write_ceilings(tmp_path / "a", side, small_samples, PANEL, block_um=20.0))
    changed = []
    for number, sample in enumerate(small_samples):
        counts = sample.counts.toarray()
        others = np.setdiff1d(np.arange(sample.n_obs), side.row[side.slide_index == number])
        counts[others] = counts[others][:, ::-1] * 3
        changed.append(dataclasses.replace(sample, counts=type(sample.counts)(counts)))
    after = pd.read_parquet(write_ceilings(tmp_path / "b", side, changed, PANEL, block_um=20.0))
    pd.testing.assert_frame_equal(before, after)


def test_bounds_over_other_blocks_are_those_that_would_have_been_written(
    small_samples, tmp_path: Path
) -> None:
    side = scored_side(small_samples)
    for name, block_um in (("kept", 4.0), ("wide", 8.0)):
        folder = tmp_path / name / "truth" / "fold-0"
        write_ceilings(folder, side, small_samples, PANEL, block_um=block_um)
        write_truth(folder, side, small_samples)
    kept, wide = (read_ceilings(tmp_path / name) for name in ("kept", "wide"))
    found = read_ceilings(tmp_path / "kept", block_um=8.0, total=50.0)
    assert kept is not None
    assert wide is not None
    assert found is not None
    log = ["gene", "ceiling_log", "ceiling_log_lower"]
    pd.testing.assert_frame_equal(found[log], wide[log])
    assert (found["ceiling_log_lower"] != kept["ceiling_log_lower"]).any()
    assert found["ceiling_counts_lower"].isna().all()


def test_without_the_counts_there_is_no_bound_over_other_blocks(small_samples, tmp_path: Path) -> None:
    folder = tmp_path / "truth" / "fold-0"
    write_ceilings(folder, scored_side(small_samples), small_samples, PANEL, block_um=4.0)
    found = read_ceilings(tmp_path, block_um=8.0, total=50.0)
    assert found is not None
    assert found["ceiling_log"].notna().all()
    assert found["ceiling_log_lower"].isna().all()
    (folder / "S1.h5ad").write_bytes(b"no such thing")
    with pytest.raises(StorageError, match="the measured counts of a fold"):
        read_ceilings(tmp_path, block_um=8.0, total=50.0)


def test_a_gene_that_is_not_measured_is_named(small_samples, tmp_path: Path) -> None:
    panel = Panel(("G0", "G9"), 50.0, np.zeros(2), np.ones(2))
    with pytest.raises(DataError, match=r"sample \w+: 1 of the panel's 2 genes are not measured: G9"):
        write_ceilings(tmp_path, scored_side(small_samples), small_samples, panel, block_um=20.0)


def test_what_the_disk_refuses_leaves_nothing(
    small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(StorageError, match="the disk is full"):
        write_ceilings(tmp_path, scored_side(small_samples), small_samples, PANEL, block_um=20.0)
    assert not list(tmp_path.iterdir())


def put(bench: Path, fold: int, rows: list[tuple]) -> None:
    """Write (sample, gene, ceiling, lower) as the ceilings of a fold, on the log scale a tenth lower."""
    folder = bench / "truth" / f"fold-{fold}"
    folder.mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["sample", "gene", "ceiling_counts", "ceiling_counts_lower"])
    table["ceiling_log"] = table["ceiling_counts"] - 0.1
    table["ceiling_log_lower"] = table["ceiling_counts_lower"] - 0.1
    table.assign(n_obs=1, n_blocks=1)[list(COLUMNS)].to_parquet(folder / FILE)


def test_a_bench_has_the_mean_over_samples_and_folds(tmp_path: Path) -> None:
    nan = float("nan")
    put(
        tmp_path,
        0,
        [("A", "g", 0.8, 0.7), ("B", "g", 0.6, 0.5), ("A", "h", 0.5, nan), ("B", "h", nan, nan)]
        + [("A", "k", nan, nan), ("A", "m", 0.6, 0.5), ("B", "m", 0.4, nan)],
    )
    put(tmp_path, 1, [("A", "g", 0.4, 0.2), ("A", "k", nan, nan)])
    found = read_ceilings(tmp_path)
    assert found is not None
    assert list(found.columns) == ["gene", *COLUMNS[2:6]]
    assert list(found["gene"]) == ["g", "h", "k", "m"]
    of = found.set_index("gene")
    # g: distances 0.1 and 0.2 of sample A are added, then in squares the 0.1 of B; a third each.
    assert of.loc["g", "ceiling_counts"] == pytest.approx(0.6)
    assert of.loc["g", "ceiling_counts_lower"] == pytest.approx(0.6 - np.sqrt(0.3**2 + 0.1**2) / 3)
    assert of.loc["g", "ceiling_log_lower"] == pytest.approx(0.5 - np.sqrt(0.3**2 + 0.1**2) / 3)
    assert of.loc["h", "ceiling_counts"] == pytest.approx(0.5)
    assert np.isnan(of.loc["h", "ceiling_counts_lower"])
    assert np.isnan(of.loc["k"].to_numpy(float)).all()
    # m: sample B has no bound and counts 0.
    assert of.loc["m", "ceiling_counts"] == pytest.approx(0.5)
    assert of.loc["m", "ceiling_counts_lower"] == pytest.approx((0.6 - 0.1) / 2)


def test_what_is_written_is_read(small_samples, tmp_path: Path) -> None:
    write_ceilings(
        tmp_path / "truth" / "fold-2", scored_side(small_samples), small_samples, PANEL, block_um=20.0
    )
    found = read_ceilings(tmp_path)
    assert found is not None
    assert tuple(found["gene"]) == GENES
    assert (found["ceiling_counts"][1:] > 0.5).all()  # G0 and G3 vary, G2 has one mean
    assert (found["ceiling_log_lower"] < found["ceiling_log"])[1:].all()
    assert found["ceiling_counts"][0] < 0.5


def test_a_bench_without_ceilings_has_none(tmp_path: Path) -> None:
    assert read_ceilings(tmp_path) is None
    (tmp_path / "truth" / "fold-0").mkdir(parents=True)
    assert read_ceilings(tmp_path) is None


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    put(tmp_path, 0, [("A", "g", 0.8, 0.7)])
    path = tmp_path / "truth" / "fold-0" / FILE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=FILE):
        read_ceilings(tmp_path)
    pd.DataFrame({"gene": ["g"]}).to_parquet(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_ceilings(tmp_path)
