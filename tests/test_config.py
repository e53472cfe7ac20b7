from pathlib import Path

import pytest
import yaml

from prestige import config as config_module
from prestige.config import BenchConfig, RunConfig, read_bench, read_run, run_hash
from prestige.errors import ConfigError

BENCH = {
    "name": "small",
    "dataset": "data/dataset.yaml",
    "split": {"by": "patient", "folds": 2, "buffer_um": 20},
    "patches": [{"patch_px": 16}, {"patch_px": 32}],
    "encoders": ["compact_xs", {"encoder": "resnet18", "readout": "whole"}],
    "seeds": [0, 1],
    "train": {"budget": {"steps": 10}},
}
RUN = {
    "dataset": "data/dataset.yaml",
    "split": BENCH["split"],
    "patch": {"patch_px": 16},
    "model": {"encoder": "compact_xs"},
    "train": BENCH["train"],
}


def write(folder: Path, raw: dict) -> Path:
    path = folder / "some.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def bench(folder: Path, **changes) -> BenchConfig:
    return read_bench(write(folder, BENCH | changes))


def run(folder: Path, **changes) -> RunConfig:
    return read_run(write(folder, RUN | changes))


def test_a_grid_is_every_combination_and_the_mean_only_once_a_fold(tmp_path: Path) -> None:
    runs = list(bench(tmp_path).runs([0, 1], 16.0))
    models = [r for r in runs if r.model is not None]
    assert len(models) == 2 * 2 * 2 * 2  # folds x seeds x encoders x patches
    assert len({(r.fold, r.seed, r.name, r.patch.patch_px) for r in models}) == 16
    baselines = [r.name for r in runs if r.baseline is not None]
    assert baselines == ["baseline:mean", "baseline:ridge", "baseline:ridge"] * 2
    assert all(r.largest_patch_um == 16.0 for r in runs)


def test_each_baseline_stands_where_it_looks(tmp_path: Path) -> None:
    named = ["coordinates", "hest", {"frozen": "resnet18"}, {"shuffled": "compact_xs"}]
    config = bench(tmp_path, baselines=named, diagnostics=["depth"], seeds=[4, 5])
    runs = [r for r in config.runs([0], 16.0) if r.baseline is not None]
    assert [(r.name, r.patch.patch_px, r.patch.patch_um, r.seed) for r in runs] == [
        ("baseline:coordinates", 16, None, 0),
        ("baseline:hest resnet50, pretrained", None, 112.0, 4),
        ("baseline:frozen resnet18, random weights", 16, None, 4),
        ("baseline:frozen resnet18, random weights", 32, None, 4),
        ("baseline:compact_xs, shuffled labels", 16, None, 4),
        ("baseline:compact_xs, shuffled labels", 32, None, 4),
        ("diagnostic:depth", 16, None, 0),
    ]
    assert [r.train is not None for r in runs] == ["shuffled" in r.name for r in runs]
    assert all(r.largest_patch_um == 16.0 for r in runs)
    written = config.model_dump(mode="json", exclude_none=True)
    assert written["baselines"][0] == "coordinates"
    assert BenchConfig.model_validate(written) == config


def test_a_plain_baseline_is_hashed_by_its_name_as_in_older_runs(tmp_path: Path) -> None:
    plain = run(tmp_path, model=None, train=None, baseline="ridge")
    assert plain.model_dump(mode="json")["baseline"] == "ridge"


def test_paths_are_taken_from_the_yaml_and_not_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert bench(tmp_path).dataset == tmp_path / "data" / "dataset.yaml"


def test_the_hash_holds_what_determines_the_result_and_no_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = run_hash(run(tmp_path / "a"), "pixels")
    assert one == run_hash(run(tmp_path / "b"), "pixels")
    assert one == run_hash(run(tmp_path, train={"budget": {"steps": 10}, "checkpoint_seconds": 5}), "pixels")
    split = RUN["split"] | {"run_folds": [0, 1]}
    assert one == run_hash(run(tmp_path, split=split), "pixels")  # which other folds are run changes nothing
    others = [
        run_hash(run(tmp_path), "other pixels"),
        run_hash(run(tmp_path, seed=1), "pixels"),
        run_hash(run(tmp_path, fold=1), "pixels"),
        run_hash(run(tmp_path, patch={"patch_px": 32}), "pixels"),
        run_hash(run(tmp_path, model={"encoder": "compact_s"}), "pixels"),
        run_hash(run(tmp_path, train={"budget": {"steps": 11}}), "pixels"),
        run_hash(run(tmp_path, panel={"genes": ["A", "B"]}), "pixels"),
        run_hash(run(tmp_path, panel={"genes": ["B", "A"]}), "pixels"),
    ]
    assert len({one, *others}) == len(others) + 1


