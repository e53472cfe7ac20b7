"""The grid -> runs -> report.  What is done already is not done again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from prestige.baselines.checks import why_not
from prestige.compute.devices import make_fabric
from prestige.compute.files import whole_folder
from prestige.compute.locks import BusyError, held
from prestige.compute.ownership import refuse_others
from prestige.compute.progress import clock, say
from prestige.compute.workers import local_workers
from prestige.config import BenchConfig, RunConfig, read_bench, run_hash
from prestige.data.dataset import Dataset, dataset_inputs, open_dataset, read_dataset
from prestige.data.fold import FoldData, audited_folds, prepare_fold, widest_um
from prestige.data.patches.reader import PatchConfig, resolve_patch
from prestige.data.split.folds import Fold
from prestige.errors import ConfigError
from prestige.evaluate.ceilings import FILE as CEILINGS
from prestige.evaluate.ceilings import write_ceilings
from prestige.genesets import collect_sets
from prestige.prediction.files import write_truth
from prestige.records.bench import SkippedRecord
from prestige.records.folders import BenchFolder
from prestige.records.run import RunFolder
from prestige.report import write_report
from prestige.report.bench.page import check_report
from prestige.report.biology.of_bench import check_biology
from prestige.runs.record import FoldSummary, Grid, describe_fold, record_of
from prestige.runs.run import check_names, check_runs, execute
from prestige.runs.staining import stain_columns

_PAUSE_SECONDS = 2.0
_TRUTH = ("*.h5ad", CEILINGS)


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
    folder, settings = BenchFolder(out), config.model_dump(mode="json", exclude_none=True)
    folder.check(settings, inputs=[path, *dataset_inputs(config.dataset)])
    check_report(folder)
    for truth in folder.truths.glob("fold-*"):
        refuse_others(truth, _TRUTH)
    grid = _opened(config, path, device)
    fold_data = prepare_fold(grid.dataset, grid.folds[0], config.panel)  # the last that can be wrong
    folder.claim(settings)
    command = ["-m", "prestige", "bench", str(path), "--out", str(out), "--device", device]
    with local_workers(jobs - 1, [sys.executable, *command], folder.jobs):
        return _share(grid, config, fold_data, folder, device)


def _share(grid: Grid, config: BenchConfig, fold_data: FoldData, out: BenchFolder, device: str) -> Path:
    """Do the runs that no other process does, then write the report unless another has."""
    runs, folds, dataset = grid.runs, grid.folds, grid.dataset
    folders = [out.run(run_hash(run, dataset.fingerprint)) for run in runs]
    described: dict[int, FoldSummary] = {}
    done: set[int] = set()
    began, started = time.monotonic(), time.time()

    def record() -> None:
        of_folds = list(described.values())
        out.write_record(record_of(config, grid, of_folds, [folders[number] for number in sorted(done)]))

    for number in _rounds(len(runs), done):
        run, folder = runs[number], folders[number]
        if fold_data.fold.index != run.fold:
            fold_data = prepare_fold(
                dataset, next(fold for fold in folds if fold.index == run.fold), run.panel
            )
        if run.fold not in described:
            described[run.fold] = describe_fold(fold_data, config)
            with held(out.settings, wait=True):
                _keep_fold(out, fold_data, config, started)
        words = f"[{number + 1}/{len(runs)}] {run.name}, {_patch_words(run)}, fold {run.fold}"
        words += f", seed {run.seed}  ({clock(time.monotonic() - began)} so far)"
        try:
            if not folder.is_done():
                execute(run, fold_data, folder.path, device=device, words=words)
        except BusyError:
            continue
        done.add(number)
        with held(out.settings, wait=True):
            record()
    with held(out.settings, wait=True):
        if _report_since(out, started):
            return out.page
        record()  # another process may have known of fewer runs
        return write_report(out.path)


def _opened(config: BenchConfig, path: Path, device: str) -> Grid:
    """Check all that can be wrong before anything is written, what is quick to check first."""
    for run in config.runs([0], 1.0):
        check_names(run)  # opening the samples may take minutes
    make_fabric(config.train.precision, device)
    collect_sets(config.genesets)
    check_biology(config.biology)
    dataset = open_dataset(read_dataset(config.dataset))
    largest = widest_um(config.patches, dataset.samples)
    _refuse_duplicates(config.patches, dataset, path)
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


def _report_since(out: BenchFolder, started: float) -> bool:
    """Say whether another process has made the report since ``started``, after the last run was done."""
    markers = (RunFolder(path).marker for path in out.runs.glob("*"))
    last = max((marker.stat().st_mtime for marker in markers if marker.exists()), default=started)
    return out.page.exists() and out.page.stat().st_mtime > max(started, last)


def _possible(
    runs: Sequence[RunConfig], folds: Sequence[Fold]
) -> tuple[list[RunConfig], list[SkippedRecord]]:
    """Return the runs that have a meaning, and which have none and why; the latter are told."""
    by_index = {fold.index: fold for fold in folds}
    possible, skipped = [], []
    for run in runs:
        reason = why_not(run.baseline, by_index[run.fold])
        if reason is None:
            possible.append(run)
        else:
            assert run.baseline is not None
            skipped.append(SkippedRecord(name=run.baseline.label, fold=run.fold, reason=reason))
            say(f"left out: {run.name}, fold {run.fold}: {reason}")
    return possible, skipped


def _refuse_duplicates(configs: Sequence[PatchConfig], dataset: Dataset, path: Path) -> None:
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


def _keep_fold(out: BenchFolder, data: FoldData, config: BenchConfig, started: float) -> None:
    """Write what belongs to a fold and to no run, unless another process has since this one started."""
    truth = out.truth(data.fold.index)
    if not (truth.exists() and truth.stat().st_mtime > started):
        # Anew, since the split may be another one.
        with whole_folder(truth, ours=_TRUTH) as partial:
            stains = stain_columns(data.test, data.dataset.samples)
            write_truth(partial, data.test, data.dataset.samples, columns=stains)
            block_um = config.evaluation.block_um
            write_ceilings(partial, data.test, data.dataset.samples, data.panel, block_um=block_um)
    # Which observation is on which side: what the report's map of the split is drawn from.
    out.write_sides(data.fold.index, data.fold.table(data.dataset.samples))


def _patch_words(run: RunConfig) -> str:
    if run.baseline is not None and not run.baseline.entry.reads_patches:
        return "no patch"
    patch = run.patch
    return f"patch {patch.patch_px} px" if patch.patch_px is not None else f"patch {patch.patch_um:g} um"
