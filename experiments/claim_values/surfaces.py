"""Claims about the cost surface, from exhaustive tables: no agent, no run.

A table is noise-free but for its sampling: an interval here is what the standard errors of its cells do to
the value, each cell drawn from a normal distribution of its own. Common random numbers make the real noise of
ratios less than that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Compute, Measured, Missing, Outcome
from experiments.statistics import Estimate
from experiments.surface import (
    Floats,
    Surface,
    pair_differences,
    pair_distances,
    pair_ratios,
    rank_correlation,
    ranks,
    read_surface,
)

LOW_RPS, FIGURE_RPS = 1.0, 14.0


def from_table(experiment: str, value: Callable[[], Measured | None]) -> Compute:
    """A value that comes from an exhaustive table, whatever the runs."""

    def compute(_evidence: Evidence) -> Outcome:
        return value() or Missing(f"python -m experiments.truth experiment={experiment}")

    return compute


def too_much_parallelism() -> Measured | None:
    """Latency of the largest configuration over that of the best one; None without the table.

    At 1 request/s, where nobody queues: at more the largest configuration is overloaded, and the ratio says
    how long the queue may grow.
    """
    surface = read_surface("fig02", LOW_RPS)
    loaded = read_surface("fig02", FIGURE_RPS)
    if surface is None or loaded is None:
        return None
    largest = surface.space.configurations.index(tuple(surface.space.values.max(axis=0).tolist()))
    costs = _noisy(surface, 1000)
    ratios = costs[:, largest] / costs[:, surface.cost.argmin()]
    value = float(surface.cost[largest] / surface.cost.min())
    return _tabulated(
        value,
        ratios,
        f"mean latency at {LOW_RPS:g} request/s, nearly without queueing; at {FIGURE_RPS:g} requests/s the "
        f"largest is overloaded and costs {loaded.cost[largest] / loaded.cost.min():.3g} x",
    )


def distance_and_difference() -> Measured | None:
    """Rank correlation of distance and cost difference over all pairs at 14 requests/s.

    None without the table.
    """
    surface = read_surface("fig03", FIGURE_RPS)
    if surface is None:
        return None
    raw = ranks(pair_distances(surface.space, "raw"))
    effective = ranks(pair_distances(surface.space, "effective"))
    difference, ratio = ranks(pair_differences(surface.cost)), ranks(pair_ratios(surface.cost))
    noisy = [float(raw @ ranks(pair_differences(costs))) for costs in _noisy(surface, 20)]
    return _tabulated(
        float(raw @ difference),
        np.array(noisy),
        f"over {len(ratio)} pairs, 0 where the grid has it: {effective @ difference:.2f} with 0 at the value "
        f"it stands for; with the ratio of costs instead {raw @ ratio:.2f} and {effective @ ratio:.2f}",
    )


def order_change() -> Measured | None:
    """By how much the order of the configurations changes from 14 to 15 requests/s; None without the table.

    Change: 1 less Spearman's rank correlation of the costs. Two tables of one load, each with its sampling
    error, differ in order, too: what they differ by is taken off. The cost at 15 is interpolated between
    those at 14 and 16, as everywhere here.
    """
    low, high = read_surface("fig04", FIGURE_RPS), read_surface("fig04", FIGURE_RPS + 2)
    if low is None or high is None:
        return None
    between = np.sqrt(low.cost * high.cost)  # the logarithm halfway
    first, second = _noisy(low, _ORDERS), _noisy(low, _ORDERS, seed=1)
    third = np.sqrt(second * _noisy(high, _ORDERS, seed=2))
    noise = np.array([1 - rank_correlation(*pair) for pair in zip(first, second, strict=True)])
    change = np.array([1 - rank_correlation(*pair) for pair in zip(first, third, strict=True)])
    value = 1 - rank_correlation(low.cost, between) - float(noise.mean())
    best = int(low.cost.argmin())
    return _tabulated(
        value,
        change - noise,
        f"two tables of {FIGURE_RPS:g} requests/s differ by {noise.mean():.2g}; of the best tenth of the "
        f"configurations at {FIGURE_RPS:g} {_kept(low.cost, between):.0f} % are among the best tenth at "
        f"{FIGURE_RPS + 1:g}, and the best one there costs {between[best] / between.min():.3g} x the least",
    )


_ORDERS = 200


def _kept(before: Floats, after: Floats) -> float:
    """Percent of the cheapest tenth that stays in the cheapest tenth."""
    count = max(len(before) // 10, 1)
    tenths = [set(np.argsort(costs, kind="stable")[:count].tolist()) for costs in (before, after)]
    return 100 * len(set.intersection(*tenths)) / count


def _noisy(surface: Surface, draws: int, seed: int = 0) -> Floats:
    """Costs as other tables of the same precision might have them, shape (draws, configurations)."""
    noise = np.random.default_rng(seed).standard_normal((draws, surface.space.size))
    return np.maximum(surface.cost + surface.standard_error * noise, 1e-9)


def _tabulated(value: float, samples: Floats, note: str) -> Measured:
    half_width = 1.96 * float(np.std(samples, ddof=1))
    return Measured(Estimate(value, value - half_width, value + half_width, 0), note=note, exhaustive=True)
