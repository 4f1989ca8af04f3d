from __future__ import annotations

import numpy as np
import pytest

from experiments.statistics import bootstrap, iqm, mean, median, ratio, reduction_percent


def first(runs):
    return mean(runs[..., 0])


def test_iqm_ignores_the_outer_quarters():
    assert iqm(np.array([100.0, 1.0, 2.0, -50.0])) == 1.5
    assert iqm(np.array([1.0, 2.0, 6.0])) == 3.0
    np.testing.assert_array_equal(iqm(np.array([[4.0, 0, 8, 6], [1, 1, 1, 9]])), [5.0, 1.0])


def test_reduction_and_ratio_by_hand():
    runs = np.array([[1.0, 4.0], [3.0, 4.0]])
    assert reduction_percent()(runs) == 50.0
    assert ratio()(runs) == 0.5
    assert ratio(median)(np.array([[1.0, 2.0], [5.0, 2.0], [np.inf, 2.0]])) == 2.5


def test_the_interval_of_a_mean_is_that_of_theory():
    sample = np.random.default_rng(3).normal(10, 2, size=(400, 1))
    estimate = bootstrap([sample], first)
    half = 1.96 * sample.std() / 20
    assert estimate.value == pytest.approx(sample.mean())
    assert estimate.low == pytest.approx(sample.mean() - half, abs=0.03)
    assert estimate.high == pytest.approx(sample.mean() + half, abs=0.03)
    assert estimate.seeds == 400


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    estimates = [bootstrap([rng.normal(size=(30, 1))], first, resamples=500, seed=i) for i in range(400)]
    covered = np.mean([one.low <= 0 <= one.high for one in estimates])
    assert 0.90 <= covered <= 0.97


def test_pairs_stay_together():
    rng = np.random.default_rng(1)
    base = rng.lognormal(sigma=1.0, size=20)
    paired = np.column_stack([0.5 * base, base])  # wildly varying seeds, the same reduction in each
    estimate = bootstrap([paired], reduction_percent())
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((50, 50, 50))
    torn = bootstrap([np.column_stack([0.5 * base, rng.permutation(base)])], reduction_percent())
    assert torn.high - torn.low > 20


def test_strata_are_never_mixed():
    strata = [np.full((5, 1), 1.0), np.full((5, 1), 9.0)]
    estimate = bootstrap(strata, first)
    assert (estimate.low, estimate.value, estimate.high) == (5.0, 5.0, 5.0)
    mixed = bootstrap([np.concatenate(strata)], first)
    assert mixed.low < 4
    assert mixed.high > 6


def test_what_never_came_opens_the_interval():
    times = np.column_stack([[10.0, 11, 12, 13, 14, 15, np.inf, np.inf, np.inf, np.inf], np.full(10, 2.0)])
    estimate = bootstrap([times], ratio(median))
    assert estimate.value == 7.25
    assert np.isfinite(estimate.low)
    assert estimate.high == np.inf


def test_undefined_resamples_open_both_ends():
    times = np.column_stack([[10.0, 11, 12, np.inf, np.inf], [1.0, 1, 1, np.inf, np.inf]])
    estimate = bootstrap([times], ratio(median))
    assert (estimate.low, estimate.high) == (-np.inf, np.inf)


def test_the_same_seed_gives_the_same_interval():
    sample = np.random.default_rng(0).normal(size=(10, 1))
    assert bootstrap([sample], first) == bootstrap([sample], first)
    assert bootstrap([sample], first) != bootstrap([sample], first, seed=1)
