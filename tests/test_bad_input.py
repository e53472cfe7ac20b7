"""Bad input of every kind at the command line: one line with what, where and the remedy, and nothing left."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

from prestige.cli import app
from prestige.compute.partials import is_partial

N, SIDE = 60, 128
GENES = ("EPCAM", "PTPRC", "ACTA2", "CD3E")
RUN = {
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 2, "buffer_um": 8, "block_um": 16},
    "patch": {"patch_um": 8},
    "model": {"encoder": "compact_xs"},
    "train": {"budget": {"steps": 2}, "batch_size": 8, "precision": "32-true", "learning_rates": [0.001]},
    "evaluation": {"block_um": 20},
}
READS_DATA = ("inspect", "train", "bench", "predict")
TRAINS = ("train", "bench")


def _pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)


@dataclass
class Tissue:
    """One sample in the layout of HEST-1k, sound until a test changes a part."""

    image: np.ndarray = field(default_factory=_pixels)
    xy: np.ndarray = field(default_factory=lambda: np.random.default_rng(1).uniform(2, SIDE - 3, (N, 2)))
    counts: np.ndarray = field(default_factory=lambda: np.random.default_rng(2).poisson(4, (N, 4)) + 1.0)
    ids: list[str] = field(default_factory=lambda: [f"c{i}" for i in range(N)])
    metadata: dict[str, float] = field(default_factory=lambda: {"pixel_size_um": 0.5})

    def write(self, root: Path, name: str) -> None:
        for folder in ("wsis", "st", "metadata"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        photometric = "rgb" if self.image.ndim == 3 else "minisblack"
        image = root / "wsis" / f"{name}.tif"
        tifffile.imwrite(image, self.image, tile=(32, 32), photometric=photometric)
        table = anndata.AnnData(
            X=csr_matrix(self.counts),
            obs=pd.DataFrame({"half": np.arange(N) % 2}, index=pd.Index([str(i) for i in range(N)])),
            var=pd.DataFrame(index=list(GENES)),
            obsm={"spatial": self.xy},  # pyright: ignore[reportArgumentType]
        )
        table.obs.index = pd.Index(self.ids)
        table.write_h5ad(root / "st" / f"{name}.h5ad")
        (root / "metadata" / f"{name}.json").write_text(json.dumps(self.metadata))


def _settings(root: Path, samples: int = 2, change: Callable[[dict[str, Any]], object] | None = None) -> None:
    """Write dataset.yaml, run.yaml and bench.yaml; ``change`` is made to the run's and the bench's."""
    listed = [
        {"id": f"S{n}", "source": "hest", "path": "hest", "patient": f"P{n}"} for n in range(1, samples + 1)
    ]
    (root / "dataset.yaml").write_text(yaml.safe_dump({"name": "d", "samples": listed}))
    run = copy.deepcopy(RUN)
    if change is not None:
        change(run)
    bench = {key: value for key, value in run.items() if key not in ("patch", "model")}
    bench |= {"name": "b", "patches": [run["patch"]], "encoders": [run["model"]["encoder"]]}
    (root / "run.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    (root / "bench.yaml").write_text(yaml.safe_dump(bench, sort_keys=False))


def _call(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two sound samples, their settings, and a run trained on them."""
    root = tmp_path_factory.mktemp("sound")
    Tissue().write(root / "hest", "S1")
    Tissue(image=_pixels(1)).write(root / "hest", "S2")
    _settings(root)
    trained = _call("train", root / "run.yaml", "--out", root / "run", "--device", "cpu")
    assert trained.exit_code == 0, (trained.output, trained.exception)
    return root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache of this test's own."""
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _command(name: str, root: Path, sound: Path, out: Path) -> tuple[object, ...]:
    if name == "inspect":
        return ("inspect", root / "dataset.yaml", "--out", out)
    if name == "predict":
        return ("predict", sound / "run", root / "dataset.yaml", "--out", out, "--device", "cpu")
    settings = root / ("run.yaml" if name == "train" else "bench.yaml")
    return (name, settings, "--out", out, "--device", "cpu")


