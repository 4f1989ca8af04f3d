"""What playing a configuration is worth: expectations in closed form, held to draws."""

from __future__ import annotations

import numpy as np
import pytest

from agents.acquisition import expected_cost, expected_saving, make_acquisition, price
from agents.log_scale import PLAIN, LogScale
from serving.errors import UsageError

STEEP = LogScale(knee=1.0, slope=3.0, most=2.5)
UNCAPPED = LogScale(knee=1.0, slope=2.0)
FLAT = LogScale(knee=3.0, slope=3.0, most=2.5)  # capped before it is steep


@pytest.mark.parametrize("scale", [PLAIN, STEEP, UNCAPPED, FLAT])
@pytest.mark.parametrize("best", [1.2, 9.0])  # below the knee, and above it
@pytest.mark.parametrize(("mean", "deviation"), [(0.3, 0.5), (1.4, 0.4), (0.5, 1.5), (3.0, 0.2)])
def test_expected_cost_and_saving_are_those_of_draws(scale, best, mean, deviation):
    places = mean + deviation * np.random.default_rng(0).standard_normal(1_000_000)
    costs = np.exp(scale.logarithm(places))
    believed = np.array([mean]), np.array([deviation])
    assert expected_cost(*believed, scale)[0] == pytest.approx(costs.mean(), rel=0.03)
    saving = np.maximum(0, best - costs).mean()
    assert expected_saving(*believed, best, scale)[0] == pytest.approx(saving, rel=0.03, abs=1e-3)


def test_expectations_stay_finite_and_in_order_however_little_is_known():
    mean, deviation = np.array([0.0, 0.0, 40.0, -40.0]), np.array([0.0, 30.0, 30.0, 30.0])
    cost = expected_cost(mean, deviation, STEEP)
    assert np.isfinite(cost).all()
    assert (cost <= np.exp(STEEP.logarithm(STEEP.most)) * 1.001).all()
    assert cost[0] == pytest.approx(1.0)
    assert cost[2] > cost[1] > cost[3]


def test_a_risk_is_worth_the_longer_the_horizon_the_more():
    mean, deviation = np.array([0.0, 0.2]), np.array([0.01, 0.6])  # well known, and perhaps better
    assert price(mean, deviation, PLAIN, horizon=1).argmin() == 0
    assert price(mean, deviation, PLAIN, horizon=100).argmin() == 1


def test_what_may_be_overloaded_is_dearer_the_steeper_overload_is():
    mean, deviation = np.array([0.0, 0.5]), np.array([0.01, 0.8])
    assert price(mean, deviation, PLAIN, horizon=30).argmin() == 1
    assert price(mean, deviation, LogScale(knee=1.0, slope=6.0, most=2.5), horizon=30).argmin() == 0


def test_an_unknown_acquisition_is_named():
    with pytest.raises(UsageError, match="choose from"):
        make_acquisition("luck", 1.0, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_ahead_decides_as_if_it_were_added_to_all(seed):
    """It is looked at for a few only, but for all that may be the least with it."""
    rng = np.random.default_rng(seed)
    mean, deviation = rng.normal(size=300), rng.uniform(0.1, 1.0, size=300)
    dearer = rng.exponential(10.0 ** rng.uniform(-3, 2), size=300)
    asked: list[int] = []

    def ahead(some):
        asked.extend(some)
        return dearer[some]

    alone = price(mean, deviation, PLAIN, horizon=0.5)
    assert price(mean, deviation, PLAIN, None, ahead, horizon=0.5).argmin() == (alone + dearer).argmin()
    assert len(asked) == len(set(asked))
