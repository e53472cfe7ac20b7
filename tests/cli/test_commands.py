"""The commands are a thin skin: help, and the calls they make."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import prestige

from .small_run import assert_refused, replace, run

COMMANDS = ("phantom", "init", "inspect", "split", "bench", "report", "train", "predict", "evaluate")


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example:  prestige {command} " in result.stdout


def test_version() -> None:
    assert run("--version").stdout == f"prestige {prestige.__version__}\n"


def test_without_arguments_there_is_help() -> None:
    assert "Commands" in run().output


@pytest.mark.parametrize("arguments", [["bench"], ["bench", "a.yaml"], ["trian"], ["report", "--fast"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("settings_are_right")
def test_arguments_reach_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(answer: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append((*args, *kwargs.items()))
            return answer

        return call

    replace(monkeypatch, "prestige.runs.bench", run_bench=record(Path("out/report.html")))
    replace(monkeypatch, "prestige.runs.run", train_from_yaml=record(Path("out")))
    replace(
        monkeypatch,
        "prestige.prediction.predict",
        predict_dataset=record([Path("o/a.h5ad"), Path("o/b.h5ad")]),
    )
    replace(monkeypatch, "prestige.report", write_report=record(Path("d/report.html")))
    assert run("bench", "b.yaml", "--out", "out", "--device", "cpu").stdout == "out/report.html\n"
    assert run("train", "r.yaml", "-o", "out").stdout == "out\n"
    assert run("predict", "model", "d.yaml", "--out", "o").stdout == "o/a.h5ad\no/b.h5ad\n"
    assert run("report", "d").stdout == "d/report.html\n"
    assert calls == [
        (Path("b.yaml"), Path("out"), ("device", "cpu"), ("jobs", 1)),
        (Path("r.yaml"), Path("out"), ("device", "auto")),
        (Path("model"), Path("d.yaml"), Path("o"), ("device", "auto")),
        (Path("d"),),
    ]


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    from prestige.cli import commands

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "1")  # so that they are put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr("prestige.compute.threads.n_threads", lambda most: 8)
    commands._share_cores(1)
    assert not set(names) & set(os.environ)
    commands._share_cores(3)
    assert [os.environ[name] for name in names] == ["2"] * 4
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # the user's own
    commands._share_cores(16)
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert run("bench", "b.yaml", "--out", "out", "--jobs", 0).exit_code == 2


def test_files_that_are_missing(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yaml"
    for command in (("bench", absent, "--out", tmp_path / "o"), ("train", absent, "--out", tmp_path / "o")):
        assert_refused(run(*command), "absent.yaml: no such file")
    assert_refused(run("inspect", absent), "absent.yaml: no such file")
    assert_refused(run("phantom", tmp_path / "o", "--config", absent), "absent.yaml: no such file")
    assert_refused(run("report", tmp_path / "absent"), "absent")
    assert_refused(run("evaluate", tmp_path / "a.h5ad", tmp_path / "b.h5ad"), "a.h5ad", "no such file")
    assert_refused(run("predict", tmp_path / "absent-model", absent, "--out", tmp_path / "o"), "absent")
    assert list(tmp_path.iterdir()) == []


def test_init_writes_and_names_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ..small_sources import hest

    monkeypatch.chdir(tmp_path)
    hest(tmp_path / "exports")
    dry = run("init", "exports", "--out", "my study", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert dry.stdout.startswith("# my study/dataset.yaml\n")
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]
    named = ("my study/", ("--out", "my study"), "'my study/dataset.yaml'")
    for out, options, shown in (named, ("", (), "dataset.yaml")):
        done = run("init", "exports", *options)
        assert done.exit_code == 0, done.output
        said = f'fill in the patients marked "?", then: prestige inspect {shown}'
        assert done.stdout.splitlines() == [f"{out}dataset.yaml", f"{out}bench.yaml", said]
        assert Path(f"{out}dataset.yaml").read_text() in dry.stdout or not out
    again = run("init", "exports")
    assert again.exit_code == 2
    assert [line.split(";")[0] for line in again.stderr.splitlines()] == [
        "prestige: 2 faults:",
        "  dataset.yaml: is there already",
        "  bench.yaml: is there already",
    ]
    Path("empty").mkdir()
    assert_refused(run("init", "empty"), "nothing that could be a sample was found")


def test_wrong_settings_of_a_phantom(tmp_path: Path) -> None:
    assert_refused(
        run("phantom", tmp_path / "o", "--radius-um", -3), "'radius_um' is -3.0", "expected a number above 0"
    )
    (tmp_path / "p.yaml").write_text("radius_u: 4\n")
    result = run("phantom", tmp_path / "o", "--config", tmp_path / "p.yaml")
    assert_refused(result, "p.yaml, line 1: unknown key 'radius_u'", "did you mean 'radius_um'?")
    assert not (tmp_path / "o").exists()


BENCH = """
name: small
dataset: dataset.yaml
split: {by: patient, folds: 2, buffer_um: 64}
patches: [{patch_um: 16}, {patch_um: 32}]
encoders: [compact_xs]
train: {budget: {steps: 10}}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "parts"),
    [
        ("encoders:", "encodrs:", ("unknown key 'encodrs'", "did you mean 'encoders'?")),
        ("compact_xs", "compact_x", ("unknown encoder 'compact_x'", "did you mean 'compact_xs'?")),
        ("{steps: 10}", "{steps: 0}", ("'train.budget.steps' is 0", "bench.yaml")),
        ("{steps: 10}", "{step: 10}", ("unknown key 'train.budget.step'", "did you mean 'steps'?")),
        (
            "{budget: {steps: 10}}",
            "{budget: {steps: 10}, loss: msee}",
            ("unknown loss 'msee'", "did you mean 'mse'?"),
        ),
        ("{patch_um: 16}, {patch_um: 32}", "{patch_um: 16}, {patch_um: 16}", ("a patch stands twice",)),
        ("dataset: dataset.yaml", "dataset: datset.yaml", ("datset.yaml: no such file",)),
    ],
)
def test_wrong_settings_of_a_bench(tmp_path: Path, right: str, wrong: str, parts: tuple[str, ...]) -> None:
    assert right in BENCH
    (tmp_path / "bench.yaml").write_text(BENCH.replace(right, wrong))
    (tmp_path / "dataset.yaml").write_text(
        "name: d\nsamples:\n  - {id: a, source: prepared, path: a, patient: p1}\n"
        "  - {id: b, source: prepared, path: b, patient: p2}\n"
    )
    assert_refused(run("bench", tmp_path / "bench.yaml", "--out", tmp_path / "out"), *parts)
    assert not (tmp_path / "out").exists()


