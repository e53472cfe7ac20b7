"""The compiled rank correlation against scipy's, on what sorts badly: ties, signs, zeros, far ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from prestige.ranks import rank_correlation

BITS = {np.float32: np.uint32, np.float64: np.uint64}


def correlation(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    out = np.empty(len(p))
    rank_correlation(*(np.ascontiguousarray(x).view(BITS[x.dtype.type]) for x in (p, t)), out)
    return out


def independent(p: np.ndarray, t: np.ndarray) -> float:
    a, b = rankdata(p), rankdata(t)
    return float("nan") if np.ptp(a) == 0 or np.ptp(b) == 0 else float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_agrees_with_ranks_of_scipy(dtype: type, data: st.DataObject) -> None:
    width = np.dtype(dtype).itemsize * 8
    few = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5])
    any_float = st.floats(allow_nan=False, allow_infinity=False, width=width)
    shape = data.draw(st.tuples(st.integers(1, 2), st.integers(1, 12)))
    p = data.draw(hnp.arrays(dtype, shape, elements=few | any_float))
    t = data.draw(hnp.arrays(dtype, shape, elements=few | any_float))
    expected = [independent(a, b) for a, b in zip(p, t, strict=True)]
    assert correlation(p, t) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_minus_zero_is_zero() -> None:
    p = np.array([[0.0, -0.0, 1.0, -1.0]], dtype=np.float32)
    assert correlation(p, np.array([[2.0, 2.0, 3.0, 1.0]], dtype=np.float32))[0] == 1.0


def test_a_long_row_of_a_hundred_thousand() -> None:
    rng = np.random.default_rng(3)
    p = np.round(rng.normal(size=(1, 100_000)), 2)
    t = (p + rng.normal(size=p.shape)).round(3)
    assert correlation(p, t)[0] == pytest.approx(independent(p[0], t[0]), abs=1e-12)


def test_a_constant_row_has_no_correlation() -> None:
    p = np.full((2, 5), 0.1, dtype=np.float32)
    assert np.isnan(correlation(p, np.arange(10, dtype=np.float32).reshape(2, 5))).all()
