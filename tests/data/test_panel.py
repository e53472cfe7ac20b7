"""The panel against plain numpy on dense tables, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from prestige.data import panel as module
from prestige.data.panel import Panel, PanelConfig, fit_panel, read_genes, scaled_to
from prestige.data.split.folds import TEST, TRAIN, UNUSED, Fold
from prestige.errors import ConfigError, DataError
from prestige.settings import build


def fold_of(*samples, side=None) -> Fold:
    return Fold(
        0, "f", {s.id: np.full(s.n_obs, TRAIN, np.int8) if side is None else side for s in samples}, {}
    )


TABLES = arrays(np.int64, st.tuples(st.integers(2, 12), st.just(4)), elements=st.integers(0, 20))


@given(first=TABLES, second=TABLES, total=st.floats(1, 1e4))
def test_mean_and_deviation_are_those_of_the_dense_table(make_sample, first, second, total) -> None:
    samples = [make_sample("a", counts=first + [0, 0, 0, 1]), make_sample("b", counts=second + [0, 0, 0, 1])]
    panel = fit_panel(samples, fold_of(*samples), PanelConfig(total=total))
    dense = np.concatenate([first, second]) + [0, 0, 0, 1]
    values = np.log1p(dense / dense.sum(axis=1, keepdims=True) * total)
    np.testing.assert_allclose(panel.train_mean, values.mean(axis=0), rtol=1e-5, atol=1e-12)
    varies = np.ptp(values, axis=0) > 1e-3
    np.testing.assert_allclose(panel.train_std[varies], values.std(axis=0)[varies], rtol=1e-3)
    assert (panel.train_std > 0).all()
    assert panel.genes == ("g0", "g1", "g2", "g3")


def test_only_training_rows_count(make_sample) -> None:
    counts = np.array([[1, 3], [2, 2], [9, 0], [0, 9]])
    sample = make_sample(counts=counts)
    side = np.array([TRAIN, TRAIN, TEST, UNUSED], np.int8)
    panel = fit_panel([sample], fold_of(sample, side=side), PanelConfig())
    np.testing.assert_allclose(panel.train_mean, np.log1p([[25, 75], [50, 50]]).mean(axis=0))


def test_a_constant_gene_gets_deviation_one(make_sample) -> None:
    sample = make_sample(counts=[[0, 5, 5], [0, 5, 5], [0, 5, 5]])
    panel = fit_panel([sample], fold_of(sample), PanelConfig())
    np.testing.assert_array_equal(panel.train_std, 1.0)
    np.testing.assert_allclose(panel.train_mean, [0, np.log1p(50), np.log1p(50)])
    assert "3 of the panel's 3 genes are constant in training" in panel.notes[0]
    assert panel.constant == ("g0", "g1", "g2")
    assert fit_panel([other := make_sample(n=9)], fold_of(other), PanelConfig()).constant == ()


def test_blocks_of_rows_change_nothing(make_sample, monkeypatch) -> None:
    sample = make_sample(n=50)
    whole = fit_panel([sample], fold_of(sample), PanelConfig())
    monkeypatch.setattr(module, "_BLOCK_ROWS", 7)
    parts = fit_panel([sample], fold_of(sample), PanelConfig())
    np.testing.assert_allclose(parts.train_mean, whole.train_mean)
    np.testing.assert_allclose(parts.train_std, whole.train_std)


def test_most_expressed_and_most_variable(make_sample) -> None:
    """g0 is high and steady, g1 low and variable, g2 rare, g3 fills up."""
    counts = np.array([[40, 0, 0, 60], [40, 15, 0, 45], [40, 0, 1, 59], [40, 15, 0, 45]])
    sample = make_sample(counts=counts)
    most = fit_panel([sample], fold_of(sample), PanelConfig(genes="most_expressed", n=2))
    assert most.genes == ("g3", "g0")
    variable = fit_panel([sample], fold_of(sample), PanelConfig(genes="most_variable", n=2))
    assert variable.genes == ("g1", "g2")


def test_differences_between_samples_are_no_variability(make_sample) -> None:
    """g0 differs between the sections only, g1 within them: g1 is chosen."""
    a = make_sample("a", counts=[[50, 10, 40], [50, 12, 38], [50, 14, 36]])
    b = make_sample("b", counts=[[5, 10, 85], [5, 12, 83], [5, 14, 81]])
    assert fit_panel([a, b], fold_of(a, b), PanelConfig(genes="most_variable", n=1)).genes == ("g1",)


def test_genes_that_some_sample_lacks_are_left_out_and_said(make_sample) -> None:
    a = make_sample("a", n=5, genes=["A", "B", "C", "D"])
    b = make_sample("b", n=5, genes=["D", "C", "X", "A"])
    panel = fit_panel([a, b], fold_of(a, b), PanelConfig())
    assert panel.genes == ("A", "C", "D")
    assert panel.notes == ("2 genes are not measured in every sample and were left out",)


def test_a_list_keeps_its_order_and_says_what_is_absent(make_sample) -> None:
    sample = make_sample(n=5, genes=["A", "B", "C", "D"])
    panel = fit_panel([sample], fold_of(sample), PanelConfig(genes=("D", "Q", "A")))
    assert panel.genes == ("D", "A")
    assert panel.notes == ("1 of 3 wanted genes are not measured in every sample: Q",)


def test_a_list_in_a_file(make_sample, tmp_path) -> None:
    sample = make_sample(n=5, genes=["A", "B", "C", "D"])
    file = tmp_path / "genes.txt"
    file.write_text("C\n\nA \nC\n")
    config = build(PanelConfig, {"genes": str(file)}, where="bench.yaml")
    assert fit_panel([sample], fold_of(sample), config).genes == ("C", "A")
    file.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        fit_panel([sample], fold_of(sample), config)


def test_none_of_the_wanted_genes(make_sample) -> None:
    sample = make_sample(n=5, genes=["EPCAM", "CD8A", "MYLK", "TAGLN"])
    with pytest.raises(ConfigError, match=r"none of the wanted genes.*'Epcam' looks like 'EPCAM'"):
        fit_panel([sample], fold_of(sample), PanelConfig(genes=("Epcam", "Cd8a")))
    other = make_sample("b", n=5, genes=["Q1", "Q2", "Q3", "Q4"])
    with pytest.raises(ConfigError, match="check species"):
        fit_panel([sample, other], fold_of(sample, other), PanelConfig())


def test_samples_without_a_gene_in_common_are_both_shown(make_sample) -> None:
    versions = [[f"ENSG0000000000{i}.{version}" for i in range(4)] for version in (3, 5)]
    a, b = (make_sample(name, n=5, genes=genes) for name, genes in zip("ab", versions, strict=True))
    with pytest.raises(
        ConfigError, match=r"\('a'\) and ENSG00000000000.5, .* differ in the versions of Ensembl"
    ):
        fit_panel([a, b], fold_of(a, b), PanelConfig())
    c = make_sample("c", n=5, genes=["EPCAM", "CD8A", "MYLK", "TAGLN"])
    with pytest.raises(ConfigError, match="Ensembl ids against symbols"):
        fit_panel([a, c], fold_of(a, c), PanelConfig())


def test_a_misspelt_word_is_no_file(make_sample, tmp_path) -> None:
    sample = make_sample(n=5)
    config = build(PanelConfig, {"genes": str(tmp_path / "most_varible")}, where="bench.yaml")
    with pytest.raises(ConfigError, match="did you mean 'most_variable'"):
        fit_panel([sample], fold_of(sample), config)


def test_more_genes_than_there_are(make_sample) -> None:
    sample = make_sample(n=5)
    with pytest.raises(ConfigError, match=r"n: 9 genes are asked for, 4 .*n: 4 or genes: all"):
        fit_panel([sample], fold_of(sample), PanelConfig(genes="most_expressed", n=9))


def test_no_training_row(make_sample) -> None:
    sample = make_sample(n=5)
    with pytest.raises(DataError, match="no training observation"):
        fit_panel([sample], fold_of(sample, side=np.full(5, TEST, np.int8)), PanelConfig())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"genes": "most_variable"}, "needs n"),
        ({"genes": "all", "n": 5}, "only used with"),
        ({"genes": ("A", "B", "A")}, "listed twice: A"),
        ({"genes": ()}, "empty"),
        ({"total": 0}, "greater than 0"),
    ],
)
def test_settings_refuse(raw, message) -> None:
    with pytest.raises(ValidationError, match=message):
        PanelConfig(**raw)


def test_transform_by_hand_in_any_order_of_columns() -> None:
    panel = Panel(("B", "A"), 100.0, np.zeros(2), np.ones(2))
    counts = csr_matrix(np.array([[1, 0, 3], [0, 0, 0]], np.float32))
    got = panel.transform(counts, ["A", "Z", "B"], np.array([4.0, 0.0]))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.log1p([[75, 25], [0, 0]]), rtol=1e-6)
    assert counts.data.tolist() == [1, 3]  # what was given is left alone
    with pytest.raises(DataError, match="1 of the panel's 2 genes are not measured: A"):
        panel.transform(counts, ["Q", "Z", "B"], np.array([4.0, 0.0]))


def test_json_and_back(make_sample) -> None:
    sample = make_sample(n=5)
    panel = fit_panel([sample], fold_of(sample), PanelConfig())
    again = Panel.from_dict(json.loads(json.dumps(panel.to_dict())))
    assert (again.genes, again.total, again.notes) == (panel.genes, panel.total, panel.notes)
    np.testing.assert_array_equal(again.train_mean, panel.train_mean)
    np.testing.assert_array_equal(again.train_std, panel.train_std)


def test_a_broken_panel_is_refused() -> None:
    raw = {"genes": ["A", "B"], "total": 100, "train_mean": [0.0], "train_std": [1.0, 1.0]}
    with pytest.raises(DataError, match="2 genes, 1 means"):
        Panel.from_dict(raw)
    with pytest.raises(DataError, match="train_std"):
        Panel.from_dict({"genes": [], "total": 100, "train_mean": []})


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfEPCAM\r\nPTPRC\r\n",
        b"EPCAM\nPTPRC",
        b"# ours\n\n EPCAM \nPTPRC\nEPCAM\n",
        b"EPCAM\rPTPRC\r",
    ],
)
def test_a_list_is_the_same_from_any_system(tmp_path, content) -> None:
    (tmp_path / "genes.txt").write_bytes(content)
    assert read_genes(tmp_path / "genes.txt") == ["EPCAM", "PTPRC"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"EPCAM\tx\nPTPRC\n",
            r"genes.txt, line 1: 'EPCAM x' is no gene's symbol; expected one symbol a line",
        ),
        (b"EPCAM\n\x00\x01\n", r"line 2: '\\x00\\x01' is no gene's symbol"),
        (b"E" * 1000, r"line 1: 'EEE.*\.\.\.' is no gene's symbol"),
        (b"\t\n" * 3 + b"a\tb\n" * 30, r"25 further lines are wrong"),
        ("EPCAM\n".encode("utf-16"), r"save it as text in UTF-8"),
        (b"# nothing\n", r"the list of genes is empty"),
    ],
)
def test_what_is_no_list_of_genes_is_told_with_its_line(tmp_path, content, message) -> None:
    (tmp_path / "genes.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_genes(tmp_path / "genes.txt")
    assert all(len(str(fault)) < 400 for fault in caught.value.faults)


def test_a_device_and_a_folder_are_no_lists(tmp_path) -> None:
    with pytest.raises(
        ConfigError, match="is a folder; expected a text file with one gene a line, or one of"
    ):
        read_genes(tmp_path)
    with pytest.raises(ConfigError, match="is a device"):
        read_genes(Path("/dev/zero"))


@given(
    arrays(np.float32, (5, 3), elements=st.integers(0, 200).map(np.float32)),
    st.sampled_from([1.0, 100.0, 1e4]),
)
def test_scaled_counts_are_those_of_the_dense_formula_to_the_last_digit(
    counts: np.ndarray, total: float
) -> None:
    further = np.array([0.0, 1, 0, 7, 2])  # counts of genes that are not among the columns
    totals = counts.sum(axis=1, dtype=np.float64) + further
    before = csr_matrix(counts)
    found = scaled_to(before, totals, total)
    assert found.dtype == np.float64
    factor = np.array([total / one if one else 0.0 for one in totals])
    np.testing.assert_array_equal(found.toarray(), counts.astype(np.float64) * factor[:, None])
    np.testing.assert_array_equal(before.toarray(), counts)  # which stay as they were
