"""Ceilings against closed forms and brute force; blocks, samples, sparse input, bad input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import binom, poisson

from prestige.errors import DataError
from prestige.stats import ceilings as module
from prestige.stats.bootstrap import MIN_CLUSTERS
from prestige.stats.ceilings import Ceiling, ceiling_counts, ceiling_log


def gamma_counts(
    mean: float, shape: float, n: int = 40_000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true means, counts and totals of one gene beside others of 100 counts together."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(shape, mean / shape, n)
    counts = rng.poisson(rate)
    return rate, counts[:, None], counts + rng.poisson(100.0, n).astype(float)


def test_a_gamma_mean_has_its_ceiling_in_closed_form() -> None:
    # Var of the mean is mean**2 / shape, Var of the count is that plus the mean.
    for mean, shape in ((4.0, 1.0), (0.5, 0.5), (0.3, 3.0)):
        _, counts, _ = gamma_counts(mean, shape, n=200_000)
        wanted = np.sqrt((mean / shape) / (mean / shape + 1))
        assert ceiling_counts(counts).value[0] == pytest.approx(wanted, abs=0.01)


def test_two_means_have_their_ceiling_in_closed_form_on_the_log_scale() -> None:
    # With a vast total the scale is log1p(k / 50): E and Var given each mean are sums over k.
    means, k = np.array([0.5, 6.0]), np.arange(60)
    rng = np.random.default_rng(1)
    which = rng.integers(0, 2, 100_000)
    counts = rng.poisson(means[which])[:, None]
    totals = np.full(len(which), 1e9)
    y = np.log1p(k * (2e7 / 1e9))
    probability = poisson.pmf(k, means[:, None])
    m = probability @ y
    noise = probability @ y**2 - m**2
    signal = np.mean(which == 1) * np.mean(which == 0) * (m[1] - m[0]) ** 2
    wanted = np.sqrt(signal / (signal + noise.mean()))
    assert ceiling_log(counts, totals, scale=2e7).value[0] == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize(
    ("mean", "shape", "scale"), [(1.0, 0.5, 100.0), (0.15, 0.3, 100.0), (20.0, 2.0, 100.0), (2.0, 1.0, 1e4)]
)
def test_the_best_prediction_reaches_the_ceiling_on_counts_drawn_anew(
    mean: float, shape: float, scale: float
) -> None:
    rate, counts, totals = gamma_counts(mean, shape)
    rng = np.random.default_rng(5)
    # m by brute force: 60 replicates of each observation, gene and other genes alike.
    m = np.zeros(len(rate))
    for _ in range(60):
        again = rng.poisson(rate)
        m += np.log1p(scale * again / (again + rng.poisson(100.0, len(rate)))) / 60
    y = np.log1p(scale * counts[:, 0] / totals)
    noise = np.mean((y - m) ** 2) / (1 + 1 / 60)  # m itself has a sixtieth of the noise
    wanted = np.sqrt(1 - noise / y.var())
    assert ceiling_log(counts, totals, scale).value[0] == pytest.approx(wanted, abs=0.015)
    assert np.corrcoef(m, y)[0, 1] < wanted + 0.01


def expected_and_true(mean: float, rest: float, scale: float) -> tuple[float, float]:
    """Return the expectation of v(k, R), and the variance of log1p(scale k / (k + R)), both as sums."""
    k = np.arange(int(mean + 9 * np.sqrt(mean) + 12))
    r = np.arange(max(0, int(rest - 8 * np.sqrt(rest))), int(rest + 9 * np.sqrt(rest) + 12))
    probability = poisson.pmf(k, mean)[:, None] * poisson.pmf(r, rest)
    kk, rr = (array.astype(float) for array in np.meshgrid(k, r, indexing="ij"))
    y = np.log1p(scale * kk / np.maximum(kk + rr, 1.0))
    v = module._Noise(scale, float(kk.max() + rr.max()))(kk.ravel(), rr.ravel()).reshape(kk.shape)
    return float((probability * v).sum()), float((probability * y**2).sum() - (probability * y).sum() ** 2)


@pytest.mark.parametrize("scale", [100.0, 1e4])
@pytest.mark.parametrize(
    ("mean", "rest"),
    [
        (0.02, 10),
        (0.5, 10),
        (0.01, 60),
        (0.3, 60),
        (3, 60),
        (20, 60),
        (1, 250),
        (60, 250),
        (0.5, 4000),
        (90, 4000),
    ],
)
def test_the_noise_of_an_observation_is_unbiased_whatever_its_mean(
    mean: float, rest: float, scale: float
) -> None:
    expected, true = expected_and_true(mean, rest, scale)
    assert expected == pytest.approx(true, rel=0.04)


def test_the_noise_is_that_of_count_splitting_taken_to_full_depth() -> None:
    # The one unbiased v of a small count, with a total that is known: the covariance of the parts of a
    # count of n, split in halves, as a polynomial of the share kept, read off at twice the depth.
    scale, rest = 100.0, 1e6  # the total does not matter here, its noise neither
    scale = scale * 1e4
    k = np.arange(7)
    y = np.log1p(scale * k / (k + rest))
    halves = np.array([binom.pmf(k, n, 0.5) @ (y * np.where(k <= n, y[np.maximum(n - k, 0)], 0)) for n in k])
    noise = module._Noise(scale, 2e6)
    for count in (1, 2, 3, 4):
        # A binomial of share 2 has the weights C(k, n) 2**n (-1)**(k - n).
        weights = np.array([np.prod(np.arange(count, count - n, -1)) for n in range(count + 1)], float)
        weights /= np.array([np.prod(np.arange(1, n + 1)) for n in range(count + 1)], float)
        weights *= 2.0 ** np.arange(count + 1) * (-1.0) ** (count - np.arange(count + 1))
        exact = y[count] ** 2 - weights @ halves[: count + 1]
        found = noise(np.array([float(count)]), np.array([rest]))[0]
        assert found == pytest.approx(exact, abs=0.12 * y[1] ** 2)


def test_overdispersion_inflates_as_the_docstring_says() -> None:
    rng = np.random.default_rng(2)
    n, phi = 200_000, 0.2
    mean = rng.gamma(2.0, 1.5, n)
    efficiency = rng.gamma(1 / phi, phi, n)  # of the assay: mean 1, variance phi, no part of what is sought
    counts = rng.poisson(mean * efficiency)
    reachable = np.corrcoef(mean, counts)[0, 1]
    wanted = np.sqrt((mean.var() + phi * (mean**2).mean()) / counts.var())
    found = ceiling_counts(counts[:, None]).value[0]
    assert found == pytest.approx(wanted, abs=0.01)
    assert found > reachable + 0.1


@pytest.mark.parametrize("log", [False, True])
def test_more_depth_never_lowers_the_ceiling_beyond_noise(log: bool) -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(1.0, 0.01, (20_000, 5)) * np.array([0.3, 1, 2, 4, 8])
    found = []
    for depth in (40, 80, 160, 320):
        counts = rng.poisson(depth * rate)
        totals = counts.sum(axis=1) + rng.poisson(0.7 * depth, len(rate)).astype(float)
        found.append((ceiling_log(counts, totals) if log else ceiling_counts(counts)).value)
    assert (np.diff(found, axis=0) > -0.01).all()
    assert (found[-1] > found[0] + 0.1)[:3].all()


@settings(max_examples=12)  # each builds two large tables
@given(seed=st.integers(0, 1000), times=st.integers(2, 1000))
def test_scale_and_totals_count_by_their_quotient_alone(seed: int, times: int) -> None:
    # Where the other genes are many, T times as many of them at T times the scale change nothing.
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.5, 2.0, (200, 2)))
    totals = rng.uniform(1e7, 1e8, 200)
    once = ceiling_log(counts, totals, scale=1e6).value
    again = ceiling_log(counts, totals * times, scale=1e6 * times).value
    np.testing.assert_allclose(once, again, atol=2e-3)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), g=st.integers(1, 4))
def test_ceilings_are_between_0_and_1_or_nan_where_a_gene_is_constant(seed: int, n: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.3, 3.0, (n, g)))
    block = rng.integers(0, 20, n)
    totals = counts.sum(axis=1).astype(float)
    raw = ceiling_counts(counts, block_of=block, draws=40)
    log = ceiling_log(counts, totals, block_of=block, draws=40)
    y = np.divide(counts, totals[:, None], out=np.zeros(counts.shape), where=totals[:, None] > 0)
    for found, values in ((raw, counts), (log, y)):
        constant = np.ptp(values, axis=0) <= 1e-12
        assert (np.isnan(found.value) == constant).all()
        inside = found.value[~constant]
        assert ((inside >= 0) & (inside <= 1)).all()
        bounded = ~np.isnan(found.lower)
        assert (found.lower[bounded] <= found.value[bounded]).all()
        assert bounded.any() <= (len(np.unique(block)) >= MIN_CLUSTERS)


def test_noise_alone_has_no_ceiling_and_a_constant_gene_none_at_all() -> None:
    rng = np.random.default_rng(4)
    counts = np.stack([np.full(30_000, 3), np.zeros(30_000, int), rng.poisson(3.0, 30_000)], axis=1)
    found = ceiling_counts(counts, genes=["constant", "absent", "noise"], block_of=np.arange(30_000) % 50)
    assert np.isnan(found.value[:2]).all()
    assert np.isnan(found.lower[:2]).all()
    assert found.value[2] < 0.15
    assert np.isnan(found.fraction(np.array([0.1, 0.1, 0.1]))).all()


def _call(log: bool) -> Callable[..., Ceiling]:
    def call(counts, **options) -> Ceiling:
        if not log:
            return ceiling_counts(counts, **options)
        return ceiling_log(counts, np.asarray(counts.sum(axis=1)).ravel() + 50.0, **options)

    return call


def small(n: int = 3000, g: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(0.5, 2.0, (n, g)))


@pytest.mark.parametrize("log", [False, True])
def test_sparse_equals_dense_to_the_last_bit_whatever_its_chunks(
    log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, block = small(), np.arange(3000) // 150
    dense = _call(log)(counts, block_of=block)
    unsorted = csr_matrix(counts.astype(np.float32))
    unsorted.indices = np.concatenate(
        [row[::-1] for row in np.split(unsorted.indices, unsorted.indptr[1:-1])]
    )
    unsorted.data = np.concatenate([row[::-1] for row in np.split(unsorted.data, unsorted.indptr[1:-1])])
    unsorted.has_sorted_indices = unsorted.has_canonical_format = False
    for table in (csr_matrix(counts), csr_array(counts), unsorted):
        found = _call(log)(table, block_of=block)
        np.testing.assert_array_equal(found.value, dense.value)
        np.testing.assert_array_equal(found.lower, dense.lower)
    monkeypatch.setattr(module, "_CHUNK_ROWS", 170)
    monkeypatch.setattr(module, "_CHUNK", 2000)
    found = _call(log)(csr_matrix(counts), block_of=block)
    np.testing.assert_allclose(found.value, dense.value, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.lower, dense.lower, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("log", [False, True])
def test_stored_zeros_and_empty_observations_count_as_zeros(log: bool) -> None:
    counts = small(200)
    counts[::7] = 0
    stored = csr_matrix(np.ones_like(counts, dtype=np.float64))
    stored.data = counts.ravel().astype(np.float64)
    totals = counts.sum(axis=1).astype(float)
    if log:
        np.testing.assert_array_equal(ceiling_log(stored, totals).value, ceiling_log(counts, totals).value)
    else:
        np.testing.assert_array_equal(ceiling_counts(stored).value, ceiling_counts(counts).value)


@pytest.mark.parametrize("log", [False, True])
def test_ceilings_are_of_a_sample_and_then_averaged(log: bool) -> None:
    # Pooled, the difference between the samples would pass for signal.
    low, high = small(3000, 2, 1), small(3000, 2, 2) * 3
    high[:, 1] = 5  # constant in one sample, so the other one's ceiling is the mean
    both = np.concatenate([low, high])
    mixed = np.random.default_rng(0).permutation(6000)
    sample = np.repeat(["a", "b"], 3000)
    call = _call(log)
    if log:
        total = both.sum(axis=1) + 50.0
        total[3000:] = 1e6  # what a constant count is divided by must not vary
        apart = [ceiling_log(both[rows], total[rows]).value for rows in (slice(3000), slice(3000, None))]
        found = ceiling_log(both[mixed], total[mixed], sample_of=sample[mixed]).value
    else:
        apart = [call(part).value for part in (low, high)]
        found = call(both[mixed], sample_of=sample[mixed]).value
    assert found[0] == pytest.approx((apart[0][0] + apart[1][0]) / 2)
    assert np.isnan(apart[1][1])
    assert found[1] == pytest.approx(apart[0][1])


def test_a_lower_bound_resamples_blocks_and_not_observations() -> None:
    rng = np.random.default_rng(7)
    field = np.repeat(rng.gamma(0.5, 2.0, 40), 500)  # the mean is constant in a block of 500
    counts = rng.poisson(field)[:, None]
    block, shuffled = np.repeat(np.arange(40), 500), rng.permutation(np.repeat(np.arange(40), 500))
    true, false = (ceiling_counts(counts, block_of=of) for of in (block, shuffled))
    assert true.value[0] == pytest.approx(false.value[0])
    assert true.value[0] - true.lower[0] > 3 * (false.value[0] - false.lower[0])
    again = ceiling_counts(counts, block_of=block)
    assert again.lower[0] == true.lower[0]
    assert ceiling_counts(counts, block_of=block, level=0.99).lower[0] < true.lower[0]


def test_a_lower_bound_covers_the_ceiling_of_new_tissue() -> None:
    # Blocks of independent means: the ceiling of tissue without end is known in closed form.
    rng = np.random.default_rng(8)
    wanted = np.sqrt(1.5 / 2.5)  # gamma means of shape 2 and scale 1.5
    below = []
    for _ in range(40):
        rate = np.repeat(rng.gamma(2.0, 1.5, (40, 5)), 20, axis=0)
        found = ceiling_counts(rng.poisson(rate), block_of=np.repeat(np.arange(40), 20), draws=200)
        below.extend(found.lower <= wanted)
    assert 0.9 <= np.mean(below) <= 0.99  # of 200; 0.95 at a level of 0.95


def test_below_ten_blocks_there_is_no_lower_bound() -> None:
    counts = small()
    for n_blocks, there in ((MIN_CLUSTERS - 1, False), (MIN_CLUSTERS, True)):
        found = ceiling_counts(counts, block_of=np.arange(len(counts)) % n_blocks)
        assert np.isfinite(found.lower).all() == there
        assert np.isfinite(found.fraction(np.full(6, 0.3))).all() == there
    assert np.isnan(ceiling_counts(counts).lower).all()


def test_a_fraction_is_given_only_where_the_lower_bound_is_above_a_fifth() -> None:
    ceiling = Ceiling(
        ("a", "b", "c", "d"), np.array([0.8, 0.3, np.nan, 0.5]), np.array([0.6, 0.2, np.nan, 0.2001])
    )
    found = ceiling.fraction(np.array([0.4, 0.1, 0.1, -0.1]))
    np.testing.assert_allclose(found, [0.5, np.nan, np.nan, -0.2])
    with pytest.raises(DataError, match="3 scores"):
        ceiling.fraction(np.zeros(3))


def test_observations_are_left_as_they_are() -> None:
    table = csr_matrix(small().astype(np.float32))
    before = table.copy()
    ceiling_log(table, np.asarray(table.sum(axis=1)).ravel().astype(float))
    assert (table != before).nnz == 0


COUNTS = np.arange(12).reshape(6, 2)
TOTALS = COUNTS.sum(axis=1).astype(float)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ceiling_counts(-COUNTS), "negative"),
        (lambda: ceiling_counts(COUNTS * np.nan), "NaN"),
        (lambda: ceiling_log(csr_matrix(COUNTS * np.inf), TOTALS), "infinite"),
        (lambda: ceiling_counts(COUNTS[:0]), "no observation"),
        (lambda: ceiling_counts(COUNTS, genes=["one"]), "1 names for 2 genes"),
        (lambda: ceiling_counts(csr_matrix(COUNTS), block_of=np.arange(5)), "5 blocks for 6"),
        (lambda: ceiling_counts(csr_matrix(COUNTS), sample_of=np.array(["a"])), "1 samples"),
        (lambda: ceiling_counts(COUNTS, draws=0), "0 draws"),
        (lambda: ceiling_counts(COUNTS, level=1.0), "level"),
        (lambda: ceiling_log(csr_matrix(COUNTS), TOTALS[:3]), "3 totals for 6"),
        (lambda: ceiling_log(COUNTS, TOTALS - 1), "below the sum"),
        (lambda: ceiling_log(COUNTS, TOTALS * np.nan), "no number"),
        (lambda: ceiling_log(COUNTS, TOTALS, scale=0.0), "total of 0"),
        (lambda: ceiling_log(COUNTS, TOTALS, scale=float("nan")), "total of nan"),
    ],
)
def test_bad_input_is_told_in_one_line(call: Callable[[], Ceiling], words: str) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(DataError, match=words) as told:
        call()
    assert "\n" not in str(told.value)
