"""The sides of a split (train, validation, test), and the buffer between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int8

if TYPE_CHECKING:
    from prestige.data.sample import Sample

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, -1
SIDE_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def nearer_than(
    xy_um: Float[np.ndarray, "n 2"], others_um: Float[np.ndarray, "m 2"], distance_um: float
) -> Bool[np.ndarray, " n"]:
    """Say which places lie nearer (Chebyshev) than ``distance_um`` to any of the others.

    Chebyshev because patches are squares: two patches of width w overlap exactly when their
    centres are nearer than w in x and in y.

    Examples
    --------
    >>> nearer_than(np.array([[0.0, 0.0], [0.0, 9.0]]), np.array([[8.0, 8.0]]), 8.5).tolist()
    [True, True]
    >>> nearer_than(np.array([[0.0, 0.0], [0.0, 9.0]]), np.array([[8.0, 8.0]]), 8.0).tolist()
    [False, False]
    """
    from scipy.spatial import KDTree

    if not len(xy_um) or not len(others_um) or distance_um <= 0:
        return np.zeros(len(xy_um), bool)
    distances, _ = KDTree(others_um).query(
        xy_um, p=np.inf, distance_upper_bound=np.nextafter(distance_um, np.inf)
    )
    return np.asarray(distances) < distance_um


def in_buffer(
    side: Int8[np.ndarray, " n"], xy_um: Float[np.ndarray, "n 2"], buffer_um: float
) -> Bool[np.ndarray, " n"]:
    """Say which training and validation observations lie in the buffer around a later side.

    Validation gives way to test and training to both, so that the tissue scored is the same
    whatever validates.  ``side`` holds intended sides, unmeasured observations included.
    """
    close = np.zeros(len(side), bool)
    test, validation = side == TEST, side == VALIDATION
    close[validation] = nearer_than(xy_um[validation], xy_um[test], buffer_um)
    train = side == TRAIN
    close[train] = nearer_than(xy_um[train], xy_um[test | (validation & ~close)], buffer_um)
    return close


def by_slide(samples: Sequence[Sample]) -> Iterator[tuple[list[Sample], float, Float[np.ndarray, "n 2"]]]:
    """Yield the samples that show one slide of a patient, its um per px, and the places of all of them in um.

    Where they state different widths of a pixel the smallest holds.
    """
    of_slide: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        of_slide.setdefault((sample.patient, sample.slide.fingerprint), []).append(sample)
    for group in of_slide.values():
        um_per_px = min(sample.um_per_px for sample in group)
        yield group, um_per_px, np.concatenate([sample.xy_px for sample in group]) * um_per_px
