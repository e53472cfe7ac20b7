"""Write docs/results/biology.md from the folders of finished benches whose yaml has ``biology:``.

    python docs/write_biology.py out/kidney-3seeds out/pancreas-3seeds

Benches on real H&E come first: the order is that of the command.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).resolve().parent / "results"
JUDGED = ("immune", "inflammation")
"""The study's immune and disease genes, among the sets that come with the package."""

Row = dict[str, float]
NUMBERS = ("n_genes", "on_set", "difference", "low", "high")
OVER_ALL, OVER_RANDOM = "less that on all genes", "less that on genes like its own"
FIGURES = (
    ("sets", "Gene sets beside their matched random sets"),
    ("genes", "Genes, measured beside predicted"),
    ("region", "The region, and the distance to its boundary"),
    ("gradients", "Expression along that distance"),
    ("structure", "Structure in space"),
    ("activity", "Activity of pathways"),
    ("domains", "Tissue domains"),
    ("cell-types", "Cell types"),
)


def page(folders: list[Path]) -> str:
    """Return the page for these benches, and copy their figures beside it."""
    parts = [
        "# Does the biology survive?",
        "Written by `python docs/write_biology.py FOLDER ...` from what the benches left; do not edit by "
        "hand. All encoders are trained from scratch; scores are mean per-gene Pearson correlations on the "
        "test side, intervals are 95 %, from resampled tissue; those of a bench's effects hold all at once.",
        "## Do compact encoders on larger patches gain most on immune and disease genes?",
        "The study found so on its colon sections. Asked here: what a doubled patch width brings on a gene "
        "set, less what it brings on all genes, and less what it brings on random sets of the same mean "
        "expression and ceiling. Well-measured genes have more to gain (and to lose) than the average gene, "
        "whatever they do: only the second comparison tells that apart from what the set is about.",
        *(f"- {line}" for folder in folders for line in _answers(folder)),
        *(_tissue(folder) for folder in folders),
    ]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def _answers(folder: Path) -> list[str]:
    """Return the answer of one bench, a sentence for each effect of the patch width and set."""
    name, found = _bench(folder)["name"].capitalize(), []
    for effect, sets in _effects(folder).items():
        if "patch width" not in effect:
            continue
        for judged in JUDGED:
            if judged not in sets:
                continue
            over, beside = sets[judged][OVER_ALL], sets[judged].get(OVER_RANDOM)
            said = f"{_interval(over)} against all genes"
            said += f", {_interval(beside)} against genes like them" if beside else ""
            answer = _verdict(over, beside)
            found.append(f"**{name}, {effect}, {judged}: {answer}** {over['on_set']:+.4f} on them; {said}.")
    return found


def _verdict(over: Row, beside: Row | None) -> str:
    if math.isnan(over["low"]):
        return "not decided, there is no interval."
    if over["on_set"] <= 0:
        return "no, nothing is gained on them at all."
    if over["low"] <= 0:
        return "no, they are not shown to gain more than all genes."
    if beside is None or beside["low"] <= 0:
        return "more than all genes, but not shown beside genes of like expression and ceiling."
    return "yes."


def _tissue(folder: Path) -> str:
    bench, biology = _bench(folder), _biology(folder)
    slug = f"{bench['name']}-biology"
    answer = json.loads((folder / "report" / "answer.json").read_text(encoding="utf-8"))[0]
    parts = [f"## {bench['name'].capitalize()}", *(f"*{note}*" for note in biology.get("notes", []))]
    parts += [
        f"Predictions shown: {biology['subtitle']}, {biology['n_observations']:,} observations, "
        f"{biology['n_genes']:,} genes. Verdict: **{biology['verdict']}**.",
        f"{answer['text']} {' '.join(answer['limits'])} {_training(folder, bench)}",
        *(_effect_table(effect, sets) for effect, sets in _effects(folder).items()),
        "### What was found",
        "\n".join(f"- {sentence}" for sentences in biology["sentences"].values() for sentence in sentences),
        *_figures(folder / "report" / "biology" / "figures", slug),
    ]
    return "\n\n".join(parts)


def _training(folder: Path, bench: dict[str, Any]) -> str:
    """Say how long the networks trained: what a width or parameters bring is what is learnt in that time."""
    runs = pd.read_csv(folder / "report" / "tables" / "runs.csv")
    trained = runs[~runs["encoder"].str.contains(":")]
    compact = trained["encoder"].str.startswith("compact")
    saw = [
        f"{epochs.min():.2g} to {epochs.max():.2g} times"
        for epochs in (trained.loc[compact, "epochs_seen"], trained.loc[~compact, "epochs_seen"])
    ]
    return (
        f"Each network trained for {bench['train']['budget']['minutes']:g} minutes of one core, with "
        f"{trained['seed'].nunique()} seeds. In that time the compact ones saw the training side {saw[0]}, "
        f"the others {saw[1]}: effects are of what is learnt in equal time, not of what a network can learn."
    )


def _effect_table(effect: str, sets: dict[str, dict[str, Row]]) -> str:
    lines = [
        f"### {effect[0].upper()}{effect[1:]}",
        "",
        f"| gene set | genes | effect on it | {OVER_ALL} | {OVER_RANDOM} |",
        "|---|---|---|---|---|",
    ]
    for name, kinds in sets.items():
        cells = [_interval(kinds[kind]) if kind in kinds else "" for kind in (OVER_ALL, OVER_RANDOM)]
        first = kinds[OVER_ALL]
        lines.append(f"| {name} | {first['n_genes']:.0f} | {first['on_set']:+.4f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(row: Row) -> str:
    if math.isnan(row["low"]):
        return f"{row['difference']:+.4f} (no interval)"
    return f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"


def _figures(source: Path, slug: str) -> list[str]:
    target = RESULTS / slug
    target.mkdir(parents=True, exist_ok=True)
    shown = []
    for stem, words in FIGURES:
        for path in sorted(source.glob(f"{stem}.png")) or sorted(source.glob(f"{stem}-0-*.png")):
            shutil.copy(path, target / path.name)
            shown.append(f"![{words}]({slug}/{path.name})")
    return shown


def _effects(folder: Path) -> dict[str, dict[str, dict[str, Row]]]:
    """Return effect -> gene set -> what it is compared with -> the numbers."""
    table = pd.read_csv(folder / "report" / "tables" / "set_effects.csv")
    found: dict[str, dict[str, dict[str, Row]]] = {}
    for row in table.to_dict("records"):
        kinds = found.setdefault(str(row["effect"]), {}).setdefault(str(row["gene_set"]), {})
        kinds[str(row["compared"])] = {name: float(row[name]) for name in NUMBERS}
    return found


def _bench(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "bench.json").read_text(encoding="utf-8"))


def _biology(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report" / "biology" / "biology.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="of finished benches, real H&E first")
    (RESULTS / "biology.md").write_text(page(parser.parse_args().folders), encoding="utf-8")


if __name__ == "__main__":
    main()
