"""Models and the challenge's stores -> the long table of Crunch 1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from prestige.challenge.long_table import checked_name, long_table
from prestige.challenge.rules import GROUPS, HELD_OUT, SAMPLES, TOTAL, group_codes
from prestige.compute.progress import Progress
from prestige.data.dataset import DatasetConfig, open_dataset, read_dataset
from prestige.data.observations import Observations
from prestige.data.panel import scaled_to
from prestige.data.patches.reader import PatchReader
from prestige.data.sample import Sample
from prestige.data.slides.mapped import MOST_HELD_BYTES
from prestige.errors import DataError, ModelError, PrestigeError, StorageError, raise_all
from prestige.prediction.bundle import Bundle, read_bundle
from prestige.prediction.files import refuse_not_finite
from prestige.prediction.predict import (
    BAND_PX,
    bundle_folder,
    check_sizes,
    pixel_notes,
    reading_order,
)
from prestige.text import some

Fill = Literal["refuse", "mean", "zero"]
"""What stands for a gene that no model predicts: nothing, its mean over the training cells, or 0."""

_CELLS_AT_ONCE = 4096
_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class Submission:
    """What was written.

    Attributes
    ----------
    path
        The file.
    cells
        Sample -> number of its cells.
    n_genes
        Genes of each cell.
    notes
        What a reader of the file should know, a sentence each.
    """

    path: Path
    cells: Mapping[str, int]
    n_genes: int
    notes: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return sum(self.cells.values()) * self.n_genes


def submit(
    models: Sequence[Path | str],
    dataset: Path | str,
    out: Path | str,
    *,
    fill: Fill = "refuse",
    device: str = "auto",
) -> Submission:
    """Predict all validation and test cells and write them as a submission, block by block.

    Predictions of several models are averaged on the log1p scale, gene by gene over the models that have it.
    In memory stand the tables of the stores and some thousand cells, never all cells x genes.

    Parameters
    ----------
    models
        Run folders or model bundles.
    dataset
        The yaml of the challenge's stores.
    out
        The file to write, ``.parquet`` or ``.csv``.
    fill
        What stands for a gene of the challenge that no model predicts.
    device
        Where it is computed.

    Raises
    ------
    ModelError
        When a model is trained on another scale than the challenge's, or lacks genes and
        ``fill`` is "refuse".
    DataError
        When a sample is at fault, has no groups of cells, or none of validation and test.
    StorageError
        When the file is there already, or cannot be written.
    """
    out = checked_name(Path(out))
    if os.path.lexists(out):
        raise StorageError("is there already", where=out, remedy="name another file with --out")
    bundles, settings = _read(models, dataset)
    raise_all([fault for name, one in bundles.items() if (fault := _scale_fault(name, one)) is not None])
    samples = open_dataset(settings, counts="optional").samples
    genes = _genes(samples)
    chosen = _held_out(samples)
    for bundle in bundles.values():
        check_sizes([samples[number] for number in chosen], bundle.patch)
    filled, notes = _filled(list(bundles.values()), samples, genes, fill)
    average = _Average(list(bundles.values()), samples, genes, filled, device)
    n_cells = sum(map(len, chosen.values()))
    with long_table(out, genes) as write, Progress(f"predicting {n_cells:,} cells", n_cells) as progress:
        for number, rows in chosen.items():
            sample = samples[number]
            cell_id = sample.obs["cell_id"].to_numpy(np.int64)
            for some_rows, expression in average(number, rows):
                refuse_not_finite(expression, where=f"sample '{sample.id}'")
                write(sample.id, cell_id[some_rows], expression)
                progress.advance(len(some_rows))
    cells = {samples[number].id: len(rows) for number, rows in chosen.items()}
    trained_at = [bundle.extra.get("um_per_px") for bundle in bundles.values()]
    further = [words for at in trained_at for words in pixel_notes(samples, at)]
    notes += [*dict.fromkeys(words.removeprefix("note: ") for words in further), *_of_samples(samples, cells)]
    return Submission(out, cells, len(genes), tuple(notes))


def _read(models: Sequence[Path | str], dataset: Path | str) -> tuple[dict[str, Bundle], DatasetConfig]:
    """Return the models and the settings of the data set, or raise the faults of all of them."""
    bundles: dict[str, Bundle] = {}
    faults: list[PrestigeError] = []
    for folder in models:
        try:
            bundles[str(folder)] = read_bundle(bundle_folder(Path(folder)))
        except PrestigeError as error:
            faults.append(error)
    try:
        settings = read_dataset(dataset)
    except PrestigeError as error:
        raise_all([*faults, error])
        raise  # never reached
    raise_all(faults)
    return bundles, settings


def _scale_fault(name: str, bundle: Bundle) -> ModelError | None:
    if bundle.panel.total == TOTAL:
        return None
    return ModelError(
        f"predicts log1p of counts scaled to {bundle.panel.total:g}",
        where=name,
        expected=f"counts scaled to {TOTAL:g}, as the challenge scores them",
        remedy=f"train with panel: {{total: {TOTAL:g}}}",
    )


def _genes(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return the genes of the challenge in the order of the first store; all stores have to have the same."""
    having = [sample for sample in samples if sample.genes]
    if not having:
        raise DataError(
            "no sample names the genes", where="dataset", expected="a store with the table 'anucleus'"
        )
    first = having[0]
    faults: list[PrestigeError] = []
    for sample in having[1:]:
        other = sorted(set(sample.genes) ^ set(first.genes))
        if other:
            faults.append(
                DataError(
                    f"its genes are not those of sample '{first.id}': {some(other)} differ",
                    where=f"sample '{sample.id}'",
                    expected="one list of genes in all stores",
                )
            )
    raise_all(faults)
    return first.genes


