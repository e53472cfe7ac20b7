"""A small bench folder in the formats of the real one: scores that are known before they are reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

GENES = tuple(f"GENE{i:02d}" for i in range(40))
CONSTANT_TRUTH, CONSTANT_PREDICTION = "GENE38", "GENE39"
UM_PER_PX = 0.5
WIDTHS = (16.0, 32.0, 64.0)
FALLING = np.linspace(1.4, 0.05, len(GENES))


@dataclass(frozen=True)
class Recipe:
    """What a synthetic bench holds.

    ``quality`` gives each encoder the correlation it has with the truth at each patch width.
    """

    quality: Mapping[str, Sequence[float]] = field(
        default_factory=lambda: {"compact_s": (0.25, 0.50, 0.52), "resnet18": (0.20, 0.30, 0.35)}
    )
    ridge: Sequence[float] = (0.10, 0.12, 0.15)
    folds: int = 2
    patients: Sequence[str] = ("P1", "P2")
    n_obs: int = 300
    width_um: float = 2000.0
    block_um: float = 250.0
    truth: dict[str, Any] | None = None
    seed: int = 0


def _truth(recipe: Recipe, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions (um), counts and totals of a fold's test sample."""
    rng = np.random.default_rng(100 * recipe.seed + fold)
    side = int(np.ceil(np.sqrt(recipe.n_obs)))
    step = recipe.width_um / side
    xy = (
        np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)[: recipe.n_obs] * step
        + step / 2
    )
    waves = np.stack(
        [np.sin(xy[:, 0] / (90 + 11 * i)) + np.cos(xy[:, 1] / (70 + 13 * i)) for i in range(len(GENES))], 1
    )
    counts = rng.poisson(np.exp(0.8 * waves + 0.6)).astype(np.float32)
    counts[:, GENES.index(CONSTANT_TRUTH)] = 0
    totals = counts.sum(axis=1).astype(np.float64) + 5.0
    return xy, counts, totals


