"""What is refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from prestige.baselines.checks import check_own_patch, check_weights, why_not
from prestige.baselines.settings import HEST_PATCH, BaselineConfig
from prestige.data.patches.reader import resolve_patch
from prestige.data.sample import Sample
from prestige.data.slides.slide import Slide
from prestige.data.split.folds import TEST, TRAIN, UNUSED, VALIDATION, Fold
from prestige.errors import ConfigError, ModelError
from prestige.models.settings import ModelConfig

HEST = BaselineConfig(name="hest")


def sample(side: int, um_per_px: float) -> Sample:
    pixels = np.zeros((side, side + 40, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    return Sample(
        id="S",
        patient="P",
        slide=Slide(pixels, um_per_px, False, "x"),
        obs=pd.DataFrame({"measured": [True], "total_counts": [1.0]}, index=["cell"]),
        xy_px=np.full((1, 2), 5.0),
        counts=csr_matrix(np.ones((1, 1), np.float32)),
        genes=("G",),
        covariates={},
        source="prepared",
        fingerprint="f",
    )


def check(samples: list[Sample], buffer_um: float, config: BaselineConfig = HEST) -> None:
    patch = resolve_patch(HEST_PATCH, [one.um_per_px for one in samples])
    check_own_patch(config, patch, samples, buffer_um=buffer_um)


def test_a_patch_of_its_own_keeps_the_distance_and_fits_the_image() -> None:
    check([sample(224, 0.5)], 112.0)
    with pytest.raises(ConfigError, match="buffer_um: 112 or more"):
        check([sample(224, 0.5)], 111.0)
    # 112 um are 264 whole pixels of 0.425 um: a little more than 112 um.
    with pytest.raises(ConfigError, match="buffer_um: 113 or more"):
        check([sample(300, 0.5), sample(300, 0.425)], 112.0)
    with pytest.raises(ConfigError, match=r"larger than the image of sample S \(263 x 223 px\)"):
        check([sample(223, 0.5)], 112.0)
    check([sample(10, 0.5)], 0.0, BaselineConfig(name="ridge"))  # of the grid's patches the split takes care


def test_weights_are_tried_once_and_leave_torchs_state_alone(weights: Path, monkeypatch) -> None:
    tried = []
    freeze = "prestige.baselines.checks.freeze"
    plain = ModelConfig(encoder="compact_xs")
    mine = ModelConfig(encoder="compact_xs", checkpoint=weights)
    before = torch.random.get_rng_state()
    check_weights([(plain, 16), (mine, 16)])
    assert torch.equal(torch.random.get_rng_state(), before)
    monkeypatch.setattr(
        freeze, lambda model, **settings: tried.append((model.checkpoint, settings["input_px"]))
    )
    check_weights([(plain, 16), (mine, 24), (mine, 16), (plain, 24)])
    assert tried == [(weights, 24)]


def test_weights_that_cannot_be_had_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be had"):
        check_weights([(ModelConfig(encoder="resnet18", pretrained=True), 32)])
    with pytest.raises(ModelError, match="no such file"):
        check_weights([(ModelConfig(encoder="compact_xs", checkpoint=tmp_path / "x.safetensors"), 16)])


def test_places_say_nothing_across_slides() -> None:
    sides = {"A": np.array([TRAIN, TEST, UNUSED], np.int8), "B": np.array([TRAIN, VALIDATION], np.int8)}
    fold = Fold(0, "fold", sides, {})
    places = BaselineConfig(name="coordinates")
    assert why_not(places, fold) is None
    bare = {f"C{i}": np.array([TEST, VALIDATION], np.int8) for i in range(7)}
    reason = why_not(places, replace(fold, sides=sides | bare))
    assert reason is not None
    assert "C0, C1, C2, C3, C4 and 2 more" in reason
    assert why_not(BaselineConfig(name="mean"), replace(fold, sides=bare)) is None
    assert why_not(None, replace(fold, sides=bare)) is None
