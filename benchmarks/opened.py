"""The first fold of a bench, opened, for scripts that train without the rest of a bench."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prestige.config import BenchConfig, read_bench
from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.fold import FoldData, prepare_fold
from prestige.data.patches.reader import PatchConfig, PatchReader, resolve_patch
from prestige.data.slides.slide import Slide
from prestige.data.split.folds import make_folds
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.training.batches import TrainData


@dataclass(frozen=True, eq=False)
class Bench:
    """One fold of a bench, opened."""

    config: BenchConfig
    slides: list[Slide]
    um_per_px: list[float]
    data: FoldData

    def train_data(self, patch_px: int) -> tuple[TrainData, int]:
        """Return what a training at this patch width sees, and the width of its input."""
        patch = resolve_patch(PatchConfig(patch_px=patch_px), self.um_per_px)
        data = self.data
        sides = TrainData(
            PatchReader(self.slides, patch), data.train, data.train_y, data.validation, data.validation_y
        )
        return sides, patch.input_px

    def fresh(self, encoder: str, input_px: int) -> Predictor:
        """Return a predictor that was not trained."""
        panel = self.data.panel
        return build_predictor(
            ModelConfig(encoder=encoder),
            input_px=input_px,
            train_mean=panel.train_mean,
            train_std=panel.train_std,
            seed=0,
        )


def open_bench(path: Path) -> Bench:
    """Open the first fold of a bench's yaml."""
    config = read_bench(path)
    dataset = open_dataset(read_dataset(config.dataset))
    um_per_px = [sample.um_per_px for sample in dataset.samples]
    largest = max(resolve_patch(patch, um_per_px).patch_um for patch in config.patches)
    fold = make_folds(dataset.samples, config.split, largest_patch_um=largest)[0]
    slides = [sample.slide for sample in dataset.samples]
    return Bench(config, slides, um_per_px, prepare_fold(dataset, fold, config.panel))
