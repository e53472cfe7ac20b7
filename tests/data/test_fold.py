"""Folds: made together with their audit, and prepared from the training side alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from prestige.config import BenchConfig
from prestige.data.dataset import Dataset
from prestige.data.fold import audited_folds, prepare_fold, widest_um
from prestige.data.panel import PanelConfig
from prestige.data.patches.reader import PatchConfig
from prestige.data.split.folds import SplitConfig, make_folds
from prestige.data.split.sides import TEST, TRAIN, VALIDATION
from prestige.errors import ConfigError, DataError, SplitError

from ..small_run import RUN, settings

SPLIT = SplitConfig.model_validate({"by": "patient", "folds": 4, "buffer_um": 16})


def same_image(small_samples) -> tuple:
    """Give the second patient the image of the first."""
    twin = dataclasses.replace(small_samples[1], slide=small_samples[0].slide)
    return (small_samples[0], twin, *small_samples[2:])


def sided(samples, fold) -> tuple[int, int]:
    """Return the sides of the first two patients."""
    one, two = (int(fold.sides[sample.id].max()) for sample in samples[:2])
    return one, two


def test_the_widest_patch_is_found_in_um_whatever_it_was_written_in(small_samples) -> None:
    patches = [PatchConfig(patch_um=10.0), PatchConfig(patch_px=24), PatchConfig(patch_um=8.0, input_px=64)]
    assert widest_um(patches, small_samples) == 12.0  # 24 px of 0.5 um
    coarse = dataclasses.replace(
        small_samples[0], slide=dataclasses.replace(small_samples[0].slide, um_per_px=1.0)
    )
    with pytest.raises(ConfigError, match="patch_px"):
        widest_um(patches, [coarse, *small_samples[1:]])


def test_every_fold_is_made_and_audited(small_samples) -> None:
    folds, audit = audited_folds(small_samples, SPLIT, largest_patch_um=8.0)
    assert [fold.index for fold in folds] == [0, 1, 2, 3]
    assert len(audit.distances) == 4
    for fold, other in zip(folds, make_folds(small_samples, SPLIT, largest_patch_um=8.0), strict=True):
        assert (fold.name, fold.dropped) == (other.name, other.dropped)
        for sample in small_samples:
            np.testing.assert_array_equal(fold.sides[sample.id], other.sides[sample.id])


def test_of_one_fold_only_its_own_leaks_are_told(small_samples) -> None:
    samples = same_image(small_samples)
    apart = [sided(samples, fold) for fold in make_folds(samples, SPLIT, largest_patch_um=8.0)]
    leaking = [index for index, (one, two) in enumerate(apart) if one != two]
    sound = [index for index, (one, two) in enumerate(apart) if one == two]
    assert leaking
    assert sound
    for index in range(4):
        (fold,), audit = audited_folds(samples, SPLIT, largest_patch_um=8.0, only=index)
        assert fold.index == index
        assert len(audit.distances) == 1
        assert [found.name for found in audit.errors] == (["same_image"] if index in leaking else [])
    _, audit = audited_folds(samples, SPLIT, largest_patch_um=8.0)
    assert [found.name for found in audit.errors] == ["same_image"]
    with pytest.raises(SplitError, match="very same image"):
        audit.settle()  # left to the caller, who may want to show it instead


def test_a_fold_that_is_not_there_and_a_buffer_too_narrow_are_told(small_samples) -> None:
    split = SPLIT.model_copy(update={"run_folds": (1, 3)})
    with pytest.raises(ConfigError, match=r"run\.yaml: there is no fold 2; expected one of 1, 3"):
        audited_folds(small_samples, split, largest_patch_um=8.0, only=2, where=Path("run.yaml"))
    with pytest.raises(SplitError, match="buffer"):
        audited_folds(small_samples, SPLIT, largest_patch_um=17.0)


def test_sides_hold_the_right_rows_and_their_expression(small_samples) -> None:
    config = settings(fold=1)
    (fold,), _ = audited_folds(small_samples, config.split, largest_patch_um=8.0, only=1)
    data = prepare_fold(Dataset("small", small_samples), fold, config.panel)
    sides = {
        TRAIN: (data.train, data.train_y),
        VALIDATION: (data.validation, data.validation_y),
        TEST: (data.test, data.test_y),
    }
    for side, (observations, y) in sides.items():
        assert len(observations) == len(y) == fold.count(side) > 0
        for place in range(0, len(y), 29):
            sample = small_samples[observations.slide_index[place]]
            row = observations.row[place]
            assert fold.sides[sample.id][row] == side
            np.testing.assert_array_equal(observations.xy_px[place], sample.xy_px[row])
            counts = sample.counts[row].toarray().ravel()
            wanted = np.log1p(counts / counts.sum() * data.panel.total)
            np.testing.assert_allclose(y[place], wanted, rtol=1e-5)
    np.testing.assert_allclose(data.panel.train_mean, data.train_y.mean(axis=0), rtol=1e-5)


def test_nothing_of_the_other_sides_enters_what_is_fitted(small_samples) -> None:
    """Other counts on validation and test side leave the panel and the training side as they were."""
    config = BenchConfig.model_validate(
        {
            **{key: RUN[key] for key in ("dataset", "split", "train")},
            "name": "small",
            "patches": [RUN["patch"]],
            "encoders": ["compact_xs"],
            "panel": {"genes": "most_variable", "n": 2},
        }
    )
    folds, _ = audited_folds(small_samples, config.split, largest_patch_um=8.0)
    changed = []
    for sample in small_samples:
        counts = sample.counts.toarray()
        elsewhere = folds[0].sides[sample.id] != TRAIN
        counts[elsewhere] = np.random.default_rng(1).poisson([1, 1, 1, 90], (elsewhere.sum(), 4))
        changed.append(dataclasses.replace(sample, counts=csr_matrix(counts)))
    one = prepare_fold(Dataset("small", small_samples), folds[0], config.panel)
    two = prepare_fold(Dataset("small", tuple(changed)), folds[0], config.panel)
    assert one.panel.genes == two.panel.genes
    assert sorted(one.panel.genes) == ["G0", "G1"]  # they follow the image
    assert one.panel.total == two.panel.total
    np.testing.assert_array_equal(one.panel.train_mean, two.panel.train_mean)
    np.testing.assert_array_equal(one.panel.train_std, two.panel.train_std)
    np.testing.assert_array_equal(one.train_y, two.train_y)
    assert not np.array_equal(one.test_y, two.test_y)


def test_a_panel_of_which_nothing_varies_is_named(small_samples) -> None:
    ones = [
        dataclasses.replace(
            sample,
            counts=csr_matrix(np.ones(sample.counts.shape, np.float32)),
            obs=sample.obs.assign(total_counts=float(sample.counts.shape[1])),
        )
        for sample in small_samples
    ]
    folds = make_folds(ones, SPLIT, largest_patch_um=8.0)
    with pytest.raises(DataError, match=r"every gene of the panel is constant on the training side: \w+, "):
        prepare_fold(Dataset("d", tuple(ones)), folds[0], PanelConfig())
