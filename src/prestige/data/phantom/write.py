"""Write a phantom: stores in the challenge's layout, dataset.yaml, and the truth beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Bool, Float, Int, UInt8, UInt32

from prestige.compute.files import whole_folder
from prestige.compute.outputs import check_folder
from prestige.compute.progress import Progress
from prestige.data.hdf5.h5ad import write_h5ad
from prestige.data.phantom import expression, oracle, render, tissue
from prestige.data.phantom.settings import PhantomConfig
from prestige.data.phantom.store import write_store
from prestige.errors import ConfigError
from prestige.inputs import read_json_object, real_path

SCHEMA = "prestige.phantom/1"
_UNMEASURED_GROUP = 4


@dataclass(frozen=True, eq=False)
class Section:
    """One synthetic section with its truth; the cell with ``cell_id`` i + 1 is row i.

    ``xy_px`` are the centroids (x, y) of the labels; ``mean`` the true mean counts; ``oracle`` the
    best score per gene for each width in ``config.widths_um``.
    """

    id: str
    patient: str
    pixels: UInt8[np.ndarray, "h w 3"]
    label: UInt32[np.ndarray, "h w"]
    xy_px: Float[np.ndarray, "n 2"]
    cell_type: Int[np.ndarray, "n"]
    look: Float[np.ndarray, "n"]
    environment: Float[np.ndarray, "n"]
    visible: dict[float, Float[np.ndarray, "n"]]
    scored: Bool[np.ndarray, "n"]
    measured: Bool[np.ndarray, "n"]
    mean: Float[np.ndarray, "n g"]
    counts: Int[np.ndarray, "n g"]
    oracle: dict[float, Float[np.ndarray, "g"]]


def write_phantom(config: PhantomConfig, folder: Path | str) -> Path:
    """Write a phantom data set and return the path of its ``dataset.yaml``.

    Beside it lie ``<sample>.zarr``, ``truth.json`` (radius, genes by group, oracle by width, right
    width) and ``truth/<sample>.h5ad`` (X: true mean counts; obs: type, look, environment).  The
    same configuration gives the same values.  A folder that holds this very phantom is left as it
    is; the folder appears only when all is written.

    Raises
    ------
    ConfigError
        When the folder holds something else.
    StorageError
        When it cannot be written.

    Examples
    --------
    >>> import prestige
    >>> config = prestige.PhantomConfig(size_px=192, patients=1, widths_um=(8, 16), n_genes=6, replicates=2)
    >>> prestige.write_phantom(config, "small").name
    'dataset.yaml'
    """
    folder = real_path(folder)
    if _holds(config, folder):
        return folder / "dataset.yaml"
    check_folder(folder, whole=True)
    with whole_folder(folder) as partial:
        _write_all(config, partial)
    return folder / "dataset.yaml"


def read_truth(folder: Path) -> dict[str, Any] | None:
    """Return what ``truth.json`` beside a ``dataset.yaml`` says, or None for data without a known answer.

    The keys: ``radius_um``, ``margin``, ``right_patch_um``, ``oracle`` (width in um as text ->
    mean over genes of the best score), ``oracle_by_group``, ``oracle_by_gene``, ``genes``, ``config``.
    """
    path = Path(folder) / "truth.json"
    if not path.is_file():
        return None
    truth = read_json_object(path, expected="the truth of a phantom", remedy="write the phantom again")
    return truth if truth.get("schema") == SCHEMA else None


def make_section(config: PhantomConfig, patient: int, section: int) -> Section:
    """Draw one section: plan, pixels, counts and truth."""
    programme = _programme(config)
    plan_rng, paint_rng, gene_rng, oracle_rng, group_rng = (
        np.random.default_rng([config.seed, 1, patient, section, part]) for part in range(5)
    )
    layout = tissue.make_layout(config, plan_rng)
    nuclei = render.draw_nuclei(config, layout, plan_rng)
    regions = render.draw_regions(config, layout)
    granules = tissue.make_granules(config, plan_rng, (nuclei.label == 0) & ~regions.lumen)
    stain = np.exp(config.stain_shift * np.random.default_rng([config.seed, 2, patient]).standard_normal(2))
    pixels = render.paint(config, layout, nuclei, regions, granules, stain=stain, rng=paint_rng)
    present, xy = render.centroids(nuclei.label)
    who = present - 1
    ring = expression.find_ring(config, xy, granules)
    scale = expression.environment_scale(config)
    environment = ring.sum(granules.mark) / scale
    own = expression.own_part(programme, layout, who)
    hidden = expression.draw_hidden_in_space(config, programme, xy, gene_rng)
    mean = expression.mean_counts(config, programme, own, environment, hidden)
    scored = oracle.inside_image(config, xy, max(config.widths_um))
    seen = {w: oracle.see(config, xy, granules, ring, w) for w in config.widths_um}
    seed = int(oracle_rng.integers(2**31))
    scores = {
        w: oracle.oracle_per_gene(
            config,
            programme,
            own[scored],
            oracle.Seen(s.visible_sum[scored], s.n_hidden[scored]),
            np.random.default_rng(seed),
        )
        for w, s in seen.items()
    }
    return Section(
        id=f"P{patient + 1}_S{section + 1}",
        patient=f"P{patient + 1}",
        pixels=pixels,
        label=render.as_labels(nuclei.label, present),
        xy_px=xy,
        cell_type=layout.cell_type[who],
        look=layout.look[who],
        environment=environment,
        visible={w: s.visible_sum / scale for w, s in seen.items()},
        scored=scored,
        measured=group_rng.random(len(xy)) >= config.unmeasured_share,
        mean=mean,
        counts=gene_rng.poisson(mean),
        oracle=scores,
    )


def _programme(config: PhantomConfig) -> expression.Programme:
    return expression.make_programme(config, np.random.default_rng([config.seed, 0]))


def _holds(config: PhantomConfig, folder: Path) -> bool:
    """Return whether the folder holds this very phantom; refuse one that holds anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ConfigError("is a file", where=folder, expected="a folder to write a phantom into")
    truth = read_truth(folder)
    same = truth is not None and truth.get("config") == config.model_dump(mode="json")
    names = [f"P{p + 1}_S{s + 1}" for p in range(config.patients) for s in range(config.sections)]
    made = ["dataset.yaml", *(f"{name}.zarr" for name in names), *(f"truth/{name}.h5ad" for name in names)]
    if same and all((folder / name).exists() for name in made):
        return True
    if any(folder.iterdir()):
        content = "a phantom of other settings" if truth is not None else "other files"
        content = "a part of this phantom" if same else content
        raise ConfigError(
            f"the folder holds {content}",
            where=folder,
            expected="an empty or a new folder",
            remedy="choose another folder, or remove this one",
        )
    return False


