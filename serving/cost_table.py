"""The noise-free truth: cost of every configuration at every load."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CostTable:
    """Mean cost of every configuration on a grid of loads, with its standard error.

    Attributes:
        load_rps: ascending loads, shape (L,).
        cost: shape (L, number of configurations), in the objective's unit.
        standard_error: same shape, of ``cost``.
        capped: same shape, True where the sampling budget ended before the wanted precision.
    """

    load_rps: NDArray[np.float64]
    cost: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    capped: NDArray[np.bool_]

    @cached_property
    def _log_cost(self) -> NDArray[np.float64]:
        log_cost: NDArray[np.float64] = np.log(self.cost)
        return log_cost

    def at(self, load_rps: float) -> NDArray[np.float64]:
        """Cost of every configuration at one load, shape (number of configurations,).

        Interpolates the logarithm of the cost between grid points; beyond them (``covers``) the last holds.
        """
        upper = int(np.clip(np.searchsorted(self.load_rps, load_rps), 1, len(self.load_rps) - 1))
        low, high = self.load_rps[upper - 1], self.load_rps[upper]
        weight = float(np.clip((load_rps - low) / (high - low), 0.0, 1.0))
        log_cost = (1 - weight) * self._log_cost[upper - 1] + weight * self._log_cost[upper]
        costs: NDArray[np.float64] = np.exp(log_cost)
        return costs

    def covers(self, load_rps: float) -> bool:
        """Whether a load lies within the table, so that its costs are measured and not held over."""
        return bool(self.load_rps[0] <= load_rps <= self.load_rps[-1])

    def best(self, load_rps: float) -> tuple[int, float]:
        """Flat index and cost of the best configuration at one load; the lowest index wins a tie."""
        costs = self.at(load_rps)
        index = int(np.argmin(costs))
        return index, float(costs[index])

    def best_static(self, load_rps: NDArray[np.float64]) -> int:
        """Flat index of the configuration with the least mean cost over a sequence of loads, one a slot."""
        return int(np.argmin(np.mean([self.at(load) for load in load_rps], axis=0)))
