"""A run and a bench as settings: composed of the parts' own, read from yaml, hashed.  No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_serializer, model_validator

from prestige.baselines.settings import BaselineConfig
from prestige.biology.settings import BiologyConfig
from prestige.data.panel import PanelConfig, wanted_genes
from prestige.data.patches.reader import PatchConfig
from prestige.data.spec import Title
from prestige.data.split.folds import SplitConfig
from prestige.errors import ConfigError
from prestige.genesets.settings import GeneSetConfig
from prestige.inputs import plain_file
from prestige.models.settings import ModelConfig
from prestige.settings import Settings, build, read_yaml, resolve_path
from prestige.training.schedule import OLD_NAMES, TrainConfig

RESULT_VERSION = 5
"""Raised whenever the same settings would give other numbers: old run folders then count as other runs."""


class EvaluationConfig(Settings):
    """How predictions are scored.

    Attributes
    ----------
    block_um
        Intervals resample square blocks this wide.
    shifts_um
        Distances by which all centres of a section are moved, to see what an error of registration does to
        the scores and to the answer; a part of the test side is predicted again at each.
    margin
        How far below the best score a configuration may lie and still count as not worse: the report's answer
        and its recommendation follow it, and no run does.  Left out: 0.01, or what a phantom says of itself.
    """

    block_um: float = Field(default=500.0, gt=0)
    shifts_um: tuple[Annotated[float, Field(gt=0)], ...] = ()
    margin: float | None = Field(default=None, ge=0)

    @model_serializer(mode="wrap")
    def _as_before(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave the margin out where there is none: hashes and files stay those of older runs."""
        plain = handler(self)
        return {key: value for key, value in plain.items() if key != "margin" or value is not None}


class RunConfig(Settings):
    """One configuration on one fold with one seed.

    ``largest_patch_um`` is the largest patch of the bench that the run belongs to: the same
    observations are left out at the image's edge, whatever this run's own patch.

    Examples
    --------
    >>> import prestige
    >>> config = prestige.read_run("run.yaml")
    >>> config.model_copy(update={"seed": 1}).seed
    1
    """

    dataset: Path
    split: SplitConfig
    panel: PanelConfig = PanelConfig()
    patch: PatchConfig
    model: ModelConfig | None = None
    baseline: BaselineConfig | None = None
    train: TrainConfig | None = None
    evaluation: EvaluationConfig = EvaluationConfig()
    fold: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)
    largest_patch_um: float | None = None

    @model_validator(mode="after")
    def _one_predictor(self) -> RunConfig:
        if (self.model is None) == (self.baseline is None):
            raise ValueError("give either `model` or `baseline`")
        fitted = self.baseline is not None and self.baseline.entry.fitted is not None
        if not fitted and self.train is None:
            raise ValueError("a `model` needs `train` with a budget, and so does the baseline `shuffled`")
        fixed = self.baseline.entry.patch if self.baseline is not None else None
        if fixed is not None and self.patch != fixed:
            wanted = f"{{patch_um: {fixed.patch_um:g}, input_px: {fixed.input_px}}}"
            raise ValueError(f"'{self.name}' has a patch of its own: write patch: {wanted}")
        rates = self.network.learning_rates if self.network is not None else None
        if rates is not None and (self.train is None or self.train.learning_rates != rates):
            raise ValueError(
                "a run tries the learning rates of `train`: write those of its model there alone"
            )
        return self

    @property
    def name(self) -> str:
        """The name that tables show: of the encoder, or of the baseline or diagnostic with its prefix."""
        if self.baseline is None:
            assert self.model is not None
            return self.model.encoder
        return self.baseline.name_in_tables

    @property
    def network(self) -> ModelConfig | None:
        """The network in it, trained or frozen; None for a baseline without one."""
        return self.baseline.model if self.baseline is not None else self.model


