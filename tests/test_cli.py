"""The command line is a thin skin: help, one line for each fault, exit codes, and the calls it makes."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import prestige
from prestige.cli import app, main
from prestige.compute.signals import Interrupted
from prestige.errors import DataError

COMMANDS = ("phantom", "inspect", "split", "bench", "report", "train", "predict", "evaluate")


@pytest.fixture
def settings_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the check of the yaml pass: what is tested is what comes after it."""
    replace(monkeypatch, "prestige.config", read_bench=lambda path: None, read_run=lambda path: None)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def replace(monkeypatch: pytest.MonkeyPatch, module: str, **names: object) -> None:
    """Put stand-ins for a module's functions where the command will import them from."""
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))


def assert_refused(result: Any, *parts: str) -> None:
    """One line on standard error, nothing on standard output, exit code 2."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("prestige: ")
    for part in parts:
        assert part in lines[0]
    assert "Traceback" not in result.output


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


def raising(error: BaseException) -> Any:
    def call(*args: object, **kwargs: object) -> None:
        raise error

    return call


@pytest.mark.usefixtures("settings_are_right")
def test_a_fault_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(
        monkeypatch,
        "prestige.runs.bench",
        run_bench=raising(DataError("no cells", where="S1", remedy="add some")),
    )
    assert_refused(run("bench", "a.yaml", "--out", "out"), "prestige: S1: no cells; add some")


@pytest.mark.usefixtures("settings_are_right")
def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "prestige.runs.bench", run_bench=raising(KeyboardInterrupt()))
    result = run("bench", "a.yaml", "--out", "out")
    assert result.exit_code == 130
    assert result.stderr == "prestige: interrupted; run the same command to go on\n"


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.h5ad"),
            "out/x.h5ad: the disk is full; free",
        ),
        (
            OSError("HDF5 write failed: errno = 28, error message = 'No space left on device'"),
            "the disk is full",
        ),
        (
            RuntimeError("flush failed (errno = 28, error message = 'No space left on device')"),
            "the disk is full",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "out/a"), "out/a: not a directory"),
        (FileExistsError(errno.EEXIST, "File exists", "out"), "out: file exists"),
    ],
)
@pytest.mark.usefixtures("settings_are_right")
def test_storage_faults_are_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, part: str) -> None:
    replace(monkeypatch, "prestige.runs.run", train_from_yaml=raising(error))
    assert_refused(run("train", "a.yaml", "--out", "out"), part)


@pytest.mark.usefixtures("settings_are_right")
def test_mistakes_in_the_code_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for mistake in (ZeroDivisionError("a"), RuntimeError("shapes differ"), OSError(errno.EBADF, "closed")):
        replace(monkeypatch, "prestige.runs.bench", run_bench=raising(mistake))
        assert run("bench", "a.yaml", "--out", "out").exception is mistake


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
    from prestige import cli

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "1")  # so that they are put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr("prestige.compute.threads.n_threads", lambda most: 8)
    cli._share_cores(1)
    assert not set(names) & set(os.environ)
    cli._share_cores(3)
    assert [os.environ[name] for name in names] == ["2"] * 4
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # the user's own
    cli._share_cores(16)
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


def _without_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `main` leave the signals, streams and warnings of the tests as they are."""
    for part in (
        "signals.listen",
        "boundary.silence_others",
        "boundary.open_streams",
        "boundary.keep_reserve",
    ):
        monkeypatch.setattr(f"prestige.cli.{part}", lambda: None)
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setattr("sys.argv", ["prestige", "inspect", "x.yaml"])


@pytest.mark.parametrize("place", ["prestige.cli.app", "prestige.cli.Commands.make_context"])
@pytest.mark.parametrize(
    ("told", "code", "by"), [(KeyboardInterrupt(), 130, ""), (Interrupted(15), 143, " by SIGTERM")]
)
def test_a_signal_outside_of_a_command_is_told_too(
    place: str, told: KeyboardInterrupt, code: int, by: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def heard(*_: object, **__: object) -> None:
        raise told

    monkeypatch.setattr(place, heard)
    _without_surroundings(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr().err == f"prestige: interrupted{by}; run the same command to go on\n"


def test_an_exit_without_a_signal_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("prestige.cli.app", ends)
    _without_surroundings(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert capsys.readouterr().err == ""
