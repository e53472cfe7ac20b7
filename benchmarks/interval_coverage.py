"""How often does an interval hold the true score?  Simulated tissue whose true score is known.

Truth and predictions are spatially correlated fields on a grid of observations, cut into square blocks.
The intervals are those of `compare` and `contrast`; beside them stand plain percentile intervals of the
same draws.

    python benchmarks/interval_coverage.py --write docs/results/coverage.md
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prestige.stats.compare import Comparison, compare
from prestige.stats.correlogram import BLOCK_LENGTHS
from prestige.stats.effects import contrast
from prestige.stats.moments import Moments, spatial_blocks

SIDE = 5  # observations along the side of a block
FACTORS = 6  # independent fields that a kind of structure is mixed from
QUALITY = (1.0, 1.0, 1.0, 0.9)  # of each configuration, times the setting's: three are the best
SPREAD = 0.2  # between patients, of a configuration's correlation with the signal
LEVEL = 0.95
WANTED = (0.92, 0.97)

NEIGHBOURS = (
    "blocks that touch are too much alike: the kernel over neighbouring blocks makes good a part of it, but "
    "one section of few such blocks does not show how much its own mean may be off"
)
REGIONS = (
    "a correlation within a region of 4 blocks has lost what differs between regions, so it lies below that "
    "of the whole tissue, and 4 blocks that touch do not tell by how much"
)
SECTIONS = (
    "a section of 6 blocks with structure as long as a block is no picture of a patient's whole tissue: "
    "correlations within it lie below those of endless tissue, for all configurations alike, so differences "
    "are told better than scores"
)


@dataclass(frozen=True)
class Setting:
    """One kind of bench.

    Attributes
    ----------
    blocks
        Rows and columns of blocks of a section.
    length
        Correlation length (1/e) of all structure, in widths of a block.
    signal
        Correlation of the best prediction with the structured part of the truth.
    structured
        Between what shares of a gene's variance is structured; the rest is noise of single observations.
    counts
        Truth is log1p of Poisson counts, about 0.1 to 1 where the signal is 0.
    why
        What to say when its intervals do not cover as wanted.
    """

    name: str
    blocks: tuple[int, int] = (4, 5)
    sections: int = 1
    patients: bool = False
    genes: int = 20
    length: float = 0.25
    signal: float = 0.5
    structured: tuple[float, float] = (0.2, 0.8)
    counts: bool = False
    round: bool = False
    why: str = NEIGHBOURS


SETTINGS = (
    Setting("20 blocks"),
    Setting("40 blocks", blocks=(5, 8)),
    Setting("100 blocks", blocks=(10, 10)),
    Setting("20 blocks, few genes", genes=5),
    Setting("20 blocks, many genes", genes=200),
    Setting("20 blocks, score near zero", signal=0.02),
    Setting("20 blocks, high score", signal=0.95, structured=(0.8, 0.95)),
    Setting("40 blocks, sparse counts", blocks=(5, 8), counts=True),
    Setting("a round section: blocks of unequal size", blocks=(8, 8), round=True),
    Setting("2 sections of 10 blocks", blocks=(2, 5), sections=2),
    Setting(
        "10 blocks, the fewest", blocks=(2, 5), why="10 clusters are fewer than the 20 that are asked for"
    ),
    Setting("20 patients of 6 blocks", blocks=(2, 3), sections=20, patients=True, genes=10, why=SECTIONS),
    Setting("20 patients, score near zero", blocks=(2, 3), sections=20, patients=True, genes=10, signal=0.05),
    Setting(
        "20 patients, long structure",
        blocks=(2, 3),
        sections=20,
        patients=True,
        genes=10,
        length=1.0,
        why=SECTIONS,
    ),
    Setting("20 blocks, length a third of a block", length=1 / 3),
    Setting("100 blocks, length a third of a block", blocks=(10, 10), length=1 / 3),
    Setting("40 blocks, length half a block", blocks=(5, 8), length=0.5),
    Setting("100 blocks, length half a block", blocks=(10, 10), length=0.5),
    Setting("40 blocks, length one block", blocks=(5, 8), length=1.0),
    Setting("40 blocks, length two blocks", blocks=(5, 8), length=2.0),
    Setting("5 regions of 4 blocks", blocks=(2, 2), sections=5, why=REGIONS),
)


class Tissue:
    """Draws sections of a setting and knows their true scores."""

    def __init__(self, setting: Setting, rng: np.random.Generator) -> None:
        self.setting, self.rng = setting, rng
        self.blocks = setting.blocks[0] * setting.blocks[1]
        self.shape = (setting.blocks[0] * SIDE, setting.blocks[1] * SIDE)
        self.scale = _spectrum(self.shape, setting.length * SIDE)
        self.loadings = rng.normal(size=(2 + len(QUALITY), FACTORS, setting.genes))
        self.loadings /= np.linalg.norm(self.loadings, axis=1, keepdims=True)
        self.share = rng.uniform(*setting.structured, setting.genes)  # of the truth's variance: structured
        self.depth = rng.uniform(-2.5, 0.0, setting.genes)  # log count where the signal is 0
        self.quality = setting.signal * np.array(QUALITY)
        self.names = tuple(f"G{g}" for g in range(setting.genes))
        self.inside = self._blockwise(_disc(self.shape)[None])[0] if setting.round else None

    @property
    def true_scores(self) -> np.ndarray:
        """The score of each configuration over the population of blocks (and patients)."""
        seen = np.sqrt(self.share)
        if self.setting.counts:
            seen = np.array([_seen_through_counts(*one) for one in zip(self.depth, self.share, strict=True)])
        return self.quality * seen.mean()

    def draw(self) -> list[Moments]:
        """Return the moments of every configuration on newly drawn tissue."""
        sections = [self._section() for _ in range(self.setting.sections)]
        n, t, tt, p, pp, pt = (
            np.concatenate(parts, axis=-2 if i else 0) for i, parts in enumerate(zip(*sections, strict=True))
        )
        sample = np.repeat([f"S{s:02d}" for s in range(self.setting.sections)], self.blocks)
        block = np.tile(_numbers(self.setting.blocks), self.setting.sections)
        keep = n > 0
        return [
            Moments(
                sample=sample[keep], block=block[keep], n=n[keep], genes=self.names, sum_p=p[k][keep],
                sum_t=t[keep], sum_pp=pp[k][keep], sum_tt=tt[keep], sum_pt=pt[k][keep],
            )
            for k in range(len(QUALITY))
        ]  # fmt: skip

    def _section(self) -> tuple[np.ndarray, ...]:
        """Return n and the sums of truth and predictions for each block of a new section."""
        kinds, genes = len(self.loadings), self.setting.genes
        fields = self._blockwise(self._fields(kinds * FACTORS)).reshape(kinds, FACTORS, -1)
        signal, shared, *own = fields.transpose(0, 2, 1) @ self.loadings
        quality = self.quality
        if self.setting.patients:
            away = self.rng.uniform(-1, 1) + 0.3 * self.rng.uniform(-1, 1, len(QUALITY))
            quality = np.clip(quality + SPREAD * away / 1.3, -1.0, 1.0)
        if self.setting.counts:
            rate = np.exp(self.depth + 2 * np.sqrt(self.share) * signal)
            truth = np.log1p(self.rng.poisson(rate)).astype(np.float64)
        else:
            noise = self.rng.normal(size=signal.shape)
            truth = np.sqrt(self.share) * signal + np.sqrt(1 - self.share) * noise
        error = np.sqrt(0.5) * (shared + np.stack(own))
        pred = quality[:, None, None] * signal + np.sqrt(1 - quality**2)[:, None, None] * error
        n = np.full(self.blocks, SIDE**2)
        if self.inside is not None:
            n = self.inside.sum(axis=1).astype(np.int64)
            truth, pred = truth * self.inside.reshape(-1, 1), pred * self.inside.reshape(-1, 1)
        t, p = truth.reshape(self.blocks, -1, genes), pred.reshape(len(QUALITY), self.blocks, -1, genes)
        return n, t.sum(1), (t * t).sum(1), p.sum(2), (p * p).sum(2), (p * t).sum(2)

    def _fields(self, number: int) -> np.ndarray:
        """Return fields of variance 1 whose correlation falls to 1/e at the setting's length."""
        noise = self.rng.normal(size=(number, *_padded(self.shape, self.setting.length * SIDE)))
        whole = np.fft.irfft2(np.fft.rfft2(noise) * self.scale, s=noise.shape[1:])
        return whole[:, : self.shape[0], : self.shape[1]]

    def _blockwise(self, fields: np.ndarray) -> np.ndarray:
        """Order the places of fields (f, h, w) by block: (f, blocks, places)."""
        rows, columns = self.setting.blocks
        cut = fields.reshape(len(fields), rows, SIDE, columns, SIDE).transpose(0, 1, 3, 2, 4)
        return cut.reshape(len(fields), rows * columns, SIDE * SIDE)


