"""``prestige challenge``: from stores to a data set, a submission and its figures."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ..challenge.small_stores import write_model, write_stores
from .small_run import assert_refused, run


@pytest.mark.parametrize("command", ["prepare", "submit", "score"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run("challenge", command, "--help")
    assert result.exit_code == 0
    assert f"Example:  prestige challenge {command} " in result.stdout


def test_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    stores = write_stores(tmp_path / "stores", ("UC1_I",))
    shown = run("challenge", "prepare", stores, "--dry-run").stdout
    assert "patient: UC1\n" in shown
    assert not (stores / "dataset.yaml").exists()
    made = run("challenge", "prepare", stores)
    dataset = Path(made.stdout.strip())
    assert dataset.read_text() == shown
    assert_refused(run("challenge", "prepare", stores), "is there already")

    model, out = write_model(tmp_path / "model", (0.5, 1.0, 2.0)), tmp_path / "s.csv"
    written = run("challenge", "submit", model, model, "--dataset", dataset, "--out", out, "--device", "cpu")
    assert written.exit_code == 0, written.output
    assert written.stdout.splitlines() == ["6 rows: 2 cells of 1 samples x 3 genes", str(out)]
    assert "note: the challenge asks for 8 samples" in written.stderr
    assert "pixel size was not stated" in written.stderr

    truth = pd.DataFrame([[0.5, 1.0, 3.0]], index=[5], columns=["EPCAM", "PTPRC", "ACTA2"])
    truth.to_csv(tmp_path / "test-UC1_I.csv")
    scored = run("challenge", "score", out, tmp_path)
    assert scored.exit_code == 0, scored.output
    assert scored.stdout.splitlines()[1].split() == ["UC1_I", "all", "1", "1.000000", "0.333333"]
    assert "not below 0.2" in scored.stdout.splitlines()[-1]
    answer = json.loads(run("challenge", "score", out, tmp_path, "--json").stdout)
    assert answer["spearman"] == pytest.approx(1)
    assert answer["mse"] == pytest.approx(1 / 3)
    assert_refused(run("challenge", "score", out, tmp_path, "--group", "validation"), "validation-SAMPLE.csv")
