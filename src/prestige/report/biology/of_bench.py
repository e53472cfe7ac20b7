"""The page "Biology" of a bench's recommended configuration, or of anyone's prediction file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from prestige.analysis.analyse import Analysis
from prestige.analysis.gene_sets.comparison import set_config
from prestige.analysis.gene_sets.of_pair import pair_set_scores
from prestige.analysis.summary import Summary
from prestige.biology.genes.markers import markers
from prestige.biology.join import join
from prestige.biology.pair import Pair, read_pair
from prestige.biology.settings import BiologyConfig
from prestige.biology.study import Study, study
from prestige.compute.outputs import check_folder
from prestige.compute.ownership import refuse_others
from prestige.errors import PrestigeError
from prestige.genesets import GeneSet, GeneSetConfig, GmtFile, collect_sets, score_sets
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.report.biology.page import OWN, write_biology
from prestige.report.biology.words import findings
from prestige.report.gene_sets.tables import score_facts
from prestige.report.style import with_units
from prestige.settings import build, read_yaml
from prestige.stats.block_width import blocks_of_tissue

FOLDER = "biology"


def bench_biology(analysis: Analysis, report: Path) -> dict[str, Any]:
    """Write ``biology/`` into a bench's report where its yaml asks for it; return what the main page says.

    The page is of the recommended configuration (the best encoder where none is recommended), of its first
    seed, on all test observations of all folds.

    Parameters
    ----------
    report
        The folder of the report that is being written.

    Returns
    -------
    dict
        ``label``, ``link``, ``verdict`` and ``findings``; {} where the page is not asked for, or a part
        of the predictions that it needs is gone (a run folder that was moved without its bench).  ``error``
        says why there is no page where the yaml asks for something that is not there.
    """
    shown = analysis.leading.shown if analysis.leading is not None else None
    if shown is None:
        return {}
    try:
        return _bench_page(analysis, shown, report)
    except PrestigeError as error:  # trainings are done: what is wrong here must not keep their report back
        return {"label": shown.label, "link": None, "verdict": None, "findings": [], "error": str(error)}


def check_biology(config: BiologyConfig | None) -> None:
    """Read the files that a bench's page will need, so that a fault is told before anything is trained.

    Raises
    ------
    PrestigeError
        When a GMT file or the markers are missing or wrong, or the tissue is not known.
    """
    if config is not None:
        collect_sets(_no_chosen(shipped=(), files=config.sets))
        _types(config)


def _bench_page(analysis: Analysis, shown: Configuration, report: Path) -> dict[str, Any]:
    bench, summary = analysis.bench, analysis.summary
    config = _asked(bench)
    if config is None:
        return {}
    pair = _pair_of(bench, summary, shown)
    if pair is None:
        return {}
    sets = _sets_of(analysis) | _types(config)
    block_um = summary.blocks.width_um if summary.blocks is not None else 500.0
    answers = study(pair, sets, config, block_um=block_um)
    scored = pair_set_scores(answers, set_config(bench), shown)
    write_biology(
        answers,
        report / FOLDER,
        title=f"Biology: {bench.name}",
        subtitle=shown.label,
        notes=_notes(answers, config),
        genes=config.genes,
        sets=scored,
    )
    first = findings(answers, score_facts(*scored).get("text", ""))
    return {
        "label": shown.label,
        "link": f"{FOLDER}/index.html",
        "verdict": answers.structure.verdict if answers.structure is not None else None,
        "findings": [f"{what[:1].upper()}{what[1:]}: {with_units(text)}" for what, text in first],
        "error": None,
    }


def write_file_biology(
    pred: Path | str,
    truth: Path | str,
    out: Path | str,
    *,
    sets: tuple[Path, ...] = (),
    scale: str | None = None,
    config: BiologyConfig | None = None,
) -> tuple[Path, Study]:
    """Write the page "Biology" of a prediction file, whichever tool made it.

    Parameters
    ----------
    pred, truth, scale
        As in :func:`prestige.evaluate.evaluate_files`.
    out
        Folder of the page; one that holds an earlier page is replaced.
    sets
        GMT files whose sets are judged one by one, besides the shipped ones.
    config
        What else is asked.

    Returns
    -------
    tuple
        Path of the page, and all that was found.

    Raises
    ------
    PrestigeError
        When a file cannot be read or does not fit the other, the scale is not known, or ``out`` holds
        something else.

    Examples
    --------
    >>> import prestige
    >>> files = "run/predictions/S2.h5ad", "bench/truth/fold-0/S2.h5ad"
    >>> page, study = prestige.write_file_biology(*files, "biology")
    >>> page.name
    'index.html'
    """
    pred, truth, out = Path(pred), Path(truth), Path(out)
    config = config or BiologyConfig()
    asked = [one.path for one in config.sets]
    check_folder(out, inputs=[pred, truth, *sets, *asked, config.markers], whole=True)
    refuse_others(out, OWN)
    judged = collect_sets(_no_chosen(files=tuple(GmtFile(path=path) for path in sets))) | _types(config)
    pair = read_pair(pred, truth, scale)
    blocks = blocks_of_tissue(pair.measured, pair.xy_um, pair.sample_of, patient_of=pair.patient_of)
    notes = (f"Blocks of the intervals are {blocks.text}.",) if pair.has_positions else ()
    answers = study(pair, judged, config, block_um=blocks.width_um)
    page = write_biology(
        answers,
        out,
        title="Biology",
        subtitle=pred.name,
        notes=(*_notes(answers, config), *notes),
        genes=config.genes,
        sets=pair_set_scores(answers, GeneSetConfig()),
    )
    return page, answers


def read_biology(path: Path) -> BiologyConfig:
    """Read BIOLOGY.yaml; its paths are taken from the folder that it lies in.

    Raises
    ------
    ConfigError
        Listing every fault, an unknown key with the nearest one that exists.
    """
    return build(BiologyConfig, read_yaml(path), where=path).resolved(Path(path).parent)


def _asked(bench: Bench) -> BiologyConfig | None:
    """Return the bench's settings of the page, None where its yaml has none."""
    stored = bench.folder.settings_of("biology")
    return None if stored is None else build(BiologyConfig, stored, where=bench.folder.settings)