def _assert_line(result: Any, *words: str) -> None:
    """Exit code 2, no traceback, and on standard error what the words say: a line, or a line a fault."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    told = result.stderr.strip().splitlines()
    lines = [line for line in told if not line.startswith(("[", "audit: "))]  # [1/3] ..., warnings
    assert lines[0].startswith("prestige: ")
    several = re.fullmatch(r"prestige: (\d+) faults:", lines[0])
    assert len(lines) == (1 + int(several[1]) if several else 1), result.stderr
    assert all(line.startswith("  ") for line in lines[1:])
    said = result.output if "listed above" in lines[0] else "\n".join(lines)
    for word in words:
        assert word in said, (word, said)


def _assert_nothing_left(out: Path, cache: Path) -> None:
    """Neither results nor half-made files: an inspection its lists of faults, the cache what is whole."""
    found = {path.name for path in out.rglob("*")} if out.exists() else set()
    assert found <= {"inspection.csv", "index.html"}, found
    assert not [path for path in cache.rglob("*") if is_partial(path.name)]
    assert all(path.suffix == ".json" for path in cache.glob("index/*"))
    assert all((path / "sample.json").is_file() for path in cache.glob("samples/*"))


def _refused(commands: tuple[str, ...], root: Path, sound: Path, cache: Path, *words: str) -> None:
    for name in commands:
        out = root / f"out-{name}"
        _assert_line(_call(*_command(name, root, sound, out)), *words)
        _assert_nothing_left(out, cache)


def _with(**parts: Any) -> Tissue:
    return replace(Tissue(), **parts)


def _cell(value: float) -> np.ndarray:
    counts = Tissue().counts.copy()
    counts[2, 1] = value
    return counts


def _place(x: float, y: float) -> np.ndarray:
    xy = Tissue().xy.copy()
    xy[3] = (x, y)
    return xy


COPY = "copy it again"


@pytest.mark.parametrize(
    ("tissue", "words"),
    [
        (_with(xy=_place(SIDE + 2, 5)), ("'S1'", "outside the image of 128 x 128 px: 1 (c3)", "swapped")),
        (_with(xy=_place(np.nan, 5)), ("'S1'", "no place (NaN) for 1 (c3)", "off the table")),
        (_with(ids=[f"c{max(i, 1)}" for i in range(N)]), ("'S1'", "duplicate ids: 1 (c1)", "unique")),
        (_with(counts=_cell(np.nan)), ("'S1'", "NaN or infinite counts in 1 (c2)", "raw counts", "store")),
        (_with(counts=_cell(-2)), ("'S1'", "negative counts in 1 (c2)", "expected raw counts", "store")),
        (_with(image=_pixels()[..., 0]), ("S1.tif: the image has 1 channel", "expected an RGB", "save")),
        (_with(image=_pixels().astype(np.uint16)), ("S1.tif: the image is 16 bit", "8 bit", "save")),
        (_with(metadata={}), ("'S1': no pixel size", "S1.json", "write um_per_px: in dataset.yaml")),
    ],
    ids=["outside", "nowhere", "duplicate", "nan", "negative", "grey", "16bit", "pixelsize"],
)
@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_faults_of_a_sample(
    sound: Path, tmp_path: Path, cache: Path, tissue: Tissue, words: tuple[str, ...]
) -> None:
    tissue.write(tmp_path / "hest", "S1")
    _settings(tmp_path, samples=1)
    _refused(READS_DATA, tmp_path, sound, cache, *words)


def _cut(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damage


def _without_centres(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["obsm/spatial"]


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("wsis/S1.tif", Path.unlink, ("S1.tif: no such file", "the layout of HEST-1k", "'S10.tif'")),
        ("st/S1.h5ad", Path.unlink, ("S1.h5ad: no such file", "the layout of HEST-1k", "check path: and")),
        ("st/S1.h5ad", _without_centres, ("S1.h5ad: the element 'obsm/spatial' is missing", "write it")),
        ("wsis/S1.tif", _cut(0.5), ("S1.tif: the file ends at byte", "expected a whole TIFF", COPY)),
        ("wsis/S1.tif", _cut(0.002), ("S1.tif: the file ends at byte", "expected a whole TIFF", COPY)),
        ("wsis/S1.tif", _cut(0), ("S1.tif: is empty", "expected a TIFF", COPY)),
        ("st/S1.h5ad", _cut(0.5), ("S1.h5ad: cannot be read", "expected an .h5ad table", COPY)),
        ("metadata/S1.json", _cut(0.5), ("S1.json: cannot be read", "pixel_size_um", COPY)),
    ],
)
def test_files_that_are_missing_or_cut_off(
    sound: Path,
    tmp_path: Path,
    cache: Path,
    file: str,
    damage: Callable[[Path], None],
    words: tuple[str, ...],
) -> None:
    shutil.copytree(sound / "hest", tmp_path / "hest")
    (tmp_path / "hest" / "st" / "S2.h5ad").unlink()
    (tmp_path / "hest" / "wsis" / "S2.tif").rename(tmp_path / "hest" / "wsis" / "S10.tif")
    _settings(tmp_path, samples=1)
    damage(tmp_path / "hest" / file)
    _refused(READS_DATA, tmp_path, sound, cache, *words)


def test_faults_of_all_samples_are_one_list(sound: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "hest").mkdir()
    _settings(tmp_path)
    result = _call(*_command("bench", tmp_path, sound, tmp_path / "out"))
    _assert_line(result, "4 faults:", "S1.tif", "S2.h5ad")
    assert result.stderr.count("faults:") == 1


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a tiny phantom."""
    folder = tmp_path_factory.mktemp("phantom")
    (folder / "p.yaml").write_text(
        "{patients: 2, size_px: 200, widths_um: [8, 16], n_genes: 6, replicates: 2}"
    )
    made = _call("phantom", folder / "p", "--config", folder / "p.yaml", "--radius-um", 5)
    assert made.exit_code == 0, (made.output, made.exception)
    return sorted((folder / "p").glob("*.zarr"))[0]


