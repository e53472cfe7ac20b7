"""Tables of the page "Biology": what is shown is what was found, cut where it is long."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prestige.report.biology import tables as facts

from ...small_study import GENES, bare_study, full_study


def test_numbers_as_text() -> None:
    assert facts.written(0.456) == "0.46"
    assert facts.written(-0.001) == "0.00"  # no minus before a zero
    assert facts.written(-0.0004, "+.1f") in {"+0.0", "0.0"}
    assert facts.written(-0.01) == "-0.01"
    assert facts.written(float("nan")) == facts.written(None) == facts.DASH


def test_structure_stands_in_the_table() -> None:
    found = full_study().structure
    assert found is not None
    rows = {row[0]: row[1:] for row in facts.structure_table(found).rows}
    assert rows["Moran's I, mean over genes"][:2] == [
        f"{found.table['morans_i_measured'].mean():.3f}",
        f"{found.table['morans_i_predicted'].mean():.3f}",
    ]
    assert rows["the same of depth alone (the same shares everywhere)"][1] == (
        f"{found.table['morans_i_depth'].mean():.3f}"
    )
    assert rows["variance over the measured one (median over genes)"][1] == f"{found.variance_ratio:.2f}"
    (length,) = (row for name, row in rows.items() if name.startswith("smoothing length"))
    assert length[1] == (
        f"{found.smoothing.length_um:.3g} ({found.smoothing.low_um:.3g} to {found.smoothing.high_um:.3g})"
    )


def activity(n: int) -> pd.DataFrame:
    values = np.linspace(0.5, -0.1, n)
    return pd.DataFrame(
        {"n_genes": 7, "predicted": values, "noisy": values, "noisy_half": values, "halves": values},
        index=pd.Index([f"P{i:03d}" for i in range(n)], name="set"),
    ).sample(frac=1, random_state=0)


def test_a_long_table_shows_both_ends() -> None:
    shown = facts.activity_table(activity(50))
    assert [row[0] for row in shown.rows] == [
        *(f"P{i:03d}" for i in range(10)),
        "\N{HORIZONTAL ELLIPSIS} 30 between",
        *(f"P{i:03d}" for i in range(40, 50)),
    ]  # fmt: skip
    assert {len(row) for row in shown.rows} == {len(shown.head)}
    assert shown.note == "20 of 50: both ends."
    assert shown.path == "tables/activity.csv"
    short = facts.activity_table(activity(20))
    assert len(short.rows) == 20
    assert short.note == ""


def test_rows_are_as_wide_as_their_heads() -> None:
    study = full_study()
    shown = [
        facts.structure_table(study.structure), facts.correlation_table(study.correlations),
        facts.domain_table(study.domains), facts.activity_table(study.activity.table),
        facts.enrichment_table(study.enrichment), facts.type_table(study.cell_types),
        facts.condition_table(study.conditions), facts.gradient_table(study.gradients),
        facts.neighbourhood_table(study.neighbourhoods),
    ]  # fmt: skip
    for one in shown:
        assert one.rows
        assert {len(row) for row in one.rows} == {len(one.head)}
        assert len(one.rows) <= facts.ROWS + 1


def test_genes_with_the_largest_differences_come_first_and_the_rest_is_in_the_file() -> None:
    found = full_study().conditions
    assert found is not None
    shown = facts.condition_table(found)
    assert [row[0] for row in shown.rows] == list(found.table.index[:20])
    assert shown.note == f"The first 20 of {len(GENES)}."
    assert float(shown.rows[0][1]) == pytest.approx(found.table["measured"].iloc[0], abs=0.01)


def test_files_hold_every_row() -> None:
    study = full_study()
    found = facts.csv_tables(study)
    assert set(found) == {
        "genes", "structure", "covariance", "correlations", "domains", "activity", "enrichment", "cell_types",
        "confusion", "conditions", "gradients", "gradient_curves", "neighbourhoods", "rings",
    }  # fmt: skip
    assert list(found["genes"]["gene"]) == list(GENES)
    np.testing.assert_array_equal(found["genes"]["pearson"], study.scores)
    assert len(found["conditions"]) == len(found["gradients"]) == len(found["structure"]) == len(GENES)
    assert found["gradients"].columns[0] == "gene"
    curves = found["gradient_curves"]
    first = str(study.gradients.table.index[0])
    own = curves[(curves["gene"] == first) & (curves["side"] == "predicted")]["log1p"]
    np.testing.assert_allclose(
        own, study.gradients.curves["predicted"][:, study.gradients.genes.index(first)]
    )
    ari = found["domains"].set_index("compared")["adjusted_rand_index"]
    assert ari["the two halves of the counts"] == study.domains.ari_halves


def test_what_was_not_answered_has_no_file() -> None:
    found = facts.csv_tables(bare_study())
    assert "structure" not in found
    assert "conditions" not in found
    assert len(found["genes"]) == len(GENES)
