"""What simulators foretell of every configuration: tables that an agent may start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

Array = NDArray[np.float64]

_LEAST = 1e-9  # of what has a logarithm taken


@dataclass(frozen=True, eq=False)
class Foretold:
    """Cost and tail of every configuration on a grid of loads, as simulated by one or more simulators.

    Attributes:
        load_rps: ascending loads, all > 0, shape (L,).
        cost: in the objective's unit, shape (simulators, L, size).
        p95_latency_s: 95th percentile of the latency, same shape.

    Raises:
        UsageError: if the shapes do not fit, or the loads are not two or more ascending ones.
    """

    load_rps: Array
    cost: Array
    p95_latency_s: Array

    def __post_init__(self) -> None:
        shapes = self.load_rps.shape, self.cost.shape, self.p95_latency_s.shape
        ascending = len(self.load_rps) >= 2 and self.load_rps[0] > 0 and (np.diff(self.load_rps) > 0).all()
        if not ascending:
            raise UsageError(
                f"foretold: loads {self.load_rps.tolist()}, expected two or more ascending ones > 0"
            )
        if len(shapes[1]) != 3 or shapes[1][1:2] != shapes[0] or shapes[1] != shapes[2] or not shapes[1][0]:
            raise UsageError(
                f"foretold: shapes {shapes}, expected (L,), (simulators, L, size), (simulators, L, size)"
            )

    @property
    def size(self) -> int:
        """Number of configurations."""
        return int(self.cost.shape[2])

    @cached_property
    def log_load(self) -> Array:
        """Logarithms of the loads, shape (L,)."""
        logs: Array = np.log(self.load_rps)
        return logs

    @cached_property
    def _logs(self) -> Array:
        both = np.stack([self.cost, self.p95_latency_s], axis=3)
        logs: Array = np.log(np.maximum(both, _LEAST))
        worst = np.max(logs, axis=(0, 1, 2), where=~np.isnan(logs), initial=np.log(_LEAST))
        known: Array = np.where(np.isnan(logs), worst, logs)  # nothing completed: as bad as it gets
        return known

    def worst(self, log_load: float) -> float:
        """Logarithm of a cost that no configuration exceeds at this load, in any simulator."""
        return float(np.interp(log_load, self.log_load, self._worst))

    @cached_property
    def _worst(self) -> Array:
        worst: Array = self._logs[..., 0].max(axis=(0, 2))
        return worst

    def at(self, log_load: float) -> Array:
        """Logarithms of cost and tail of all configurations at one load, shape (simulators, size, 2)."""
        upper = int(np.clip(np.searchsorted(self.log_load, log_load), 1, len(self.log_load) - 1))
        low, high = self.log_load[upper - 1], self.log_load[upper]
        weight = min(max((log_load - low) / (high - low), 0.0), 1.0)
        told: Array = (1 - weight) * self._logs[:, upper - 1] + weight * self._logs[:, upper]
        return told

    def of(self, index: NDArray[np.int64], log_load: Array) -> Array:
        """The same of (configuration, load) pairs: linear in the logarithm, held beyond the ends.

        Returns:
            Array of shape (simulators, len(index), 2).
        """
        upper = np.clip(np.searchsorted(self.log_load, log_load), 1, len(self.log_load) - 1)
        low, high = self.log_load[upper - 1], self.log_load[upper]
        weight = np.clip((log_load - low) / (high - low), 0.0, 1.0)[:, None]
        told: Array = (1 - weight) * self._logs[:, upper - 1, index] + weight * self._logs[:, upper, index]
        return told
