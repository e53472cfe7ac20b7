"""What holds for every test: one thread, no network, a cache of its own, shapes checked by beartype."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before numpy or torch is imported, in this process and in those that tests start.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from jaxtyping import install_import_hook

# Before prestige is imported: from here on each annotated shape and type is checked at every call.
install_import_hook("prestige", "beartype.beartype")

import socket

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "local", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the prepared slides of the tests apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRESTIGE_CACHE", str(tmp_path_factory.mktemp("prestige-cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _offline() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):  # type: ignore[index]
            raise OSError(f"tests are offline: a connection to {address} was refused")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real tissue, or skip where there is none."""
    folder = Path(
        os.environ.get("PRESTIGE_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data"
    ).resolve()
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real tissue at {folder}: set PRESTIGE_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the top folder of the project."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def small_samples() -> tuple[Any, ...]:
    """Return four small sections of four patients whose gene G0 follows the brightness at the cell."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from prestige.data.sample import Sample
    from prestige.data.slides.slide import Slide

    made = []
    for number in range(4):
        rng = np.random.default_rng(number)
        coarse = rng.integers(40, 220, (12, 12, 3))
        pixels = np.kron(coarse, np.ones((16, 16, 1))).astype(np.uint8)  # 192 x 192 px in squares of 16
        pixels.flags.writeable = False
        xy = rng.uniform(0, 191, (160, 2))
        bright = pixels[xy[:, 1].round().astype(int), xy[:, 0].round().astype(int), 0] / 255
        means = np.stack([8 * bright, 8 * (1 - bright), np.full(160, 4.0), rng.uniform(1, 6, 160)], axis=1)
        counts = rng.poisson(means * 4).astype(np.float32)
        measured = np.arange(160) % 10 != 0
        counts[~measured] = 0
        obs = pd.DataFrame(
            {"measured": measured, "total_counts": counts.sum(axis=1).astype(float), "group": number % 2},
            index=[f"s{number}-{i}" for i in range(160)],
        )
        slide = Slide(pixels, 0.5, False, f"pixels-{number}")
        made.append(
            Sample(
                id=f"S{number}",
                patient=f"P{number}",
                slide=slide,
                obs=obs,
                xy_px=xy,
                counts=csr_matrix(counts),
                genes=("G0", "G1", "G2", "G3"),
                covariates={},
                source="prepared",
                fingerprint=f"sample-{number}",
            )
        )
    return tuple(made)


@pytest.fixture(scope="session")
def _tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from .small_bench import Recipe, build_bench

    return build_bench(tmp_path_factory.mktemp("tiny") / "bench", Recipe())


@pytest.fixture
def tiny_bench(_tiny: Path, tmp_path: Path) -> Path:
    """A finished bench with a clear winner, in a copy that a test may change."""
    return Path(shutil.copytree(_tiny, tmp_path / "bench"))


@pytest.fixture
def make_bench(tmp_path: Path) -> Any:
    """Return a builder of bench folders, each of its own name."""
    from .small_bench import build_bench

    made: list[Path] = []

    def make(recipe: Any) -> Path:
        made.append(build_bench(tmp_path / f"bench-{len(made)}", recipe))
        return made[-1]

    return make


@pytest.fixture
def empty_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write figures without content: for tests of what stands beside them on a page."""
    from matplotlib.figure import Figure

    def empty(self: Figure, target: Any, **_: Any) -> None:
        svg = '<svg width="1pt" height="1pt"></svg>'
        target.write(svg) if hasattr(target, "write") else Path(target).write_text(svg, encoding="utf-8")

    monkeypatch.setattr(Figure, "savefig", empty)
    monkeypatch.setattr(Figure, "draw_without_rendering", lambda self: None)
