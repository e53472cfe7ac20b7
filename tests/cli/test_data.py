"""``prestige data``: what there is, and fetching it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small_run import assert_refused, run


def test_the_list_tells_size_licence_and_citation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path))
    (tmp_path / "her2st").mkdir()
    said = run("data", "list").stdout
    rows = {line.split()[0]: line for line in said.splitlines()[1:] if line and line[0].isalpha()}
    assert rows["her2st"].split()[-1] == "PRESTIGE_DATA"
    assert "CC BY-NC-SA 4.0" in said
    assert "Andersson et al. (2021)" in said
    assert max(len(line) for line in said.splitlines() if "https://" not in line) <= 80


@pytest.mark.parametrize("command", ["list", "fetch"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example:  prestige data {command}" in run("data", command, "--help").stdout


def test_a_wrong_name_is_one_line(tmp_path: Path) -> None:
    assert_refused(
        run("data", "fetch", "her2sd"), "unknown public data set 'her2sd'", "did you mean 'her2st'?"
    )


def test_a_copy_becomes_a_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path / "data"))
    for folder, name in (
        ("ST-cnts", "A1.tsv.gz"),
        ("ST-spotfiles", "A1_selection.tsv"),
        ("ST-imgs", "A1.jpg"),
    ):
        (tmp_path / "data" / "her2st" / folder).mkdir(parents=True)
        (tmp_path / "data" / "her2st" / folder / name).write_bytes(b"")
    result = run("data", "fetch", "her2st", "--out", tmp_path / "her2st.yaml")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'her2st.yaml'}\n"
    assert "please cite: Andersson" in result.stderr
    assert "  - id: A1\n    source: st\n" in (tmp_path / "her2st.yaml").read_text()