def test_the_hash_follows_the_content_of_named_files(tmp_path: Path) -> None:
    (tmp_path / "genes.txt").write_text("A\nB\n")
    listed = run_hash(run(tmp_path, panel={"genes": "genes.txt"}), "pixels")
    assert listed == run_hash(run(tmp_path, panel={"genes": ["A", "B"]}), "pixels")
    (tmp_path / "genes.txt").write_text("A\nC\n")
    assert listed != run_hash(run(tmp_path, panel={"genes": "genes.txt"}), "pixels")

    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"1")
    model = {"encoder": "compact_xs", "checkpoint": "w.safetensors"}
    frozen = {"model": None, "train": None, "baseline": {"frozen": model}}
    first = run_hash(run(tmp_path, model=model), "pixels")
    one = run_hash(run(tmp_path, **frozen), "pixels")
    weights.rename(tmp_path / "v.safetensors")
    moved = {"frozen": {"encoder": "compact_xs", "checkpoint": str(tmp_path / "v.safetensors")}}
    assert one == run_hash(run(tmp_path, **(frozen | {"baseline": moved})), "pixels")
    weights.write_bytes(b"2")
    assert first != run_hash(run(tmp_path, model=model), "pixels")
    assert one != run_hash(run(tmp_path, **frozen), "pixels")


def test_the_hash_tells_baselines_apart(tmp_path: Path) -> None:
    named = ["mean", "ridge", "coordinates", "depth", {"frozen": "compact_xs"}, {"frozen": "compact_s"}]
    named += [{"frozen": {"encoder": "compact_xs", "readout": "whole"}}, {"shuffled": "compact_xs"}]
    found = [
        run_hash(run(tmp_path, model=None, train=None if i < 7 else RUN["train"], baseline=raw), "pixels")
        for i, raw in enumerate(named)
    ]
    assert len(set(found)) == len(named)


def test_a_model_without_its_own_learning_rates_is_hashed_as_in_older_runs(tmp_path: Path) -> None:
    before = {"encoder", "pretrained", "checkpoint", "readout", "norm", "dropout"}
    assert set(run(tmp_path).model_dump(mode="json")["model"]) == before
    frozen = run(tmp_path, model=None, train=None, baseline={"frozen": "compact_xs"})
    assert set(frozen.model_dump(mode="json")["baseline"]["frozen"]) == before


def test_an_entry_with_its_own_learning_rates_is_trained_with_them(tmp_path: Path) -> None:
    own = {"encoder": "compact_xs", "learning_rates": [5e-4]}
    config = bench(tmp_path, encoders=["compact_xs", own])
    runs = [r for r in config.runs([0], 16.0) if r.model is not None]
    rates = {str(r.model.learning_rates): r.train.learning_rates for r in runs if r.train and r.model}
    assert rates == {"None": (2e-3, 4e-3, 8e-3), "(0.0005,)": (5e-4,)}
    assert len({run_hash(r, "pixels") for r in runs}) == len(runs) == 8
    others = [r.train.model_copy(update={"learning_rates": ()}) for r in runs if r.train]
    assert all(other == others[0] for other in others)  # nothing else of the training differs
    written = config.model_dump(mode="json", exclude_none=True)
    assert BenchConfig.model_validate(written) == config


def test_a_run_has_the_learning_rates_of_its_training(tmp_path: Path) -> None:
    own = {"encoder": "compact_xs", "learning_rates": [5e-4]}
    with pytest.raises(ConfigError, match="write those of its model there alone"):
        run(tmp_path, model=own)
    train = RUN["train"] | {"learning_rates": [5e-4]}
    assert run(tmp_path, model=own, train=train).network is not None


