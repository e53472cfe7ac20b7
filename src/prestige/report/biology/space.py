"""Sentences on what ``biology/space`` found: structure, domains, and expression around a region."""

from __future__ import annotations

import math

import numpy as np

from prestige.biology.space.domains import NEIGHBOURS, Domains
from prestige.biology.space.gradients import LEVEL, Gradients
from prestige.biology.space.neighbourhoods import Neighbourhoods
from prestige.biology.space.regions import Region
from prestige.biology.space.structure import Structure
from prestige.report.biology.phrases import left_out_sentences, with_interval

_GENES = 5  # that a sentence names


def structure_sentences(structure: Structure) -> list[str]:
    """Return what was found of smoothing, Moran's I and variances, a sentence each."""
    sentences = [_smoothing_sentence(structure), _morans_sentence(structure), _variance_sentence(structure)]
    if structure.smoothing.left_out:
        names = ", ".join(structure.smoothing.left_out)
        sentences.append(f"Too small or too narrow to have a part in the smoothing length: {names}.")
    return sentences


def _smoothing_sentence(structure: Structure) -> str:
    s = structure.smoothing
    if structure.verdict == "not judged":
        return f"Whether the prediction is over-smoothed is not judged: {s.why_not}."
    if structure.verdict == "no structure measured":
        return "No structure in space beyond chance was measured, so nothing can be said of over-smoothing."
    if structure.verdict == "no structure predicted":
        return "No structure predicted: no gene's prediction has any pattern in space."
    kernel = f"a Gaussian kernel of {s.length_um:.3g} um"
    kernel += (
        f" (90 % interval {s.low_um:.3g} to {s.high_um:.3g} um, {s.n_genes} genes)"
        if math.isfinite(s.low_um)
        else f" ({s.n_genes} genes; no interval: {s.n_blocks} blocks of tissue are too few)"
    )
    beside = ""
    if math.isfinite(structure.halves.length_um):
        beside = f"; half of the measurement against the other half: {structure.halves.length_um:.3g} um"
    if structure.verdict == "over-smoothed":
        return (
            f"Over-smoothed: the prediction is as smooth as the measured tissue blurred by {kernel}, which "
            f"averages about {s.averaged:.0f} observations and takes {s.lost:.0%} of the structure between "
            f"neighbours{beside}."
        )
    if structure.verdict == "not over-smoothed":
        return f"Not over-smoothed: the prediction is as smooth as the tissue blurred by {kernel}{beside}."
    return (
        f"Whether the prediction is over-smoothed cannot be told: it is as smooth as under {kernel}{beside}."
    )


def _morans_sentence(structure: Structure) -> str:
    mean = structure.table.filter(like="morans_i_").mean()
    if not np.isfinite(mean["morans_i_measured"]):
        return "Moran's I is not defined: no measured gene varies."
    r, beside = structure.morans_order
    return (
        f"Moran's I, mean over genes: measured {mean['morans_i_measured']:.3f}, predicted with noise "
        f"{mean['morans_i_predicted']:.3f}. At half the depth: measured {mean['morans_i_half']:.3f}, "
        f"predicted {mean['morans_i_predicted_half']:.3f}, depth alone {mean['morans_i_depth']:.3f}; the "
        f"genes' order agrees to {r:.2f} (Spearman), that of the two halves of the measurement "
        f"to {beside:.2f}."
    )


def _variance_sentence(structure: Structure) -> str:
    return (
        f"With noise the prediction has {structure.variance_ratio:.2f} of the measured variance (median over "
        f"genes; half against half {structure.variance_ratio_halves:.2f}); of the variance that is not "
        f"counting noise it has {structure.signal_ratio:.2f}."
    )


def domain_sentences(domains: Domains) -> list[str]:
    """Return how far the domains agree, and which samples were left out."""
    left_out = left_out_sentences(domains.left_out, NEIGHBOURS, "tissue domains")
    if len(np.setdiff1d(domains.predicted, [domains.n_domains])) == 1:
        return ["The prediction has no domains: all observations are alike.", *left_out]
    text = {name: domain_text(domains, name) for name in domains.indices}
    return [
        f"Tissue domains ({domains.n_domains} clusters of neighbourhoods, each side clustered by itself): "
        f"adjusted Rand index of prediction and half of the measurement {text['ari_half']}, of the "
        f"two halves of the measurement {text['ari_halves']}, of depth alone {text['ari_depth']}, of "
        f"shuffled predictions {text['ari_shuffled']}; at the observed depth {text['ari']}.",
        *left_out,
    ]


def domain_text(domains: Domains, name: str) -> str:
    """Return an adjusted Rand index ("ari", "ari_half", ...) with its confidence interval."""
    return with_interval(getattr(domains, name), domains.intervals.get(name))


def region_sentences(region: Region) -> list[str]:
    """Return what the region is, and which samples were left out."""
    genes = ""
    if region.defined_by:
        genes = f" The genes {', '.join(region.defined_by)} define it and are not tested."
    half = " It is read from one half of the counts." if region.half_seed is not None else ""
    return [
        f"Region by {region.how}: {region.n_components} components, {int(region.inside.sum())} observations "
        f"inside, {int(region.stray.sum())} strays.{genes}{half}",
        *left_out_sentences(region.left_out, region.least, "the region"),
    ]


def gradient_sentences(gradients: Gradients) -> list[str]:
    """Return what changes along the distance from a region, measured and predicted, or that nothing does."""
    half = "" if gradients.region.half_seed is None else " Genes are tested on the other half."
    sentences = [" ".join(region_sentences(gradients.region)) + half]
    measured, noisy, depth = (
        gradients.table[f"p_adjusted_{side}"] <= LEVEL for side in ("measured", "noisy", "depth")
    )
    within = f"within {gradients.max_um:g} um of the boundary"
    if measured.any():
        names = ", ".join(str(name) for name in gradients.table.index[measured][:_GENES])
        n = {what: int((measured & which).sum()) for what, which in (("noisy", noisy), ("depth", depth))}
        curves = gradients.table.loc[measured, "curves"].mean()
        sentences.append(
            f"{int(measured.sum())} of {len(gradients.table)} genes change {within} "
            f"(adjusted p <= {LEVEL:g}, {gradients.permutations} random shifts of the region), "
            f"first {names}; {n['noisy']} of them in the prediction with counting noise too, "
            f"{n['depth']} with depth alone, and the mean correlation of their curves is {curves:.2f}."
        )
    else:
        sentences.append(f"No measured gene is found to change {within}.")
    if (alone := ~measured & noisy).any():
        sentences.append(f"{int(alone.sum())} genes change in the prediction alone.")
    return sentences


def neighbourhood_sentences(around: Neighbourhoods) -> list[str]:
    """Return how far the prediction keeps which genes are high near the boundary and the centre."""
    return [
        f"Which of {int(row['n_genes'])} genes are high towards the {where} (enrichment index): "
        f"correlation {row['predicted']:.2f} of predicted with measured, half against half of "
        f"the counts {row['half']:.2f}; no interval is known."
        for where, row in around.agreement.iterrows()
        if np.isfinite(row["predicted"])
    ]
