"""dataset.yaml -> the opened samples, every fault of every sample listed at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from prestige.data.cache import default_cache_dir, digest
from prestige.data.columns.counts import doubts_about
from prestige.data.prepared import Prepared
from prestige.data.readers import sample_reader
from prestige.data.sample import Counts, Sample, faults_in
from prestige.data.slides.pixel_size import um_fault
from prestige.data.slides.slide import Slide
from prestige.data.sources import SOURCES
from prestige.data.spec import DatasetConfig, SampleSpec
from prestige.errors import ConfigError, DataError, PrestigeError, StorageError, raise_all, unknown
from prestige.inputs import real_path
from prestige.settings import at_line, build, read_yaml, resolve_path

__all__ = ["Dataset", "DatasetConfig", "SampleSpec", "open_dataset", "open_sample", "read_dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples that belong together, in the order of dataset.yaml."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def fingerprint(self) -> str:
        """Changes with anything in the samples that changes a result; no path is in it."""
        return digest(*(sample.fingerprint for sample in self.samples))

    def sample(self, id: str) -> Sample:  # noqa: A002 - the word used everywhere
        """Return the sample of that id.

        Raises
        ------
        ConfigError
            When there is none; the message names the nearest one.
        """
        for sample in self.samples:
            if sample.id == id:
                return sample
        raise unknown("sample", id, [sample.id for sample in self.samples], where=self.name)


def read_dataset(path: Path | str) -> DatasetConfig:
    """Read dataset.yaml; paths in it become absolute against the folder it lies in.

    Raises
    ------
    ConfigError
        When the file is missing or holds an unknown key, a wrong value or an unknown source.

    Examples
    --------
    >>> import prestige
    >>> [sample.id for sample in prestige.read_dataset("phantom/dataset.yaml").samples]
    ['P1_S1', 'P2_S1', 'P3_S1', 'P4_S1']
    """
    path = Path(path)
    raw = read_yaml(path)
    config = build(DatasetConfig, raw, where=path)
    faults: list[PrestigeError] = [
        unknown("source", sample.source, SOURCES, where=f"{at_line(path, raw, key)}, sample '{sample.id}'")
        for key, sample in ((("samples", place, "source"), one) for place, one in enumerate(config.samples))
        if sample.source not in SOURCES
    ]
    raise_all(faults)
    base = real_path(path).parent
    return config.model_copy(update={"samples": tuple(_absolute(sample, base) for sample in config.samples)})


def dataset_inputs(path: Path) -> list[Path]:
    """Return what a dataset.yaml names to be read, and itself: files and folders not to be written into.

    One that cannot be read names nothing; what is wrong with it is told by :func:`read_dataset`.
    """
    try:
        return [path, *read_dataset(path).inputs]
    except PrestigeError:
        return [path]


def _absolute(sample: SampleSpec, base: Path) -> SampleSpec:
    return sample.model_copy(update={name: resolve_path(path, base) for name, path in sample.paths.items()})


def open_dataset(
    config: DatasetConfig, *, cache_dir: Path | None = None, counts: Counts = "needed"
) -> Dataset:
    """Open every sample, prepared now where the cache does not hold it yet.

    Parameters
    ----------
    config
        What :func:`read_dataset` read.
    cache_dir
        Where prepared samples lie; ``$PRESTIGE_CACHE`` or ``~/.cache/prestige`` when None.
    counts
        Whether each sample has to have counts; "optional" for those that are only to be predicted.  Where
        they are needed, samples that are ``prediction_only`` are left out.

    Raises
    ------
    DataError
        With every fault of every sample.

    Examples
    --------
    >>> import prestige
    >>> dataset = prestige.open_dataset(prestige.read_dataset("phantom/dataset.yaml"))
    >>> dataset.samples[0].um_per_px
    0.5
    """
    samples: list[Sample] = []
    faults: list[PrestigeError] = []
    for spec in _asked_for(config, counts):
        sample, wrong = try_sample(spec, cache_dir=cache_dir, counts=counts)
        faults.extend(wrong)
        if sample is not None:
            samples.append(sample)
    faults.extend(shared_slides(samples))
    raise_all(faults)
    return Dataset(config.name, tuple(samples))


def _asked_for(config: DatasetConfig, counts: Counts) -> list[SampleSpec]:
    """Return the samples that are opened: where counts are needed, without those for prediction only."""
    asked = [spec for spec in config.samples if counts == "optional" or not spec.prediction_only]
    if not asked:
        raise DataError(
            "all samples are for prediction only",
            where=f"data set '{config.name}'",
            expected="a sample with counts",
            remedy="take prediction_only: away from one that was measured",
        )
    return asked


def open_sample(spec: SampleSpec, *, cache_dir: Path | None = None) -> Sample:
    """Open one sample.

    Raises
    ------
    PrestigeError
        With every fault of the sample.
    """
    sample, faults = try_sample(spec, cache_dir=cache_dir)
    raise_all(faults)
    assert sample is not None
    return sample


def try_sample(
    spec: SampleSpec, *, cache_dir: Path | None = None, counts: Counts = "needed"
) -> tuple[Sample | None, list[PrestigeError]]:
    """Open one sample; return it, or None and what is wrong with it.

    Raises
    ------
    StorageError
        When the cache cannot be written, which is no fault of the sample.
    """
    where = f"sample '{spec.id}'"
    if spec.misfits:
        return None, [ConfigError(f"'{key}' {words}", where=where) for key, words in spec.misfits]
    try:
        prepared = sample_reader(spec.source)(spec, cache_dir or default_cache_dir(), counts)
    except StorageError:
        raise
    except PrestigeError as error:
        return None, list(error.faults)
    height_px, width_px = prepared.pixels.shape[:2]
    faults: list[PrestigeError] = list(
        faults_in(prepared.table, height_px=height_px, width_px=width_px, where=where, counts=counts)
    )
    um_per_px = prepared.card.um_per_px if spec.um_per_px is None else spec.um_per_px
    if um_per_px is not None and (fault := um_fault(um_per_px, where=where)):
        faults.append(fault)
    elif um_per_px is None:
        faults.append(
            DataError(
                "no pixel size",
                where=where,
                expected="the width of a slide pixel in micrometres",
                remedy="write um_per_px: in dataset.yaml",
            )
        )
    return (None, faults) if faults else (_sample(spec, prepared), [])


def _sample(spec: SampleSpec, prepared: Prepared) -> Sample:
    card, table = prepared.card, prepared.table
    um_per_px = spec.um_per_px or card.um_per_px
    assert um_per_px is not None
    assumed = spec.um_per_px is None and card.um_per_px_assumed
    notes = list(table.notes)
    if assumed:
        notes.append(f"the pixel size was not stated: {um_per_px:g} um/px was assumed")
    elif card.um_per_px and not card.um_per_px_assumed and abs(um_per_px / card.um_per_px - 1) > 0.01:
        notes.append(
            f"dataset.yaml states {um_per_px:g} um/px, the source {card.um_per_px:g}: the former was taken"
        )
    slide = Slide(prepared.pixels, float(um_per_px), assumed, card.slide_fingerprint)
    of_spec = json.dumps([spec.id, spec.patient, float(um_per_px), dict(spec.covariates)], sort_keys=True)
    measured, totals = table.obs["measured"].to_numpy(dtype=bool), table.obs["total_counts"].to_numpy(float)
    notes.extend(doubts_about(table.counts, totals, measured))
    return Sample(
        id=spec.id,
        patient=spec.patient,
        slide=slide,
        obs=table.obs.copy(),
        xy_px=table.xy_px,
        counts=table.counts,
        genes=table.genes,
        covariates=dict(spec.covariates),
        source=spec.source,
        fingerprint=digest(card.fingerprint, of_spec),
        notes=tuple(notes),
        platform=table.platform,
        um_per_px_from="dataset.yaml" if spec.um_per_px else table.um_per_px_from,
    )


def shared_slides(samples: list[Sample]) -> list[PrestigeError]:
    """List the samples that show one image under two patients: a split could put it on both sides."""
    first: dict[str, Sample] = {}
    faults: list[PrestigeError] = []
    for sample in samples:
        other = first.setdefault(sample.slide.fingerprint, sample)
        if other.patient != sample.patient:
            faults.append(
                DataError(
                    f"the very image of sample '{other.id}' under another patient "
                    f"('{sample.patient}', there '{other.patient}')",
                    where=f"sample '{sample.id}'",
                    expected="one patient for one image",
                )
            )
    return faults
