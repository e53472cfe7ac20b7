"""Maps: which genes, and which values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prestige.records.folders import load_bench
from prestige.records.run import Run
from prestige.report.bench.maps import SampleMaps, choose_genes, read_maps

from ...small_bench import GENES


def test_best_middling_and_worst_genes_without_the_undefined_ones() -> None:
    pearson = pd.Series({"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.4, "e": 0.1, "f": -0.1, "none": np.nan})
    assert choose_genes(pearson) == {"best": ["a", "b"], "middling": ["c", "d"], "worst": ["e", "f"]}
    assert choose_genes(pd.Series({"a": 0.5, "none": np.nan})) == {"best": ["a"], "middling": [], "worst": []}
    assert choose_genes(pd.Series({"none": np.nan}, dtype=float))["best"] == []


def test_measured_values_are_normalised_as_the_predictions_were(tiny_bench) -> None:
    import anndata

    run = next(run for run in load_bench(tiny_bench).runs if run.configuration.label == "compact_s at 32 µm")
    assert isinstance(run, Run)
    maps = read_maps(run, [tiny_bench / "truth"], "S1", ["GENE03", "GENE38"])
    assert isinstance(maps, SampleMaps)
    truth = anndata.read_h5ad(tiny_bench / "truth" / "fold-0" / "S1.h5ad")
    counts = truth.X.toarray()[:, GENES.index("GENE03")]
    np.testing.assert_allclose(
        maps.measured[:, 0], np.log1p(100 * counts / truth.obs["total_counts"].to_numpy())
    )
    np.testing.assert_allclose(maps.xy_um, truth.obsm["spatial"] * 0.5)
    assert maps.total == 100.0


def test_missing_predictions_and_truth_are_said(tiny_bench) -> None:
    run = load_bench(tiny_bench).runs[0]
    assert read_maps(run, [], "S1", ["GENE03"]) == "S1: the measured counts of fold 0 are not kept."
    (run.folder.predictions / "S1.h5ad").unlink()
    assert "predictions of compact_s at 16 µm are not kept" in str(
        read_maps(run, [tiny_bench / "truth"], "S1", ["GENE03"])
    )
