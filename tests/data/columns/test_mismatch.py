"""Names that do not match: how they differ is told with one of each side."""

from __future__ import annotations

import pytest

from prestige.data.columns.mismatch import both_sides, near_miss


@pytest.mark.parametrize(
    ("missing", "there", "said"),
    [
        (
            ["ENSG00000000003.14", "ENSG00000000005.6"],
            ["ENSG00000000003.15", "ENSG00000000005.1"],
            "'ENSG00000000003.14' looks like 'ENSG00000000003.15': they differ in the versions",
        ),
        (["ENSG00000000003"], ["ENSG00000000003.15"], "in the versions of Ensembl ids"),
        (["EPCAM", "CD8A"], ["Epcam", "Cd8a"], "'EPCAM' looks like 'Epcam': they differ in capitals"),
        (["AAAC-1"], ["AAAC"], "in the '-1' behind barcodes"),
        (["A "], ["A"], "in blanks"),
        (["A\u200b"], ["A"], "characters that are not seen"),
        (["0", "1"], ["0.0", "1.0"], "in how whole numbers are written"),
        (["HLA-A"], ["HLA.A"], "in dots, dashes and underscores"),
        (["S1_AAAC"], ["AAAC"], "in what stands before the last underscore"),
        (
            ["ENSG00000000003", "ENSG00000000005"],
            ["TP53", "CD8A"],
            "'ENSG00000000003' here, 'TP53' there: Ensembl ids against symbols",
        ),
        (["TP53"], ["ENSMUSG00000000003.2"], "symbols against Ensembl ids"),
    ],
)
def test_a_near_miss_is_named(missing: list[str], there: list[str], said: str) -> None:
    assert said in str(near_miss(missing, there))
    assert both_sides(missing, there, "look").endswith("make them alike")


def test_what_is_simply_not_there_shows_what_is() -> None:
    assert near_miss(["A", "B", "C"], ["a", "X"]) is None  # one of three is no rule
    assert near_miss(["A"], []) is None
    assert both_sides(["Q"], list("WXYZ"), "look") == "it has names such as 'W', 'X', 'Y': look"
    assert both_sides(["Q"], [], "look") == "look"