def _held_out(samples: Sequence[Sample]) -> dict[int, Int[np.ndarray, " n"]]:
    """Return the rows of the validation and test cells by the number of the sample, in reading order."""
    chosen: dict[int, Int[np.ndarray, " n"]] = {}
    faults: list[PrestigeError] = []
    for number, sample in enumerate(samples):
        where = f"sample '{sample.id}'"
        he_alone = not sample.measured.any() and "group" not in sample.obs.columns
        needed = ("cell_id",) if he_alone else ("group", "cell_id")
        lacking = [name for name in needed if name not in sample.obs.columns]
        if lacking:
            faults.append(
                DataError(
                    f"obs has no column '{lacking[0]}'", where=where, expected="a store of the challenge"
                )
            )
            continue
        rows = np.arange(sample.n_obs)
        if not he_alone:  # of a section of H&E alone, all cells are held out
            rows = np.flatnonzero(np.isin(group_codes(sample.obs["group"], where=where), HELD_OUT))
        if len(rows):
            places = Observations(np.zeros(len(rows), np.int64), rows, sample.xy_px[rows])
            chosen[number] = rows[reading_order(places, band_px=BAND_PX)]
    raise_all(faults)
    if not chosen:
        raise DataError(
            "no sample has validation or test cells", where="dataset", expected="cells to predict"
        )
    return chosen


def _filled(
    bundles: Sequence[Bundle], samples: Sequence[Sample], genes: tuple[str, ...], fill: Fill
) -> tuple[Float[np.ndarray, " g"], list[str]]:
    """Return what stands for each gene that no model predicts (else 0), and what to say of genes."""
    known = {gene for bundle in bundles for gene in bundle.panel.genes}
    missing = [gene for gene in genes if gene not in known]
    further = sorted(known - set(genes))
    notes = [f"{some(further)} genes of the models are none of the challenge: left out"] if further else []
    some_lack = [
        gene for gene in genes if gene in known and not all(gene in one.panel.genes for one in bundles)
    ]
    if some_lack:
        notes.append(
            f"{some(some_lack)} genes are predicted by some of the models only: their mean was taken"
        )
    if len(missing) == len(genes):
        raise ModelError(
            "no model predicts a gene of the challenge",
            where="models",
            expected=f"genes such as {', '.join(genes[:3])}",
            remedy="check the kind of gene names",
        )
    values = np.zeros(len(genes))
    if not missing:
        return values, notes
    if fill == "refuse":
        raise ModelError(
            f"no model predicts {some(missing)} of the {len(genes)} genes",
            where="models",
            expected="a prediction for every gene of the challenge",
            remedy="train with panel: {genes: all}, or say what stands for them: --fill mean or --fill zero",
        )
    what = "0"
    if fill == "mean":
        what = "their mean over the training cells"
        values[np.isin(genes, missing)] = _train_means(samples, missing)
    return values, [*notes, f"{some(missing)} genes that no model predicts: {what} stands for them"]