class BenchConfig(Settings):
    """The grid: every encoder and baseline at every patch, on the same folds with the same seeds.

    Examples
    --------
    >>> import prestige
    >>> config = prestige.read_bench("bench.yaml")
    >>> [run.patch.patch_um for run in config.runs(folds=[0], largest_patch_um=8.0)]
    [8.0, 8.0, 8.0]
    """

    name: Title
    dataset: Path
    split: SplitConfig
    panel: PanelConfig = PanelConfig()
    patches: tuple[PatchConfig, ...] = Field(min_length=1)
    encoders: tuple[ModelConfig, ...] = Field(min_length=1)
    baselines: tuple[BaselineConfig, ...] = (BaselineConfig(name="mean"), BaselineConfig(name="ridge"))
    diagnostics: tuple[BaselineConfig, ...] = ()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    train: TrainConfig
    evaluation: EvaluationConfig = EvaluationConfig()
    genesets: GeneSetConfig = GeneSetConfig()
    biology: BiologyConfig | None = None

    @model_validator(mode="after")
    def _no_duplicates(self) -> BenchConfig:
        for what, items in (("an encoder", self.encoders), ("a patch", self.patches), ("a seed", self.seeds)):
            if len({str(item) for item in items}) != len(items):
                raise ValueError(f"{what} stands twice in the grid")
        for key, wanted in (("baselines", False), ("diagnostics", True)):
            for one in getattr(self, key):
                if one.entry.diagnostic is not wanted:
                    other = "baselines" if wanted else "diagnostics"
                    raise ValueError(f"'{one.name}' stands under `{key}` and belongs under `{other}`")
        self._check_rates()
        labels = [baseline.label for baseline in (*self.baselines, *self.diagnostics)]
        if len(set(labels)) != len(labels):
            raise ValueError("a baseline stands twice in the grid, or two have one name")
        return self

    def _check_rates(self) -> None:
        """Refuse learning rates of its own to an entry that has no equal to be compared with."""
        for model in self.encoders:
            if model.learning_rates is None:
                continue
            if model.learning_rates == self.train.learning_rates:
                raise ValueError(
                    f"the learning rates of '{model.encoder}' are those of `train`: leave them out"
                )
            if model.model_copy(update={"learning_rates": None}) not in self.encoders:
                raise ValueError(
                    f"'{model.encoder}' with learning rates of its own is compared only with the same entry "
                    "without them, which the grid lacks: add it, or write the rates under `train` for all"
                )
            self._train_of(model)
        for one in self.baselines:
            if one.model is not None and one.model.learning_rates is not None:
                raise ValueError(f"'{one.name}' has no learning rates of its own: give them to an encoder")

    def _train_of(self, model: ModelConfig) -> TrainConfig:
        """Return how an entry of the grid is trained."""
        if model.learning_rates is None:
            return self.train
        return TrainConfig.model_validate({**dict(self.train), "learning_rates": model.learning_rates})

    def runs(self, folds: list[int], largest_patch_um: float) -> Iterator[RunConfig]:
        """Yield every run of the grid: fold by fold, baselines first, small patches before large."""
        shared = {
            "dataset": self.dataset,
            "split": self.split,
            "panel": self.panel,
            "evaluation": self.evaluation,
            "largest_patch_um": largest_patch_um,
        }
        for fold in folds:
            for baseline in (*self.baselines, *self.diagnostics):
                # The same start as the first of the networks that it stands beside.
                more: dict[str, Any] = {"seed": self.seeds[0]} if baseline.model is not None else {}
                if baseline.entry.fitted is None:
                    more["train"] = self.train
                for patch in baseline.patches(self.patches):
                    yield RunConfig(**shared, **more, fold=fold, patch=patch, baseline=baseline)
            for seed in self.seeds:
                for model in self.encoders:
                    for patch in self.patches:
                        train = self._train_of(model)
                        yield RunConfig(**shared, fold=fold, seed=seed, patch=patch, model=model, train=train)


def read_run(path: Path | str) -> RunConfig:
    """Read RUN.yaml; its paths are taken from the folder that it lies in.

    Raises
    ------
    ConfigError
        Listing every fault, an unknown key with the nearest one that exists.

    Examples
    --------
    >>> import prestige
    >>> prestige.read_run("run.yaml").patch.patch_um
    8.0
    """
    path = Path(path)
    config = build(RunConfig, read_yaml(path), where=path)
    return _resolved(config, path.parent)


def read_bench(path: Path | str) -> BenchConfig:
    """Read BENCH.yaml; its paths are taken from the folder that it lies in.

    Raises
    ------
    ConfigError
        Listing every fault, an unknown key with the nearest one that exists.

    Examples
    --------
    >>> import prestige
    >>> prestige.read_bench("bench.yaml").encoders[0].encoder
    'compact_xs'
    """
    path = Path(path)
    config = build(BenchConfig, read_yaml(path), where=path)
    config = _resolved(config, path.parent)
    models = tuple(_with_checkpoint(model, path.parent) for model in config.encoders)
    baselines = tuple(_with_own_checkpoint(one, path.parent) for one in config.baselines)
    judged = {"genesets": config.genesets.resolved(path.parent)}
    if config.biology is not None:
        judged["biology"] = config.biology.resolved(path.parent)
    return config.model_copy(update={"encoders": models, "baselines": baselines, **judged})


def run_hash(config: RunConfig, dataset_fingerprint: str) -> str:
    """Return 16 hexadecimal digits over all that determines the run's result, and no path."""
    left_out = {
        "dataset": True,
        "model": {"checkpoint"},
        "panel": {"genes"},
        "split": {"run_folds", "allow"},
        "evaluation": {"margin"},
    }
    raw = config.model_dump(mode="json", exclude=left_out)
    if config.train is not None:
        raw["train"].pop("checkpoint_seconds")
        raw["train"] |= {old: raw["train"].pop(new) for old, new in OLD_NAMES.items()}  # as it always was
    raw["genes"] = wanted_genes(config.panel) or config.panel.genes
    raw["data"] = dataset_fingerprint
    raw["result_version"] = RESULT_VERSION
    if config.baseline is not None and config.baseline.model is not None:
        raw["baseline"][config.baseline.name].pop("checkpoint")
    if config.network is not None and config.network.checkpoint is not None:
        raw["checkpoint"] = hashlib.sha256(config.network.checkpoint.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _resolved(config: Any, base: Path) -> Any:
    """Return a run's or bench's settings with every path absolute."""
    update: dict[str, Any] = {"dataset": resolve_path(config.dataset, base)}
    if isinstance(config.panel.genes, Path):
        genes = resolve_path(config.panel.genes, base)
        plain_file(genes, expected="a list of genes, one a line", kind=ConfigError)
        update["panel"] = config.panel.model_copy(update={"genes": genes})
    if getattr(config, "model", None) is not None:
        update["model"] = _with_checkpoint(config.model, base)
    if getattr(config, "baseline", None) is not None:
        update["baseline"] = _with_own_checkpoint(config.baseline, base)
    return config.model_copy(update=update)


def _with_own_checkpoint(baseline: BaselineConfig, base: Path) -> BaselineConfig:
    if baseline.model is None:
        return baseline
    return baseline.model_copy(update={"model": _with_checkpoint(baseline.model, base)})


def _with_checkpoint(model: ModelConfig, base: Path) -> ModelConfig:
    if model.checkpoint is None:
        return model
    path = resolve_path(model.checkpoint, base)
    plain_file(path, expected=f"the weights of {model.encoder}, as safetensors", kind=ConfigError)
    return model.model_copy(update={"checkpoint": path})