def _files(store: Path, element: str = "") -> list[Path]:
    return sorted(path for path in (store / element).rglob("*") if path.is_file())


def _first_half_only(store: Path) -> None:
    files = _files(store)
    for path in files[len(files) // 2 :]:
        path.unlink()


def _cut_chunk(store: Path) -> None:
    files = _files(store, "images/HE_original")
    _cut(0.5)(next(path for path in files if not path.name.startswith((".z", "zarr"))))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, ("S.zarr: no such store", "expected a whole SpatialData store", "check path:")),
        (lambda store: shutil.rmtree(store / "images/HE_nuc_original"), ("missing: images/HE_nuc_original",)),
        (_first_half_only, ("S.zarr", "expected a whole SpatialData store", COPY)),
        (_cut_chunk, ("S.zarr, images/HE_original", "expected a whole SpatialData store", COPY)),
    ],
    ids=["none", "mask", "half", "chunk"],
)
def test_stores_that_are_missing_or_cut_off(
    sound: Path,
    store: Path,
    tmp_path: Path,
    cache: Path,
    damage: Callable[[Path], None],
    words: tuple[str, ...],
) -> None:
    shutil.copytree(store, tmp_path / "S.zarr")
    _settings(tmp_path)
    sample = {"id": "S", "source": "challenge", "path": "S.zarr", "patient": "P", "um_per_px": 0.5}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump({"name": "d", "samples": [sample]}))
    damage(tmp_path / "S.zarr")
    _refused(READS_DATA, tmp_path, sound, cache, *words)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "commands", "words"),
    [
        ("dataset", "patient:", "pateint:", READS_DATA, ("unknown key 'samples.0.pateint'", "'patient'?")),
        ("dataset", "source: hest", "source: hets", READS_DATA, ("unknown source 'hets'", "'hest'?")),
        ("dataset", "id: S2", "id: S1", READS_DATA, ("the sample id 'S1' is given more than once",)),
        ("dataset", "name: d", "name: [", READS_DATA, ("dataset.yaml, line ", "is not valid yaml (")),
        ("run", "buffer_um:", "bufer_um:", ("train",), ("unknown key 'split.bufer_um'", "'buffer_um'?")),
        ("bench", "buffer_um:", "bufer_um:", ("bench",), ("unknown key 'split.bufer_um'", "'buffer_um'?")),
        ("run", "compact_xs", "compact_xz", ("train",), ("unknown encoder 'compact_xz'", "'compact_xs'?")),
        ("bench", "compact_xs", "compact_xz", ("bench",), ("unknown encoder 'compact_xz'", "'compact_xs'?")),
        ("run", "dataset.yaml", "datset.yaml", ("train",), ("datset.yaml: no such file",)),
    ],
)
def test_settings_that_are_wrong(
    sound: Path,
    tmp_path: Path,
    cache: Path,
    file: str,
    right: str,
    wrong: str,
    commands: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    _settings(tmp_path)
    path = tmp_path / f"{file}.yaml"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    _refused(commands, tmp_path, sound, cache, *words)
    assert not cache.exists()


def _split(**keys: Any) -> Callable[[dict[str, Any]], object]:
    return lambda run: run["split"].update(keys)


def _patch(width: float) -> Callable[[dict[str, Any]], object]:
    return lambda run: (run["patch"].update(patch_um=width), run["split"].update(buffer_um=width))


def _halves(run: dict[str, Any]) -> None:
    run["split"] = {"by": "column", "column": "half", "train": [0], "test": [1], "buffer_um": 8}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_patch(80), ("the largest patch (80 um, 160 px) is larger than the image", "128 x 128 px", "leave")),
        (_split(block_um=200), ("the validation side is empty", "at least one", "another block_um")),
        (_halves, ("patients on two sides: P1, P2", "each patient on one side", "within_section: true")),
        (_split(by="blocks"), ("patients on two sides: P1, P2", "within_section: true")),
        (_split(buffer_um=6), ("buffer_um: 6 is smaller than the largest patch of 8 um", "buffer_um: 8")),
        (
            lambda run: run.update(panel={"genes": ["GFAP", "XIST"]}),
            ("panel: none of the wanted genes is measured", "symbols such as EPCAM", "check species"),
        ),
        (lambda run: run.update(panel={"genes": "most_variable", "n": 9}), ("n: 9 genes", "write n: 4")),
    ],
    ids=["patch", "empty", "column", "blocks", "buffer", "genes", "many"],
)
def test_splits_patches_and_genes_that_cannot_be(
    sound: Path,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    words: tuple[str, ...],
) -> None:
    (tmp_path / "hest").symlink_to(sound / "hest")
    _settings(tmp_path, change=change)
    _refused(TRAINS, tmp_path, sound, tmp_path / "no-cache", *words)


