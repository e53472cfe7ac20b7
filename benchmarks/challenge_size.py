"""The challenge at its real size, on this machine: seconds and peak memory of each step, as a page.

Eight synthetic stores, as many nuclei in all and images as large as the challenge's, go through every command
from `prestige challenge prepare` to the report.  A store is written chunk by chunk from a few tiles of
painted nuclei, dealt at random over a part of the image; what a nucleus expresses follows from its type,
which its colour shows.  Numbers of nuclei and sides of images are given for the full size and scaled: a
tenth of the nuclei on images of a third of the side is a run of some minutes.

    python benchmarks/challenge_size.py --share 0.1 --out /tmp/c --write docs/results/challenge-size.md
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import yaml
import zarr
from measured import machine
from scipy.sparse import csr_matrix, diags
from zarr.codecs import ZstdCodec

from prestige.compute.threads import n_threads

NUCLEI = {
    "UC1_I": 190_000,
    "UC1_NI": 93_686,
    "UC6_I": 308_924,
    "UC6_NI": 200_000,
    "UC7_I": 230_000,
    "UC9_I": 220_000,
    "DC5": 207_390,
    "DC1": 150_000,
}
"""Two as the challenge has them, seven of 1.45 million in all; the eighth has no expression."""
WITHOUT_COUNTS = "DC1"
HEIGHT, WIDTH = 21_000, 22_000
TILE, TISSUE_SHARE, N_TYPES, N_GENES = 1024, 0.6, 4, 460
MEAN_COUNTS, UM_PER_PX = 25.0, 0.5
TYPE_COLOURS = np.array([[90, 50, 130], [120, 80, 160], [70, 40, 90], [140, 60, 120]], dtype=np.uint8)
TRAIN, VALIDATION, TEST, NO_TRANSCRIPT = 0, 1, 2, 4


@dataclass(frozen=True)
class Tile:
    """A painted square: its pixels, its labels from 1 on in any order, and the types of these."""

    pixels: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray


@dataclass(frozen=True)
class Step:
    """One command: how long it took, and the most memory that it held, its own and with the files it maps.

    Files that are mapped (the decoded slides) count as held while there is room, and are given up where there
    is none: a command needs its own.
    """

    name: str
    seconds: float
    own_gb: float
    mapped_gb: float


def painted(n: int, rng: np.random.Generator) -> Tile:
    """Paint a tile with n nuclei, none of which touches its edge or another."""
    across = int(np.ceil(np.sqrt(n)))
    pitch = TILE // across
    radius = max(1, min(8, int(pitch * 0.35)))
    sites = rng.permutation(across * across)[:n]
    kinds = rng.integers(0, N_TYPES, n)
    labels = np.zeros((TILE, TILE), np.uint32)
    pixels = np.array([225, 170, 200]) + rng.normal(0, 8, (TILE, TILE, 1))
    pixels = pixels.clip(0, 255).astype(np.uint8)
    slack = max(0, pitch // 2 - radius - 1)
    reach = np.arange(-radius, radius + 1)
    disk = reach[:, None] ** 2 + reach**2 <= radius**2
    for label, site in enumerate(sites.tolist()):
        y, x = (
            pitch // 2 + pitch * np.array(divmod(site, across)) + rng.integers(-slack, slack + 1, 2)
        ).tolist()
        at = slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1)
        labels[at][disk] = label + 1
        pixels[at][disk] = TYPE_COLOURS[kinds[label]]
    return Tile(pixels, labels, kinds)


def _image(root: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    group = root.require_group(f"images/{name}")
    array = group.create_array(
        "0",
        shape=shape,
        dtype=dtype,
        chunks=(shape[0], TILE, TILE),
        compressors=ZstdCodec(level=1),
        config={"write_empty_chunks": True},
    )
    scales = {"axes": [{"name": axis} for axis in "cyx"], "datasets": [{"path": "0"}]}
    identity = {"type": "identity", "output": {"name": "global"}}
    group.attrs["ome"] = {"multiscales": [{**scales, "coordinateTransformations": [identity]}]}
    return array


def write_store(path: Path, n: int, size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write the images of a store; return the type and the column of tiles of each nucleus."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = height // TILE, width // TILE
    tissue = rng.permutation(rows * columns)[: max(1, round(rows * columns * TISSUE_SHARE))]
    tissue.sort()
    most = -(-n // len(tissue))
    tiles = [painted(most, rng) for _ in range(6)]
    root = zarr.open_group(path, mode="w", zarr_format=3)
    image = _image(root, "HE_original", (3, height, width), np.uint8)
    mask = _image(root, "HE_nuc_original", (1, height, width), np.uint32)
    kinds, where, offset = [], [], 0
    inside = {int(tile): number for number, tile in enumerate(tissue.tolist())}
    for number in range(-(-height // TILE) * -(-width // TILE)):
        row, column = divmod(number, -(-width // TILE))
        at = (
            slice(row * TILE, min((row + 1) * TILE, height)),
            slice(column * TILE, min((column + 1) * TILE, width)),
        )
        place = inside.get(row * columns + column) if row < rows and column < columns else None
        if place is None:
            glass = rng.integers(
                238, 244, (3, at[0].stop - at[0].start, at[1].stop - at[1].start), dtype=np.uint8
            )
            image[:, at[0], at[1]] = glass
            continue
        tile = tiles[int(rng.integers(len(tiles)))]
        here = n // len(tissue) + (place < n % len(tissue))
        labels = np.where(tile.labels <= here, tile.labels, 0)
        shade = int(rng.integers(-12, 13))
        image[:, at[0], at[1]] = (
            (tile.pixels.astype(np.int16) + shade).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)
        )
        mask[0, at[0], at[1]] = np.where(labels > 0, labels + np.uint32(offset), 0)
        kinds.append(tile.kinds[:here])
        where.append(np.full(here, column))
        offset += here
    return np.concatenate(kinds), np.concatenate(where)


def expression(kinds: np.ndarray, programme: np.ndarray, rng: np.random.Generator) -> csr_matrix:
    """Draw the counts of nuclei by their types, some twenty-five each."""
    totals = rng.poisson(MEAN_COUNTS, len(kinds)) + 1
    owner = np.repeat(np.arange(len(kinds)), totals)
    cumulative = np.cumsum(programme, axis=1)
    genes = np.empty(len(owner), np.int64)
    for kind in range(N_TYPES):
        own = kinds[owner] == kind
        genes[own] = np.searchsorted(cumulative[kind], rng.random(int(own.sum())) * cumulative[kind, -1])
    ones = np.ones(len(owner), np.float32)
    return csr_matrix((ones, (owner, genes)), shape=(len(kinds), N_GENES))


def write_tables(path: Path, truth: Path, name: str, made: tuple[np.ndarray, ...], genes: list[str]) -> None:
    """Write the tables of a store and, beside the stores, what was measured in its held-out cells."""
    kinds, column = made
    rng = np.random.default_rng(len(kinds))
    programme = np.random.default_rng(0).gamma(0.3, size=(N_TYPES, N_GENES))
    ids = np.arange(1, len(kinds) + 1)
    from_left = np.argsort(np.argsort(column, kind="stable")) / len(ids)
    group = np.select([from_left >= 0.9, from_left >= 0.8], [TEST, VALIDATION], TRAIN)
    group = np.where((group == TRAIN) & (rng.random(len(ids)) < 0.05), NO_TRANSCRIPT, group)
    root = zarr.open_group(path, mode="a")
    cells = pd.DataFrame({"cell_id": ids, "group": group}, index=ids.astype(str))
    ad.io.write_elem(root, "tables/cell_id-group", ad.AnnData(obs=cells))
    if name == WITHOUT_COUNTS:
        return
    counts = expression(kinds, programme, rng)
    var = pd.DataFrame({"gene_symbols": genes}, index=genes)
    measured = np.flatnonzero(group == TRAIN)
    scale = 100 / np.asarray(counts[measured].sum(axis=1)).ravel()
    logs = csr_matrix(diags(scale) @ counts[measured]).log1p().astype(np.float32)
    table = ad.AnnData(
        logs, obs=cells.iloc[measured][["cell_id"]], var=var, layers={"counts": counts[measured]}
    )
    ad.io.write_elem(root, "tables/anucleus", table)
    held = np.flatnonzero(group == TEST)
    ad.AnnData(counts[held], obs=cells.iloc[held][["cell_id"]], var=var).write_h5ad(
        truth / f"test-{name}.h5ad"
    )


def write_all(folder: Path, share: float, side: float) -> Path:
    """Write the stores and the truth of their test cells; return the folder of the stores."""
    ad.settings.auto_shard_zarr_v3 = False
    stores, truth = folder / "stores", folder / "truth"
    for made in (stores, truth):
        made.mkdir(parents=True, exist_ok=True)
    size = max(TILE, round(HEIGHT * side)), max(TILE, round(WIDTH * side))
    genes = [f"GENE{number:03d}" for number in range(N_GENES)]
    for seed, (name, n) in enumerate(NUCLEI.items()):
        path = stores / f"{name}.zarr"
        made = write_store(path, max(200, round(n * share)), size, seed)
        write_tables(path, truth, name, made, genes)
        print(f"{name}: {len(made[0]):,} nuclei on {size[1]:,} x {size[0]:,} px", flush=True)
    return stores


def own_gb(pid: int) -> float:
    """Return the memory that a process holds of its own now, without mapped files, GB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return (
        sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("RssAnon", "RssShmem")))
        / 2**20
    )