def _numbers(blocks: tuple[int, int]) -> np.ndarray:
    """Return the numbers of a rectangle of blocks in the order of :meth:`Tissue._blockwise`."""
    y, x = np.indices(blocks)
    return spatial_blocks(np.stack([x.ravel(), y.ravel()], axis=1) + 0.5, 1.0)


def _padded(shape: tuple[int, int], length: float) -> tuple[int, int]:
    """Return the size of a torus around which the field's ends do not meet."""
    return tuple(int(2 * np.ceil((side + 4 * length) / 2)) for side in shape)  # type: ignore[return-value]


def _spectrum(shape: tuple[int, int], length: float) -> np.ndarray:
    """Return the amplitudes of exp(-distance / length) on a torus (circulant embedding)."""
    size = _padded(shape, length)
    away = [np.minimum(np.arange(side), side - np.arange(side)) for side in size]
    covariance = np.exp(-np.hypot(away[0][:, None], away[1][None, :]) / length)
    power = np.maximum(np.fft.rfft2(covariance).real, 0.0)
    return np.sqrt(power / np.fft.irfft2(power, s=size)[0, 0])


def _disc(shape: tuple[int, int]) -> np.ndarray:
    y, x = (np.linspace(-1, 1, side) for side in shape)
    return np.hypot(y[:, None], x[None, :]) <= 1


