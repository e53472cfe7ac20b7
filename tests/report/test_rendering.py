"""What pages share: filters escape, and a folder is the old one or the new one."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from prestige.errors import StorageError
from prestige.report.rendering import metric, render, replacing, score, strong


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


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    for text in ("old", "new"):
        with replacing(folder, ("a", "b")) as partial:
            (partial / "a").write_text(text)
            if text == "old":
                (partial / "b").write_text("only in the old one")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_what_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    with replacing(folder, ("a",)) as partial:
        (partial / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(folder, ("a",)) as partial:  # noqa: PT012
        (partial / "a").write_text("half")
        _ = 1 / 0
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_disk_that_refuses_is_a_fault_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="page: cannot be written"), replacing(tmp_path / "page", ()):
        raise PermissionError(13, "Permission denied")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError), replacing(tmp_path / "file", ()):
        pass
    assert (tmp_path / "file").read_text() == "x"


def test_files_of_others_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "thesis.txt").write_text("x")
    with (
        pytest.raises(StorageError, match=r"holds 'thesis.txt'.*choose another folder"),
        replacing(tmp_path / "page", ("a",)),
    ):
        pass
    assert (tmp_path / "page" / "thesis.txt").is_file()
