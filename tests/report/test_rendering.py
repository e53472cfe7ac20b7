"""What pages share: filters escape."""

from __future__ import annotations

import jinja2
import pytest

from prestige.report.rendering import metric, render, score, strong


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
