"""Are the ceilings right?  Tissue whose true means are known, at the depths of Xenium and Visium HD.

The truth: counts are drawn anew for the same means, which gives the expectation m of every measurement and
its variance; the true ceiling is sqrt(Var m / Var Y), on log1p with totals that are drawn too.  The ceilings
are compared with it and with the correlation that m reaches on the very counts they were made from.
Beside them stand three other ways to the ceiling on the log scale that were tried.

    python benchmarks/ceilings.py --write docs/results/ceilings.md
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import gamma, norm

from prestige.data.phantom import PhantomConfig, make_section
from prestige.stats.ceilings import Ceiling, ceiling_counts, ceiling_log
from prestige.stats.moments import spatial_blocks

COMMAND = "OMP_NUM_THREADS=1 python benchmarks/ceilings.py --write docs/results/ceilings.md"
ENOUGH = 0.4
NEAR = {"counts": 0.03, "log": 0.06}
REDRAWN = 16


@dataclass(frozen=True, eq=False)
class Tissue:
    """True means of n observations x g genes, of all other measured genes together, and where they lie."""

    name: str
    mean: np.ndarray
    rest: np.ndarray
    sample: np.ndarray
    block: np.ndarray

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        counts = rng.poisson(self.mean)
        return counts, (counts.sum(axis=1) + rng.poisson(self.rest)).astype(np.float64)


def plain(depth: float, *, n: int, genes: int, seed: int) -> Tissue:
    """Gamma-distributed rates, half of their variation smooth in space; half of the total is other genes'."""
    rng = np.random.default_rng([seed, 1])
    side = int(np.ceil(np.sqrt(n)))
    fields = np.stack(
        [gaussian_filter(rng.standard_normal((side, side)), 8).ravel()[:n] for _ in range(4)], 1
    )
    loads = rng.standard_normal((4, genes))
    z = np.sqrt(0.5) * (fields / fields.std(axis=0)) @ (loads / np.linalg.norm(loads, axis=0))
    u = norm.cdf(z + np.sqrt(0.5) * rng.standard_normal((n, genes)))
    shape = 1 / np.expm1(rng.uniform(0.3, 1.5, genes) ** 2)
    rate = np.stack([gamma.ppf(u[:, j], shape[j]) / shape[j] for j in range(genes)], axis=1)
    share = np.exp(rng.normal(0, 1.3, genes))
    total = depth * np.exp(rng.normal(-0.125, 0.5, n))
    xy = np.stack(np.divmod(np.arange(n), side), axis=1).astype(np.float64)
    return Tissue(
        name=f"gamma, {depth:g} counts",
        mean=0.5 * total[:, None] * share / share.sum() * rate,
        rest=0.5 * total,
        sample=np.zeros(n, np.int64),
        block=spatial_blocks(xy, 20.0),
    )


def phantoms(depths: tuple[float, ...], *, sections: int, size_px: int, seed: int) -> Iterator[Tissue]:
    """Yield the sections of the package's own phantom, at several depths."""
    config = PhantomConfig(size_px=size_px, replicates=2, seed=seed)
    made = [make_section(config, patient, 0) for patient in range(sections)]
    mean = np.concatenate([section.mean for section in made])
    xy = np.concatenate([section.xy_px for section in made]) * config.um_per_px
    sample = np.repeat(np.arange(sections), [len(section.mean) for section in made])
    for depth in depths:
        yield Tissue(
            f"phantom, {depth:g} counts",
            mean * (depth / config.depth),
            np.zeros(len(mean)),
            sample,
            spatial_blocks(xy, 150.0),
        )


@dataclass(frozen=True, eq=False)
class Truth:
    """The ceilings over counts drawn anew for the same means, and what m reaches on the counts at hand."""

    ceiling: np.ndarray
    reached: np.ndarray


def truth_log(tissue: Tissue, y: np.ndarray, scale: float, rng: np.random.Generator) -> Truth:
    """Var m is the covariance of two means of independent redraws, so that their noise is not in it."""
    halves = np.zeros((2, *tissue.mean.shape))
    samples = [tissue.sample == s for s in np.unique(tissue.sample)]
    spread = np.zeros((len(samples), tissue.mean.shape[1]))
    for number in range(REDRAWN):
        redrawn = logged(*tissue.draw(rng), scale)
        halves[number % 2] += redrawn / (REDRAWN / 2)
        spread += [redrawn[rows].var(axis=0) / REDRAWN for rows in samples]
    signal = np.array([np.maximum(covariance(*halves[:, rows]), 1e-12) for rows in samples])
    m = halves.mean(axis=0)
    shared = np.array([covariance(m[rows], y[rows]) / y[rows].std(axis=0) for rows in samples])
    return Truth(np.sqrt(signal / spread).mean(axis=0), (shared / np.sqrt(signal)).mean(axis=0))


