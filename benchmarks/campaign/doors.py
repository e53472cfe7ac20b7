"""What a user does with each kind of input, and what of the result is compared."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class Ended(Exception):
    """The command line ended with another code than 0."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def command(*arguments: object) -> None:
    """Run the command line in this process, as a user would.

    Raises
    ------
    Ended
        When its exit code is not 0.
    """
    from prestige.cli import main

    sys.argv = ["prestige", *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        if end.code not in (0, None):
            raise Ended(end.code if isinstance(end.code, int) else 1) from None


def digest(parts: Iterable[Any]) -> str:
    """Return a hash of arrays and texts."""
    out = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part if part.dtype != object else part.astype(str))
            out.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            out.update(repr(part).encode("utf-8", errors="surrogatepass"))
    return out.hexdigest()


def _no_figures() -> None:
    """Leave out what figures look like: they are drawn to the last call before the pixels."""
    from matplotlib.figure import Figure

    def empty(self: Figure, target: Any, **_: Any) -> None:
        svg = '<svg width="1pt" height="1pt"></svg>'
        if not hasattr(target, "write"):
            Path(target).write_text(svg, encoding="utf-8")
        else:
            target.write(svg if isinstance(target, io.TextIOBase) else svg.encode())

    Figure.savefig = empty  # type: ignore[method-assign, assignment]
    Figure.draw_without_rendering = lambda self: None  # type: ignore[method-assign]


def samples(folder: Path, out: Path) -> object:
    """Open the samples of dataset.yaml: what `train` and `bench` do first."""
    return _opened(folder, "needed")


def he_alone(folder: Path, out: Path) -> object:
    """Open the samples of dataset.yaml, which need no counts: what `inspect` and `predict` do first."""
    return _opened(folder, "optional")


def _opened(folder: Path, counts: Any) -> object:
    from prestige.data.dataset import open_dataset, read_dataset

    parts: list[Any] = []
    for sample in open_dataset(read_dataset(folder / "dataset.yaml"), counts=counts).samples:
        matrix = sample.counts.tocsr()
        parts += [sample.id, sample.patient, sample.genes, sample.um_per_px, list(sample.covariates.items())]
        parts += [np.asarray(sample.slide.pixels), sample.xy_px, matrix.data, matrix.indices, matrix.indptr]
        parts += [
            sample.obs.index.to_numpy(),
            sample.obs["measured"].to_numpy(),
            sample.obs["total_counts"].to_numpy(),
        ]
    return digest(parts)


def inspect(folder: Path, out: Path) -> object:
    """Look at the samples by the command line."""
    _no_figures()
    command("inspect", folder / "dataset.yaml", "--out", out)
    return digest([(out / "inspection.csv").read_text(encoding="utf-8")])


def split(folder: Path, out: Path) -> object:
    """Split the samples by the command line."""
    _no_figures()
    command("split", folder / "bench.yaml", "--out", out)
    return digest(sorted(path.name for path in out.rglob("*")))


class _Begins(Exception):
    """Raised where the computing of a command would begin."""


@contextmanager
def _checked(module: Any, name: str) -> Iterator[None]:
    """Let a command end where its computing would begin: what it checks comes before."""

    def begin(*_: Any, **__: Any) -> None:
        raise _Begins

    kept = getattr(module, name)
    setattr(module, name, begin)
    try:
        yield
    except _Begins:
        pass
    finally:
        setattr(module, name, kept)


def run_settings(folder: Path, out: Path) -> object:
    """Check all that `train` checks before it computes."""
    from prestige.runs import run

    with _checked(run, "execute"):
        run.train_from_yaml(folder / "run.yaml", out, device="cpu")
    return "checked"


def bench_settings(folder: Path, out: Path) -> object:
    """Check all that `bench` checks before it computes, then `split`."""
    from prestige.runs import bench

    with _checked(bench, "_share"):
        bench.run_bench(folder / "bench.yaml", out / "bench", device="cpu")
    return split(folder, out / "split")


