"""A run folder: the names of its files, each written and read here.

The folder is complete when it holds the marker ``DONE``, written last.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from prestige.compute.files import whole_file, write_text
from prestige.compute.outputs import check_folder
from prestige.compute.ownership import is_passed_over
from prestige.compute.partials import sync_folder
from prestige.errors import DataError, PrestigeError, StorageError, reading, storing
from prestige.inputs import plain_file
from prestige.records.configuration import Configuration
from prestige.records.done import done_text, fault_of
from prestige.records.manifest import SCHEMA, Manifest, read_manifest
from prestige.records.schema import json_text
from prestige.settings import read_yaml
from prestige.stats.moments import Moments

HISTORY = ("phase", "step", "seconds", "learning_rate", "train_loss", "validation_score")
"""Columns of ``history.csv``: a row for each validation of a training."""

_SCORES = {"sample", "level", "name", "metric", "value"}
_MENDED = "run the same `prestige bench` or `train` again, which does it anew"
_SHIFTED = "moments-shift-*.npz"


@dataclass(frozen=True)
class RunFolder:
    """Where a run lies, or will."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def settings(self) -> Path:
        """The run's settings with their hash, written first; its lock is the run's."""
        return self.path / "config.yaml"

    @property
    def marker(self) -> Path:
        """The file that says that the run is complete."""
        return self.path / "DONE"

    @property
    def log(self) -> Path:
        """What was said while it ran."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """Where a training keeps its state until it is done."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The bundle of the model that was trained; baselines have none."""
        return self.path / "model"

    @property
    def predictions(self) -> Path:
        """Prediction files of the test side, ``<sample>.h5ad``."""
        return self.path / "predictions"

    @property
    def scores(self) -> Path:
        """The tidy table of scores."""
        return self.path / "scores.parquet"

    @property
    def moments(self) -> Path:
        """Sums per spatial block and gene."""
        return self.path / "moments.npz"

    @property
    def manifest(self) -> Path:
        """What the run was, what it was made with, and what it took."""
        return self.path / "manifest.json"

    @property
    def history(self) -> Path:
        """The validations of a training."""
        return self.path / "history.csv"

    def moments_at(self, shift_um: float) -> Path:
        """Return where the moments lie of predictions at centres that are moved by ``shift_um``."""
        return self.path / _SHIFTED.replace("*", f"{shift_um:g}")

    def is_done(self) -> bool:
        """Say whether the run is complete: its marker is there, and all that it vouches for."""
        return self.marker.is_file() and self.fault() is None

    def fault(self, *, thorough: bool = False) -> str | None:
        """Say what is wrong with a run that has a marker, as one clause; None where all is right."""
        return fault_of(self.path, self.marker, thorough=thorough)

    def mark_done(self, digest: str) -> None:
        """Forget the checkpoints and write the marker, once the disk has all that it vouches for."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        for folder in (self.predictions, self.model, self.path, self.path.parent):
            sync_folder(folder)
        write_text(self.marker, done_text(self.path, digest))

    def undo(self) -> None:
        """Take the marker away: the run is to be done again.

        Raises
        ------
        StorageError
            When it cannot be removed.
        """
        with storing(self.marker):
            self.marker.unlink(missing_ok=True)
            sync_folder(self.path)

    def check(self, inputs: Sequence[Path] = ()) -> None:
        """Check that a run can be written here, before anything is computed; it is claimed later.

        Raises
        ------
        StorageError
            When it holds something else, is read by the run, or cannot be written.
        """
        check_folder(self.path, inputs=inputs, files=[self.settings.name, self.manifest.name])
        refuse_unless_free(self.path, self.settings.name, "run")

    def claim(self, digest: str, settings: Mapping[str, Any]) -> bool:
        """Make the folder that of the run with this hash; return False where the run is done already.

        Raises
        ------
        StorageError
            When it holds something else, or cannot be written.
        """
        text = yaml.safe_dump({"hash": digest, **settings}, sort_keys=False)
        if self.settings.exists():
            stated = self._hash() if self.name == digest else read_yaml(self.settings).get("hash")
            if stated != digest:
                if self.name != digest:
                    raise StorageError(
                        "the folder holds a run with other settings or data",
                        where=self.path,
                        remedy="give another folder, or delete this one",
                    )
                write_text(self.settings, text)  # damaged: a bench's folder of this name is of this run
            return not self.is_done()
        # What a kill or a full disk left of the settings is no reason to refuse, nor what another process
        # that begins this very run has put there by now: its settings come first.
        refuse_unless_free(self.path, self.settings.name, "run")
        with storing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.settings, text, keep=True)
        return True

    def _hash(self) -> str | None:
        """Return the hash that the settings state, None where they cannot be read."""
        with suppress(PrestigeError):
            stated = read_yaml(self.settings).get("hash")
            return None if stated is None else str(stated)
        return None

    def write(
        self,
        manifest: Manifest,
        scores: pd.DataFrame,
        moments: Moments,
        shifted: Mapping[float, Moments],
        history: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write all that a report reads, scores with the columns of :func:`identity`.

        Raises
        ------
        StorageError
            When something cannot be written.
        """
        with whole_file(self.scores) as partial:
            scores.assign(**identity(manifest)).to_parquet(partial, index=False)
        moments.save(self.moments)
        for shift_um, of_shift in shifted.items():
            of_shift.save(self.moments_at(shift_um))
        with whole_file(self.history) as partial:
            pd.DataFrame(history, columns=list(HISTORY)).to_csv(partial, index=False)
        write_text(self.manifest, json_text(manifest, SCHEMA))

    def read_scores(self) -> pd.DataFrame:
        """Read the scores.

        Raises
        ------
        DataError
            When the file is missing or broken, or columns are missing or of another kind.
        """
        expected = "the scores of a run"
        with reading(plain_file(self.scores, expected=expected), expected=expected):
            scores = pd.read_parquet(self.scores)
            if not (absent := _SCORES - set(scores.columns)):
                scores["value"] = scores["value"].astype(float)
        if absent:
            raise DataError(f"lacks the columns {', '.join(sorted(absent))}", where=self.scores)
        return scores

    def read_history(self) -> pd.DataFrame:
        """Read the validations of a training; empty for what is not trained.

        Raises
        ------
        DataError
            When the file is broken.
        """
        if not self.history.is_file() or self.history.stat().st_size == 0:
            return pd.DataFrame({name: pd.Series(dtype=float) for name in HISTORY})
        with reading(self.history, expected="the validations of a training"):
            table = pd.read_csv(self.history).reindex(columns=list(HISTORY))
            table[list(HISTORY[1:])].astype(float)  # or it is no table of ours
        return table

    def read_shifted(self) -> dict[float, Moments]:
        """Return the moments at moved centres by shift in um; empty where none were asked for.

        Raises
        ------
        StorageError
            When a file is broken.
        """
        start, end = _SHIFTED.split("*")
        paths: dict[float, Path] = {}
        for path in self.path.glob(_SHIFTED):
            with suppress(ValueError):  # a file of somebody's own
                paths[float(path.name[len(start) : -len(end)])] = path
        return {shift_um: Moments.load(paths[shift_um]) for shift_um in sorted(paths)}

    def progress(self) -> str:
        """Return how far a run is that is not done."""
        with suppress(PrestigeError, ValueError, IndexError):  # IndexError: it has not begun to train
            last = self.read_history().iloc[-1]
            return f"not finished: {last['phase']} at step {int(last['step'])}"
        return "not finished"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its manifest, tidy scores, training history, and sums per spatial block and gene."""

    folder: RunFolder
    manifest: Manifest
    scores: pd.DataFrame
    history: pd.DataFrame
    moments: Moments

    @property
    def configuration(self) -> Configuration:
        """The point of the grid that this run trained."""
        return self.manifest.configuration

    @property
    def fold(self) -> int:
        """Index of the fold."""
        return self.manifest.fold

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.manifest.seed


@dataclass(frozen=True)
class Missing:
    """A run that a report has to do without."""

    folder: str
    reason: str


def read_run(path: Path) -> Run | Missing:
    """Read one run folder, or say why it cannot be used."""
    folder = RunFolder(path)
    if not path.is_dir():
        return Missing(folder.name, "not started")
    if not folder.marker.is_file():
        return Missing(folder.name, folder.progress())
    if (fault := folder.fault(thorough=True)) is not None:
        return Missing(folder.name, f"cannot be read: {fault}; {_MENDED}")
    try:
        manifest, scores = read_manifest(folder.manifest), folder.read_scores()
        return Run(folder, manifest, scores, folder.read_history(), Moments.load(folder.moments))
    except PrestigeError as error:
        return Missing(folder.name, f"cannot be read: {error}")


def identity(manifest: Manifest) -> dict[str, Any]:
    """Return the columns that say of each score what was scored, what it cost, on which fold and seed."""
    columns = (
        "encoder", "variant", "baseline", "pretrained", "parameters", "flops",
        "patch_um", "input_px", "visible_um", "fold", "seed",
    )  # fmt: skip
    words = manifest.configuration.variant or None
    return {name: words if name == "variant" else getattr(manifest, name) for name in columns}


def refuse_unless_free(folder: Path, settings: str, kind: str) -> None:
    """Refuse a folder unless it is, or may become, that of a run or bench with settings of this name.

    Raises
    ------
    StorageError
        When it holds other files.
    """
    with storing(folder):
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = [name for name in names if not (name.startswith(settings) or is_passed_over(name))]
    if settings not in names and others:
        raise StorageError(
            f"the folder is not empty and holds no {kind}", where=folder, remedy="give another folder"
        )
