"""The sound inputs: one folder a kind, made once on a tissue of a few dozen spots."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from scipy.sparse import csr_matrix

from campaign import pictures, sections, sound_stores, space_ranger, xenium
from campaign.kinds import OUTSIDE

GENES = ("EPCAM", "PTPRC", "ACTA2", "CD3E")
SIDE, N = 128, 60
RUN: dict[str, Any] = {
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 2, "buffer_um": 8, "block_um": 16},
    "patch": {"patch_um": 8},
    "model": {"encoder": "compact_xs"},
    "train": {
        "budget": {"steps": 4},
        "batch_size": 8,
        "precision": "32-true",
        "learning_rates": [0.001],
        "checkpoint_seconds": 0.0001,
    },
    "evaluation": {"block_um": 20},
}


def tissue(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels with dark nuclei on pink, the places of spots, and counts that follow the brightness."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (16, 16, 1))
    pixels = np.kron(coarse, np.ones((8, 8, 1))) * (1.0, 0.7, 0.9) + rng.integers(0, 20, (SIDE, SIDE, 3))
    xy = rng.uniform(6, SIDE - 7, (N, 2))
    pixels = pixels.clip(0, 255).astype(np.uint8)
    bright = pixels[xy[:, 1].round().astype(int), xy[:, 0].round().astype(int), 0] / 255
    rates = np.stack([12 * bright, 12 * (1 - bright), np.full(N, 5.0), rng.uniform(1, 8, N)], axis=1)
    return pixels, xy, rng.poisson(rates) + 1.0


def _table(xy: np.ndarray, counts: np.ndarray) -> Any:
    import anndata

    obs = pd.DataFrame(
        {
            "half": np.arange(N) % 2,
            "total_counts": counts.sum(axis=1),
            "region": pd.Categorical(["in", "out"] * (N // 2)),
        },
        index=[f"c{i}" for i in range(N)],
    )
    places: dict[str, Any] = {"spatial": xy}
    return anndata.AnnData(X=csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(GENES)), obsm=places)


def _hest(root: Path, name: str, seed: int, **how: Any) -> None:
    import tifffile

    for part in ("wsis", "st", "metadata"):
        (root / part).mkdir(parents=True, exist_ok=True)
    pixels, xy, counts = tissue(seed)
    tifffile.imwrite(root / "wsis" / f"{name}.tif", pixels, **{"tile": (32, 32), "photometric": "rgb", **how})
    _table(xy, counts).write_h5ad(root / "st" / f"{name}.h5ad")
    (root / "metadata" / f"{name}.json").write_text(json.dumps({"pixel_size_um": 0.5, "organ": "Kidney"}))


def _yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _dataset(folder: Path, *samples: dict[str, Any]) -> None:
    _yaml(folder / "dataset.yaml", {"name": "d", "samples": list(samples)})


def _hest_samples(n: int) -> list[dict[str, Any]]:
    return [{"id": f"S{k}", "source": "hest", "path": "hest", "patient": f"P{k}"} for k in range(1, n + 1)]


def _store(path: Path, zarr_format: Literal[2, 3]) -> None:
    import anndata
    import zarr

    anndata.settings.auto_shard_zarr_v3 = False
    pixels, xy, counts = tissue(5)
    mask = np.zeros((SIDE, SIDE), np.uint32)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for label, (x, y) in enumerate(xy, start=1):
        mask[(rows - y) ** 2 + (columns - x) ** 2 <= 5] = label
    ids = np.unique(mask)[1:]
    root: Any = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for name, image in (("HE_original", pixels.transpose(2, 0, 1)), ("HE_nuc_original", mask[None])):
        group = root.require_group(f"images/{name}")
        group.create_array("0", data=np.ascontiguousarray(image), chunks=(len(image), 64, 64))
        scales = {"multiscales": [{"axes": [{"name": axis} for axis in "cyx"], "datasets": [{"path": "0"}]}]}
        group.attrs.update(scales if zarr_format == 2 else {"ome": scales})
    measured = pd.DataFrame({"cell_id": ids}, index=ids.astype(str))
    table = anndata.AnnData(
        X=csr_matrix(np.log1p(counts[ids - 1])),
        obs=measured,
        var=pd.DataFrame({"gene_symbols": GENES}, index=list(GENES)),
        layers={"counts": csr_matrix(counts[ids - 1])},
    )
    anndata.io.write_elem(root, "tables/anucleus", table)
    cells = pd.DataFrame({"cell_id": ids, "group": np.arange(len(ids)) % 3}, index=ids.astype(str))
    group = root.require_group("tables/cell_id-group")
    anndata.io.write_elem(group, "obs", cells)
    anndata.io.write_elem(group, "var", pd.DataFrame(index=pd.Index([], dtype=object)))


def _command(*arguments: object) -> None:
    from typer.testing import CliRunner

    from prestige.cli import app

    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exit_code != 0:
        raise RuntimeError(f"a sound input is refused: {arguments}: {done.output}") from done.exception


def _images(sound: Path) -> None:
    """Write the kinds of TIFF, each as sample S1 of a folder of its own."""
    import imagecodecs

    ome = {"axes": "YXS"}
    for name, how in {
        "tiff-tiles": {},
        "tiff-jpeg": {"compression": "jpeg"},
        "tiff-strips": {
            "tile": None,
            "rowsperstrip": 16,
            "compression": "lzw",
            "resolution": (20000, 20000),
            "resolutionunit": 3,
        },
        "tiff-big": {"bigtiff": True, "compression": "deflate", "predictor": True},
        "tiff-ome": {"ome": True, "metadata": ome},
    }.items():
        assert imagecodecs.JPEG8.available
        _hest(sound / name / "hest", "S1", 1, **how)
        _dataset(sound / name, *_hest_samples(1))


def build(sound: Path) -> None:
    """Make every sound input below a folder, and what no input may reach."""
    os.environ["PRESTIGE_CACHE"] = str(sound / "making" / "cache")
    making = sound / "making"
    making.mkdir(parents=True)
    _hest(making / "hest", "S1", 1)
    _hest(making / "hest", "S2", 2, compression="jpeg")
    _dataset(making, *_hest_samples(2))
    _yaml(making / "run.yaml", RUN)
    shared = {key: value for key, value in RUN.items() if key not in ("patch", "model")}
    bench = {"name": "b", **shared, "patches": [RUN["patch"]], "encoders": ["compact_xs"]}
    _yaml(making / "bench.yaml", bench)
    formats: tuple[Literal[2, 3], ...] = (2, 3)
    for format_of in formats:
        folder = sound / f"zarr{format_of}" / "data"
        folder.mkdir(parents=True)
        _store(folder / "store.zarr", format_of)
        sample = {
            "id": "S",
            "source": "challenge",
            "path": "data/store.zarr",
            "patient": "P",
            "um_per_px": 0.5,
        }
        _dataset(folder.parent, sample)
        sound_stores.build(sound / f"sdata{format_of}", format_of)
        described = {"id": "S", "source": "spatialdata", "path": "data/store.zarr", "patient": "P"}
        _dataset(sound / f"sdata{format_of}", described | {"um_per_px": 0.5})
    _images(sound)
    xenium.write(sound)
    space_ranger.write(sound)
    sections.write(sound, tissue)
    pictures.write(sound, tissue(1)[0])
    _trained(sound, making)
    _of_people(sound, making)
    _outside(sound)
    _for_kills(sound, making)


def _for_kills(sound: Path, making: Path) -> None:
    """Leave what the commands need that are killed: trainings of some dozens of steps."""
    folder = sound / "kills"
    folder.mkdir()
    for name in ("hest", "dataset.yaml", "bench"):
        (shutil.copytree if (making / name).is_dir() else shutil.copy)(making / name, folder / name)
    shutil.copytree(making / "run" / "model", folder / "model")
    for name in ("predicted.h5ad", "truth.h5ad"):
        shutil.copy(sound / "pair" / name, folder / name)
    shutil.copy(sound / "yaml-phantom" / "phantom.yaml", folder / "phantom.yaml")
    for name in ("run", "bench"):
        settings = yaml.safe_load((making / f"{name}.yaml").read_text())
        settings["train"] |= {"budget": {"steps": 40}, "learning_rates": [0.001, 0.002], "validations": 4}
        _yaml(folder / f"{name}.yaml", settings)


def _trained(sound: Path, making: Path) -> None:
    """Train, and make of the results what is read again."""
    cpu = ("--device", "cpu")
    _command("bench", making / "bench.yaml", "--out", making / "bench", *cpu)
    _command("train", making / "run.yaml", "--out", making / "run", *cpu)
    _command("predict", making / "run", making / "dataset.yaml", "--out", making / "predicted", *cpu)
    prepared = next(
        path for path in sorted((making / "cache" / "samples").iterdir()) if not path.name.startswith(".")
    )
    sample = {"id": "S", "source": "prepared", "path": "prepared", "patient": "P", "um_per_px": 0.5}
    for name in ("prepared", "bundle", "bundle-timm", "bundle-baseline"):
        shutil.copytree(prepared, sound / name / "prepared")
        _dataset(sound / name, sample)
    shutil.copytree(making / "run" / "model", sound / "bundle" / "model")
    timm = {**RUN, "model": {"encoder": "timm:test_resnet"}, "patch": {"patch_um": 8, "input_px": 32}}
    ridge = {key: value for key, value in RUN.items() if key not in ("model", "train")} | {
        "baseline": "ridge"
    }
    for name, settings in (("timm", timm), ("baseline", ridge)):
        _yaml(making / f"{name}.yaml", settings)
        _command("train", making / f"{name}.yaml", "--out", making / name, *cpu)
        shutil.copytree(making / name / "model", sound / f"bundle-{name}" / "model")
    for name, made in (("run", "run"), ("bench", "bench"), ("half", "run"), ("cache", None)):
        folder = sound / name
        folder.mkdir()
        shutil.copytree(making / "hest", folder / "hest")
        for file in ("dataset.yaml", "run.yaml", "bench.yaml"):
            shutil.copy(making / file, folder / file)
        if made is not None and name != "half":
            shutil.copytree(making / made, folder / made)
    _half(sound / "half")
    for name in ("pair", "biology"):
        folder = sound / name
        folder.mkdir()
        shutil.copy(making / "predicted" / "S1.h5ad", folder / "predicted.h5ad")
        _truth(making / "hest" / "st" / "S1.h5ad", folder / "truth.h5ad")


def _half(folder: Path) -> None:
    """Leave a run that ended after its third checkpoint."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        assert list((folder / "half" / "checkpoints").iterdir())
        return
    from prestige.training import loop

    kept, saved = [0], loop.save_checkpoint

    def save(*arguments: Any) -> None:
        saved(*arguments)
        kept[0] += 1
        if kept[0] == 3:
            os._exit(0)

    loop.save_checkpoint = save
    _command("train", folder / "run.yaml", "--out", folder / "half", "--device", "cpu")
    os._exit(0)