def test_images_smaller_than_the_models_patch(sound: Path, tmp_path: Path, cache: Path) -> None:
    _with(image=_pixels()[:12, :12].copy(), xy=Tissue().xy % 11).write(tmp_path / "hest", "S1")
    _settings(tmp_path, samples=1)
    words = ("'S1'", "patch of 8 um (16 px) is larger than the image", "12 x 12 px", "smaller patch")
    _refused(("predict",), tmp_path, sound, cache, *words)


@pytest.mark.parametrize("command", ["train", "bench", "predict"])
def test_a_device_that_is_not_there(sound: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "hest").symlink_to(sound / "hest")
    _settings(tmp_path)
    arguments = [str(a) for a in _command(command, tmp_path, sound, tmp_path / "out")]
    result = _call(*arguments[:-1], "mps")
    _assert_line(result, "--device: there is no device 'mps' on this machine; use auto or cpu")
    assert not (tmp_path / "out").exists()


def _value(value: float) -> Callable[[anndata.AnnData], None]:
    def change(table: anndata.AnnData) -> None:
        dense = table.X.toarray() if hasattr(table.X, "toarray") else np.array(table.X)  # type: ignore[union-attr]
        dense[0, 0] = value
        table.X = dense

    return change


def _twice(table: anndata.AnnData) -> None:
    table.obs_names = [table.obs_names[max(i, 1)] for i in range(table.n_obs)]


def _others(table: anndata.AnnData) -> None:
    table.var_names = ["A", "B", "C", "D"]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize(
    ("which", "change", "words"),
    [
        (
            "truth",
            _value(np.nan),
            ("truth.h5ad: X holds no counts: NaN or infinite counts in 1 (", "raw counts"),
        ),
        ("truth", _value(-3), ("truth.h5ad: X holds no counts: negative counts in 1 (", "raw counts")),
        ("predicted", _value(np.nan), ("predicted.h5ad: the prediction of gene 'EPCAM' holds NaN",)),
        ("truth", _twice, ("truth.h5ad: the observation", "occurs twice", "unique")),
        ("predicted", _twice, ("predicted.h5ad: the observation", "occurs twice", "unique")),
        ("truth", _others, ("truth.h5ad: lacks 4 of the 4 predicted genes", "check species")),
        ("predicted", lambda table: table.uns.clear(), ("does not say on which scale", "--scale")),
        ("truth", None, ("truth.h5ad: cannot be read", "expected an .h5ad table", COPY)),
        ("predicted", None, ("predicted.h5ad: cannot be read", "expected an .h5ad table", COPY)),
    ],
)
def test_files_that_cannot_be_scored(
    sound: Path,
    tmp_path: Path,
    which: str,
    change: Callable[[anndata.AnnData], None] | None,
    words: tuple[str, ...],
) -> None:
    predicted, truth = tmp_path / "predicted.h5ad", tmp_path / "truth.h5ad"
    (source,) = (sound / "run" / "predictions").glob("*.h5ad")
    shutil.copy(source, predicted)
    shutil.copy(sound / "hest" / "st" / source.name, truth)
    kept = anndata.read_h5ad(truth)[anndata.read_h5ad(predicted).obs_names].copy()
    kept.write_h5ad(truth)
    path = tmp_path / f"{which}.h5ad"
    if change is None:
        _cut(0.6)(path)
    else:
        table = anndata.read_h5ad(path)
        change(table)
        table.write_h5ad(path)
    _assert_line(_call("evaluate", predicted, truth, "--json"), *words)
    assert {found.name for found in tmp_path.iterdir()} == {"predicted.h5ad", "truth.h5ad"}