def _write_all(config: PhantomConfig, folder: Path) -> None:
    sections = [(p, s) for p in range(config.patients) for s in range(config.sections)]
    samples, scores = [], []
    (folder / "truth").mkdir()
    with Progress("phantom", len(sections)) as progress:
        for patient, number in sections:
            section = make_section(config, patient, number)
            _write_store(config, section, folder / f"{section.id}.zarr")
            _write_truth(config, section, folder / "truth" / f"{section.id}.h5ad")
            samples.append(_entry(config, section, patient))
            scores.append(section.oracle)
            progress.advance(note=section.id)
    truth = _summary(config, scores)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    text = yaml.safe_dump({"name": config.name, "samples": samples}, sort_keys=False)
    (folder / "dataset.yaml").write_text(text, encoding="utf-8")


def _entry(config: PhantomConfig, section: Section, patient: int) -> dict[str, Any]:
    return {
        "id": section.id,
        "source": "challenge",
        "path": f"{section.id}.zarr",
        "patient": section.patient,
        "um_per_px": config.um_per_px,
        "covariates": {"condition": "inflamed" if patient % 2 else "not inflamed"},
    }


def _summary(config: PhantomConfig, scores: list[dict[float, np.ndarray]]) -> dict[str, Any]:
    programme = _programme(config)
    by_gene = {w: np.mean([score[w] for score in scores], axis=0) for w in sorted(config.widths_um)}
    means = {w: float(values.mean()) for w, values in by_gene.items()}
    genes = {
        name: [gene for gene, k in zip(programme.genes, programme.group, strict=True) if k == number]
        for number, name in enumerate(expression.GROUPS)
    }
    return {
        "schema": SCHEMA,
        "radius_um": config.radius_um,
        "margin": config.margin,
        "right_patch_um": oracle.right_width(means, config.margin),
        "oracle": {f"{w:g}": round(score, 5) for w, score in means.items()},
        "oracle_by_group": {
            name: {
                f"{w:g}": round(float(v[programme.group == k].mean()), 5) if genes[name] else None
                for w, v in by_gene.items()
            }
            for k, name in enumerate(expression.GROUPS)
        },
        "oracle_by_gene": {
            f"{w:g}": dict(zip(programme.genes, np.round(v, 5).tolist(), strict=True))
            for w, v in by_gene.items()
        },
        "genes": genes,
        "config": config.model_dump(mode="json"),
    }