def test_results_of_another_version_are_other_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = run_hash(run(tmp_path), "pixels")
    monkeypatch.setattr(config_module, "RESULT_VERSION", config_module.RESULT_VERSION + 1)
    assert one != run_hash(run(tmp_path), "pixels")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encodrs": ["compact_s"]}, "did you mean 'encoders'"),
        ({"train": {"budget": {"minuts": 3}}}, "did you mean 'minutes'"),
        ({"patches": []}, "patches"),
        ({"patches": [{"patch_px": 16}, {"patch_px": 16}]}, "a patch stands twice"),
        ({"encoders": ["compact_s", "compact_s"]}, "an encoder stands twice"),
        ({"encoders": [{"encoder": "compact_s", "learning_rates": [1e-3]}]}, "which the grid lacks"),
        (
            {
                "encoders": [
                    "compact_s",
                    {"encoder": "compact_s", "readout": "whole", "learning_rates": [1e-3]},
                ]
            },
            "which the grid lacks",
        ),
        (
            {"encoders": ["compact_s", {"encoder": "compact_s", "learning_rates": [2e-3, 4e-3, 8e-3]}]},
            "are those of `train`",
        ),
        (
            {"encoders": ["compact_s", {"encoder": "compact_s", "learning_rates": [1e-3, 1e-3]}]},
            "stands twice",
        ),
        (
            {"baselines": [{"shuffled": {"encoder": "compact_s", "learning_rates": [1e-3]}}]},
            "no learning rates of its own",
        ),
        ({"encoders": [{"encoder": "resnet18", "checkpoint": "missing.safetensors"}]}, "missing.safetensors"),
        ({"panel": {"genes": "missing.txt"}}, "missing.txt"),
        ({"baselines": ["mean", "mean"]}, "a baseline stands twice"),
        ({"baselines": ["depth"]}, "belongs under `diagnostics`"),
        ({"diagnostics": ["coordinates"]}, "belongs under `baselines`"),
        (
            {"baselines": [{"frozen": {"encoder": "resnet18", "checkpoint": "no.safetensors"}}]},
            "no.safetensors",
        ),
    ],
)
def test_what_is_wrong_in_a_bench_is_said_in_one_line(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        bench(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_a_run_is_a_model_or_a_baseline(tmp_path: Path) -> None:
    assert run(tmp_path, model=None, train=None, baseline="ridge").name == "baseline:ridge"
    with pytest.raises(ConfigError, match="either"):
        run(tmp_path, baseline="ridge")
    with pytest.raises(ConfigError, match="needs `train`"):
        run(tmp_path, train=None)
    with pytest.raises(ConfigError, match="needs `train`"):
        run(tmp_path, model=None, train=None, baseline={"shuffled": "compact_xs"})
    with pytest.raises(ConfigError, match=r"write patch: \{patch_um: 112, input_px: 224\}"):
        run(tmp_path, model=None, train=None, baseline="hest")
    own = {"patch_um": 112, "input_px": 224}
    assert run(tmp_path, model=None, train=None, baseline="hest", patch=own).network is not None
    missing = {"frozen": {"encoder": "compact_xs", "checkpoint": "no.safetensors"}}
    with pytest.raises(ConfigError, match="no such file"):
        run(tmp_path, model=None, train=None, baseline=missing)


def test_the_margin_is_of_the_report_and_changes_no_run(tmp_path: Path) -> None:
    assert bench(tmp_path).evaluation.margin is None
    assert "margin" not in bench(tmp_path).model_dump()["evaluation"]
    wide = bench(tmp_path, evaluation={"margin": 0.05})
    assert wide.model_dump(mode="json")["evaluation"]["margin"] == 0.05
    one, other = (next(config.runs([0], 8.0)) for config in (bench(tmp_path), wide))
    assert run_hash(one, "pixels") == run_hash(other, "pixels")


@pytest.mark.parametrize(
    "name", ["../../evil", "/x", "a/b", "a\\b", ".hidden", "-o", "~x", "", " ", "a\nb", "x" * 201]
)
def test_a_bench_is_not_called_after_a_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"line \d+: 'name' is '"):
        bench(tmp_path, name=name)


@pytest.mark.parametrize("name", ["small", "Kidney, 55 µm (2)", "1", "组织"])
def test_a_bench_may_be_called_anything_else(tmp_path: Path, name: str) -> None:
    assert bench(tmp_path, name=name).name == name
