"""A bench folder: the names of its files, each written and read here; and all that lies in it, read at once.

Nothing is computed.  A run that is not finished, or whose files cannot be read, becomes a
:class:`~prestige.records.run.Missing` with its reason: a report can be written at any moment of a bench.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from prestige.compute.files import whole_file, write_text
from prestige.compute.outputs import check_folder
from prestige.errors import ConfigError, DataError, StorageError, reading, storing
from prestige.inputs import real_path
from prestige.records.bench import SCHEMA, BenchRecord, FoldRecord, SideCounts, read_record
from prestige.records.run import Missing, Run, RunFolder, read_run, refuse_unless_free
from prestige.records.schema import json_text
from prestige.settings import read_yaml


@dataclass(frozen=True)
class BenchFolder:
    """Where a bench lies, or will."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def settings(self) -> Path:
        """The bench's settings, written first; its lock is the bench's."""
        return self.path / "bench.yaml"

    @property
    def record(self) -> Path:
        """What the bench says of itself."""
        return self.path / "bench.json"

    @property
    def runs(self) -> Path:
        """Where the run folders lie."""
        return self.path / "runs"

    @property
    def jobs(self) -> Path:
        """What further processes say."""
        return self.path / "jobs"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report"

    @property
    def page(self) -> Path:
        """The report's page."""
        return self.report / "index.html"

    @property
    def truths(self) -> Path:
        """Where the truth of all folds lies."""
        return self.path / "truth"

    def truth(self, fold: int) -> Path:
        """Return where the counts of a fold's test side lie, ``<sample>.h5ad``, with their ceilings."""
        return self.truths / f"fold-{fold}"

    def sides(self, fold: int) -> Path:
        """Return the file that says which observation is on which side of a fold."""
        return self.path / "split" / f"fold-{fold}.parquet"

    def run(self, digest: str) -> RunFolder:
        """Return the folder of the run with this hash."""
        return RunFolder(self.runs / digest)

    def check(self, settings: Mapping[str, Any], inputs: Sequence[Path] = ()) -> None:
        """Check that a bench can be written here, before anything is computed; it is claimed later.

        Parameters
        ----------
        settings
            Of the bench: the file that holds them already may be read from this very folder.
        inputs
            What the bench reads.

        Raises
        ------
        StorageError
            When it holds something else, is read by the bench, or cannot be written.
        """
        stands = self.settings.is_file() and _text_of(self.settings) == _yaml_of(settings)
        files = [self.record.name] if stands else [self.settings.name, self.record.name]
        check_folder(self.path, inputs=inputs, files=files)
        refuse_unless_free(self.path, self.settings.name, "bench")

    def claim(self, settings: Mapping[str, Any]) -> None:
        """Make the folder that of the bench with these settings.

        Raises
        ------
        StorageError
            When it holds something else, or cannot be written.
        """
        # Half-written settings are those of another process that begins this very bench, or of a kill.
        refuse_unless_free(self.path, self.settings.name, "bench")
        text = _yaml_of(settings)
        with storing(self.settings):
            self.path.mkdir(parents=True, exist_ok=True)
        # A file that stays keeps the lock that another process holds on it.
        if not self.settings.exists():
            write_text(self.settings, text, keep=True)
        if _text_of(self.settings) != text:
            write_text(self.settings, text)

    def settings_of(self, key: str) -> dict[str, Any] | None:
        """Return what the settings say under one key, None where they say nothing or there are none.

        Raises
        ------
        ConfigError
            When the file cannot be read, is no yaml mapping, or holds something else under the key.
        """
        if not self.settings.is_file():
            return None
        stored = read_yaml(self.settings).get(key)
        if stored is not None and not isinstance(stored, dict):
            raise ConfigError(
                f"`{key}` holds no settings", where=self.settings, expected="a mapping of keys to values"
            )
        return stored

    def write_record(self, record: BenchRecord) -> None:
        """Write what the bench says of itself."""
        write_text(self.record, json_text(record, SCHEMA))

    def write_sides(self, fold: int, table: pd.DataFrame) -> None:
        """Write which observation is on which side of a fold."""
        with whole_file(self.sides(fold)) as partial:
            table.to_parquet(partial, index=False)


@dataclass(frozen=True, eq=False)
class Bench:
    """All that is known about a bench (or about the single run standing for one)."""

    folder: BenchFolder
    record: BenchRecord
    runs: list[Run]
    missing: list[Missing]
    finished: bool
    single: bool
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The bench's name."""
        return self.record.name or self.folder.name

    @property
    def truths(self) -> list[Path]:
        """Where measured counts may lie: in the bench, or in the bench that a single run belongs to."""
        folders = [self.folder.truths]
        if self.single:
            folders.append(BenchFolder(real_path(self.folder.path).parent.parent).truths)
        return [folder for folder in folders if folder.is_dir()]

    @property
    def patients(self) -> list[str]:
        """Patients that were scored, in order of first appearance."""
        scored = [run.scores["patient"].astype(str) for run in self.runs if "patient" in run.scores]
        return list(dict.fromkeys(chain.from_iterable(scored)))


def _yaml_of(settings: Mapping[str, Any]) -> str:
    return yaml.safe_dump(settings, sort_keys=False)


def _text_of(path: Path) -> str:
    with reading(path, expected="the settings of a bench", kind=StorageError):
        return path.read_text(encoding="utf-8", errors="replace")


def load_bench(path: Path) -> Bench:
    """Read a bench folder, or a single run folder, finished or not.

    Raises
    ------
    DataError
        When the folder is neither, or its record is broken or of a newer version.
    """
    folder = BenchFolder(Path(path))
    if folder.record.is_file():
        return _load_grid(folder, read_record(folder.record), [])
    if RunFolder(folder.path).manifest.is_file():
        return _load_single(folder)
    if folder.runs.is_dir():
        note = "bench.json is missing: the data set, the split and the folds cannot be described."
        return _load_grid(folder, BenchRecord(name=folder.name), [note])
    raise DataError(
        "is neither a bench nor a run",
        where=folder.path,
        expected="bench.json, runs/ or manifest.json in it",
        remedy="give the folder that was passed to --out",
    )


def _load_grid(folder: BenchFolder, record: BenchRecord, notes: list[str]) -> Bench:
    listed = [folder.path / entry.folder for entry in record.runs or ()]
    begun = sorted(path for path in folder.runs.glob("*") if path.is_dir() and path not in listed)
    if record.runs is None:
        listed = begun
    elif record.finished is False:  # what the record does not know yet; of others' runs it never will
        listed += [path for path in begun if not RunFolder(path).is_done()]
    read = [read_run(path) for path in listed]
    runs = [item for item in read if isinstance(item, Run)]
    missing = [item for item in read if isinstance(item, Missing)]
    return Bench(folder, record, runs, missing, record.finished is not False and not missing, False, notes)


def _load_single(folder: BenchFolder) -> Bench:
    run = read_run(folder.path)
    if isinstance(run, Missing):
        return Bench(folder, BenchRecord(name=folder.name), [], [run], finished=False, single=True)
    known = run.manifest
    counts = SideCounts(train=known.n_train, validation=known.n_validation, test=known.n_test)
    fold = FoldRecord(index=run.fold, name=known.fold_name, counts=counts)
    record = BenchRecord(name=run.configuration.label, folds=(fold,))
    return Bench(folder, record, [run], [], finished=True, single=True)