def limit() -> str:
    """Say how much memory the control group of this process allows, where it is less than the machine has."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        name = {"memory": "memory/{}/memory.limit_in_bytes", "": "{}/memory.max"}.get(kinds)
        file = Path("/sys/fs/cgroup") / (name or "").format(path.strip("/"))
        if name and file.is_file() and (text := file.read_text().strip()).isdigit():
            allowed = int(text) / 2**30
            if allowed < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30:
                return f" All of it ran in a control group of {allowed:.1f} GB, the cache of files included."
    return ""


def run(name: str, folder: Path, *arguments: object) -> Step:
    """Run a command of prestige in a process of its own, unless it was measured in this folder before.

    Raises
    ------
    SystemExit
        When it fails.
    """
    environment = os.environ | {"PRESTIGE_CACHE": str(folder / "cache"), "PRESTIGE_CACHE_GB": "60"}
    kept = folder / "steps.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if name in done:
        return Step(name, **done[name])
    command = [sys.executable, "-m", "prestige", *map(str, arguments)]
    began = time.perf_counter()
    with (folder / f"{name.partition(' ')[0]}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        own = 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            own = max(own, own_gb(process.pid))
            time.sleep(0.05)
    _, status, usage = ended
    step = Step(name, time.perf_counter() - began, own, usage.ru_maxrss / 2**20)
    print(
        f"{name}: {step.seconds:,.0f} s, {own:.2f} GB, {step.mapped_gb:.2f} GB with mapped files", flush=True
    )
    if status:
        raise SystemExit(f"{' '.join(command)} failed: see {log.name}")
    done[name] = {key: value for key, value in asdict(step).items() if key != "name"}
    kept.write_text(json.dumps(done), encoding="utf-8")
    return step


def settings(folder: Path, steps: int) -> Path:
    """Write the bench: one configuration and one baseline on one fold, for one epoch."""
    bench = {
        "name": "challenge_size",
        "dataset": "stores/dataset.yaml",
        "split": {"by": "patient", "folds": "leave-one-out", "run_folds": [0], "buffer_um": 16},
        "panel": {"genes": "all"},
        "patches": [{"patch_um": 16}],
        "encoders": ["compact_xs"],
        "baselines": ["mean"],
        "train": {"budget": {"steps": steps}, "batch_size": 128, "learning_rates": [0.001]},
    }
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(bench, sort_keys=False), encoding="utf-8")
    return path


def measured(folder: Path, share: float) -> list[Step]:
    """Take the stores through every command."""
    stores = folder / "stores"
    dataset, out = stores / "dataset.yaml", folder / "bench"
    epoch = round(sum(n for name, n in NUCLEI.items() if name != WITHOUT_COUNTS) * share * 0.6 / 128)
    bench = settings(folder, max(20, epoch))
    steps = [
        run("prepare (dataset.yaml)", folder, "challenge", "prepare", stores, "--um-per-px", UM_PER_PX),
        run(
            "inspect (slides decoded, tables read)", folder, "inspect", dataset, "--out", folder / "inspected"
        ),
        run("split and its audit", folder, "split", bench, "--out", folder / "split"),
        run(f"bench (one epoch, {epoch:,} steps; predicted, scored)", folder, "bench", bench, "--out", out),
        run("report (statistics, figures, page)", folder, "report", out),
    ]
    manifests = {
        path: json.loads(path.read_text(encoding="utf-8")) for path in out.glob("runs/*/manifest.json")
    }
    model = next(path.parent for path, manifest in manifests.items() if not manifest["baseline"])
    long = folder / "submission.parquet"
    return [
        *steps,
        run("predict (all cells)", folder, "predict", model, dataset, "--out", folder / "predicted"),
        run(
            "submit (held-out cells, long table)",
            folder,
            "challenge",
            "submit",
            model,
            "--dataset",
            dataset,
            "--out",
            long,
        ),
        run(
            "score (official figures)",
            folder,
            "challenge",
            "score",
            long,
            folder / "truth",
            "--group",
            "test",
        ),
    ]


def page(steps: list[Step], share: float, side: float, wrote: float, gigabytes: float) -> str:
    """Write the page."""
    n = round(sum(NUCLEI.values()) * share)
    size = f"{round(WIDTH * side):,} x {round(HEIGHT * side):,} px"
    lines = [
        "# The challenge at its size",
        "",
        "Written by `python benchmarks/challenge_size.py --out C --write docs/results/challenge-size.md`; do",
        "not edit by hand.",
        "",
        f"Eight synthetic stores, {n:,} nuclei, images of {size}, {N_GENES} genes; "
        f"{machine()}, {n_threads()} thread(s).",
        f"Written in {wrote:,.0f} s; {gigabytes:.1f} GB on the disk at the end, decoded slides included."
        + limit(),
        "",
        "*own*: the most memory that the command held; *mapped*: with the decoded slides, which it maps and",
        "which the system takes back where it needs room.",
        "",
        "| step | seconds | own, GB | mapped, GB |",
        "|---|---|---|---|",
        *(
            f"| {step.name} | {step.seconds:,.0f} | {step.own_gb:.2f} | {step.mapped_gb:.2f} |"
            for step in steps
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the stores, run every step, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=1.0, help="share of the nuclei")
    parser.add_argument(
        "--side", type=float, help="share of the images' sides (by default as the density stays)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder to work in; it goes on where it was"
    )
    parser.add_argument("--write", type=Path, help="the page")
    parser.add_argument("--keep", action="store_true", help="keep the stores and what was made of them")
    given = parser.parse_args()
    side = given.side or given.share**0.5
    given.out.mkdir(parents=True, exist_ok=True)
    written = given.out / "written.json"
    if not written.exists():
        if any(given.out.iterdir()):
            raise SystemExit(f"{given.out} holds no stores that were written whole: name another folder")
        began = time.perf_counter()
        write_all(given.out, given.share, side)
        told = {"share": given.share, "side": side, "seconds": time.perf_counter() - began}
        written.write_text(json.dumps(told))
    there = json.loads(written.read_text())
    if (there["share"], there["side"]) != (given.share, side):
        raise SystemExit(f"{given.out} holds stores of another size: name another folder")
    wrote = there["seconds"]
    steps = measured(given.out, given.share)
    used = sum(path.stat().st_size for path in given.out.rglob("*") if path.is_file()) / 1e9
    if not given.keep:
        shutil.rmtree(given.out)
    text = page(steps, given.share, side, wrote, used)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
