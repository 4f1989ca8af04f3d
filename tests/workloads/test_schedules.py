"""Sizes, the dynamic workload and the schedule of the authors' code."""

import numpy as np
import pytest
from workload_worlds import ks_distance_to_exponential

from workloads.dynamic import Dynamic
from workloads.rrl_code import RrlCodeSchedule
from workloads.sizes import UTTERANCE_CV, RequestSizes


@pytest.mark.parametrize(
    ("distribution", "cv"), [("constant", 0.0), ("exponential", 1.0), ("lognormal", 0.7)]
)
def test_sizes_have_mean_one_and_the_stated_variation(distribution, cv):
    size = RequestSizes(distribution).draw(400_000, np.random.default_rng(0))
    assert size.shape == (400_000,)
    assert np.all(size > 0)
    assert size.mean() == pytest.approx(1.0, abs=0.01)
    assert size.std() == pytest.approx(cv, abs=0.01)


def test_exponential_sizes_are_exponential():
    size = RequestSizes("exponential").draw(20_000, np.random.default_rng(1))
    assert ks_distance_to_exponential(size, 1.0) < 1.63


def test_utterances_have_the_quantiles_of_librispeech_test_clean():
    seconds = 7.4 * RequestSizes("lognormal", UTTERANCE_CV).draw(400_000, np.random.default_rng(0))
    published = {50: 5.8, 75: 9.6, 90: 14.6, 95: 17.8, 99: 25.5}  # 2620 utterances, mean 7.4 s
    assert np.percentile(seconds, list(published)) == pytest.approx(list(published.values()), rel=0.08)


def test_dynamic_rates_and_periods_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    pieces = [piece for piece, _ in zip(Dynamic().pieces(rng), range(3000), strict=False)]
    lengths = np.diff([0.0] + [piece.end_s for piece in pieces])
    rates = np.array([piece.rate_rps for piece in pieces])
    for sample, low, high in ((lengths, 6000.0, 18000.0), (rates, 6.0, 18.0)):
        assert low <= sample.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < sample.max() <= high
        assert sample.mean() == pytest.approx((low + high) / 2, rel=0.03)
    assert abs(np.corrcoef(rates[1:], rates[:-1])[0, 1]) < 0.06


def test_dynamic_changes_its_load_a_few_times_in_a_run():
    loads = [slot.true_load_rps for slot in Dynamic().slots(0, 1000)]
    changes = np.count_nonzero(np.diff(loads))
    # 2000 minutes of periods of 200 on average; a change inside a slot shows as two steps.
    assert 5 <= changes <= 40
    assert max(loads) <= 18.0


def test_the_authors_schedule():
    slots = list(RrlCodeSchedule().slots(0, 3000))
    gap_s = np.array([1 / slot.true_load_rps for slot in slots])
    for first, last, expected in (
        (0, 799, 0.07),
        (800, 1299, 0.06),
        (1300, 1999, 0.07),
        (2000, 2399, 0.10),
        (2400, 2999, 0.12),
    ):
        assert gap_s[first : last + 1] == pytest.approx(expected)
        durations = [slot.duration_s for slot in slots[first : last + 1]]
        assert np.mean(durations) == pytest.approx(201 * expected, rel=0.02)
    assert {len(slot.arrival_s) for slot in slots} == {201}
    assert all(slot.arrival_s[0] == slot.start_s for slot in slots)


def test_the_authors_gaps_are_exponential():
    slots = RrlCodeSchedule().slots(3, 300)
    gaps = np.concatenate([np.diff(np.append(slot.arrival_s, slot.end_s)) for slot in slots])
    assert ks_distance_to_exponential(gaps, 0.07) < 1.63