@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
def test_models_that_are_missing_or_cut_off(sound: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(sound / "run" / "model", tmp_path / "model")
    arguments = ("predict", tmp_path / "model", sound / "dataset.yaml", "--out", tmp_path / "out")
    _cut(0.5)(tmp_path / "model" / file)
    _assert_line(_call(*arguments), f"{file}: cannot be read", "copy or train it again")
    (tmp_path / "model" / file).unlink()
    _assert_line(_call(*arguments), "model", "copy" if file == "model.safetensors" else "expected a model")
    assert not (tmp_path / "out").exists()


def test_a_measured_table_is_not_written_over(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "hest" / "st", tmp_path / "out")
    before = (tmp_path / "out" / "S1.h5ad").read_bytes()
    (tmp_path / "out" / "S2.h5ad").unlink()
    result = _call(*_command("predict", sound, sound, tmp_path / "out"))
    _assert_line(result, "out/S1.h5ad: is no prediction of prestige", "name another folder with --out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["S1.h5ad"]
    assert (tmp_path / "out" / "S1.h5ad").read_bytes() == before


# --- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing get its last name under ``tmp_path/out``."""
    for name, real in (("replace", os.replace), ("rename", os.rename), ("link", os.link)):

        def full_(source: Any, target: Any, real: Callable[[Any, Any], None] = real) -> None:
            if Path(target).is_relative_to(tmp_path / "out"):
                raise OSError(28, "No space left on device")
            real(source, target)

        monkeypatch.setattr(os, name, full_)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("command", READS_DATA)
def test_a_full_disk_for_the_results(sound: Path, tmp_path: Path, command: str) -> None:
    result = _call(*_command(command, sound, sound, tmp_path / "out"))
    _assert_line(result, f"{tmp_path / 'out'}", "the disk is full", "free some disk space")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("full")
def test_a_full_disk_for_a_report_keeps_the_old_one(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "run", tmp_path / "out")
    before = {path.name for path in (tmp_path / "out").iterdir()}
    _assert_line(_call("report", tmp_path / "out"), "report: the disk is full", "free some disk space")
    assert {path.name for path in (tmp_path / "out").iterdir()} == before


def test_a_full_disk_for_the_cache(
    sound: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    for command in READS_DATA:
        result = _call(*_command(command, sound, sound, tmp_path / "out"))
        _assert_line(result, f"{cache}: the disk is full", "set PRESTIGE_CACHE to a folder with room")
        assert result.stderr.count("the disk is full") == 1
        _assert_nothing_left(tmp_path / "out", cache)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return what makes a disk of some KiB, or skip where that is not allowed."""
    folder = tmp_path / "disk"

    def make(kib: int) -> Path:
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            folder.rmdir()
            pytest.skip("only the administrator may make a small disk")
        return folder

    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    yield make
    if folder.exists():
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.mark.parametrize("kib", [4, 16, 44])
def test_predictions_on_a_disk_that_runs_full(
    sound: Path, small_disk: Callable[[int], Path], kib: int
) -> None:
    out = small_disk(kib) / "out"
    _assert_line(_call(*_command("predict", sound, sound, out)), ".h5ad: the disk is full", "free some")
    left = list(out.rglob("*"))
    assert [path.name for path in left] == (["S1.h5ad"] if kib == 44 else [])  # whole, where it had room


def test_a_bench_goes_on_after_its_disk_was_full(sound: Path, small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(100)
    arguments = _command("bench", sound, sound, disk / "out")
    _assert_line(_call(*arguments), str(disk), "free some disk space")
    assert not [path.name for path in disk.rglob("*") if "partial" in path.name]
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    result = _call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    kept = {path.name for path in (disk / "out" / "truth" / "fold-0").iterdir()}
    assert kept == {"S1.h5ad", "ceilings.parquet"}


@pytest.mark.parametrize("kib", [40, 100])
def test_a_cache_on_a_disk_that_runs_full(
    sound: Path, tmp_path: Path, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, kib: int
) -> None:
    disk = small_disk(kib)
    monkeypatch.setenv("PRESTIGE_CACHE", str(disk / "cache"))
    result = _call(*_command("predict", sound, sound, tmp_path / "out"))
    _assert_line(result, "the disk is full", "set PRESTIGE_CACHE to a folder with room")
    _assert_nothing_left(tmp_path / "out", disk / "cache")