def _predict(truth: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Return predictions whose correlation with the truth falls from gene to gene, ``quality`` on average."""
    spread = truth.std(axis=0) + 1e-9
    r = np.clip(quality * FALLING, 0.0, 0.97)
    z = (truth - truth.mean(axis=0)) / spread
    mixed = r * z + np.sqrt(1 - r**2) * rng.standard_normal(truth.shape)
    predicted = np.clip(truth.mean(axis=0) + r * spread * mixed, 0.0, None)
    predicted[:, GENES.index(CONSTANT_PREDICTION)] = 0.7
    return predicted.astype(np.float32)


def _rank_correlation(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return _correlation(pd.DataFrame(p).rank().to_numpy(), pd.DataFrame(t).rank().to_numpy())


def _correlation(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    p, t = p - p.mean(axis=0), t - t.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (p * t).sum(axis=0) / np.sqrt((p**2).sum(axis=0) * (t**2).sum(axis=0))
    return np.where((np.ptp(p, axis=0) > 1e-7) & (np.ptp(t, axis=0) > 1e-7), r, np.nan)


def _scores(p: np.ndarray, t: np.ndarray, mean: np.ndarray, sample: str) -> pd.DataFrame:
    p, t = p.astype(float), t.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - ((p - t) ** 2).sum(axis=0) / ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    r2[~np.isfinite(r2)] = np.nan
    gene = {
        "pearson": _correlation(p, t),
        "spearman": _rank_correlation(p, t),
        "r2": r2,
        "mse": ((p - t) ** 2).mean(axis=0),
    }
    rows = [
        (sample, "gene", name, metric, value, len(t))
        for metric, values in gene.items()
        for name, value in zip(GENES, values, strict=True)
    ]
    varies = np.ptp(t, axis=0) > 0
    for metric, values in gene.items():
        kept = np.nan_to_num(values[varies], nan=0.0)
        rows.append((sample, "genes", "all", metric, float(kept.mean()), len(t)))
    obs = {"pearson": _correlation(p.T, t.T), "spearman": _rank_correlation(p.T, t.T)}
    centred = {
        "pearson_centred": _correlation((p - mean).T, (t - mean).T),
        "spearman_centred": _rank_correlation((p - mean).T, (t - mean).T),
    }
    for metric, values in (obs | centred).items():
        rows.append((sample, "obs", "all", metric, float(np.nan_to_num(values).mean()), len(t)))
    return pd.DataFrame(rows, columns=["sample", "level", "name", "metric", "value", "n_obs"])


def _history(seed: int, best: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for phase, steps in (("trial-0.0003", 40), ("trial-0.001", 40), ("trial-0.003", 40), ("main", 400)):
        for step in range(10, steps + 1, 10):
            score = best * (1 - np.exp(-step / 90)) + 0.004 * rng.standard_normal()
            rows.append((phase, step, 0.05 * step, 1e-3, 1.0 - score, score if step % 20 == 0 else np.nan))
    return pd.DataFrame(
        rows, columns=["phase", "step", "seconds", "learning_rate", "train_loss", "validation_score"]
    )


def _manifest(encoder: str, width: float, fold: int, parameters: int) -> dict[str, Any]:
    baseline = encoder.startswith("baseline:")
    trained = not baseline
    return {
        "schema": "prestige.run/1", "encoder": encoder, "baseline": baseline, "pretrained": False,
        "parameters": parameters, "flops": int(parameters * width**2 / 10) if trained else 0,
        "patch_um": width, "input_px": int(width / UM_PER_PX), "visible_um": None,
        "patch_px": int(width / UM_PER_PX), "fold": fold, "fold_name": f"fold {fold}", "seed": 0,
        "steps": 400, "batch_size": 256, "observations_seen": 400 * 256, "epochs_seen": 400 * 256 / 900,
        "n_train": 900, "n_validation": 150, "n_test": 300,
        "learning_rates_tried": [3e-4, 1e-3, 3e-3] if trained else [],
        "learning_rate": 1e-3 if trained else None,
        "budget": {"kind": "minutes", "minutes": 4, "steps": 400, "seconds_per_step": 0.05 * width / 16},
        "seconds": {
            "timing": 2.0, "train": 20.0 * width / 16, "validate": 3.0, "predict": 1.5, "score": 0.5,
            "total": 27.0,
        },
        "peak_memory_bytes": 1_500_000_000,
        "hardware": {"cpu": "Example CPU", "device": "cpu", "threads": 2, "platform": "Linux"},
        "precision": "32-true", "versions": {"prestige": "0.1.0", "torch": "2.6.0", "numpy": "2.1.0"},
        "data_fingerprints": {"S": "abc"}, "notes": [], "result_version": 1, "best_step": 380,
        "validation_score": 0.3,
    }  # fmt: skip


def _write_run(
    bench: Path, name: str, recipe: Recipe, manifest: dict[str, Any], quality: float | None
) -> None:
    import anndata

    from prestige.stats.moments import moments_of, spatial_blocks

    fold = manifest["fold"]
    sample = f"S{fold + 1}"
    xy, counts, totals = _truth(recipe, fold)
    truth = np.log1p(counts / totals[:, None] * 100.0).astype(np.float32)
    mean = truth.mean(axis=0) * 0.95
    rng = np.random.default_rng(int.from_bytes(name.encode()[-4:], "little") + recipe.seed)
    predicted = np.tile(mean, (len(truth), 1)) if quality is None else _predict(truth, quality, rng)
    folder = bench / "runs" / name
    (folder / "predictions").mkdir(parents=True)
    scores = _scores(predicted, truth, mean, sample)
    for key in (
        "encoder",
        "baseline",
        "pretrained",
        "parameters",
        "flops",
        "patch_um",
        "input_px",
        "visible_um",
        "fold",
        "seed",
    ):
        scores[key] = manifest[key]
    scores["patient"] = recipe.patients[fold % len(recipe.patients)]
    scores.to_parquet(folder / "scores.parquet")
    blocks = spatial_blocks(xy, recipe.block_um)
    moments_of(predicted, truth, np.array([sample] * len(truth)), blocks, GENES).save(folder / "moments.npz")
    names = [f"cell{i}" for i in range(len(truth))]
    data = anndata.AnnData(
        predicted, obs=pd.DataFrame(index=names), var=pd.DataFrame({"train_mean": mean}, index=list(GENES))
    )
    data.obsm["spatial"] = xy / UM_PER_PX
    data.uns["prestige"] = {
        "schema": "prestige.prediction/1",
        "normalisation": {"total": 100.0, "log1p": True},
        "model": {"encoder": manifest["encoder"]},
    }
    data.write_h5ad(folder / "predictions" / f"{sample}.h5ad")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if not manifest["baseline"]:
        _history(len(name), quality or 0.0).to_csv(folder / "history.csv", index=False)
    (folder / "DONE").write_text("0123456789abcdef\n")


def _write_truth(bench: Path, recipe: Recipe, fold: int) -> None:
    import anndata
    import scipy.sparse

    xy, counts, totals = _truth(recipe, fold)
    obs = pd.DataFrame({"total_counts": totals}, index=[f"cell{i}" for i in range(len(counts))])
    data = anndata.AnnData(scipy.sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(GENES)))
    data.obsm["spatial"] = xy / UM_PER_PX
    data.uns["um_per_px"] = UM_PER_PX
    folder = bench / "truth" / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    data.write_h5ad(folder / f"S{fold + 1}.h5ad")


def build_bench(bench: Path, recipe: Recipe) -> Path:
    """Write a finished bench folder."""
    bench.mkdir(parents=True)
    listed = []
    sizes = {name: 10 ** (5 + i) for i, name in enumerate(recipe.quality)}
    for fold in range(recipe.folds):
        _write_truth(bench, recipe, fold)
        for i, width in enumerate(WIDTHS):
            grid: dict[str, float | None] = {name: values[i] for name, values in recipe.quality.items()}
            grid |= {"baseline:ridge": recipe.ridge[i], "baseline:mean": None}
            for name, quality in grid.items():
                folder = f"{name.replace(':', '-')}-{width:.0f}-{fold}"
                manifest = _manifest(name, width, fold, sizes.get(name, 40 if quality is None else 4000))
                _write_run(bench, folder, recipe, manifest, quality)
                listed.append({"folder": f"runs/{folder}"})
    samples = [
        {
            "id": f"S{fold + 1}", "patient": recipe.patients[fold % len(recipe.patients)],
            "source": "prepared", "n_obs": 700, "n_measured": 650, "um_per_px": UM_PER_PX,
            "um_per_px_assumed": fold == 0, "width_px": 4000, "height_px": 4000, "notes": ["<b>a note</b>"],
        }
        for fold in range(recipe.folds)
    ]  # fmt: skip
    folds = [
        {
            "index": fold, "name": f"fold {fold}", "notes": [],
            "counts": {"train": 900, "validation": 150, "test": recipe.n_obs},
            "dropped": {"unmeasured": 50, "few_counts": 3, "buffer": 41, "edge": 12},
        }
        for fold in range(recipe.folds)
    ]  # fmt: skip
    info = {
        "schema": "prestige.bench/1", "name": "tiny", "dataset": {"name": "tiny tissue", "samples": samples},
        "split": {"by": "patient", "folds": recipe.folds, "buffer_um": 70.0, "seed": 0}, "folds": folds,
        "panel": {"config": {"genes": "all", "total": 100.0}, "n_genes_common": len(GENES)},
        "evaluation": {"block_um": recipe.block_um}, "runs": listed, "finished": True,
    }  # fmt: skip
    if recipe.truth is not None:
        info["truth"] = recipe.truth
    (bench / "bench.json").write_text(json.dumps(info))
    (bench / "bench.yaml").write_text("name: tiny\n")
    return bench