def _pair_of(bench: Bench, summary: Summary, shown: Configuration) -> Pair | None:
    """Return the pair of a configuration's first seed over all folds, None where a file is not there."""
    pairs, folds, first = [], [], []
    used = summary.used[shown]
    for fold in sorted({run.fold for run in used}):
        run = min((run for run in used if run.fold == fold), key=lambda one: one.seed)
        truth = {path.name: path for path in bench.folder.truth(fold).glob("*.h5ad")}
        predicted = {path.name: path for path in run.folder.predictions.glob("*.h5ad")}
        if not predicted or set(predicted) != set(truth):
            return None
        first.append(run.seed)
        for name in sorted(predicted):
            pairs.append(_described(read_pair(predicted[name], truth[name]), bench))
            folds.append(fold)
    if not pairs:
        return None
    joined = join(pairs, folds)
    return replace(joined, notes=(_of_which_models(first), *joined.notes))


def _of_which_models(seeds: list[int]) -> str:
    """Say which trainings the predictions are of; ``seeds`` has the first of each fold."""
    named = ", ".join(str(seed) for seed in dict.fromkeys(seeds))
    if len(seeds) == 1:
        return f"Predictions are of seed {named} alone, the first."
    several = f"{len(seeds)} folds, each tested by its own model"
    return f"Predictions are of seed {named} alone, the first, and of {several}."


def _described(pair: Pair, bench: Bench) -> Pair:
    """Return the pair with the patient and the covariates of its samples among its columns."""
    obs = pair.obs.copy()
    columns: dict[str, dict[str, str]] = {}
    for sample in bench.record.dataset.samples:
        for key, value in {"patient": sample.patient or sample.id, **sample.covariates}.items():
            columns.setdefault(key, {})[sample.id] = str(value)
    for key, of_sample in columns.items():
        if key not in obs:
            obs[key] = [of_sample.get(str(name), "") for name in pair.sample_of]
    return replace(pair, obs=obs)


def _sets_of(analysis: Analysis) -> dict[str, GeneSet]:
    described = next((fold.gene_sets for fold in analysis.bench.record.folds), {})
    return {
        name: GeneSet(name, genes, described[name].source if name in described else "")
        for name, genes in analysis.gene_sets.items()
    }


def _no_chosen(**values: Any) -> GeneSetConfig:
    return GeneSetConfig(most_expressed=None, most_variable=None, most_spatially_variable=None, **values)


def _types(config: BiologyConfig) -> dict[str, GeneSet]:
    """Return the markers of the tissue's cell types as sets, named so that "immune" stays another."""
    if config.tissue is None:
        return {}
    types = markers(config.tissue, config.markers)
    return {f"{name} markers": replace(one, name=f"{name} markers") for name, one in types.items()}


def _notes(answers: Study, config: BiologyConfig) -> tuple[str, ...]:
    small = [one.text for one in score_sets(answers.pair.genes, answers.sets).values() if not one.scored]
    return tuple(filter(None, (config.note, f"Not scored: {'; '.join(small)}." if small else "")))
