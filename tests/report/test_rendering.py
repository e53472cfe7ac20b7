"""What pages share: filters escape."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jinja2
import pandas as pd
import pytest

from prestige.report.rendering import json_for_page, listed, metric, render, score, strong, write_tables


def test_strong_text_is_the_only_markup() -> None:
    assert strong("a **b** <c>") == "a <strong>b</strong> &lt;c&gt;"


def test_scores_and_metrics_as_a_reader_sees_them() -> None:
    assert (score(0.12345), score(float("nan")), score(None)) == ("0.123", "\N{EN DASH}", "\N{EN DASH}")
    assert (metric("pearson"), metric("mse"), metric("pearson_centred")) == (
        "Pearson",
        "MSE",
        "Pearson, centred",
    )


def test_an_unknown_name_is_a_fault() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("biology.html.j2", {"title": "x"})


def test_each_table_is_a_file(tmp_path: Path) -> None:
    write_tables(tmp_path / "t", {"a": pd.DataFrame({"x": [1.0, math.nan], "y": ["p,q", "r"]})})
    assert (tmp_path / "t" / "a.csv").read_text() == 'x,y\n1,"p,q"\n,r\n'
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["a.csv"]


def test_json_may_stand_in_a_script() -> None:
    text = json_for_page({"a": "</script>\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script>\u2028"}
    with pytest.raises(ValueError, match="JSON"):
        json_for_page(math.nan)


def test_a_list_ends_with_and() -> None:
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