def phantom_settings(folder: Path, out: Path) -> object:
    """Check a phantom's settings; only a small one is made."""
    from prestige.data.phantom import PhantomConfig, write_phantom
    from prestige.settings import build, read_yaml

    config = build(PhantomConfig, read_yaml(folder / "phantom.yaml"), where=folder / "phantom.yaml")
    cells = config.patients * config.sections * config.size_px**2 * config.n_genes * config.replicates
    small = cells < 2**20 and max(config.widths_um) / config.um_per_px < 1000
    if small and config.spacing_um > config.um_per_px / 4 and config.radius_um < 200 * config.um_per_px:
        write_phantom(config, out)
    return digest([config.model_dump_json()])


def predict(folder: Path, out: Path) -> object:
    """Predict with a stored model by the command line."""
    import h5py

    command("predict", folder / "model", folder / "dataset.yaml", "--out", out, "--device", "cpu")
    parts: list[Any] = []
    for path in sorted(out.glob("*.h5ad")):
        with h5py.File(path) as file:
            parts_of: Any = file
            values = np.asarray(parts_of["X"][()])
            if not np.isfinite(values).all() or (values < 0).any() or values.max(initial=0) > 1e6:
                raise AssertionError("a prediction that is NaN, infinite, negative or absurd was written")
            parts += [path.name, values, np.asarray(parts_of["var/_index"][()], dtype=object)]
    return digest(parts)


def evaluate(folder: Path, out: Path) -> object:
    """Score a prediction by the command line."""
    from prestige.evaluate import evaluate_files

    found = evaluate_files(folder / "predicted.h5ad", folder / "truth.h5ad").summary()
    text = json.dumps(found, allow_nan=False)
    return digest([text])


def biology(folder: Path, out: Path) -> object:
    """Ask the questions of biology by the command line."""
    _no_figures()
    command("biology", folder / "predicted.h5ad", folder / "truth.h5ad", "--out", out)
    return digest(path.read_bytes() for path in sorted(out.rglob("*.csv")))


def biology_asked(folder: Path, out: Path) -> object:
    """Ask what a yaml asks besides."""
    _no_figures()
    config = folder / "biology.yaml"
    command("biology", folder / "predicted.h5ad", folder / "truth.h5ad", "--out", out, "--config", config)
    return digest(path.read_bytes() for path in sorted(out.rglob("*.csv")))


def resume(folder: Path, out: Path) -> object:
    """Go on with a training that was ended half-way."""
    command("train", folder / "run.yaml", "--out", folder / "half", "--device", "cpu")
    return _scores(folder / "half")


def again(folder: Path, out: Path) -> object:
    """Run `train` once more on a finished run, then its report, then predict with it."""
    _no_figures()
    command("train", folder / "run.yaml", "--out", folder / "run", "--device", "cpu")
    command("report", folder / "run")
    return digest([_scores(folder / "run"), *_report(folder / "run")])


def bench_again(folder: Path, out: Path) -> object:
    """Run `bench` once more on a finished bench, its report with it."""
    _no_figures()
    command("bench", folder / "bench.yaml", "--out", folder / "bench", "--device", "cpu")
    return digest(_report(folder / "bench"))


def _scores(run: Path) -> str:
    import pandas as pd

    table = pd.read_parquet(run / "scores.parquet")
    return digest([table["value"].to_numpy(float), table["metric"].astype(str).tolist()])


def _report(folder: Path) -> list[bytes]:
    names = ("answer.json", "tables/genes.csv", "tables/gene_sets.csv")
    return [path.read_bytes() for name in names if (path := folder / "report" / name).is_file()]


def sets(folder: Path, out: Path) -> object:
    """Read gene sets, a list of genes and markers."""
    from prestige.biology.genes.markers import markers
    from prestige.data.panel import PanelConfig, wanted_genes
    from prestige.genesets.gmt import read_gmt
    from prestige.settings import build

    found: list[Any] = [sorted((name, one.genes) for name, one in read_gmt(folder / "sets.gmt").items())]
    config = build(PanelConfig, {"genes": folder / "genes.txt"}, where="panel")
    found.append(wanted_genes(config))
    found.append(
        sorted((name, one.genes) for name, one in markers("kidney", folder / "markers.yaml").items())
    )
    return digest(found)