def truth_counts(tissue: Tissue, counts: np.ndarray) -> Truth:
    samples = [tissue.sample == s for s in np.unique(tissue.sample)]
    means = [tissue.mean[rows] for rows in samples]
    ceiling = [np.sqrt(m.var(axis=0) / (m.var(axis=0) + m.mean(axis=0))) for m in means]
    pairs = [(m, counts[rows]) for m, rows in zip(means, samples, strict=True)]
    reached = [covariance(m, k) / (m.std(axis=0) * k.std(axis=0)) for m, k in pairs]
    return Truth(np.mean(ceiling, axis=0), np.mean(reached, axis=0))


def logged(counts: np.ndarray, totals: np.ndarray, scale: float) -> np.ndarray:
    return np.log1p(scale * counts / np.maximum(totals, 1e-9)[:, None])


def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a - a.mean(axis=0)) * (b - b.mean(axis=0))).mean(axis=0)


def split_halves(
    counts: np.ndarray, totals: np.ndarray, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Split the counts, correlate the halves, correct to full depth (Spearman and Brown)."""
    r = reliability(counts, totals, scale, 0.5, rng)
    return np.sqrt(np.clip(2 * r / (1 + r), 0, 1))


def fractions(counts: np.ndarray, totals: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Take reliabilities at 1/8, 1/4 and 1/2 of the depth on to full depth: a parabola in log depth."""
    eighth, quarter, half = (reliability(counts, totals, scale, f, rng) for f in (0.125, 0.25, 0.5))
    return np.sqrt(np.clip(3 * half - 3 * quarter + eighth, 0, 1))


def reliability(
    counts: np.ndarray, totals: np.ndarray, scale: float, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the correlation of two disjoint parts of the counts, each ``share`` of them."""
    first = rng.binomial(counts, share)
    second = rng.binomial(counts - first, share / (1 - share))
    a, b = logged(first, totals * share, scale), logged(second, totals * share, scale)
    return covariance(a, b) / np.sqrt(np.maximum(covariance(a, a) * covariance(b, b), 1e-24))


def replicates(counts: np.ndarray, totals: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Draw rates from a gamma posterior (moments of all observations), and two replicates of each."""
    mean = counts.sum(axis=0) / totals.sum()
    second = (counts * (counts - 1.0)).sum(axis=0) / (totals**2).sum()
    shape = mean**2 / np.maximum(second - mean**2, 1e-3 * mean**2)
    rate = rng.gamma(shape + counts) / (shape / mean + totals[:, None])
    rest = totals[:, None] - counts
    drawn = (rng.poisson(rate * totals[:, None]) for _ in range(2))
    a, b = (np.log1p(scale * k / np.maximum(rest + k, 1e-9)) for k in drawn)
    return np.sqrt(np.clip(covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b)), 0, 1))


TRIED: dict[str, Callable[..., np.ndarray]] = {
    "split halves": split_halves,
    "three fractions": fractions,
    "posterior replicates": replicates,
}


def measure(tissue: Tissue, scale: float, seed: int) -> pd.DataFrame:
    """Return a row for each gene, scale of expression and way to the ceiling."""
    rng = np.random.default_rng([seed, 2])
    counts, totals = tissue.draw(rng)
    sample, block = tissue.sample, tissue.block
    found: dict[tuple[str, str], np.ndarray | Ceiling] = {
        ("counts", "kept"): ceiling_counts(counts, sample_of=sample, block_of=block),
        ("log", "kept"): ceiling_log(counts, totals, scale, sample_of=sample, block_of=block),
    }
    if len(np.unique(sample)) == 1:
        found |= {("log", name): way(counts, totals, scale, rng) for name, way in TRIED.items()}
    true = {
        "counts": truth_counts(tissue, counts),
        "log": truth_log(tissue, logged(counts, totals, scale), scale, rng),
    }
    parts = []
    for (kind, way), ceiling in found.items():
        value, lower = (ceiling.value, ceiling.lower) if isinstance(ceiling, Ceiling) else (ceiling, np.nan)
        columns = {"tissue": tissue.name, "scale": f"{scale:,.0f}", "kind": kind, "way": way}
        columns |= {"truth": true[kind].ceiling, "error": value - true[kind].ceiling}
        columns |= {"error_reached": value - true[kind].reached, "bounded": lower <= true[kind].ceiling}
        parts.append(pd.DataFrame(columns | {"mean": counts.mean(axis=0)}))
    return pd.concat(parts, ignore_index=True)


