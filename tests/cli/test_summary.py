"""Scores on the screen."""

from __future__ import annotations

from typing import Any

import pytest

from prestige.cli.summary import print_summary

FOUND: dict[str, Any] = {
    "scores": {"genes": {"pearson": 0.25, "n_scored": 1234.0}, "obs": {"pearson": None}},
    "mean_baseline": {"genes": {"pearson": 0.0}, "obs": {}},
    "pearson_interval": (0.2, 0.3),
    "scale": "log1p:100",
    "counted": {"measured_obs": 4321},
    "notes": ["one gene\nwas left out"],
}


def test_every_score_stands_beside_its_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(FOUND)
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert ["genes", "pearson", "0.2500", "0.0000"] in rows
    assert ["genes", "n_scored", "1,234", "-"] in rows
    assert ["observations", "pearson", "-", "-"] in rows
    assert "95 % interval of the mean per-gene Pearson: 0.2000 to 0.3000" in said
    assert "Scale log1p:100; measured obs 4,321\none gene was left out" in said


def test_an_unavailable_baseline_is_said_in_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(FOUND | {"mean_baseline": "unavailable", "pearson_interval": None})
    said = capsys.readouterr().out
    assert said.count("unavailable") == 3
    assert "95 %" not in said
