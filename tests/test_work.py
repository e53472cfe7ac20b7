"""How much work a bench does, counted: chunks decoded, bytes hashed, bytes of patches cropped.

Seconds differ from machine to machine; what is read twice, or cropped for nothing, is caught on any.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from prestige.data import cache
from prestige.data.patches import crop as crop_module
from prestige.data.patches.reader import width_px
from prestige.data.phantom import PhantomConfig, write_phantom
from prestige.runs.bench import run_bench
from prestige.runs.staining import WIDTH_UM

UM_PER_PX, STEPS, BATCH, VALIDATIONS, MOST_VALIDATED = 0.5, 6, 16, 2, 40
WIDTHS = (16, 24)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "phantom"
    config = PhantomConfig(size_px=160, um_per_px=UM_PER_PX, widths_um=(8.0, 12.0), radius_um=4.0, patients=5)
    write_phantom(config, folder)
    return folder


@pytest.fixture
def bench(phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    raw = {
        "name": "counted",
        "dataset": str(phantom / "dataset.yaml"),
        "split": {"by": "patient", "folds": 5, "run_folds": [0], "buffer_um": 12},
        "patches": [{"patch_px": width} for width in WIDTHS],
        "encoders": ["compact_xs", "compact_s"],
        "baselines": ["mean"],
        "train": {
            "budget": {"steps": STEPS},
            "batch_size": BATCH,
            "learning_rates": [2e-3],
            "validations": VALIDATIONS,
            "validation_observations": MOST_VALIDATED,
            "precision": "32-true",
        },
        "evaluation": {"block_um": 20},
    }
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture
def cropped(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Count the windows that are cropped, by their width in pixels."""
    counted: Counter[int] = Counter()
    original = crop_module.crop

    def counting(pixels: np.ndarray, windows: np.ndarray, size: int, batch: np.ndarray) -> None:
        counted[size] += len(windows)
        original(pixels, windows, size, batch)

    monkeypatch.setattr(crop_module, "crop", counting)
    return counted


@pytest.fixture
def chunks_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the chunks of images that are read from stores."""
    from prestige.data.stores.checked_store import CheckedStore

    counted: Counter[str] = Counter()
    original = CheckedStore.get

    async def get(self: CheckedStore, key: str, *given: Any, **named: Any) -> Any:
        if "/c/" in f"/{key}" or key.rsplit("/", 1)[-1].replace(".", "").isdigit():
            counted[f"{self.root}/{key}"] += 1
        return await original(self, key, *given, **named)

    monkeypatch.setattr(CheckedStore, "get", get)
    return counted


def test_each_chunk_of_an_image_is_decoded_once_however_many_runs(
    bench: Path, tmp_path: Path, chunks_read: Counter[str]
) -> None:
    run_bench(bench, tmp_path / "out", device="cpu")
    images = {key: times for key, times in chunks_read.items() if "HE_original" in key}
    assert len(images) >= 5  # a section a patient
    assert set(images.values()) == {1}


def test_a_second_bench_decodes_and_hashes_nothing(
    bench: Path, tmp_path: Path, chunks_read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_bench(bench, tmp_path / "out", device="cpu")
    chunks_read.clear()
    hashed: list[Path] = []
    monkeypatch.setattr(cache, "_hash_files", lambda root, *_: hashed.append(root))
    run_bench(bench, tmp_path / "again", device="cpu")
    assert hashed == []
    assert not [key for key in chunks_read if "HE_original" in key]


def test_patches_are_cropped_for_what_is_seen_and_for_nothing_else(
    bench: Path, tmp_path: Path, cropped: Counter[int]
) -> None:
    run_bench(bench, tmp_path / "out", device="cpu")
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("runs/*/manifest.json")]
    trained = [one for one in manifests if not one["baseline"]]
    assert len(trained) == 4
    expected: Counter[int] = Counter()
    for one in trained:
        validated = min(one["n_validation"], MOST_VALIDATED) * VALIDATIONS
        expected[one["patch_px"]] += STEPS * BATCH + validated + one["n_test"]
    stains = width_px(WIDTH_UM, UM_PER_PX)
    expected[stains] += trained[0]["n_test"]  # the stain around each observation, once a fold
    assert cropped == expected


def test_what_is_done_is_not_cropped_again(bench: Path, tmp_path: Path, cropped: Counter[int]) -> None:
    run_bench(bench, tmp_path / "out", device="cpu")
    cropped.clear()
    run_bench(bench, tmp_path / "out", device="cpu")
    assert set(cropped) <= {width_px(WIDTH_UM, UM_PER_PX)}  # only the truth is written anew
