"""Write docs/results/first-bench.md from the folders of two finished benches.

python docs/write_results.py out/kidney out/pancreas
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).resolve().parent / "results"
LEAST_CEILING = 0.2
"""Below it a fraction of the ceiling says nothing."""

YARDSTICKS = {
    "kidney": "a strip kept back, other tissue than here: 0.182 / 0.154 / 0.118 at 32 / 64 / 128 px",
    "yardstick": "0.151 / 0.164 at 32 / 64 px on these cells, no buffer, trained on all training cells",
    "pancreas": "0.151 / 0.164 at 32 / 64 px on the validation cells, which are the test side here, "
    "without a buffer",
}


def page(folders: list[Path]) -> str:
    """Return the page for these benches, and copy their figures beside it."""
    parts = [
        "# First benches on real tissue",
        "Written by `python docs/write_results.py FOLDER ...` from what the benches left; do not edit by "
        "hand.",
        "All encoders are trained from scratch.  The score is the mean per-gene Pearson correlation on the "
        "test side; intervals are 95 %, from resampled spatial blocks. "
        "*tied*: cannot be told from the best.",
    ]
    parts.append(
        "The `RESULT_VERSION` of each bench stands below it; CHANGELOG.md says what changed with it. Those "
        "of 8 minutes on one seed are of version 2 and had fewer baselines than the examples have now; the "
        "yardstick's bears that number too and already has the choice of learning rates of version 3."
    )
    parts += [_bench(folder) for folder in folders]
    return "\n\n".join(parts) + "\n"


def _bench(folder: Path) -> str:
    bench = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    answer = json.loads((folder / "report" / "answer.json").read_text(encoding="utf-8"))
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("runs/*/manifest.json")]
    name, minutes = bench["name"], f"{bench['train']['budget']['minutes']:g}"
    seeds = {manifest["seed"] for manifest in manifests if not manifest["baseline"]}
    slug = f"{name}-{minutes}-minutes" + (f"-{len(seeds)}-seeds" if len(seeds) > 1 else "")
    often = f", {len(seeds)} seeds" if len(seeds) > 1 else ""
    figures = RESULTS / slug
    figures.mkdir(parents=True, exist_ok=True)
    shown = []
    for stem, words in (
        ("heatmap", "Score by encoder and patch"),
        ("cost", "Score against parameters, FLOPs and seconds"),
        ("curves", "Training curves"),
    ):
        source = folder / "report" / "figures" / f"{stem}.png"
        if source.exists():
            shutil.copy(source, figures / source.name)
            shown.append(f"![{words}]({slug}/{source.name})")
    entries = answer if isinstance(answer, list) else answer.get("answers", [answer])
    text = " ".join(str(entry["text"]) for entry in entries)
    limits = [limit for entry in entries for limit in entry.get("limits", [])]
    return "\n\n".join(
        [
            f"## {name.capitalize()}, {minutes} minutes a run{often}",
            f"`{_command(bench, manifests)}`",
            f"**{text}** {' '.join(limits)}",
            _table(pd.read_csv(folder / "report" / "tables" / "summary.csv"), bench),
            f"Yardstick (a throwaway compact CNN, 4 minutes on 2 cores, {_share(bench, manifests)} times the "
            f"computing of a run here): {YARDSTICKS.get(name, 'none')}.",
            *shown,
            *_evidence(folder, bench, entries[0]),
            _method(bench, manifests),
        ]
    )


def _table(summary: pd.DataFrame, bench: dict[str, Any]) -> str:
    um = bench["dataset"]["samples"][0]["um_per_px"]
    head = (
        "| encoder | patch | Pearson | 95 % interval | | parameters | GFLOPs | train s | observations seen "
    )
    head += "| epochs |"
    rows = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for row in summary.to_dict("records"):
        blind = row["encoder"] == "baseline:mean" or row["patch_um"] != row["patch_um"]
        patch = "none" if blind else f"{row['patch_um'] / um:.0f} px, {row['patch_um']:.0f} um"
        place = "best" if row["best"] else "tied" if row["tied"] is True or row["tied"] == "True" else ""
        interval = f"{row['pearson_low']:.3f} to {row['pearson_high']:.3f}"
        flops = f"{row['flops'] / 1e9:.3f}" if row["flops"] == row["flops"] else ""
        cells = [row["encoder"], patch, f"{row['pearson']:.3f}", interval, place, f"{row['parameters']:,.0f}"]
        cells += [
            flops,
            f"{row['train_seconds']:.0f}",
            f"{row['observations_seen']:,.0f}",
            f"{row['epochs_seen']:.1f}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _evidence(folder: Path, bench: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """Return what stands behind the answer: audit, ceilings, questions; nothing for older benches."""
    audit = bench.get("audit")
    if audit is None or "questions" not in answer:
        return []
    lines = [f"Audit: {checked}." for checked in audit["checked"]]
    for found in audit["findings"]:
        accepted = f"accepted by `{found['accepted']}`" if found.get("accepted") else found["severity"]
        lines.append(f"Audit, {found['name']}: {found['text']} ({accepted}).")
    apart = [one["train and test"] for one in audit["distances"] if one.get("train and test") is not None]
    if apart:
        lines.append(f"Training and test tissue are at least {min(apart):.0f} um apart.")
    lines += [_ceilings(pd.read_csv(folder / "report" / "tables" / "genes.csv"), answer["best"])]
    blocks = answer["blocks"]
    lines.append(
        f"Intervals: blocks of {blocks['merged_um']:g} um; the correlation length of the test side is "
        f"{blocks['correlation_length_um']:.0f} um. {answer['spread']['text']}"
    )
    asked = [f"| {asked} | {size} | {ends} | {said} |" for asked, size, ends, said in answer["questions"]]
    table = ["| what it brings | effect | 95 % interval | in words |", "|---|---|---|---|", *asked]
    return ["\n".join(f"- {line}" for line in lines), "\n".join(table)]


def _ceilings(genes: pd.DataFrame, best: str) -> str:
    """Say how near the best configuration comes to what counting noise allows."""
    own = genes[
        [f"{row.encoder} at {row.patch_um:.3g}" == best.removesuffix(" µm") for row in genes.itertuples()]
    ]
    clear = own[own["ceiling_lower"] > LEAST_CEILING]
    share = (clear["pearson"] / clear["ceiling"]).median()
    return (
        f"Ceilings: {len(clear):,} of {len(own):,} genes have one that is shown to be above "
        f"{LEAST_CEILING:g}; on these {best} reaches {share:.0%} of it (median), with a mean Pearson of "
        f"{clear['pearson'].mean():.3f}."
    )


def _method(bench: dict[str, Any], manifests: list[dict[str, Any]]) -> str:
    trained = [manifest for manifest in manifests if not manifest["baseline"]]
    budget, fold = trained[0]["budget"], bench["folds"][0]
    sides = ", ".join(f"{count:,} {side}" for side, count in fold["counts"].items())
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in fold["dropped"].items() if count)
    spent = sorted(manifest["seconds"]["total"] / 60 for manifest in trained)
    words = [
        f"Budget: {budget['minutes']:g} minutes a run ({budget['kind']}), made steps by timing first; "
        f"with validation and prediction {spent[0]:.1f} to {spent[-1]:.1f} minutes.",
        f"Machine: {_one(trained, 'hardware', 'cpu')}, {_one(trained, 'hardware', 'threads')} thread(s), "
        f"{_one(trained, 'precision')}.",
        f"Folds: {len(bench['folds'])} (`{json.dumps(bench['split'])}`), {sides}; dropped: {dropped}.",
        f"Seeds: {sorted({manifest['seed'] for manifest in trained})}. "
        f"`RESULT_VERSION` {_one(trained, 'result_version')}. "
        f"Genes: {bench['panel']['n_genes_common']:,}. Learning rates tried by each: "
        f"{', '.join(f'{rate:g}' for rate in trained[0]['learning_rates_tried'])}.",
        _caveat(trained),
        *(str(note) for sample in bench["dataset"]["samples"] for note in sample["notes"]),
    ]
    return "\n".join(f"- {line}" for line in words)


def _caveat(trained: list[dict[str, Any]]) -> str:
    """Say of how many runs the score speaks of speed alone."""
    short = [manifest for manifest in trained if manifest["epochs_seen"] < 0.5]
    idle = [manifest for manifest in short if manifest["seconds"]["validate"] > manifest["seconds"]["train"]]
    return (
        f"{len(short)} of {len(trained)} runs saw less than half an epoch: their scores say what is learnt "
        f"in the time, not what the encoder can learn. {len(idle)} of them validated longer than they "
        "trained."
    )


def _command(bench: dict[str, Any], manifests: list[dict[str, Any]]) -> str:
    minutes, threads = bench["train"]["budget"]["minutes"], _one(manifests, "hardware", "threads")
    name = bench["name"]
    home = "examples" if (RESULTS.parents[1] / "examples" / f"{name}.yaml").exists() else "benchmarks"
    set_before = f"OMP_NUM_THREADS={threads}"
    if home == "examples":
        seeds = sorted({manifest["seed"] for manifest in manifests if not manifest["baseline"]})
        set_before = f"MINUTES={minutes:g} " + (f'SEEDS="{seeds}" ' if len(seeds) == 1 else "") + set_before
    return f"{set_before} prestige bench {home}/{name}.yaml --out out/{name}"


def _share(bench: dict[str, Any], manifests: list[dict[str, Any]]) -> str:
    """Say how much more computing the yardstick's 8 minutes of a core are than a run here had."""
    ours = bench["train"]["budget"]["minutes"] * int(_one(manifests, "hardware", "threads"))
    return f"{8 / ours:.1f}"


def _one(manifests: list[dict[str, Any]], *keys: str) -> str:
    found = set()
    for manifest in manifests:
        value: Any = manifest
        for key in keys:
            value = value.get(key, {}) if isinstance(value, dict) else {}
        if value != {}:
            found.add(str(value))
    return ", ".join(sorted(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first-bench.md").write_text(page(parser.parse_args().folders), encoding="utf-8")
