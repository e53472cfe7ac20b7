"""The audit of a split, before any training: data leakage, and what else would bend the comparison.

It looks at the sides as they came out, not at the rule that made them, so it finds what no rule saw:
one section under two names, tissue of the two sides that lies too near, folds that are not alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from prestige.compute.progress import say
from prestige.data.patches.reader import width_px
from prestige.data.sample import bare_glass
from prestige.data.split.duplicates import (
    LIKENESS,
    MIN_GENES,
    MIN_TOTAL,
    likeness,
    perceptual_hashes,
    row_hashes,
)
from prestige.data.split.findings import Finding
from prestige.data.split.sides import SIDE_NAMES, TEST, TRAIN, VALIDATION, by_slide
from prestige.data.together.alignment import Alignment, alignment_of
from prestige.errors import SplitError, raise_all
from prestige.text import shortened

if TYPE_CHECKING:
    from prestige.data.sample import Sample
    from prestige.data.split.folds import Fold, SplitConfig

SHARED_COUNTS = 0.01
DEPTH_RATIO = 2.0
CONDITION_SHARE = 0.05
SMALL = 200


@dataclass(frozen=True)
class Audit:
    """What was found, and what was looked at: plain facts for the report, found or not.

    ``checked`` holds a line for each kind of check; ``distances`` the smallest Chebyshev distance
    between two sides on one slide, in um, for each fold (None where no slide holds both).
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    distances: tuple[dict[str, Any], ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a bench."""
        return tuple(one for one in self.findings if one.severity == "error" and not one.accepted)

    def to_json(self) -> dict[str, Any]:
        """Return everything ready for JSON."""
        return asdict(self)

    def settle(self) -> None:
        """Tell warnings and what was accepted; raise the rest.

        Raises
        ------
        SplitError
            Listing every error, with the way to accept it.
        """
        for finding in self.findings:
            if finding.accepted:
                say(f"audit: {finding.text} (accepted by {finding.accepted})")
            elif finding.severity == "warning":
                say(f"audit: {finding.text}")
        self.raise_errors()

    def raise_errors(self) -> None:
        """Raise what was found and not accepted.

        Raises
        ------
        SplitError
            Listing every error, with the way to accept it.
        """
        raise_all(
            [
                SplitError(
                    finding.text,
                    where="audit of the split" + ("" if finding.fold is None else f", fold {finding.fold}"),
                    remedy="mend data or split, or accept it by name with "
                    f"split: {{allow: [{finding.name}]}}",
                )
                for finding in self.errors
            ]
        )


def audit_split(
    samples: Sequence[Sample], folds: Sequence[Fold], config: SplitConfig, *, largest_patch_um: float
) -> Audit:
    """Look for data leakage between the sides of some folds, and for sides that are not alike.

    Parameters
    ----------
    samples, folds
        The sections, and the sides of their observations.
    config
        The rule of the split: its buffer, what it says by name, and the findings that it allows.
    largest_patch_um
        Width of the largest patch of the bench.
    """
    alignments = {sample.id: alignment_of(sample) for sample in samples}
    findings: list[Finding] = [*_glass(samples), *_elsewhere(alignments)]
    duplicates = _Duplicates(samples)
    distances = []
    for fold in folds:
        findings += _patients(samples, fold, config.within_section)
        findings += duplicates.across(fold)
        too_near, distance = _distances(samples, fold, largest_patch_um, config.buffer_um)
        findings += too_near
        distances.append(distance)
        findings += _composition(samples, fold)
    accepted = [
        replace(one, accepted="allow") if one.name in config.allow and not one.accepted else one
        for one in findings
    ]
    checked = (*_checked(samples, folds, duplicates), _compared(alignments))
    return Audit(tuple(_merged(accepted)), checked, tuple(distances))


def _merged(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield findings once where every fold repeats them word for word."""
    seen: dict[tuple[str, str], Finding] = {}
    for one in findings:
        key = (one.name, one.text)
        seen[key] = replace(seen[key], fold=None) if key in seen else one
    yield from seen.values()


def _sides(fold: Fold, sample: Sample) -> set[int]:
    return {int(side) for side in np.unique(fold.sides[sample.id])} & set(SIDE_NAMES)


def _leak(one: set[int], other: set[int]) -> bool:
    """Say whether tissue that stands on these sides is data leakage: training would see what is scored."""
    return any(TEST in a and b & {TRAIN, VALIDATION} for a, b in ((one, other), (other, one)))


def _patients(samples: Sequence[Sample], fold: Fold, within_section: bool) -> Iterator[Finding]:
    of_patient: dict[str, set[int]] = {}
    for sample in samples:
        of_patient.setdefault(sample.patient, set()).update(_sides(fold, sample))
    both = [patient for patient, sides in of_patient.items() if _leak(sides, sides)]
    if not both:
        return
    of_both = tuple(sample.id for sample in samples if sample.patient in both)
    word = "patient" if len(both) == 1 else "patients"
    yield Finding(
        "patient_on_two_sides",
        "error",
        f"{word} {_named(both)} on the test side and in training: nothing about other patients follows",
        of_both,
        fold.index,
        "within_section: true" if within_section else None,
    )


def _glass(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Name samples whose centres lie beside the tissue."""
    for sample in samples:
        if note := bare_glass(sample):
            yield Finding("on_bare_glass", "warning", f"{_named([sample.id])}: {note}", (sample.id,))


def _elsewhere(alignments: Mapping[str, Alignment]) -> Iterator[Finding]:
    """Name samples whose counts fit their tissue better at another position."""
    for name, one in alignments.items():
        if one.better is not None:
            yield Finding("fits_elsewhere", "error", f"{_named([name])}: {one.text}", (name,))


def _compared(alignments: Mapping[str, Alignment]) -> str:
    """Say of how many samples it was told whether image and table belong together."""
    untold = [name for name, one in alignments.items() if one.verdict == "cannot be told"]
    rest = f", which cannot be told of {_named(untold)}" if untold else ""
    return f"counts compared with the tissue as it stands and moved{rest}"


class _Duplicates:
    """Duplicates among the samples, by pixels and by counts, looked for once for all folds."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.pairs = list(combinations(range(len(samples)), 2))
        slides = {sample.slide.fingerprint: sample.slide for sample in samples}
        hashes = {key: perceptual_hashes(slide.pixels) for key, slide in slides.items()}
        self.alike = {
            (i, j): likeness(hashes[samples[i].slide.fingerprint], hashes[samples[j].slide.fingerprint])
            for i, j in self.pairs
        }
        self.rows = [row_hashes(sample) for sample in samples]
        self.n_rows = sum(len(rows) for rows, _ in self.rows)

    def across(self, fold: Fold) -> Iterator[Finding]:
        """Yield the duplicates that stand on two sides of a fold."""
        for i, j in self.pairs:
            one, other = self.samples[i], self.samples[j]
            if _leak(_sides(fold, one), _sides(fold, other)):
                yield from self._images(one, other, self.alike[i, j], fold)
                yield from self._counts(i, j, fold)
        for i in range(len(self.samples)):
            yield from self._within(i, fold)

    def _images(self, one: Sample, other: Sample, alike: float, fold: Fold) -> Iterator[Finding]:
        names = (one.id, other.id)
        if one.slide.fingerprint == other.slide.fingerprint:
            if one.patient == other.patient:
                return  # tissue of one section: the distance between its sides is measured
            yield Finding(
                "same_image", "error", f"{_named(names)} show the very same image", names, fold.index
            )
        elif alike >= LIKENESS:
            yield Finding(
                "similar_image",
                "error",
                f"{_named(names)} show nearly the same image ({alike:.0%} of the hash bits agree, by chance "
                "about 50 %)",
                names,
                fold.index,
            )

    def _counts(self, i: int, j: int, fold: Fold) -> Iterator[Finding]:
        shared, fewer = self._shared(self.rows[i][1], self.rows[j][1])
        if shared >= max(3, SHARED_COUNTS * fewer):
            names = (self.samples[i].id, self.samples[j].id)
            yield Finding(
                "same_counts",
                "error",
                f"{shared:,} of {fewer:,} observations have the very same counts in {_named(names)}",
                names,
                fold.index,
            )

    def _within(self, i: int, fold: Fold) -> Iterator[Finding]:
        """Yield duplicate observations of one sample that stand on its training and on its test side."""
        rows, hashes = self.rows[i]
        sides = fold.sides[self.samples[i].id][rows]
        learned = np.isin(sides, (TRAIN, VALIDATION))
        shared, fewer = self._shared(hashes[sides == TEST], hashes[learned])
        if shared >= max(3, SHARED_COUNTS * fewer):
            yield Finding(
                "same_counts",
                "error",
                f"{shared:,} observations of {self.samples[i].id} have the very same counts on the test side "
                "and in training",
                (self.samples[i].id,),
                fold.index,
            )

    @staticmethod
    def _shared(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
        return len(np.intersect1d(one, other)), min(len(one), len(other))


def _distances(
    samples: Sequence[Sample], fold: Fold, largest_patch_um: float, buffer_um: float
) -> tuple[list[Finding], dict[str, Any]]:
    """Measure how near the sides come to each other on one slide (Chebyshev, in um)."""
    findings: list[Finding] = []
    smallest: dict[str, float | None] = {}
    for group, um_per_px, xy_um in by_slide(samples):
        side = np.concatenate([fold.sides[sample.id] for sample in group])
        patch_um = width_px(largest_patch_um, um_per_px) * um_per_px
        names = tuple(sample.id for sample in group)
        for later, earlier in ((TEST, TRAIN), (TEST, VALIDATION), (VALIDATION, TRAIN)):
            pair = f"{SIDE_NAMES[earlier]} and {SIDE_NAMES[later]}"
            smallest.setdefault(pair, None)
            places, others = xy_um[side == later], xy_um[side == earlier]
            if not len(places) or not len(others):
                continue
            away = np.asarray(KDTree(others).query(places, p=np.inf)[0])
            least = float(away.min())
            smallest[pair] = min(least, smallest[pair] or np.inf)
            findings += _too_near(pair, away, patch_um, buffer_um, names, fold)
    return findings, {"fold": fold.index, **smallest}


def _too_near(
    pair: str, away: np.ndarray, patch_um: float, buffer_um: float, names: tuple[str, ...], fold: Fold
) -> Iterator[Finding]:
    slack = 1 - 1e-9
    overlapping, close = int((away < patch_um * slack).sum()), int((away < buffer_um * slack).sum())
    where = f"of {_named(names)}"
    if overlapping:
        yield Finding(
            "patches_overlap",
            "error",
            f"the largest patches ({patch_um:.4g} um) of {pair} overlap at {overlapping:,} observations "
            f"{where}, the nearest {away.min():.4g} um apart",
            names,
            fold.index,
        )
    elif close:
        yield Finding(
            "too_near",
            "error",
            f"{pair} come within {away.min():.4g} um at {close:,} observations {where}: the buffer is "
            f"{buffer_um:g} um",
            names,
            fold.index,
        )


def _composition(samples: Sequence[Sample], fold: Fold) -> Iterator[Finding]:
    """Compare the sides: their size, depth and conditions."""
    ids = tuple(sample.id for sample in samples)
    depth: dict[int, float] = {}
    for side, word in SIDE_NAMES.items():
        number = fold.count(side)
        if 0 < number < SMALL:
            yield Finding(
                "small_side", "warning", f"{number} observations on the {word} side", ids, fold.index
            )
        totals = [s.obs["total_counts"].to_numpy(float)[fold.sides[s.id] == side] for s in samples]
        if number:
            depth[side] = float(np.median(np.concatenate(totals)))
    for side in (VALIDATION, TEST):
        if side in depth and TRAIN in depth and min(depth[side], depth[TRAIN]) > 0:
            ratio = depth[side] / depth[TRAIN]
            if max(ratio, 1 / ratio) > DEPTH_RATIO:
                yield Finding(
                    "unlike_depth",
                    "warning",
                    f"median counts of an observation: {depth[TRAIN]:.4g} on the train side, "
                    f"{depth[side]:.4g} on the {SIDE_NAMES[side]} side",
                    ids,
                    fold.index,
                )
    yield from _conditions(samples, fold)


def _conditions(samples: Sequence[Sample], fold: Fold) -> Iterator[Finding]:
    """Name values of a covariate that are tested and make up next to nothing of the training side."""
    for covariate in sorted({key for sample in samples for key in sample.covariates}):
        shares = {side: _shares(samples, fold, covariate, side) for side in (TRAIN, TEST)}
        for value, tested in shares[TEST].items():
            trained = shares[TRAIN].get(value, 0.0)
            if tested >= CONDITION_SHARE and trained < CONDITION_SHARE:
                yield Finding(
                    "unlike_condition",
                    "warning",
                    f"{covariate} {value}: {tested:.0%} of the test side, {trained:.0%} of the train side",
                    tuple(s.id for s in samples if s.covariates.get(covariate) == value),
                    fold.index,
                )


def _shares(samples: Sequence[Sample], fold: Fold, covariate: str, side: int) -> Mapping[str, float]:
    counts: dict[str, int] = {}
    for sample in samples:
        value = str(sample.covariates.get(covariate, "not given"))
        counts[value] = counts.get(value, 0) + int((fold.sides[sample.id] == side).sum())
    total = max(sum(counts.values()), 1)
    return {value: number / total for value, number in counts.items()}


def _checked(samples: Sequence[Sample], folds: Sequence[Fold], duplicates: _Duplicates) -> tuple[str, ...]:
    patients = len({sample.patient for sample in samples})
    lines = [
        f"{_plural(len(folds), 'fold')} of {_plural(len(samples), 'sample')} of "
        f"{_plural(patients, 'patient')}: patients, distances and composition of the sides"
    ]
    if duplicates.pairs:
        most, pairs_words = max(duplicates.alike.values()), _plural(len(duplicates.pairs), "pair")
        lines.append(
            f"{pairs_words} of images compared by content and by perceptual hash in "
            f"eight orientations (most alike: {most:.0%} of the bits; from {LIKENESS:.0%} on they count as "
            "one)"
        )
    lines.append(
        f"{duplicates.n_rows:,} observations with at least {MIN_TOTAL} counts of {MIN_GENES} genes compared "
        "by these counts"
    )
    return tuple(lines)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _named(names: Sequence[str]) -> str:
    return shortened(names, 5)
