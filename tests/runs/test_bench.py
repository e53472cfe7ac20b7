import dataclasses
import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yaml

from prestige.compute.locks import BusyError
from prestige.data.dataset import Dataset
from prestige.data.split.sides import TEST
from prestige.errors import ConfigError, DataError, ModelError, SplitError, StorageError
from prestige.evaluate.ceilings import read_ceilings
from prestige.runs import bench as bench_module
from prestige.runs import run as run_module
from prestige.runs.bench import run_bench

BENCH = {
    "name": "small",
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 4, "run_folds": [0, 1], "buffer_um": 16},
    "patches": [{"patch_px": 16}, {"patch_px": 24}],
    "encoders": ["compact_xs"],
    "baselines": ["mean", "ridge"],
    "train": {
        "budget": {"steps": 12},
        "batch_size": 32,
        "learning_rates": [2e-3],
        "validations": 2,
        "precision": "32-true",
    },
    "evaluation": {"block_um": 20},
}


@pytest.fixture(autouse=True)
def _dataset(small_samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "read_dataset", lambda path: None)
    monkeypatch.setattr(bench_module, "open_dataset", lambda config: Dataset("small", small_samples))


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Benches that asked for a report: a page without content, for tests of what comes before it."""
    asked: list[Path] = []

    def report(out: Path) -> Path:
        asked.append(out)
        (out / "report").mkdir(exist_ok=True)
        (out / "report" / "index.html").touch()
        return out / "report" / "index.html"

    monkeypatch.setattr(bench_module, "write_report", report)
    return asked


@pytest.fixture(scope="module")
def finished(small_samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a bench that is done, for tests that only look, or work on a copy."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "read_dataset", lambda path: None)
        patch.setattr(bench_module, "open_dataset", lambda config: Dataset("small", small_samples))
        return run_bench(write(folder), folder / "out", device="cpu")


def write(folder: Path, **changes) -> Path:
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(BENCH | changes))
    return path


def test_a_bench_does_every_run_and_ends_with_a_report(finished: Path) -> None:
    out, text = finished.parent.parent, finished.read_text(encoding="utf-8")
    assert finished.suffix == ".html"
    assert "compact_xs" in text
    summary = json.loads((out / "bench.json").read_text())
    assert summary["finished"]
    assert len(summary["runs"]) == 2 * (1 + 2 + 2)  # folds x (mean, ridge x patches, compact x patches)
    assert summary["panel"]["n_genes_common"] == 4
    assert len(summary["folds"]) == 2
    for fold in summary["folds"]:
        assert min(fold["counts"].values()) > 0
    assert all((out / run["folder"] / "DONE").exists() for run in summary["runs"])
    assert len(list((out / "truth").glob("fold-*/*.h5ad"))) == 2
    ceilings = read_ceilings(out)
    assert ceilings is not None
    assert list(ceilings["gene"]) == ["G0", "G1", "G2", "G3"]
    assert (ceilings["ceiling_counts"][[0, 1, 3]] > 0.5).all()
    assert len(summary["audit"]["distances"]) == 2
    for fold in summary["folds"]:
        # Squares of 8 um, observations 4 um apart: no class of distance shows more than chance.
        assert (fold["correlation"]["length_um"], fold["correlation"]["structured"]) == (0, 0)
        half_across = 0.5 * math.hypot(84.5, 84.5)  # 192 px of 0.5 um, less where 24 px leave the image
        assert 0.95 * half_across < fold["correlation"]["longest_um"] < 1.002 * half_across
    sides = pd.read_parquet(out / "split" / "fold-1.parquet")
    assert (sides["side"] == TEST).sum() == summary["folds"][1]["counts"]["test"]
    assert "Audit of the split" in text
    assert "6 pairs of images" in text


def test_a_leak_that_the_audit_finds_stops_the_bench_before_anything_is_written(
    small_samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = dataclasses.replace(small_samples[1], slide=small_samples[0].slide)
    leaking = Dataset("small", (small_samples[0], twin, *small_samples[2:]))
    monkeypatch.setattr(bench_module, "open_dataset", lambda config: leaking)
    with pytest.raises(SplitError, match=r"S0, S1 show the very same image.*allow: \[same_image\]"):
        run_bench(write(tmp_path), tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()
    split = BENCH["split"] | {"allow": ["same_image"], "run_folds": [2]}
    page = run_bench(write(tmp_path, split=split, baselines=[]), tmp_path / "out", device="cpu")
    assert "accepted by allow" in page.read_text(encoding="utf-8")


def test_every_run_is_scored_on_the_same_observations_whatever_its_patch(finished: Path) -> None:
    runs = finished.parent.parent / "runs"
    manifests = [json.loads(p.read_text()) for p in runs.glob("*/manifest.json")]
    for fold in (0, 1):
        of_fold = [m for m in manifests if m["fold"] == fold]
        assert len({(m["n_train"], m["n_validation"], m["n_test"]) for m in of_fold}) == 1


def test_a_bench_cut_off_goes_on_and_does_nothing_twice(
    tmp_path: Path, reports: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    execute = run_module.execute

    def counted(config, data, folder, **kwargs):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(folder.name)
        return execute(config, data, folder, **kwargs)

    monkeypatch.setattr(bench_module, "execute", counted)
    with pytest.raises(KeyboardInterrupt):
        run_bench(write(tmp_path), tmp_path / "out", device="cpu")
    assert not json.loads((tmp_path / "out" / "bench.json").read_text())["finished"]
    assert not reports
    first = list(done)
    done.clear()
    monkeypatch.setattr(
        bench_module, "execute", lambda c, d, f, **k: (done.append(f.name), execute(c, d, f, **k))[1]
    )
    run_bench(write(tmp_path), tmp_path / "out", device="cpu")
    assert len(done) == 10 - 3
    assert not set(first) & set(done)
    assert len(reports) == 1


def test_two_that_work_on_one_bench_share_the_runs(
    tmp_path: Path, reports: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    work = run_module._execute

    def counted(config, data, folder, *rest, **named):
        begun.append(folder.name)
        work(config, data, folder, *rest, **named)

    monkeypatch.setattr(run_module, "_execute", counted)
    monkeypatch.setattr(bench_module, "_PAUSE_SECONDS", 0.05)
    path = write(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        pages = [pool.submit(run_bench, path, tmp_path / "out", device="cpu") for _ in range(2)]
        first, second = (page.result() for page in pages)
    assert first == second
    assert first.exists()
    summary = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert summary["finished"]
    assert len(begun) == len(set(begun)) == len(summary["runs"]) == 10
    assert len(reports) == 1
    assert not list((tmp_path / "out").rglob("*.partial"))
    run_bench(path, tmp_path / "out", device="cpu")  # asked for anew, the report is made anew
    assert len(reports) == 2
    assert len(begun) == 10


def test_settings_that_another_is_writing_are_no_reason_to_refuse(
    tmp_path: Path, reports: list[Path]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bench.yaml.0123.partial").write_text("name: sm")
    few = write(tmp_path, patches=[{"patch_px": 16}], baselines=["mean"])
    assert run_bench(few, tmp_path / "out", device="cpu").exists()
    assert reports == [tmp_path / "out"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="holds no bench"):
        run_bench(write(tmp_path), tmp_path / "other", device="cpu")


@pytest.mark.usefixtures("reports")
def test_what_another_process_works_on_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    execute = run_module.execute
    other: list[str] = []

    def busy_at_first(config, data, folder, **named):
        other.append(folder.name)
        if folder.name == other[0] and len(order) < 9:
            raise BusyError("another process works on it")
        if folder.name == other[0] and other.count(folder.name) < 4:
            raise BusyError("another process works on it")
        order.append(folder.name)
        return execute(config, data, folder, **named)

    monkeypatch.setattr(bench_module, "execute", busy_at_first)
    monkeypatch.setattr(bench_module, "_PAUSE_SECONDS", 0.0)
    run_bench(write(tmp_path), tmp_path / "out", device="cpu")
    assert len(order) == 10
    assert order[-1] == other[0]
    said = capsys.readouterr().err
    assert said.count("other processes work on the last 1 runs: waiting for them") == 1


def test_the_buffer_covers_the_largest_patch_of_the_bench(tmp_path: Path) -> None:
    split = {"by": "blocks", "folds": 2, "within_section": True, "buffer_um": 10}
    with pytest.raises(SplitError, match="12"):
        run_bench(write(tmp_path, split=split), tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_one_patch_written_in_two_ways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        run_bench(
            write(tmp_path, patches=[{"patch_px": 16}, {"patch_um": 8.0}]), tmp_path / "out", device="cpu"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("reports")
def test_the_truth_follows_the_split(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished.parent.parent, tmp_path / "out")
    first = {path.name for path in (tmp_path / "out" / "truth" / "fold-0").glob("*.h5ad")}
    split = BENCH["split"] | {"seed": 3, "run_folds": [0]}
    run_bench(write(tmp_path, split=split), tmp_path / "out", device="cpu")
    second = {path.name for path in (tmp_path / "out" / "truth" / "fold-0").glob("*.h5ad")}
    summary = json.loads((tmp_path / "out" / "bench.json").read_text())
    predicted = {
        path.name
        for run in summary["runs"]
        for path in (tmp_path / "out" / run["folder"] / "predictions").iterdir()
    }
    assert second == predicted
    assert len(first) == len(second) == 1


def test_wrong_settings_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'encoders'"):
        run_bench(write(tmp_path, encoder=["compact_s"]), tmp_path / "out")
    with pytest.raises(ConfigError, match="compact_xs"):
        run_bench(write(tmp_path, encoders=["compact_xss"]), tmp_path / "out")
    with pytest.raises(ConfigError, match="did you mean 'ridge'"):
        run_bench(write(tmp_path, baselines=["rigde"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_has_no_meaning_is_left_out_and_told(tmp_path: Path, capsys) -> None:
    changes = {"baselines": ["mean", "coordinates"], "diagnostics": ["depth"], "patches": [{"patch_px": 16}]}
    page = run_bench(write(tmp_path, **changes), tmp_path / "out", device="cpu")
    summary = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert summary["finished"]
    assert len(summary["runs"]) == 2 * 3  # folds x (mean, depth, compact)
    assert [(one["name"], one["fold"]) for one in summary["skipped"]] == [
        ("coordinates", 0),
        ("coordinates", 1),
    ]
    assert all(
        "no training observation lies on the slide of S" in one["reason"] for one in summary["skipped"]
    )
    assert capsys.readouterr().err.count("left out: baseline:coordinates, fold") == 2
    assert "depth (diagnostic)" in page.read_text(encoding="utf-8")
    answer = json.loads((page.parent / "answer.json").read_text())
    assert all(set(one["baselines"]) == {"training mean"} for one in answer)


@pytest.mark.usefixtures("reports")
def test_baselines_with_encoders_stand_in_the_grid_and_are_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = {"by": "blocks", "folds": 2, "run_folds": [0], "within_section": True, "buffer_um": 12}
    named = ["mean", "coordinates", {"frozen": "compact_xs"}, {"shuffled": "compact_xs"}]
    path = write(tmp_path, split=split | {"block_um": 24}, baselines=named, diagnostics=["depth"], seeds=[3])
    run_bench(path, tmp_path / "out", device="cpu")
    summary = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert summary["skipped"] == []
    manifests = [
        json.loads((tmp_path / "out" / r["folder"] / "manifest.json").read_text()) for r in summary["runs"]
    ]
    assert [(m["encoder"], m["patch_um"], m["seed"]) for m in manifests] == [
        ("baseline:mean", 8.0, 0),
        ("baseline:coordinates", None, 0),
        ("baseline:frozen compact_xs, random weights", 8.0, 3),
        ("baseline:frozen compact_xs, random weights", 12.0, 3),
        ("baseline:compact_xs, shuffled labels", 8.0, 3),
        ("baseline:compact_xs, shuffled labels", 12.0, 3),
        ("diagnostic:depth", None, 0),
        ("compact_xs", 8.0, 3),
        ("compact_xs", 12.0, 3),
    ]
    monkeypatch.setattr(bench_module, "execute", lambda *a, **k: pytest.fail("done twice"))
    run_bench(path, tmp_path / "out", device="cpu")


def test_what_a_baseline_lacks_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be had"):
        run_bench(
            write(tmp_path, baselines=[{"frozen": {"encoder": "resnet18", "pretrained": True}}]),
            tmp_path / "out",
        )
    with pytest.raises(ConfigError, match="buffer_um: 112 or more"):
        run_bench(write(tmp_path, baselines=["mean", "hest"]), tmp_path / "out")
    split = BENCH["split"] | {"buffer_um": 150}
    with pytest.raises(ConfigError, match="larger than the image of sample S0"):
        run_bench(write(tmp_path, baselines=["hest"], split=split), tmp_path / "out")
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        run_bench(write(tmp_path, baselines=[{"frozen": "resnet81"}]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").touch()
    with pytest.raises(StorageError, match="not empty"):
        run_bench(write(tmp_path), tmp_path / "out")


def test_gene_sets_are_kept_fold_by_fold_and_a_wrong_file_stops_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.gmt").write_text("mine\tmade\tG0\tg1\tG2\tabsent\n")
    asked = {"files": ["mine.gmt"], "shipped": [], "most_variable": 2, "min_genes": 2}
    asked |= {"most_expressed": None, "most_spatially_variable": None}
    split = BENCH["split"] | {"run_folds": [0]}
    path = write(tmp_path, split=split, genesets=asked, baselines=["mean"])
    page = run_bench(path, tmp_path / "out", device="cpu").read_text(encoding="utf-8")
    kept = json.loads((tmp_path / "out" / "bench.json").read_text())["folds"][0]["gene_sets"]
    assert kept["mine"]["genes"] == ["G0", "G1", "G2"]
    assert kept["mine"]["missing"] == ["absent"]
    assert sorted(kept["most variable"]["genes"]) == ["G0", "G1"]  # they follow the image
    assert 'id="sets"' in page
    with pytest.raises(DataError, match=r"other\.gmt"):
        run_bench(write(tmp_path, genesets={"files": ["other.gmt"]}), tmp_path / "other", device="cpu")
    assert not (tmp_path / "other").exists()
