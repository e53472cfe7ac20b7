"""Prepared folders: what is written comes back, also elsewhere and without the platforms' libraries."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.card import fault_in
from prestige.data.dataset import open_sample
from prestige.data.prepared import Card, read_prepared, write_prepared
from prestige.data.sample import Table
from prestige.data.spec import SampleSpec
from prestige.errors import ConfigError, DataError

CARD = Card("hest", "f" * 24, "e" * 24, 0.5, False)


def write(folder: Path, *, n: int = 5, seed: int = 0, notes: tuple[str, ...] = ("a note",)) -> Table:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    np.save(folder / "slide.npy", rng.integers(0, 255, (8, 9, 3), dtype=np.uint8))
    measured = np.arange(n) % 2 == 0
    counts = np.where(measured[:, None], rng.poisson(1.0, (n, 3)), 0).astype(np.float32)
    obs = pd.DataFrame(
        {
            "measured": measured,
            "total_counts": counts.sum(axis=1).astype(float) + 1,
            "group": rng.integers(0, 3, n),
            "kind": pd.Categorical(["x", "y"][i % 2] for i in range(n)),
            "name": [f"n{i}" for i in range(n)],
        },
        index=[f"c{i}" for i in range(n)],
    )
    table = Table(obs, rng.uniform(0, 7, (n, 2)), csr_matrix(counts), ("A", "B", "C"), notes)
    write_prepared(folder, table, CARD)
    return table


@settings(max_examples=12)
@given(st.integers(1, 20), st.integers(0, 1000))
def test_a_round_trip(tmp_path_factory: pytest.TempPathFactory, n: int, seed: int) -> None:
    folder = tmp_path_factory.mktemp("prepared") / "s"
    table = write(folder, n=n, seed=seed)
    back = read_prepared(folder)
    assert fault_in(folder) is None
    assert back.card == CARD
    pd.testing.assert_frame_equal(back.table.obs, table.obs, check_categorical=False)
    np.testing.assert_array_equal(back.table.xy_px, table.xy_px)
    np.testing.assert_array_equal(back.table.counts.toarray(), table.counts.toarray())
    assert (back.table.genes, back.table.notes) == (table.genes, table.notes)
    np.testing.assert_array_equal(back.pixels, np.load(folder / "slide.npy"))


def spec(path: Path, **more: object) -> SampleSpec:
    return SampleSpec.model_validate({"id": "S", "source": "prepared", "path": path, "patient": "P", **more})


def test_a_copy_elsewhere_is_the_same_sample(tmp_path: Path) -> None:
    write(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    one, two = open_sample(spec(tmp_path / "here")), open_sample(spec(tmp_path / "there"))
    assert one.fingerprint == two.fingerprint
    assert one.notes == ("a note",)
    assert open_sample(spec(tmp_path / "there", um_per_px=0.6)).fingerprint != one.fingerprint
    assert open_sample(spec(tmp_path / "there", patient="Q")).fingerprint != one.fingerprint
    with pytest.raises(ConfigError, match=r"'table' has no meaning"):
        open_sample(spec(tmp_path / "there", table="t"))


def test_no_platform_library_is_needed(tmp_path: Path) -> None:
    write(tmp_path / "s")
    script = (
        "import sys\n"
        "for name in ('spatialdata', 'tifffile', 'imagecodecs', 'torch', 'dask', 'skimage', 'sklearn'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from prestige.data.dataset import SampleSpec, open_sample\n"
        "s = open_sample(SampleSpec(id='S', source='prepared', path=Path(sys.argv[1]), patient='P'))\n"
        "assert s.n_obs == 5, s.n_obs\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["slide.npy", "table.h5ad", "sample.json"])
def test_a_folder_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "s"
    write(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert fault_in(folder) is not None
    with pytest.raises(DataError, match=name):
        open_sample(spec(folder))
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"the file '{name}' is missing"):
        open_sample(spec(folder))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder"):
        read_prepared(tmp_path / "nothing")
    write(tmp_path / "s")
    card = json.loads((tmp_path / "s" / "sample.json").read_text())
    (tmp_path / "s" / "sample.json").write_text(json.dumps({**card, "schema": "prestige.sample/9"}))
    with pytest.raises(DataError, match=r"schema is 'prestige.sample/9'; expected prestige.sample/1; update"):
        read_prepared(tmp_path / "s")
    del card["notes"]
    (tmp_path / "s" / "sample.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"the key 'notes' is missing"):
        read_prepared(tmp_path / "s")


def test_no_pixel_size_and_faults_are_told_together(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    table = write(folder)
    table.xy_px[0, 0] = 100.0
    write_prepared(folder, table, Card("hest", "f", "e", None, False))
    with pytest.raises(DataError) as caught:
        open_sample(spec(folder))
    assert "2 faults:" in str(caught.value)
    assert "outside the image of 9 x 8 px: 1 (c0)" in str(caught.value)
    assert "no pixel size" in str(caught.value)


def test_totals_below_the_counts_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    write(folder)
    with h5py.File(folder / "table.h5ad", "a") as file:
        file["obs/total_counts"][...] = 0
    with pytest.raises(DataError, match=r"obs\['total_counts'\] is below the sum of the counts in "):
        read_prepared(folder)
