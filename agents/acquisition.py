"""Which configuration to play, given what is believed of each one's place on a scale of log costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from agents.log_scale import PLAIN, LogScale
from serving.errors import UsageError

Array = NDArray[np.float64]
Reveals = Callable[[int], Array]
"""Of a configuration: by how much a slot of each may move its place relative to that one's, shape (n,)."""

Ahead = Callable[[NDArray[np.int64]], Array]
"""Of some configurations: what comes on top of each one's cost, >= 0, should the load rise, in its unit."""

Acquisition = Callable[[Array, Array, LogScale, Reveals | None, Ahead | None], Array]
"""From mean and deviation of places on a scale of log costs, shape (n,), to scores: the least is played."""

_LARGEST = 50.0  # of a logarithm: exp stays finite
_FEW = 40  # configurations: more are seldom worth a look
_LARGEST_STEEP = 700.0  # of one that a probability as small is multiplied by


def expected_cost(mean: Array, deviation: Array, scale: LogScale = PLAIN) -> Array:
    """Mean of a cost whose place is N(mean, deviation^2): in costs, unlike in logarithms, doubt is a risk."""
    deviation = np.maximum(deviation, 1e-9)
    costs = _mean_below(scale.most, mean, deviation, scale)
    if math.isfinite(scale.most):
        costs = costs + _normal((mean - scale.most) / deviation) * _cost(scale, scale.most)
    return costs


def expected_saving(mean: Array, deviation: Array, best: float, scale: LogScale = PLAIN) -> Array:
    """E[max(0, best - cost)]: by how much each may beat a cost (expected improvement)."""
    deviation = np.maximum(deviation, 1e-9)
    place = float(scale.place(np.log(best)))
    savings = best * _normal((place - mean) / deviation) - _mean_below(place, mean, deviation, scale)
    nonnegative: Array = np.maximum(savings, 0.0)
    return nonnegative


def _mean_below(place: float, mean: Array, deviation: Array, scale: LogScale) -> Array:
    """E[cost; below a place]: below the knee the cost is lognormal, and above it another one."""
    knee = min(place, scale.knee)
    flat = _lognormal_mean(mean, deviation, _LARGEST) * _normal((knee - mean) / deviation - deviation)
    if place <= scale.knee:
        return flat
    steep = scale.slope * deviation
    share = _normal((place - mean) / deviation - steep) - _normal((knee - mean) / deviation - steep)
    above = _lognormal_mean(knee + scale.slope * (mean - knee), steep, _LARGEST_STEEP) * share
    return flat + np.minimum(above, _cost(scale, place))


def _cost(scale: LogScale, place: float) -> float:
    return math.exp(float(scale.logarithm(place)))


def _lognormal_mean(mean: Array, deviation: Array, largest: float) -> Array:
    costs: Array = np.exp(np.minimum(mean + deviation**2 / 2, largest))
    return costs


def _normal(deviations: Array) -> Array:
    """The standard normal distribution function."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    shares: Array = ndtr(deviations)
    return shares


def price(
    mean: Array,
    deviation: Array,
    scale: LogScale,
    reveals: Reveals | None = None,
    ahead: Ahead | None = None,
    *,
    horizon: float,
) -> Array:
    """Expected cost of one slot, less what the configuration may save in the ``horizon`` slots after it.

    Both are in the unit of the cost. Far from what is known the expected cost is large, so a good
    configuration is left for its neighbours only; a bad one may be left for anything. What may be saved is
    against the best of all; with ``reveals`` it is what a slot may tell about that (knowledge gradient,
    Frazier et al. 2009): nothing, of what is known and of the best itself. What is ``ahead`` comes on top
    after that: a rise is over in a slot, and what is saved is saved in all that have the load of this one.
    """
    cost = expected_cost(mean, deviation, scale)
    best = int(cost.argmin())
    if reveals is None:
        saving = expected_saving(mean, deviation, float(cost[best]), scale)
    else:
        median = math.exp(float(scale.logarithm(mean[best])))
        saving = expected_saving(mean, reveals(best), median, scale)
    score: Array = cost - horizon * saving
    if ahead is not None:
        _add_where_least(score, ahead)
    return score


def _add_where_least(score: Array, ahead: Ahead) -> None:
    """Add what is ahead to the scores that may be the least then; it is too dear to look at all."""
    first = np.argsort(score)[:_FEW]
    score[first] += ahead(first)
    rest = np.setdiff1d(np.flatnonzero(score < score[first].min()), first)
    if len(rest):
        score[rest] += ahead(rest)


def lower_bound(
    mean: Array,
    deviation: Array,
    _scale: LogScale,
    _reveals: Reveals | None = None,
    _ahead: Ahead | None = None,
    *,
    kappa: float,
) -> Array:
    """Lower confidence bound (CGP-UCB, Krause and Ong 2011): optimism whatever it costs."""
    return mean - kappa * deviation


def make_acquisition(name: str, horizon: float, kappa: float) -> Acquisition:
    """``price`` or ``lower_bound`` by name.

    Raises:
        UsageError: for a name that does not exist, or a negative value.
    """
    if horizon < 0 or kappa < 0:
        raise UsageError(f"horizon={horizon} kappa={kappa}, expected numbers >= 0")
    known: dict[str, Acquisition] = {
        "price": partial(price, horizon=horizon),
        "lower_bound": partial(lower_bound, kappa=kappa),
    }
    if name not in known:
        raise UsageError(f"acquisition={name!r}, choose from {sorted(known)}")
    return known[name]