def _seen_through_counts(log_mean: float, share: float) -> float:
    """Return the correlation of log1p(Poisson(exp(log_mean + 2 sqrt(share) z))) with z, by quadrature."""
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    weight /= weight.sum()
    rate = np.exp(log_mean + 2 * np.sqrt(share) * z)
    count = np.arange(1, 4000)
    log_chance = count * np.log(rate[:, None]) - rate[:, None] - np.cumsum(np.log(count))
    first, second = (np.exp(log_chance) @ np.log1p(count) ** power for power in (1, 2))
    mean = weight @ first
    return float(weight @ (z * first) / np.sqrt(weight @ second - mean**2))


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """Return the plain percentile interval of the draws that have a score."""
    low, high = np.quantile(draws[np.isfinite(draws)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass
class Tally:
    """Counts over the simulations of one setting; pairs are (percentile, studentised)."""

    setting: Setting
    true_score: float
    clusters: int = 0
    number: int = 0
    score: tuple[float, float] = (0, 0)
    width: tuple[float, float] = (0, 0)
    difference: tuple[float, float] = (0, 0)
    best_excluded: int = 0
    bounds_hold: int = 0

    def add(self, found: Comparison[int], true: np.ndarray) -> None:
        """Count one simulation: the score of the first configuration, and the first less the last."""
        last, first = len(QUALITY) - 1, found.rows[0]
        against = contrast(found, {0: 1.0, last: -1.0})
        assert first.low is not None
        assert first.high is not None
        score = (percentiles(found.draws[0]), (first.low, first.high))
        difference = (percentiles(found.draws[0] - found.draws[last]), (against.low, against.high))
        self.clusters, self.number = found.n_clusters, self.number + 1
        self.score = _plus(self.score, [_within(true[0], ends) for ends in score])
        self.width = _plus(self.width, [high - low for low, high in score])
        self.difference = _plus(self.difference, [_within(true[0] - true[last], ends) for ends in difference])
        self.best_excluded += not first.tied
        gaps = zip(found.rows.values(), true.max() - true, strict=True)
        self.bounds_hold += all(_within(gap, (row.gap_low, row.gap_high)) for row, gap in gaps)

    @property
    def covers(self) -> bool:
        """Whether both studentised intervals cover as wanted."""
        return all(
            WANTED[0] <= round(count / self.number, 3) <= WANTED[1]
            for count in (self.score[1], self.difference[1])
        )

    def row(self) -> list[str]:
        shares = (*self.score, *self.difference, self.best_excluded, self.bounds_hold)
        percent = [f"{100 * share / self.number:.1f}" for share in shares]
        return [
            self.setting.name,
            f"{self.clusters} {'patients' if self.setting.patients else 'blocks'}",
            str(self.setting.genes),
            f"{self.setting.length:.2g}",
            f"{self.true_score:.3f}",
            *percent[:2],
            f"{self.width[1] / self.width[0]:.2f}",
            *percent[2:],
            "yes" if self.covers else "**no**",
        ]


HEAD = (
    "setting", "clusters", "genes", "length / block", "true score", "score: percentile", "score: studentised",
    "width, studentised / percentile", "difference: percentile", "difference: studentised", "best excluded",
    "all bounds hold", "92 to 97",
)  # fmt: skip


PAGE = """# Do the intervals hold what they promise?

Written by `{command}`; do not edit by hand.

{number} simulations a setting, {draws} draws each; shares are per cent. A 95 % interval should hold the
true value in 95 % of them, and chance alone moves that by {error} (one standard error). Asked
for is 92 to 97.

{table}

**What is simulated.** Sections are grids of 5 x 5 observations a block. Truth and predictions are Gaussian
fields with correlation exp(-distance / length), mixed from 6 fields each so that genes go together; the truth
has noise of single observations besides. Four configurations share a part of their errors; three are equally
good, the fourth is a tenth worse.

- *length / block*: the correlation length (at 1/e) in widths of a block.
- *true score*: the mean per-gene Pearson correlation over endless tissue of this kind; with patients, over
  endless patients, who differ in how well they are predicted.
- *score*: how often the interval of the first configuration holds its true score; *difference*: the same for
  the first less the last. *Percentile*: plain percentiles of the same draws, for comparison.
- *best excluded*: how often the first, which is truly among the best, is said not to be; 5 are allowed.
- *all bounds hold*: how often the distance of every configuration to the best lies within its simultaneous
  bounds; at least 95 are asked for.

## Where it does not hold

{missed}

## What follows

Blocks should be at least {lengths} correlation lengths wide. `correlogram` estimates the length
from test residuals, `blocks_to_merge` says how many blocks make one that is wide enough, `merge_blocks` makes
it of the stored moments.
"""


def _within(value: float, ends: tuple[float | None, float | None]) -> bool:
    low, high = ends
    return low is not None and high is not None and bool(low <= value <= high)


def _plus(before: tuple[float, float], more: list) -> tuple[float, float]:
    return before[0] + more[0], before[1] + more[1]


def simulate(setting: Setting, simulations: int, draws: int, seed: int) -> Tally:
    tissue = Tissue(setting, np.random.default_rng(seed))
    true = tissue.true_scores
    tally = Tally(setting, float(true[0]))
    patient_of = {f"S{s:02d}": f"P{s}" for s in range(setting.sections)} if setting.patients else None
    for number in range(simulations):
        runs = {k: [one] for k, one in enumerate(tissue.draw())}
        tally.add(compare(runs, draws=draws, seed=number, level=LEVEL, patient_of=patient_of), true)
    return tally


def page(tallies: list[Tally], draws: int, command: str) -> str:
    number = tallies[0].number
    error = 100 * (LEVEL * (1 - LEVEL) / number) ** 0.5
    missed = [tally for tally in tallies if not tally.covers]
    table = [HEAD, ["---"] * len(HEAD), *(tally.row() for tally in tallies)]
    reasons = [f"*{tally.setting.name}*: {tally.setting.why or 'not understood yet'}." for tally in missed]
    return PAGE.format(
        command=command,
        number=f"{tallies[0].number:,}",
        draws=draws,
        error=f"{error:.1f}",
        table="\n".join("| " + " | ".join(line) + " |" for line in table),
        missed="\n".join(f"- {reason}" for reason in reasons) or "Nowhere.",
        lengths=f"{BLOCK_LENGTHS:g}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--only", nargs="+", type=int, help="numbers of settings, from 0")
    parser.add_argument("--write", type=Path, help="a markdown page for the table")
    asked = parser.parse_args()
    tallies = []
    for number, setting in enumerate(SETTINGS):
        if asked.only is None or number in asked.only:
            tallies.append(simulate(setting, asked.simulations, asked.draws, number))
            print(number, *tallies[-1].row(), sep=" | ", file=sys.stderr, flush=True)
    text = page(tallies, asked.draws, " ".join(["python benchmarks/interval_coverage.py", *sys.argv[1:]]))
    print(text)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
