"""The scripts of `benchmarks/`: each can be started from where it stands."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import itertools
import json
import sys
from pathlib import Path
from types import ModuleType

import anndata
import numpy as np
import pytest
import torch

from prestige.config import read_bench
from prestige.data.dataset import try_sample
from prestige.data.spec import SampleSpec
from prestige.models.predictor import build_predictor
from prestige.models.settings import ModelConfig
from prestige.report.bench.facts import effect_words
from prestige.stats.effects import Contrast

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def test_there_are_some():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_hides_a_module(script: Path):
    # A script's folder comes first when modules are looked for: `statistics.py` beside it would be
    # imported by everyone who asks for the standard library's.
    assert script.stem not in sys.stdlib_module_names
    elsewhere = [place for place in sys.path if place and Path(place).resolve() != FOLDER]
    assert importlib.machinery.PathFinder.find_spec(script.stem, elsewhere) is None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_says_how_it_is_run(script: Path):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    runs = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    if runs:
        assert f"python benchmarks/{script.name}" in (ast.get_docstring(tree) or "")


NEITHER = "neither a gain nor a loss is shown"
FEW = Contrast(0.01, None, None, None, 0.95, at_once=True, reason="too few blocks")


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where data classes look for their module
    sys.path.insert(0, str(FOLDER))  # as for a script that is started
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_rows_of_validity_pass_only_where_something_could_have_been_claimed():
    rules = _loaded("validity_rules")
    assert rules.null_passed(None, 4, 4)
    assert not rules.null_passed(("compact_xs", 16.0, 0), 4, 4)
    assert not rules.null_passed(None, 0, 4)  # nothing is recommended, for nothing has an interval
    assert not rules.null_passed(None, 3, 4)
    assert not rules.null_passed(None, 0, 0)
    assert rules.own_passed(16.0, 16.0, "-0.0100 to +0.0040", NEITHER)
    assert not rules.own_passed(32.0, 16.0, "-0.0100 to +0.0040", NEITHER)
    assert not rules.own_passed(16.0, 16.0, "+0.0200 to +0.0400", "a gain")
    assert not rules.own_passed(16.0, 16.0, *effect_words(FEW, change=False)[1:])
    assert rules.parameters_passed(False, -0.01)
    assert not rules.parameters_passed(True, 0.02)
    assert not rules.parameters_passed(False, None)


def test_the_page_of_validity_counts_what_passed_and_guesses_no_chance():
    whole = _loaded("validity_page").page

    def page(kept: dict[str, list[dict[str, object]]]) -> str:
        return whole(kept, {"stain": 2, "own": 5})

    empty = {row: [] for row in ("radii", "null", "own", "stain", "stain_far", "shuffled", "parameters")}
    scores = {"shift 0.35, jitter 0.2": 0.5, "shift 0.35, jitter 0": 0.4, "shift 0, jitter 0": 0.6}
    scores["shift 0, jitter 0.2"] = 0.55
    stain = [
        {"seeds": [0, 0], "scores": scores, "passed": True, "fallen": 0.1, "won_back": 0.05},
        {"seeds": [1, 1], "scores": scores, "passed": False, "fallen": -0.1, "won_back": 0.01},
    ]
    line = next(line for line in page(empty | {"stain": stain}).splitlines() if "stain of patients" in line)
    assert "| 1 of 2 |" in line
    assert "**Not complete.** Done so far: own 0 of 5." in page(empty | {"stain": stain})
    assert "Not complete" not in whole(empty, {"own": 0})
    # Without shift and jitter, with jitter; then the same with shift: in the order of the head.
    assert "| the first patient | 0.600 | 0.550 | 0.400 | 0.500 | yes |" in page(empty | {"stain": stain})
    assert "falls by 0.000, +0.030 with jitter" in line
    # Equal scores in any order: of six orders, two have the stained one without jitter as the least.
    orders = list(itertools.permutations(range(3)))
    assert (
        sum(without < plain and without < jitter for plain, without, jitter in orders) / len(orders) == 1 / 3
    )
    assert "1 in 3" in line
    assert "about" not in page(empty)
    assert "none worked out" in page(empty)


def test_a_record_of_many_seeds_counts_as_many():
    empty = {row: [] for row in ("radii", "null", "own", "stain", "stain_far", "shuffled", "parameters")}
    null = [
        {"seeds": [0, 8], "passed": 8, "intervals": 20, "covering": 19},
        {"seeds": [9, 9], "passed": True, "intervals": 5, "covering": 5},
    ]
    own = [{"seeds": [0, 2], "passed": 3, "gain": 0.01}, {"seeds": [3, 3], "passed": False, "gain": 0.05}]
    text = _loaded("validity_page").page(empty | {"null": null, "own": own}, {"null": 10, "own": 5})
    assert "Done so far: own 4 of 5." in text
    assert "| 9 of 10 | 60% to 98% |" in text  # the interval of Wilson, worked out by hand
    assert "24 of 25 intervals hold 0 (96.0%)" in text
    assert "| 3 of 4 |" in text
    assert "mean gain of the best larger patch +0.020" in text


def test_what_the_trial_found_is_kept_and_not_done_again(tmp_path: Path):
    kept = _loaded("validity_kept")
    rows = {"radii": [{"seeds": [0, 2], "passed": 3}, {"seeds": [4, 4], "passed": True}], "null": []}
    kept.write(rows, tmp_path / "kept.json")
    assert kept.read(tmp_path / "kept.json") == rows
    assert kept.read(tmp_path / "nothing.json") == {}
    assert kept.seeds_of(rows["radii"]) == {0, 1, 2, 4}
    for seed, passed in ((3, False), (2, False)):
        (tmp_path / "radii").mkdir(exist_ok=True)
        (tmp_path / "radii" / f"{seed}.json").write_text(json.dumps({"passed": passed}))
    joined = kept.joined(rows["radii"], tmp_path / "radii")
    assert [(one["seeds"], one["passed"]) for one in joined] == [([0, 2], 3), ([3, 3], False), ([4, 4], True)]
    assert rows["radii"][1]["seeds"] == [4, 4]


def test_figures_are_kept_and_the_page_shows_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    measured = _loaded("measured")
    history, page = tmp_path / "history.csv", tmp_path / "README.md"
    monkeypatch.setattr(measured, "HISTORY", history)
    monkeypatch.setattr(measured, "PAGE", page)
    page.write_text(f"# Head\n\n{measured.BEGINS}\n{measured.ENDS}\n\nFoot\n")
    slow = measured.Figure("feed", "64 px", "100", "50, HDF5", 2.0, ">= 8")
    quick = measured.Figure("feed", "64 px", "500", "50, HDF5", 10.0, ">= 8")
    lean = measured.Figure("memory", "all", "1.2 GB", "1.0 GB", 1.2, "<= 1.3")
    bare = measured.Figure("feed", "copy", "500", "900")
    measured.show([slow], record=False)
    assert not history.exists()
    measured.show([slow, bare], record=True, where="a machine")
    measured.show([quick, lean], record=True, where="a machine")
    kept = history.read_text().splitlines()
    assert len(kept) == 5
    assert all("a machine" in line for line in kept[1:])
    text = page.read_text()
    assert text.startswith("# Head\n")
    assert text.endswith("\n\nFoot\n")
    assert "| feed | 64 px | 500 | 50, HDF5 | 10 | >= 8 | yes |" in text
    assert "| feed | copy | 500 | 900 |  |  |  |" in text
    assert "| memory | all | 1.2 GB | 1.0 GB | 1.2 | <= 1.3 | yes |" in text
    assert "| 100 |" not in text  # an older figure of the same row and case
    assert "| 100 | 50, HDF5 | 2 | >= 8 | no |" in capsys.readouterr().out
    once = text
    measured.write_page()
    assert page.read_text() == once


@pytest.mark.parametrize(
    ("ratio", "wanted", "reached"),
    [
        (8.0, ">= 8", "yes"),
        (7.9, ">= 8", "no"),
        (1.05, "<= 1.05", "yes"),
        (1.06, "<= 1.05", "no"),
        (3.0, "", ""),
    ],
)
def test_what_is_reached(ratio: float, wanted: str, reached: str):
    assert _loaded("measured").Figure("row", "case", "1", "2", ratio, wanted).reached == reached


def test_medians_let_everyone_have_his_turn():
    turns: list[str] = []
    values = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 5.0, 9.0])}

    def taking(name: str) -> float:
        turns.append(name)
        return next(values[name])

    found = _loaded("measured").medians({name: lambda name=name: taking(name) for name in values}, 3)
    assert found == {"a": 2.0, "b": 5.0}
    assert "".join(turns) == "ababab"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_bench_here_can_be_read(path: Path):
    config = read_bench(path)
    assert config.dataset.is_file()
    assert f"prestige bench benchmarks/{path.name}" in path.read_text(encoding="utf-8")


def test_an_example_without_its_baselines(tmp_path: Path):
    path = _loaded("overhead").write_bench(FOLDER.parent / "examples" / "kidney.yaml", tmp_path, 2.5)
    config, example = read_bench(path), read_bench(FOLDER.parent / "examples" / "kidney.yaml")
    assert config.baselines == config.diagnostics == ()
    assert config.seeds == (0,)
    assert config.train.budget.minutes == 2.5
    assert (config.encoders, config.patches, config.dataset) == (
        example.encoders,
        example.patches,
        example.dataset,
    )
    assert len(list(config.runs([0], 100.0))) == 12


def test_a_network_is_on_the_frontier_where_none_as_quick_scores_higher(tmp_path: Path):
    frontier = _loaded("frontier")
    runs = [("compact_s", 100, 0.2), ("resnet18", 50, 0.15), ("timm:quick", 200, 0.1), ("slow", 10, 0.25)]
    (tmp_path / "report" / "tables").mkdir(parents=True)
    lines = ["encoder,pearson,pearson_low,pearson_high"]
    for number, (encoder, images_s, score) in enumerate(runs):
        (tmp_path / str(number)).mkdir()
        manifest = {"encoder": encoder, "baseline": False, "parameters": 7, "steps": images_s}
        manifest |= {"batch_size": 2, "seconds": {"train": 2.0}, "learning_rate": 0.002}
        manifest["hardware"] = {"device": "cpu"}
        (tmp_path / str(number) / "manifest.json").write_text(
            json.dumps(manifest | {"validation_score": score})
        )
        lines.append(f"{encoder},{score - 0.01},{score - 0.02},{score}")
    (tmp_path / "report" / "tables" / "summary.csv").write_text("\n".join(lines))
    bench = {"name": "kidney", "train": {"budget": {"minutes": 2}}, "finished": True}
    bench["runs"] = [{"folder": str(number)} for number in range(len(runs))]
    (tmp_path / "bench.json").write_text(json.dumps(bench))
    found = frontier.read(tmp_path)
    assert list(found["images_s"]) == [100, 50, 200, 10]
    assert list(found["frontier"]) == [True, False, True, True]
    table = frontier.table(found)
    assert table[2].startswith("| slow | 7 | 10 | 0.002 | 0.250 | 0.240 (0.230 to 0.250) | yes |")
    assert table[4].startswith("| resnet18 ")
    assert table[5].startswith("| quick ")
    told = frontier.answer(found)
    assert told.startswith("slow has the highest validation score, 0.250, and is none of the family.")
    assert told.endswith("On the frontier: slow, compact_s, quick.")
    assert "0.200; the best of the others is resnet18, 0.150." in frontier.answer(found.iloc[:2])
    figure = frontier.draw([found.iloc[:2].reset_index(drop=True)] * 4)
    assert [ax.get_title(loc="left") for ax in figure.axes[:4]] == ["Kidney, 2 minutes of a core"] * 4
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2  # rows of three
    assert sorted(text.get_text() for text in figure.axes[3].texts) == ["compact_s", "resnet18"]
    assert frontier.budget(0.2, "NVIDIA H200") == "12 seconds of an H200"
    page = frontier.page([found, found.iloc[:2]], "command", "figure.png")
    assert page.count("2 of the 4 networks were trained.") == 1
    bench["finished"] = False
    (tmp_path / "bench.json").write_text(json.dumps(bench))
    with pytest.raises(SystemExit, match="not finished"):
        frontier.read(tmp_path)


def test_the_network_is_timed_between_the_batches_of_a_prediction(monkeypatch: pytest.MonkeyPatch):
    whole_slide = _loaded("whole_slide")
    monkeypatch.setattr(whole_slide, "BATCH", 4)
    settings = ModelConfig(encoder="compact_xs")
    mean = np.ones(3)
    predictor = build_predictor(settings, input_px=16, train_mean=mean, train_std=mean, seed=0).eval()
    beside = whole_slide.Beside()
    with torch.inference_mode():
        for n in [4] * (2 * whole_slide.EVERY) + [3]:
            x = torch.rand(n, 3, 16, 16)
            assert torch.equal(beside(predictor, x), predictor(x))
    assert len(beside.seconds) == 2
    assert min(beside.seconds) > 0


def test_the_cost_of_a_cell_is_counted_in_that_of_the_network():
    whole_slide = _loaded("whole_slide")
    start = whole_slide.Cost(5.0, float("nan"), 1)
    few = whole_slide.Cost(5.0 + 11.0, whole_slide.BATCH * 0.001, 2 << 30)  # 10 s of the network alone
    many = whole_slide.Cost(5.0 + 190.0, whole_slide.BATCH * 0.002, 4 * 10**9)  # a slower machine: 200 s
    measured = [whole_slide.Measured(10_000, few, few), whole_slide.Measured(100_000, many, many)]
    rows = whole_slide.figures(measured, whole_slide.Measured(100, start, start))
    assert [round(row.ratio, 4) for row in rows if row.row == "a whole slide predicted"] == [
        1.6,
        1.6,
        0.975,
        0.975,
    ]
    flat = rows[-1]
    assert (flat.case, flat.measured) == ("100,000 cells", "0.95 x the encoder alone")
    assert flat.against == "1.10 x at 10,000 cells (start 5 s)"
    assert flat.ratio == pytest.approx(1.1 / 0.95)
    assert flat.reached == "no"


def test_stores_of_the_challenge_s_size_are_stores_of_the_challenge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small: every nucleus has its label and its place, the training ones their counts."""
    size = _loaded("challenge_size")
    monkeypatch.setattr(size, "TILE", 64)
    monkeypatch.setattr(size, "NUCLEI", {"UC1_I": 3000, "DC1": 2500})
    monkeypatch.setattr(size, "HEIGHT", 2000)
    monkeypatch.setattr(size, "WIDTH", 2600)
    stores = size.write_all(tmp_path, 0.1, 0.1)
    for name, n in (("UC1_I", 300), ("DC1", 250)):
        spec = SampleSpec(
            id=name, source="challenge", path=stores / f"{name}.zarr", patient="P", um_per_px=0.5
        )
        sample, faults = try_sample(spec, cache_dir=tmp_path / "cache", counts="optional")
        assert faults == []
        assert sample is not None
        assert (sample.n_obs, sample.slide.pixels.shape) == (n, (200, 260, 3))
        group = sample.obs["group"].to_numpy()
        np.testing.assert_array_equal(sample.measured, (group == size.TRAIN) & (name != "DC1"))
        dark = sample.slide.pixels[tuple(sample.xy_px.round().astype(int)[:, ::-1].T)].mean(axis=1)
        assert (dark < 150).all()
    held = anndata.read_h5ad(tmp_path / "truth" / "test-UC1_I.h5ad")
    assert held.n_obs == 30
