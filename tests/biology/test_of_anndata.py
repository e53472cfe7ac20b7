"""Questions asked of two AnnData: the answers are those of the pair that files would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from prestige import biology
from prestige.biology.pair import read_pair
from prestige.errors import ConfigError, DataError

N, G = 240, 10
GENES = [f"G{i}" for i in range(G)]


@pytest.fixture(scope="module")
def both() -> tuple[AnnData, AnnData]:
    """Predicted and measured; predictions have other rows first, and one gene fewer."""
    rng = np.random.default_rng(0)
    xy_px = rng.uniform(0, 800, (N, 2))
    mean = 20 * np.exp(0.6 * np.sin(xy_px / 100) @ rng.normal(size=(2, G)))
    obs = pd.DataFrame({"sample": np.repeat(["a", "b"], N // 2)}, index=[f"c{i}" for i in range(N)])
    true = AnnData(
        rng.poisson(mean).astype(np.float32), obs=obs, var=pd.DataFrame(index=GENES), obsm={"spatial": xy_px}
    )
    true.uns["um_per_px"] = 0.5
    values = np.log1p(100 * mean / mean.sum(axis=1, keepdims=True)).astype(np.float32)
    pred = AnnData(values, obs=pd.DataFrame(index=obs.index), var=pd.DataFrame(index=GENES))
    return pred[::-1, :-1].copy(), true


def test_the_pair_is_that_of_files(both: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    pred, true = both
    pred.write_h5ad(tmp_path / "pred.h5ad")
    true.write_h5ad(tmp_path / "true.h5ad")
    of_files = read_pair(tmp_path / "pred.h5ad", tmp_path / "true.h5ad", "log1p:100")
    found = biology.pair_of(pred, true, scale="log1p:100")
    assert found.genes == of_files.genes == tuple(GENES[:-1])
    np.testing.assert_array_equal(found.predicted, of_files.predicted)
    np.testing.assert_array_equal(found.measured, of_files.measured)
    np.testing.assert_array_equal(found.xy_um, np.asarray(true.obsm["spatial"]) / 2)
    np.testing.assert_array_equal(found.sample_of, true.obs["sample"])
    # Counts over all measured genes, also the one that is not predicted.
    assert found.totals == pytest.approx(np.asarray(true.X).sum(axis=1))


def test_a_width_that_is_given_stands_for_that_of_the_table(both: tuple[AnnData, AnnData]) -> None:
    pred, true = both
    found = biology.pair_of(pred, true, scale="log1p:100", um_per_px=2.0)
    np.testing.assert_array_equal(found.xy_um, np.asarray(true.obsm["spatial"]) * 2)


def test_what_is_given_is_left_as_it_was(both: tuple[AnnData, AnnData]) -> None:
    pred, true = both
    before = pred.X.copy(), true.X.copy()  # type: ignore[union-attr]
    assert np.isfinite(biology.correlations(pred, true, scale="log1p:100").table["agreement"]).all()
    np.testing.assert_array_equal(before[0], pred.X)
    np.testing.assert_array_equal(before[1], true.X)


def test_bad_inputs_are_refused(both: tuple[AnnData, AnnData]) -> None:
    pred, true = both
    with pytest.raises(ConfigError, match=r"predicted: does not say on which scale"):
        biology.structure(pred, true)
    with pytest.raises(ConfigError, match="unknown scale 'log2'"):
        biology.domains(pred, true, scale="log2")
    with pytest.raises(DataError, match="measured: lacks 1 of the 10 predicted genes"):
        biology.correlations(
            AnnData(np.ones((N, G)), obs=true.obs, var=true.var), true[:, :-1], scale="counts"
        )
    nowhere = true.copy()
    del nowhere.uns["um_per_px"]
    with pytest.raises(DataError, match="no positions"):
        biology.structure(pred, nowhere, scale="log1p:100")
    with pytest.raises(DataError, match="X holds no counts"):
        biology.pair_of(pred, AnnData(true.X + 0.5, obs=true.obs, var=true.var), scale="counts")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("part", "value"), [("indices", G), ("indices", 10**9), ("indices", -1), ("indptr", 10**9), ("indptr", 0)]
)
@pytest.mark.parametrize("side", ["predicted", "measured"])
def test_sparse_matrices_that_lead_nowhere_are_refused(
    both: tuple[AnnData, AnnData], part: str, value: int, side: str
) -> None:
    """A matrix in memory may be as broken as one in a file."""
    pred, true = (AnnData(csr_matrix(table.X), obs=table.obs, var=table.var) for table in both)
    getattr((pred if side == "predicted" else true).X, part)[-1] = value
    with pytest.raises(DataError, match=side):
        biology.pair_of(pred, true, scale="log1p:100")


def test_names_are_there_when_they_are_asked_for() -> None:
    assert {"activity", "correlations", "domains", "pair_of", "structure"} <= set(dir(biology))
    with pytest.raises(AttributeError, match="has no attribute 'struture'"):
        biology.struture  # type: ignore[attr-defined]  # noqa: B018