def test_the_whole_way_from_a_phantom_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command on what the one before has written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(
        "{patients: 3, size_px: 200, widths_um: [8, 16], n_genes: 6, replicates: 2}"
    )
    dataset = run("phantom", "tissue", "--config", "p.yaml", "--radius-um", 5).stdout.strip()
    assert Path(dataset).resolve() == tmp_path / "tissue" / "dataset.yaml"
    seen = run("inspect", dataset)
    assert seen.exit_code == 0, seen.output
    assert sorted(path.name for path in Path("phantom-inspection").glob("*.png")) == [
        "P1_S1.png",
        "P2_S1.png",
        "P3_S1.png",
    ]

    (tmp_path / "bench.yaml").write_text(
        "name: small\n"
        f"dataset: {dataset}\n"
        "split: {by: patient, folds: 3, run_folds: [0], buffer_um: 8}\n"
        "patches: [{patch_um: 8}]\n"
        "encoders: [compact_xs]\n"
        "train: {budget: {steps: 6}, batch_size: 16, precision: 32-true}\n"
        "evaluation: {block_um: 20}\n"
    )
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    benched = run("bench", "bench.yaml", "--out", "out", "--device", "cpu", "--jobs", 2)
    assert benched.exit_code == 0, (benched.output, benched.exception)
    assert "failed" not in benched.stderr
    assert Path("out/jobs/1.log").read_text().endswith(benched.stdout)  # it found the same report
    page = Path(benched.stdout.strip())
    assert page.is_file()
    assert page.suffix == ".html"
    manifests = {
        path.parent: json.loads(path.read_text()) for path in Path("out/runs").glob("*/manifest.json")
    }
    (trained,) = (folder for folder, manifest in manifests.items() if manifest["encoder"] == "compact_xs")
    page.unlink()
    assert run("report", "out").stdout == benched.stdout
    assert page.is_file()

    predicted = run("predict", trained, dataset, "--out", "predicted", "--device", "cpu")
    assert predicted.stdout.split() == [f"predicted/P{n}_S1.h5ad" for n in (1, 2, 3)]
    (truth,) = Path("out/truth/fold-0").glob("*.h5ad")
    scored = run("evaluate", Path("predicted") / truth.name, truth, "--json")
    assert scored.exit_code == 0, scored.output
    answer = json.loads(scored.stdout)
    assert answer["counted"]["genes"] == 6
    assert -1 <= answer["scores"]["genes"]["pearson"] <= 1
    table = run("evaluate", Path("predicted") / truth.name, truth).stdout
    assert f"{answer['scores']['genes']['pearson']:.4f}" in table
    assert "training mean" in table


def test_the_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert_refused(run("phantom", tmp_path), str(tmp_path), "choose another folder")
    assert_refused(run("report", tmp_path), str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
