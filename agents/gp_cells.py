"""What a Gaussian process needs of all slots: means and weights per configuration and level of load."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Cells:
    """Sufficient statistics of slots with the same configuration at about the same load.

    With Gaussian noise the posterior given the cells' means, each with noise variance / weight, is the
    posterior given every slot. Weights fade with age, so that the past is forgotten. Slots of a simulator
    and those of the system itself are kept apart.

    Args:
        outputs: numbers per slot.
        load_step: width of a level of load, as a logarithm.
        most: cells kept; beyond, the two cells of one configuration nearest in load become one.
        most_weight: of a cell; a cell that full is a moving average, which follows a change at once.

    Attributes:
        configuration: flat index of each cell, shape (n,).
        log_load: mean logarithm of the load of each, shape (n,).
        weight: slots in each, older ones counting less, shape (n,).
        value: their mean outputs, shape (n, outputs).
        simulated: whether they are of a simulator, shape (n,).
    """

    def __init__(self, outputs: int, load_step: float, most: int, most_weight: float = math.inf) -> None:
        self.most_weight = most_weight
        self.load_step = load_step
        self.most = most
        self.configuration: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.log_load: Array = np.empty(0)
        self.weight: Array = np.empty(0)
        self.value: Array = np.empty((0, outputs))
        self.simulated: NDArray[np.bool_] = np.empty(0, dtype=bool)

    def __len__(self) -> int:
        return len(self.configuration)

    def fade(self, factor: float, least: float = 1e-3) -> None:
        """Let every weight count ``factor`` times as much; what hardly counts any more goes."""
        self.weight *= factor
        if (self.weight < least).any():
            self._keep(self.weight >= least)

    def add(self, configuration: int, log_load: float, value: Array, weight: float = 1.0) -> None:
        """Take in one slot of the system itself."""
        near = (np.abs(self.log_load - log_load) <= self.load_step / 2) & ~self.simulated
        found = np.flatnonzero(near & (self.configuration == configuration))
        self.configuration = np.append(self.configuration, configuration)
        self.log_load = np.append(self.log_load, log_load)
        self.weight = np.append(self.weight, weight)
        self.value = np.vstack([self.value, value])
        self.simulated = np.append(self.simulated, False)
        if len(found):
            nearest = found[np.abs(self.log_load[found] - log_load).argmin()]
            self._merge(int(nearest), len(self) - 1)
        elif len(self) > self.most:
            self._shrink()

    def _merge(self, kept: int, gone: int) -> None:
        both = [kept, gone]
        weights = self.weight[both]
        self.log_load[kept] = np.average(self.log_load[both], weights=weights)
        self.value[kept] = np.average(self.value[both], weights=weights, axis=0)
        self.weight[kept] = min(weights.sum(), self.most_weight)
        self._keep(np.arange(len(self)) != gone)

    def _shrink(self) -> None:
        order = np.lexsort((self.log_load, self.configuration, self.simulated))
        same = (np.diff(self.configuration[order]) == 0) & ~np.diff(self.simulated[order])
        gaps = np.where(same, np.diff(self.log_load[order]), np.inf)
        if np.isfinite(gaps).any():
            pair = int(gaps.argmin())
            self._merge(int(order[pair]), int(order[pair + 1]))
        else:
            self._keep(np.arange(len(self)) != int(self.weight[:-1].argmin()))

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.configuration, self.log_load = self.configuration[kept], self.log_load[kept]
        self.weight, self.value = self.weight[kept], self.value[kept]
        self.simulated = self.simulated[kept]

    def state_dict(self) -> dict[str, Any]:
        """Copies of the five arrays."""
        return {
            "configuration": self.configuration.copy(),
            "log_load": self.log_load.copy(),
            "weight": self.weight.copy(),
            "value": self.value.copy(),
            "simulated": self.simulated.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved arrays."""
        self.configuration = np.array(state["configuration"], dtype=np.int64)
        self.log_load = np.array(state["log_load"], dtype=float)
        self.weight = np.array(state["weight"], dtype=float)
        self.value = np.array(state["value"], dtype=float)
        of_old = np.zeros(len(self))  # older states know of no simulator
        self.simulated = np.array(state.get("simulated", of_old), dtype=bool)