def _train_means(samples: Sequence[Sample], genes: Sequence[str]) -> Float[np.ndarray, " g"]:
    """Return the mean of log1p values over the measured cells of the group train, of all samples together."""
    total, n_cells = np.zeros(len(genes)), 0
    for sample in samples:
        if "group" not in sample.obs.columns or not sample.genes:
            continue
        codes = group_codes(sample.obs["group"], where=f"sample '{sample.id}'")
        rows = np.flatnonzero((codes == GROUPS["train"]) & sample.measured)
        if not len(rows):
            continue
        columns = [sample.genes.index(gene) for gene in genes]
        of_rows = sample.obs["total_counts"].to_numpy(float)[rows]
        for start in range(0, len(rows), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            scaled = scaled_to(sample.counts[rows[part]][:, columns], of_rows[part], TOTAL)
            total += np.asarray(scaled.log1p().sum(axis=0)).ravel()
        n_cells += len(rows)
    if not n_cells:
        raise DataError(
            "no training cell was measured",
            where="dataset",
            expected="means to fill in",
            remedy="--fill zero",
        )
    return total / n_cells


class _Average:
    """The mean of several models' predictions of cells, some thousand at a time, in the challenge's genes."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        samples: Sequence[Sample],
        genes: tuple[str, ...],
        filled: Float[np.ndarray, " g"],
        device: str,
    ) -> None:
        place = {gene: column for column, gene in enumerate(genes)}
        self._bundles, self._samples, self._filled, self._device = bundles, samples, filled, device
        self._columns = []
        for bundle in bundles:
            kept = [(own, place[gene]) for own, gene in enumerate(bundle.panel.genes) if gene in place]
            self._columns.append(np.array(kept, dtype=np.int64).reshape(-1, 2).T)
        self._n_models = np.zeros(len(genes))
        for _, of_genes in self._columns:
            self._n_models[of_genes] += 1

    def __call__(
        self, number: int, rows: Int[np.ndarray, " n"]
    ) -> Iterator[tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m g"]]]:
        """Give rows of a sample with their expression, part by part, in the order of ``rows``."""
        sample = self._samples[number]
        ways: list[Callable[..., Any]] = []
        for bundle in self._bundles:
            reader = PatchReader([sample.slide], bundle.patch, most_mapped_bytes=MOST_HELD_BYTES)
            ways.append(bundle.predicting(reader, device=self._device))
        for start in range(0, len(rows), _CELLS_AT_ONCE):
            part = rows[start : start + _CELLS_AT_ONCE]
            of_part = Observations(np.zeros(len(part), np.int64), part, sample.xy_px[part])
            summed = np.zeros((len(part), len(self._filled)))
            for predict, (own, of_genes) in zip(ways, self._columns, strict=True):
                summed[:, of_genes] += predict(of_part)[:, own]
            yield part, np.where(self._n_models > 0, summed / np.maximum(self._n_models, 1), self._filled)


def _of_samples(samples: Sequence[Sample], cells: Mapping[str, int]) -> list[str]:
    notes = [
        f"sample '{sample.id}' has no validation or test cells: left out"
        for sample in samples
        if sample.id not in cells
    ]
    notes += [
        f"sample '{sample.id}' names no groups of cells: all its cells are predicted"
        for sample in samples
        if "group" not in sample.obs.columns
    ]
    lacking = [name for name in SAMPLES if name not in cells]
    further = [name for name in cells if name not in SAMPLES]
    if lacking:
        notes.append(f"the challenge asks for 8 samples; not among these: {', '.join(lacking)}")
    if further:
        notes.append(f"no samples of the challenge: {', '.join(further)}")
    return notes