def _write_store(config: PhantomConfig, section: Section, path: Path) -> None:
    """Write the elements that the stores of the Autoimmune challenge have."""
    import anndata as ad
    import pandas as pd
    from scipy.sparse import csr_matrix

    cell_id = np.arange(1, len(section.xy_px) + 1)
    names = cell_id.astype(str)
    rows = np.flatnonzero(section.measured)
    counts = section.counts[rows].astype(np.float32)
    genes = list(_programme(config).genes)
    table = ad.AnnData(
        csr_matrix(expression.log_normalised(counts.astype(float), 100.0).astype(np.float32)),
        obs=pd.DataFrame({"cell_id": cell_id[rows]}, index=names[rows]),
        var=pd.DataFrame({"gene_symbols": genes}, index=genes),
        layers={"counts": csr_matrix(counts)},
    )
    # As in the challenge, not the frame of HE_original: flipped, shifted, another scale.
    table.obsm["spatial"] = (config.size_px - section.xy_px[rows]) * (config.um_per_px / 0.2125) + 731.0
    group = np.where(section.measured, 0, _UNMEASURED_GROUP)
    groups = ad.AnnData(obs=pd.DataFrame({"cell_id": cell_id, "group": group}, index=names))
    write_store(
        path,
        {"HE_original": section.pixels.transpose(2, 0, 1), "HE_nuc_original": section.label[None]},
        {"anucleus": table, "cell_id-group": groups},
    )


def _write_truth(config: PhantomConfig, section: Section, path: Path) -> None:
    import anndata as ad
    import pandas as pd

    programme = _programme(config)
    obs = pd.DataFrame(
        {
            "cell_id": np.arange(1, len(section.xy_px) + 1),
            "cell_type": np.array(tissue.TYPE_NAMES)[section.cell_type],
            "look": section.look,
            "environment": section.environment,
            "measured": section.measured,
            "scored": section.scored,
            **{f"visible_{w:g}um": values for w, values in section.visible.items()},
        },
        index=np.arange(1, len(section.xy_px) + 1).astype(str),
    )
    var = pd.DataFrame(
        {
            "group": np.array(expression.GROUPS)[programme.group],
            **{f"share_{name}": programme.shares[:, k] for k, name in enumerate(expression.GROUPS)},
            **{f"oracle_{w:g}um": values for w, values in section.oracle.items()},
        },
        index=list(programme.genes),
    )
    truth = ad.AnnData(section.mean.astype(np.float32), obs=obs, var=var)
    truth.obsm["spatial"] = section.xy_px
    write_h5ad(truth, path)
