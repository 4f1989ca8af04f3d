"""Claims about the cost surface, from exhaustive tables: no agent, no run.

A table is noise-free but for its sampling: an interval here is what the standard errors of its cells do to
the value, each cell drawn from a normal distribution of its own. Common random numbers make the real noise of
ratios less than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.statistics import Estimate
from experiments.surface import (
    Surface,
    pair_differences,
    pair_distances,
    pair_ratios,
    ranks,
    read_surface,
)

LOW_RPS, FIGURE_RPS = 1.0, 14.0


@dataclass(frozen=True)
class Tabulated(Estimate):
    """An estimate from an exhaustive table: it rests on no seeds, and needs none for a verdict."""


def too_much_parallelism() -> Tabulated | None:
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


def distance_and_difference() -> Tabulated | None:
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


def _noisy(surface: Surface, draws: int) -> np.ndarray:
    """Costs as other tables of the same precision might have them, shape (draws, configurations)."""
    noise = np.random.default_rng(0).standard_normal((draws, surface.space.size))
    return np.maximum(surface.cost + surface.standard_error * noise, 1e-9)


def _tabulated(value: float, samples: np.ndarray, note: str) -> Tabulated:
    half_width = 1.96 * float(np.std(samples, ddof=1))
    return Tabulated(value, value - half_width, value + half_width, 0, note)
