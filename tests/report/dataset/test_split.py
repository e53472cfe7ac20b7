"""What `prestige split` prints and draws."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from prestige.cli import app
from prestige.data.dataset import Dataset
from prestige.data.split.sides import TEST, TRAIN, UNUSED, VALIDATION
from prestige.report.dataset import split as splitting
from prestige.report.dataset.split import draw_sides, inspect_split
from prestige.report.style import drawing

BENCH = {
    "name": "small",
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 4, "run_folds": [0, 2], "buffer_um": 16},
    "patches": [{"patch_px": 16}, {"patch_px": 24}],
    "encoders": ["compact_xs"],
    "train": {"budget": {"steps": 12}},
}


@pytest.fixture
def bench(small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(splitting, "read_dataset", lambda path: None)
    monkeypatch.setattr(splitting, "open_dataset", lambda config: Dataset("small", small_samples))
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(BENCH))
    return path


def leak(small_samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the second patient the image of the first."""
    twin = dataclasses.replace(small_samples[1], slide=small_samples[0].slide)
    samples = (small_samples[0], twin, *small_samples[2:])
    monkeypatch.setattr(splitting, "open_dataset", lambda config: Dataset("small", samples))


def test_folds_distances_and_audit_are_told_and_maps_are_drawn(bench: Path, tmp_path: Path) -> None:
    found = inspect_split(bench, tmp_path / "out")
    text = str(found)
    assert [fold.index for fold in found.folds] == [0, 2]
    for fold in found.folds:
        assert f"{fold.count(TEST):,}" in text
    assert "on different slides" in text
    assert "6 pairs of images" in text
    assert "warning  small_side" in text  # 160 cells a section
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "fold-0.png", "fold-0.svg", "fold-2.png", "fold-2.svg",
    ]  # fmt: skip
    assert all(str(path) in text for path in found.pictures)


def test_nothing_is_written_without_a_folder(bench: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert inspect_split(bench).pictures == ()
    assert sorted(tmp_path.iterdir()) == before


def test_a_planted_leak_is_an_error_told_after_the_table(
    bench: Path, small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(small_samples, monkeypatch)
    told = CliRunner().invoke(app, ["split", str(bench), "--out", str(tmp_path / "out")])
    assert told.exit_code == 2
    assert "error    same_image, fold 2: S0, S1" in told.stdout
    assert told.stderr.startswith("prestige: audit of the split, fold 2: S0, S1 show the very same image")
    assert len(told.stderr.strip().splitlines()) == 1


def test_a_leak_that_is_allowed_is_carried(
    bench: Path, small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(small_samples, monkeypatch)
    bench.write_text(yaml.safe_dump(BENCH | {"split": BENCH["split"] | {"allow": ["same_image"]}}))
    told = CliRunner().invoke(app, ["split", str(bench), "--out", str(tmp_path / "out")])
    assert told.exit_code == 0
    assert "accepted same_image" in told.stdout


@pytest.mark.parametrize("n_samples", [1, 3, 10])
def test_the_map_shows_every_side_in_its_colour_and_says_what_it_leaves_out(n_samples: int) -> None:
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(0, 600, 20.0), np.arange(0, 300, 20.0))
    tables = [
        pd.DataFrame(
            {
                "sample": f"S{number}",
                "x_um": x.ravel(),
                "y_um": y.ravel(),
                "side": rng.permutation(np.resize([TRAIN, VALIDATION, TEST, UNUSED], x.size)),
            }
        )
        for number in range(n_samples)
    ]
    table = pd.concat(tables)
    with drawing():
        figure = draw_sides(table, "fold 0")
        figure.draw_without_rendering()
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert len(visible) == min(n_samples, 8)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    count = int((table["side"] == TEST).sum())
    assert f"test ({count:,})" in labels
    assert len(labels) == 4
    assert ("8 of 10 samples shown" in figure.get_suptitle()) == (n_samples == 10)
    box, canvas = figure.legends[0].get_window_extent(), figure.bbox
    assert box.x0 >= canvas.x0 - 1
    assert box.x1 <= canvas.x1 + 1
