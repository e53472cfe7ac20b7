"""The grid -> runs -> report.  What is done already is not done again."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import yaml

from prestige.baselines.checks import why_not
from prestige.compute.devices import make_fabric
from prestige.compute.locks import BusyError, held
from prestige.compute.progress import clock, say
from prestige.compute.workers import beside
from prestige.config import BenchConfig, RunConfig, read_bench, run_hash
from prestige.data.dataset import Dataset, open_dataset, read_dataset
from prestige.data.fold import FoldData, audited_folds, prepare_fold, widest_um
from prestige.data.patches.reader import PatchConfig, resolve_patch
from prestige.data.split.folds import Fold
from prestige.errors import ConfigError, StorageError, storing
from prestige.evaluate.ceilings import write_ceilings
from prestige.genesets import collect_sets
from prestige.prediction.files import write_truth
from prestige.report import write_report
from prestige.report.biology.of_bench import check_biology
from prestige.runs.record import Grid, describe_fold, write_record
from prestige.runs.run import MARKER, check_names, check_runs, execute, is_done, write_whole
from prestige.runs.staining import stain_columns

SETTINGS = "bench.yaml"
_PAUSE_SECONDS = 2.0


def run_bench(path: Path | str, out: Path | str, *, device: str = "auto", jobs: int = 1) -> Path:
    """Do every run of BENCH.yaml in ``out``, then write the report; return the report's path.

    Killed at any moment and started again it goes on where it was.  Started several times at once, on one
    machine or on several that share the folder, the processes share the runs.

    Parameters
    ----------
    jobs
        How many processes work on it here, this one included; what the others say is in ``out/jobs``.

    Raises
    ------
    PrestigeError
        When the settings, the data or the split are wrong; before anything is written.

    Examples
    --------
    >>> import prestige
    >>> prestige.run_bench("bench.yaml", "out", device="cpu").as_posix()
    'out/report/index.html'
    """
    path, out = Path(path), Path(out)
    config = read_bench(path)
    grid, out = _opened(config, path, device), out
    fold_data = prepare_fold(grid.dataset, grid.folds[0], config.panel)  # the last that can be wrong
    _claim(out, config)
    command = ["-m", "prestige", "bench", str(path), "--out", str(out), "--device", device]
    with beside(jobs - 1, [sys.executable, *command], out / "jobs"):
        return _share(grid, config, fold_data, out, device)


def _share(grid: Grid, config: BenchConfig, fold_data: FoldData, out: Path, device: str) -> Path:
    """Do the runs that no other process does, then write the report unless another has."""
    runs, folds, dataset = grid.runs, grid.folds, grid.dataset
    folders = [f"runs/{run_hash(run, dataset.fingerprint)}" for run in runs]
    described: dict[str, Any] = {}
    done: set[int] = set()
    began, started = time.monotonic(), time.time()

    def record() -> None:
        kept = [{"folder": folders[i]} for i in sorted(done)]
        write_record(out, config, grid, described, kept)

    for number in _rounds(len(runs), done):
        run, folder = runs[number], out / folders[number]
        if fold_data.fold.index != run.fold:
            fold_data = prepare_fold(
                dataset, next(fold for fold in folds if fold.index == run.fold), run.panel
            )
        if str(run.fold) not in described:
            described[str(run.fold)] = describe_fold(fold_data, config)
            with held(out / SETTINGS, wait=True):
                _keep_fold(out, fold_data, config, started)
        words = f"[{number + 1}/{len(runs)}] {run.encoder}, {_patch_words(run)}, fold {run.fold}"
        words += f", seed {run.seed}  ({clock(time.monotonic() - began)} so far)"
        try:
            if not is_done(folder):
                execute(run, fold_data, folder, device=device, words=words)
        except BusyError:
            continue
        done.add(number)
        with held(out / SETTINGS, wait=True):
            record()
    with held(out / SETTINGS, wait=True):
        if (page := _report_since(out, started)) is not None:
            return page
        record()  # another process may have known of fewer runs
        return write_report(out)


def _opened(config: BenchConfig, path: Path, device: str) -> Grid:
    """Check all that can be wrong before anything is written, what is quick to check first."""
    for run in config.runs([0], 1.0):
        check_names(run)  # opening the samples may take minutes
    make_fabric(config.train.precision, device)
    collect_sets(config.genesets)
    check_biology(config.biology)
    dataset = open_dataset(read_dataset(config.dataset))
    largest = widest_um(config.patches, dataset.samples)
    _refuse_twins(config.patches, dataset, path)
    folds, audit = audited_folds(dataset.samples, config.split, largest_patch_um=largest)
    audit.settle()
    runs = list(config.runs([fold.index for fold in folds], largest))
    check_runs(runs, dataset)
    runs, skipped = _possible(runs, folds)
    return Grid(dataset, folds, audit, runs, skipped)


def _rounds(n: int, done: Set[int]) -> Iterator[int]:
    """Yield the numbers that are not done, round after round; one that others work on comes again."""
    waiting = False
    while len(done) < n:
        before = len(done)
        yield from (number for number in range(n) if number not in done)
        if len(done) == before:
            if not waiting:
                say(f"other processes work on the last {n - before} runs: waiting for them")
            waiting = True
            time.sleep(_PAUSE_SECONDS)


def _report_since(out: Path, started: float) -> Path | None:
    """Return the report if another process has made it since ``started``, after the last run was done."""
    page = out / "report" / "index.html"
    last = max((path.stat().st_mtime for path in out.glob(f"runs/*/{MARKER}")), default=started)
    return page if page.exists() and page.stat().st_mtime > max(started, last) else None


def _possible(
    runs: Sequence[RunConfig], folds: Sequence[Fold]
) -> tuple[list[RunConfig], list[dict[str, Any]]]:
    """Return the runs that have a meaning, and which have none and why; the latter are told."""
    by_index = {fold.index: fold for fold in folds}
    possible, skipped = [], []
    for run in runs:
        reason = why_not(run.baseline, by_index[run.fold])
        if reason is None:
            possible.append(run)
        else:
            assert run.baseline is not None
            skipped.append({"name": run.baseline.label, "fold": run.fold, "reason": reason})
            say(f"left out: {run.encoder}, fold {run.fold}: {reason}")
    return possible, skipped


def _refuse_twins(configs: Sequence[PatchConfig], dataset: Dataset, path: Path) -> None:
    """Refuse patches that are written in two ways and are one: their runs would pass for seeds."""
    um_per_px = [sample.um_per_px for sample in dataset.samples]
    patches = [resolve_patch(config, um_per_px) for config in configs]
    for number, patch in enumerate(patches):
        if patch in patches[:number]:
            raise ConfigError(
                f"a patch of {patch.patch_um:g} um ({patch.input_px} px) stands twice in the grid",
                where=path,
                remedy="take one of the two out",
            )


def _keep_fold(out: Path, data: FoldData, config: BenchConfig, started: float) -> None:
    """Write what belongs to a fold and to no run, unless another process has since this one started."""
    truth, sides = (
        out / "truth" / f"fold-{data.fold.index}",
        out / "split" / f"fold-{data.fold.index}.parquet",
    )
    if not (truth.exists() and truth.stat().st_mtime > started):
        _keep_truth(truth, data, config.evaluation.block_um)
    _keep_sides(sides, data)


def _keep_truth(folder: Path, data: FoldData, block_um: float) -> None:
    """Write the test side's counts and ceilings, all or none; anew, since the split may be another one."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        stains = stain_columns(data.test, data.dataset.samples)
        write_truth(partial, data.test, data.dataset.samples, columns=stains)
        write_ceilings(partial, data.test, data.dataset.samples, data.panel, block_um=block_um)
        with storing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _keep_sides(path: Path, data: FoldData) -> None:
    """Write which observation is on which side: what the report's map of the split is drawn from."""
    table = data.fold.table(data.dataset.samples)
    partial = path.with_suffix(".partial")
    try:
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(partial, index=False)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _patch_words(run: RunConfig) -> str:
    if run.baseline is not None and not run.baseline.entry.reads_patches:
        return "no patch"
    patch = run.patch
    return f"patch {patch.patch_px} px" if patch.patch_px is not None else f"patch {patch.patch_um:g} um"


def _claim(out: Path, config: BenchConfig) -> None:
    """Make the folder this bench's own."""
    settings = out / SETTINGS
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_none=True), sort_keys=False)
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    # Settings that are half-written are those of another process that begins this very bench, or of a kill.
    if SETTINGS in names or all(name.startswith(SETTINGS) for name in names):
        with storing(settings):
            out.mkdir(parents=True, exist_ok=True)
        # A file that stays keeps the lock that another process holds on it.
        if not settings.exists():
            write_whole(settings, text, keep=True)
        if settings.read_text(encoding="utf-8") != text:
            write_whole(settings, text)
        return
    raise StorageError("the folder is not empty and holds no bench", where=out, remedy="give another folder")
