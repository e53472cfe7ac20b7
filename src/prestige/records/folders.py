"""Read a bench folder (or one run folder) into what the report is made from.

Nothing is computed here.  A run that is not finished, or whose files cannot be read, becomes a
:class:`Missing` with its reason, so that a report can be written at any moment of a bench.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.errors import ConfigError, DataError, StorageError
from prestige.models.settings import RATES
from prestige.settings import read_yaml
from prestige.stats import Moments

BASELINE_PREFIX, DIAGNOSTIC_PREFIX = "baseline:", "diagnostic:"
MEAN_BASELINE = "baseline:mean"


@dataclass(frozen=True, order=True)
class Configuration:
    """One point of the grid: what was trained, and at which patch.

    ``visible_um`` is the width left visible of a patch whose rest was greyed out (the control of
    field of view against computing), infinite where the whole patch was seen.  ``patch_um`` is
    infinite for a baseline that looks at no patch.  ``variant`` says in words what sets it apart from
    others of the same encoder (another readout, dropout or start).  A ``diagnostic`` is a baseline that
    uses RNA of the test side: it has a score, and is compared with nothing.
    """

    pretrained: bool
    baseline: bool
    encoder: str
    patch_um: float
    input_px: int
    visible_um: float = math.inf
    variant: str = ""
    diagnostic: bool = False

    @property
    def control(self) -> bool:
        """Whether a part of the patch was greyed out."""
        return math.isfinite(self.visible_um)

    @property
    def own_rates(self) -> bool:
        """Whether other learning rates were tried than for the rest: not on equal terms with it."""
        return any(words.startswith(RATES) for words in self.variant.split(", "))

    @property
    def name(self) -> str:
        """The encoder's or baseline's name as a reader should see it."""
        if self.diagnostic:
            return f"{self.encoder.removeprefix(DIAGNOSTIC_PREFIX)} (diagnostic)"
        if self.baseline:
            short = self.encoder.removeprefix(BASELINE_PREFIX)
            return {"mean": "training mean"}.get(short, short)
        words = ", ".join(filter(None, ("pretrained" if self.pretrained else "", self.variant)))
        return f"{self.encoder} ({words})" if words else self.encoder

    @property
    def patch_label(self) -> str:
        """The patch as a reader should see it: ``64 um``, or ``32 of 64 um`` where greyed out."""
        if not math.isfinite(self.patch_um):
            return "no patch"
        width = f"{format_number(self.patch_um)} \N{MICRO SIGN}m"
        return f"{format_number(self.visible_um)} of {width}" if self.control else width

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Encoder at patch; the training mean looks at none."""
        blind = self.encoder == MEAN_BASELINE or not math.isfinite(self.patch_um)
        return self.name if blind else f"{self.name} at {self.patch_label}"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its manifest, tidy scores, training history, and sums per spatial block and gene."""

    folder: Path
    manifest: dict[str, Any]
    scores: pd.DataFrame
    history: pd.DataFrame
    moments: Moments

    @property
    def configuration(self) -> Configuration:
        """The point of the grid that this run trained."""
        get = self.manifest.get
        return Configuration(
            pretrained=bool(get("pretrained", False)),
            baseline=bool(get("baseline", False)),
            encoder=str(get("encoder")),
            patch_um=_width(get("patch_um")),
            input_px=int(get("input_px") or 0),
            visible_um=_width(get("visible_um")),
            variant=str(get("variant") or ""),
            diagnostic=bool(get("diagnostic", False)),
        )

    @property
    def fold(self) -> int:
        """Index of the fold."""
        return int(self.manifest.get("fold", 0))

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.manifest.get("seed", 0))


@dataclass(frozen=True)
class Missing:
    """A run that the report had to do without."""

    folder: str
    reason: str


@dataclass(frozen=True, eq=False)
class Bench:
    """All that is known about a bench (or about the single run standing for one)."""

    folder: Path
    info: dict[str, Any]
    runs: list[Run]
    missing: list[Missing]
    finished: bool
    single: bool
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The bench's name."""
        return str(self.info.get("name") or self.folder.name)

    @property
    def patients(self) -> list[str]:
        """Patients that were scored, in order of first appearance."""
        found: dict[str, None] = {}
        for run in self.runs:
            if "patient" in run.scores:
                found.update(dict.fromkeys(run.scores["patient"].astype(str)))
        return list(found)

    @property
    def samples(self) -> list[str]:
        """Samples that were scored, in order of first appearance."""
        found: dict[str, None] = {}
        for run in self.runs:
            found.update(dict.fromkeys(run.scores["sample"].astype(str)))
        return [name for name in found if name != "all"]


