"""Every shipped example can be read, and every encoder in it can be built at every patch of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.config import BenchConfig, read_bench
from prestige.data.dataset import read_dataset
from prestige.data.sources import SOURCES

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BENCHES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))
DATASETS = sorted(path.name for path in (EXAMPLES / "datasets").glob("*.yaml"))
UM_PER_PX = {
    "her2st": 0.688,
    "kidney": 2.005,
    "mouse_olfactory_bulb": 4.36,
    "pancreas": 0.425,
    "phantom": 0.5,
}


@pytest.fixture(autouse=True)
def _defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRESTIGE_DATA", "PRESTIGE_PANCREAS", "PRESTIGE_PHANTOM"):
        monkeypatch.delenv(name, raising=False)


def test_the_three_examples_are_there() -> None:
    assert {"kidney.yaml", "pancreas.yaml", "phantom.yaml"} <= set(BENCHES)


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_can_be_read(name: str) -> None:
    dataset = read_dataset(EXAMPLES / "datasets" / name)
    assert all(sample.source in SOURCES for sample in dataset.samples)
    assert all(sample.path.is_absolute() for sample in dataset.samples)


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_makes_its_grid(name: str) -> None:
    config = read_bench(EXAMPLES / name)
    runs = list(config.runs([0], largest_patch_um=1.0))
    grid = {(run.name, run.patch) for run in runs if run.model is not None}
    assert len(grid) == len(config.encoders) * len(config.patches)
    assert "baseline:mean" in {run.name for run in runs}
    if config.dataset.parent == EXAMPLES / "datasets":
        assert config.dataset.is_file()


def patches_of(config: BenchConfig, um_per_px: float) -> list[tuple[float, int]]:
    """Return (width in um, width in network pixels) of each patch, worked out apart from the package."""
    found = []
    for patch in config.patches:
        width_um = patch.patch_um if patch.patch_um is not None else (patch.patch_px or 0) * um_per_px
        found.append((width_um, patch.input_px or round(width_um / um_per_px)))
    return found


@pytest.mark.parametrize("name", BENCHES)
def test_the_buffer_holds_the_largest_patch(name: str) -> None:
    config = read_bench(EXAMPLES / name)
    largest = max(width_um for width_um, _ in patches_of(config, UM_PER_PX[config.name]))
    assert config.split.buffer_um >= largest


@pytest.mark.parametrize("name", BENCHES)
def test_every_encoder_is_built_at_every_patch(name: str) -> None:
    from prestige.data.patches.reader import resolve_patch
    from prestige.models.encoders import build_encoder

    config = read_bench(EXAMPLES / name)
    um_per_px = UM_PER_PX[config.name]
    expected = patches_of(config, um_per_px)
    for patch, (width_um, input_px) in zip(config.patches, expected, strict=True):
        resolved = resolve_patch(patch, [um_per_px])
        assert resolved.patch_um == pytest.approx(width_um)
        assert resolved.input_px == input_px
        for model in config.encoders:
            encoder = build_encoder(model.encoder, input_px=input_px)
            assert encoder.centre_dim > 0
            assert encoder.whole_dim > 0
