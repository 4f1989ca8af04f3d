"""Which configuration to play, given what is believed of the logarithm of each one's cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

Array = NDArray[np.float64]
Acquisition = Callable[[Array, Array], Array]
"""From mean and standard deviation of log costs, shape (n,), to scores, shape (n,): the least is played."""

_LARGEST = 50.0  # of a logarithm: exp stays finite


def expected_cost(mean: Array, deviation: Array) -> Array:
    """Mean of exp(N(mean, deviation^2)): in costs, unlike in logarithms, uncertainty is a risk."""
    costs: Array = np.exp(np.minimum(mean + deviation**2 / 2, _LARGEST))
    return costs


def expected_saving(mean: Array, deviation: Array, best: float) -> Array:
    """E[max(0, best - Y)], log Y normal: by how much each may beat a cost (expected improvement)."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    deviation = np.maximum(deviation, 1e-9)
    z = (np.log(best) - mean) / deviation
    savings = best * ndtr(z) - expected_cost(mean, deviation) * ndtr(z - deviation)
    nonnegative: Array = np.maximum(savings, 0.0)
    return nonnegative


def price(mean: Array, deviation: Array, horizon: float) -> Array:
    """Expected cost of one slot, less what the configuration may save in the ``horizon`` slots after it.

    Both are in the unit of the cost. Far from what is known the expected cost is large, so a good
    configuration is left for its neighbours only; a bad one may be left for anything.
    """
    cost = expected_cost(mean, deviation)
    return cost - horizon * expected_saving(mean, deviation, float(cost.min()))


def lower_bound(mean: Array, deviation: Array, kappa: float) -> Array:
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
