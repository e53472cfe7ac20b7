"""A bench that was stored before the package was laid out anew, done again: the same numbers, byte for byte.

What is compared is what a result is: scores, moments and predictions of every kind of configuration.  Where
the processor or a library is another one than the stored bench's, last digits differ: values are compared.
What was trained differs by more than rounding there: the first steps of Adam are as long for a gradient
that is but rounding as for any other, so weights part by a learning rate.  Its floor is what that moves.
"""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info

from prestige.data.dataset import Dataset
from prestige.runs import bench as bench_module
from prestige.runs.bench import run_bench
from prestige.stats.moments import Moments

STORED = Path(__file__).resolve().parents[1] / "stored"
RUNS = sorted(path.name for path in (STORED / "bench" / "runs").iterdir())


@pytest.fixture(scope="module")
def again(small_samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored bench, done again by the code of today."""
    folder = tmp_path_factory.mktemp("again")
    shutil.copy(STORED / "bench.yaml", folder / "bench.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "read_dataset", lambda path: None)
        patch.setattr(bench_module, "open_dataset", lambda config: Dataset("small", small_samples))
        patch.setattr(bench_module, "write_report", lambda out: out)
        run_bench(folder / "bench.yaml", folder / "out", device="cpu")
    return folder / "out" / "runs"


def test_the_same_settings_and_data_have_the_same_hash(again: Path) -> None:
    assert sorted(path.name for path in again.iterdir()) == RUNS
    assert len(RUNS) == 8  # 4 baselines, a diagnostic, 3 encoders


@pytest.mark.parametrize("name", RUNS)
def test_scores_moments_and_predictions_are_the_same(again: Path, name: str) -> None:
    before, after = STORED / "bench" / "runs" / name, again / name
    files = ["scores.parquet", "moments.npz", "predictions/S2.h5ad", "moments-shift-2.npz"]
    assert {path.name for path in before.iterdir()} <= {path.name for path in after.iterdir()}
    if _arithmetic() == json.loads((STORED / "arithmetic.json").read_text()):
        assert [file for file in files if (before / file).read_bytes() != (after / file).read_bytes()] == []
    trained = len(pd.read_csv(before / "history.csv")) > 0
    floor = 0.05 if trained else 1e-5
    pd.testing.assert_frame_equal(
        pd.read_parquet(before / files[0]), pd.read_parquet(after / files[0]), rtol=1e-5, atol=floor
    )
    for file in (files[1], files[3]):
        one, two = Moments.load(before / file), Moments.load(after / file)
        np.testing.assert_array_equal(one.n, two.n)
        n = one.n[:, None]
        np.testing.assert_allclose(one.sum_p / n, two.sum_p / n, rtol=1e-5, atol=floor)
    one, two = ad.read_h5ad(before / files[2]), ad.read_h5ad(after / files[2])
    np.testing.assert_allclose(one.X, two.X, rtol=1e-5, atol=floor)
    assert list(one.obs_names) == list(two.obs_names)


def _arithmetic() -> dict[str, str]:
    """Return what decides last digits and file formats: the processor, its kernels, the libraries."""
    info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    processor = {key.strip(): value.strip() for key, value in info.items()}
    found = {key: processor.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping", "flags")}
    names = ("torch", "numpy", "scipy", "pandas", "anndata", "h5py", "pyarrow", "scikit-learn", "numba")
    found |= {name: metadata.version(name) for name in names}
    blas = sorted(
        {str(one["architecture"]) for one in threadpool_info() if one["internal_api"] == "openblas"}
    )
    found |= {"blas": ", ".join(blas), "torch kernels": torch.backends.cpu.get_cpu_capability()}
    return found


if __name__ == "__main__":  # on the machine that makes a stored bench
    print(json.dumps(_arithmetic(), indent=1))
