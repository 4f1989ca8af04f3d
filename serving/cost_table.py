"""The noise-free truth: cost of every configuration at every load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class Truth(ABC):
    """What every configuration costs, at any load, in any slot of a run."""

    @abstractmethod
    def at(self, load_rps: float, slot: int = 0) -> NDArray[np.float64]:
        """Cost of every configuration at one load in one slot, shape (number of configurations,)."""

    @abstractmethod
    def covers(self, load_rps: float) -> bool:
        """Whether a load lies within what was measured, so that its costs are not held over."""

    def best(self, load_rps: float, slot: int = 0) -> tuple[int, float]:
        """Flat index and cost of the best configuration; the lowest index wins a tie."""
        costs = self.at(load_rps, slot)
        index = int(np.argmin(costs))
        return index, float(costs[index])

    def optimum_and_gap(self, index: int, load_rps: float, slot: int = 0) -> tuple[float, float] | None:
        """The least cost, and what one configuration costs over it; None at a load that is not covered."""
        if not self.covers(load_rps):
            return None
        costs = self.at(load_rps, slot)
        optimum = float(costs.min())
        return optimum, float(costs[index]) / optimum

    def best_static(self, load_rps: NDArray[np.float64]) -> int:
        """Flat index of the configuration with the least mean cost over a sequence of loads, one a slot."""
        costs = [self.at(load, slot) for slot, load in enumerate(load_rps)]
        return int(np.argmin(np.mean(costs, axis=0)))


@dataclass(frozen=True)
class CostTable(Truth):
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

    def at(self, load_rps: float, slot: int = 0) -> NDArray[np.float64]:  # noqa: ARG002 - the same in all
        """Interpolates the logarithm of the cost between grid points; beyond them the last holds."""
        upper = int(np.clip(np.searchsorted(self.load_rps, load_rps), 1, len(self.load_rps) - 1))
        low, high = self.load_rps[upper - 1], self.load_rps[upper]
        weight = float(np.clip((load_rps - low) / (high - low), 0.0, 1.0))
        log_cost = (1 - weight) * self._log_cost[upper - 1] + weight * self._log_cost[upper]
        costs: NDArray[np.float64] = np.exp(log_cost)
        return costs

    def covers(self, load_rps: float) -> bool:
        """Whether a load lies within the table."""
        return bool(self.load_rps[0] <= load_rps <= self.load_rps[-1])


@dataclass(frozen=True)
class ChangingCosts(Truth):
    """Costs of a system that changes in the course of a run.

    Attributes:
        slots: ascending slots in which the system is as its table has it, shape (n,).
        tables: one for each. Between two slots the logarithm of the cost is interpolated; before the first
            and after the last nothing changes.
    """

    slots: tuple[int, ...]
    tables: tuple[CostTable, ...]

    def at(self, load_rps: float, slot: int = 0) -> NDArray[np.float64]:
        """Costs of the system as it is in that slot."""
        place = float(np.interp(slot, self.slots, np.arange(len(self.slots))))
        before = int(place)
        costs = self.tables[before].at(load_rps)
        if place == before:
            return costs
        after = self.tables[before + 1].at(load_rps)
        between: NDArray[np.float64] = np.exp(np.log(costs) + (place - before) * np.log(after / costs))
        return between

    def covers(self, load_rps: float) -> bool:
        """Whether a load lies within all tables."""
        return all(table.covers(load_rps) for table in self.tables)