def asked_for(bench: Bench, part: str) -> dict[str, Any] | None:
    """Return what a bench's yaml says under one key, None where it says nothing or there is no yaml.

    Raises
    ------
    ConfigError
        When the file cannot be read, is no yaml mapping, or holds something else under the key.
    """
    path = bench.folder / "bench.yaml"
    if not path.is_file():
        return None
    stored = read_yaml(path).get(part)
    if stored is not None and not isinstance(stored, dict):
        raise ConfigError(f"`{part}` holds no settings", where=path, expected="a mapping of keys to values")
    return stored


def number(value: Any) -> float:
    """Return a float, NaN for None and what cannot be read as one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _width(value: Any) -> float:
    """Return a width, infinite where none was given."""
    width = number(value)
    return width if math.isfinite(width) else math.inf


def format_number(value: float) -> str:
    """Write a width with at most three significant digits and no trailing zeros."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def si(value: float) -> str:
    """Write a large number shortly: 1.2 M, 340 k."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"


def load_bench(folder: Path) -> Bench:
    """Read a bench folder, or a single run folder, finished or not.

    Raises
    ------
    DataError
        When the folder is neither.
    """
    folder = Path(folder)
    if (folder / "bench.json").is_file():
        return _load_grid(folder, _read_json(folder / "bench.json"), [])
    if (folder / "manifest.json").is_file():
        return _load_single(folder)
    if (folder / "runs").is_dir():
        note = "bench.json is missing: the data set, the split and the folds cannot be described."
        return _load_grid(folder, {"name": folder.name}, [note])
    raise DataError(
        "is neither a bench nor a run",
        where=folder,
        expected="bench.json, runs/ or manifest.json in it",
        remedy="give the folder that was passed to --out",
    )


def read_run(folder: Path, *, need_marker: bool = True) -> Run | Missing:
    """Read one run folder, or say why it cannot be used."""
    if not folder.is_dir():
        return Missing(folder.name, "not started")
    if need_marker and not (folder / "DONE").exists():
        return Missing(folder.name, _progress(folder))
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        scores = pd.read_parquet(folder / "scores.parquet")
        absent = {"sample", "level", "name", "metric", "value"} - set(scores.columns)
        if absent:
            return Missing(folder.name, f"scores.parquet lacks the columns {', '.join(sorted(absent))}")
        history, moments = _read_history(folder / "history.csv"), Moments.load(folder / "moments.npz")
        return Run(folder, manifest, scores, history, moments)
    except (OSError, ValueError, StorageError) as error:
        return Missing(folder.name, f"cannot be read: {' '.join(str(error).split())[:200]}")


def _load_grid(folder: Path, info: dict[str, Any], notes: list[str]) -> Bench:
    listed = [folder / str(entry["folder"]) for entry in info.get("runs", [])]
    begun = sorted(path for path in (folder / "runs").glob("*") if path.is_dir() and path not in listed)
    if "runs" not in info:
        listed = begun
    elif not info.get("finished", True):  # what the record does not know yet; of others' runs it never will
        listed += [path for path in begun if not (path / "DONE").exists()]
    read = [read_run(path) for path in listed]
    runs = [item for item in read if isinstance(item, Run)]
    missing = [item for item in read if isinstance(item, Missing)]
    finished = bool(info.get("finished", not missing)) and not missing
    return Bench(folder, info, runs, missing, finished, single=False, notes=notes)


def _load_single(folder: Path) -> Bench:
    read = read_run(folder)
    if isinstance(read, Missing):
        return Bench(folder, {"name": folder.name}, [], [read], finished=False, single=True)
    manifest = read.manifest
    fold = {
        "index": read.fold,
        "name": manifest.get("fold_name", ""),
        "counts": {side: manifest.get(f"n_{side}") for side in ("train", "validation", "test")},
    }
    info = {"name": f"{read.configuration.label}", "folds": [fold]}
    return Bench(folder, info, [read], [], finished=True, single=True)


def _progress(folder: Path) -> str:
    history = folder / "history.csv"
    if not history.is_file():
        return "not finished"
    try:
        last = _read_history(history).iloc[-1]
        return f"not finished: {last['phase']} at step {int(last['step'])}"
    except (OSError, ValueError, KeyError, IndexError):
        return "not finished"


def _read_history(path: Path) -> pd.DataFrame:
    columns = ["phase", "step", "seconds", "learning_rate", "train_loss", "validation_score"]
    if not path.is_file() or path.stat().st_size == 0:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    return pd.read_csv(path).reindex(columns=columns)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be read ({' '.join(str(error).split())})",
            where=path,
            expected="the record of a bench",
            remedy="run the bench again: finished runs are kept",
        ) from error
