"""What is asked for quickly answers quickly: help and yaml checks without torch, imports without network."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "prestige"
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "spatialdata",
    "lightning_fabric",
    "matplotlib",
    "sklearn",
    "skimage",
)
# Modules that a yaml check, a score or a look at a table needs: none of them loads torch.
LIGHT = (
    "prestige",
    "prestige.biology",
    "prestige.errors",
    "prestige.registry",
    "prestige.settings",
    "prestige.training.schedule",
    "prestige.metrics",
    "prestige.stats",
    "prestige.config",
    "prestige.cli",
    "prestige.data.dataset",
    "prestige.data.sample",
    "prestige.data.slides.slide",
    "prestige.data.split.folds",
    "prestige.data.panel",
    "prestige.data.readers",
    "prestige.data.phantom",
    "prestige.models.settings",
    "prestige.baselines.settings",
    "prestige.report.bench.page",
)
WITHOUT_TEST_FILE = {"__init__.py", "__main__.py"}


def run_python(code: str) -> str:
    """Run code in a new interpreter and return what it printed."""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_light_modules_load_no_torch() -> None:
    code = (
        f"import importlib, sys\nfor module in {LIGHT}:\n    importlib.import_module(module)\n"
        "    print(module, [name for name in ('torch', 'timm', 'spatialdata') if name in sys.modules])"
    )
    assert run_python(code).splitlines() == [f"{module} []" for module in LIGHT]


def test_import_opens_no_connection_and_touches_no_gpu() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise SystemExit('a connection at import')\n"
        "socket.socket.connect = refuse; socket.create_connection = refuse; socket.getaddrinfo = refuse\n"
        "import prestige\n"
        "for name in prestige.__all__: getattr(prestige, name)\n"
        "import torch; print('quiet', torch.cuda.is_initialized())"
    )
    assert run_python(code).strip() == "quiet False"


@pytest.mark.parametrize("command", [["--help"], ["bench", "--help"], ["--version"]])
def test_help_is_instant_and_loads_no_torch(command: list[str]) -> None:
    code = (
        "import sys, time\nstarted = time.process_time()\nfrom prestige.cli import main\n"
        f"sys.argv = ['prestige', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('heavy', [name for name in {HEAVY!r} if name in sys.modules], time.process_time() - started)"
    )
    last = run_python(code).strip().splitlines()[-1]
    assert last.startswith("heavy []")
    # Processor seconds of this process: under 1 s alone, so neighbours on the machine do not matter much.
    assert float(last.split()[-1]) < 1.0


def test_a_wrong_yaml_is_refused_without_torch(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("name: x\ndataset: d.yaml\npatchs: []\n")
    code = (
        "import sys\nfrom prestige.cli import main\n"
        f"sys.argv = ['prestige', 'bench', {str(tmp_path / 'bench.yaml')!r}, '--out', 'never-made']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print('code', end.code, 'torch' in sys.modules)"
    )
    assert run_python(code).strip().splitlines()[-1] == "code 2 False"


CORE = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.partition(".")[0] in BLOCKED else self.finder.find_spec(name, *more)
sys.meta_path = [Without(finder) for finder in sys.meta_path]

from pathlib import Path
import anndata, pandas, prestige

folder = Path("it")
phantom = prestige.PhantomConfig(size_px=160, patients=3, replicates=2, widths_um=(8.0,), n_genes=12)
data = prestige.write_phantom(phantom, folder / "phantom")
dataset = prestige.open_dataset(prestige.read_dataset(data))
Path("run.yaml").write_text(RUN)
run = prestige.train_from_yaml(Path("run.yaml"), folder / "run", device="cpu")
(one, *_) = prestige.predict_dataset(run, data, folder / "predicted", device="cpu")
sample = dataset.sample(one.stem)
truth = anndata.AnnData(sample.counts, obs=sample.obs, var=pandas.DataFrame(index=list(sample.genes)))
truth.write_h5ad(folder / "truth.h5ad")
scored = prestige.evaluate_files(one, folder / "truth.h5ad")
assert len(dataset.samples) == 3 and scored is not None
print(sorted(BLOCKED & {name.partition(".")[0] for name in sys.modules}))
"""
CORE_RUN = """
dataset: it/phantom/dataset.yaml
split: {by: patient, folds: 3, buffer_um: 8}
panel: {genes: all, total: 100}
patch: {patch_um: 8}
model: {encoder: compact_xs}
train: {budget: {steps: 4}, batch_size: 16, learning_rates: [1.0e-3], validations: 1, precision: 32-true}
"""


def test_the_core_needs_no_spatialdata(tmp_path: Path) -> None:
    """From a phantom to scores as on a machine where the extra 'readers' is not installed."""
    blocked = {"spatialdata", "xarray", "dask", "ome_zarr", "geopandas", "shapely", "datashader"}
    code = f"BLOCKED, RUN = {blocked!r}, {CORE_RUN!r}\n{CORE}"
    environment = os.environ | {"PRESTIGE_CACHE": str(tmp_path / "cache")}
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=240,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.strip().splitlines()[-1] == "[]"


def test_module_can_be_run() -> None:
    started = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-m", "prestige", "--version"],
        capture_output=True,
        text=True,
        cwd=os.sep,
        timeout=60,
    )
    assert answer.returncode == 0
    assert answer.stdout.startswith("prestige ")
    assert time.perf_counter() - started < 30


def test_tests_mirror_the_tree() -> None:
    tests = REPOSITORY / "tests"
    missing = []
    for path in sorted(SOURCE.rglob("*.py")):
        folder = path.parent.relative_to(SOURCE)
        if (
            path.name not in WITHOUT_TEST_FILE
            and not (tests / folder / f"test_{path.name.lstrip('_')}").is_file()
        ):
            missing.append(str(folder / path.name))
    assert missing == []