def _truth(source: Path, target: Path) -> None:
    import anndata

    table = anndata.read_h5ad(source)
    table.uns["um_per_px"] = 0.5
    table.obs["measured"] = np.arange(N) % 10 != 0
    table.write_h5ad(target)


def _of_people(sound: Path, making: Path) -> None:
    """Write what people write: settings, gene sets, lists of genes."""
    for name in ("yaml-dataset", "yaml-run", "yaml-bench", "metadata", "h5ad"):
        folder = sound / name
        folder.mkdir()
        shutil.copytree(making / "hest", folder / "hest")
        for file in ("dataset.yaml", "run.yaml", "bench.yaml"):
            shutil.copy(making / file, folder / file)
    for name in ("metadata", "h5ad", "cache"):
        _dataset(sound / name, *_hest_samples(1))
    phantom = {
        "patients": 2,
        "size_px": 128,
        "widths_um": [8, 16],
        "n_genes": 4,
        "replicates": 2,
        "radius_um": 5,
    }
    for name in ("yaml-phantom", "yaml-biology"):
        (sound / name).mkdir()
    _yaml(sound / "yaml-phantom" / "phantom.yaml", phantom)
    for file in ("predicted.h5ad", "truth.h5ad"):
        shutil.copy(sound / "pair" / file, sound / "yaml-biology" / file)
    asked = {
        "sets": ["sets.gmt"],
        "genes": ["EPCAM"],
        "domains": 2,
        "note": "x",
        "seed": 1,
        "region": {"column": "region", "value": "in", "within_um": 20.0},
    }
    _yaml(sound / "yaml-biology" / "biology.yaml", asked)
    sets = sound / "sets"
    sets.mkdir()
    text = "A\tfirst\tEPCAM\tPTPRC\nB\tsecond\tACTA2\tCD3E\tEPCAM\nC\t\tKRT8\tVIM\n"
    for folder in (sets, sound / "yaml-biology"):
        (folder / "sets.gmt").write_text(text)
    (sets / "genes.txt").write_text("EPCAM\nPTPRC\nCD3E\n")
    types = {
        "epithelium": {"genes": ["EPCAM", "KRT8"], "sources": ["a"]},
        "T cells": {"genes": ["CD3E"], "sources": ["a"]},
    }
    _yaml(sets / "markers.yaml", {"sources": {"a": "Somebody 2020"}, "tissues": {"kidney": types}})


def _outside(sound: Path) -> None:
    folder = sound / OUTSIDE
    folder.mkdir()
    shutil.copy(sound / "pair" / "truth.h5ad", folder / "secret.h5ad")
    (folder / "secret.raw").write_bytes(bytes(10_000))