def summary(errors: pd.DataFrame, by: list[str], total: str | None = None) -> pd.DataFrame:
    """Return a row for each group, and one over all of them named ``total``."""
    groups = [
        (dict(zip(by, key, strict=True)), part) for key, part in errors.groupby(by, sort=False, observed=True)
    ]
    if total:
        groups.append(({by[0]: total}, errors))
    rows = []
    for row, part in groups:
        error, near = part["error"], NEAR[part["kind"].iloc[0]]
        row |= {"genes": len(part), "bias": f"{error.mean():+.4f}", "spread": f"{error.std(ddof=0):.4f}"}
        row |= {
            "largest": f"{error.abs().max():.3f}",
            f"within {near}": f"{(error.abs() <= near).mean():.1%}",
        }
        row[f"within {near} of what m reaches"] = f"{(part['error_reached'].abs() <= near).mean():.1%}"
        rows.append(row)
    return pd.DataFrame(rows)


def banded(values: pd.Series, edges: list[float]) -> pd.Series:
    words = [f"above {a:g}" if np.isinf(b) else f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
    return pd.cut(values, edges, labels=words)


def table(frame: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + "---|" * len(frame.columns)]
    return "\n".join(
        [*lines, *("| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False))]
    )


def page(errors: pd.DataFrame, n: int, genes: int, seconds: float) -> str:
    ruled = errors[errors["truth"] >= ENOUGH]
    kept = ruled[ruled["way"] == "kept"]
    usual = kept[kept["scale"] == "100"]
    raw, log = usual[usual["kind"] == "counts"], usual[usual["kind"] == "log"]
    by_mean = raw.assign(**{"counts an observation": banded(raw["mean"], [0, 0.03, 0.1, 0.3, 1, np.inf])})
    tried = ruled[ruled["tissue"].str.startswith("gamma") & (ruled["kind"] == "log")]
    every = errors[(errors["way"] == "kept") & (errors["scale"] == "100")]
    every = every.assign(**{"true ceiling": banded(every["truth"], [0, 0.2, 0.4, 0.6, 0.8, 1])})
    every = every.sort_values("truth")
    bounded = kept.groupby(["tissue", "scale", "kind"], sort=False)["bounded"].mean()
    text = [
        "# Noise ceilings against the truth",
        f"Written by `{COMMAND}`; do not edit by hand.",
        f"""Tissue with known means: the package's phantom (40 genes, two sections) and gamma-distributed
rates with spatial structure ({genes} genes, one section), at least {n:,} observations in each, at the
depths of Visium HD and Xenium (counts an observation, all genes together). Genes whose true ceiling is
at least {ENOUGH}, unless said otherwise. The truth holds the means and draws the counts anew; the last
column compares with the correlation that the true expectation m reaches on the same counts, which
has a chance of its own. Wanted: 95 % of the genes within {NEAR["counts"]} on raw counts and within
{NEAR["log"]} on the log scale.""",
        "## Raw counts",
        table(summary(raw, ["tissue"], "all")),
        """By the gene's mean count. The variance of a gene that is seldom seen hangs on the few observations
that have two or more of it:""",
        table(summary(by_mean.sort_values("mean"), ["counts an observation"])),
        "## Log scale",
        "log1p of counts scaled to 100:",
        table(summary(log, ["tissue"], "all")),
        "What is kept beside other ways that were tried, also with counts scaled to 10,000:",
        table(summary(tried, ["tissue", "scale", "way"])),
        "## By true ceiling",
        *(table(summary(every[every["kind"] == kind], ["kind", "true ceiling"])) for kind in NEAR),
        "## Lower bounds",
        f"""The 95 % lower bound lies at or below the true ceiling in at least {bounded.min():.1%} of the
genes of each of the {len(bounded)} cases of tissue, scale and kind, in the mean in
{bounded.mean():.1%}. Blocks are resampled, so the bound also holds the chance of which tissue was
measured; this truth does not.""",
        f"The run took {seconds:.0f} seconds of one core.",
    ]
    return "\n\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", type=Path, help="the page to write")
    parser.add_argument("--observations", type=int, default=20_000, help="of the gamma tissue")
    parser.add_argument("--genes", type=int, default=200, help="of the gamma tissue")
    parser.add_argument("--size-px", type=int, default=2400, help="side of a phantom section")
    parser.add_argument("--depths", type=float, nargs="+", default=[25, 60, 140, 250])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    began = time.process_time()
    shape = {"n": asked.observations, "genes": asked.genes, "seed": asked.seed}
    tissues = [
        *phantoms((40.0, 80.0, 160.0), sections=2, size_px=asked.size_px, seed=asked.seed),
        *(plain(depth, **shape) for depth in asked.depths),
    ]
    parts = []
    for tissue in tissues:
        for scale in (100.0, 10_000.0) if tissue.name == "gamma, 60 counts" else (100.0,):
            parts.append(measure(tissue, scale, asked.seed))
    errors = pd.concat(parts, ignore_index=True)
    least = min(len(tissue.mean) for tissue in tissues)
    text = page(errors, least, asked.genes, time.process_time() - began)
    print(text)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
