"""Performance indicators: what CAPES' network sees of the last ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation

LARGEST = 5.0  # latencies beyond so many times the reference look alike
_LONG_QUEUE = math.log1p(100)  # 100 waiting requests count as 1
_MINUTES_A_DAY = 24 * 60
_MEASURED = 8  # indicators beside the knobs


@dataclass(frozen=True, eq=False)
class Indicators:
    """One input of the network.

    Attributes:
        values: the indicators of the last ticks, oldest first, flattened; shape (ticks x (K + 8),).
        complete: whether few enough ticks are missing to learn from it.
    """

    values: NDArray[np.float32]
    complete: bool


class IndicatorWindow:
    """The indicators of the last ticks (CAPES; which indicators is our adaptation).

    Per tick: the K knobs as grid positions in [0, 1], load / ``max_load_rps``, mean and p95 latency /
    ``latency_s`` (at most 5), throughput / ``max_load_rps``, utilisation, log1p(queue) / log1p(100), sine and
    cosine of the time of day. What is known per slot only is repeated over its ticks; a slot without ticks is
    one tick. A tick in which nothing completed has no latency of its own: it takes the slot's and counts as
    missing, as do the ticks before the start.

    Args:
        space: the configurations.
        max_load_rps: unit of loads and throughputs.
        latency_s: unit of latencies.
        ticks: length of the window.
        tolerance: share of the ticks that may be missing in a complete one (CAPES: 0.2).

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        max_load_rps: float,
        latency_s: float,
        ticks: int = 10,
        tolerance: float = 0.2,
    ) -> None:
        if not max_load_rps > 0 or not latency_s > 0:
            raise UsageError(f"max_load_rps={max_load_rps}, slo_s={latency_s}, expected numbers > 0")
        if ticks < 1:
            raise UsageError(f"ticks={ticks}, expected an integer >= 1")
        if not 0 <= tolerance <= 1:
            raise UsageError(f"missing_tolerance={tolerance}, expected a number in [0, 1]")
        grids = [
            np.linspace(0, 1, len(knob.values)) if len(knob.values) > 1 else [0.0] for knob in space.knobs
        ]
        self._positions = np.stack([grid.ravel() for grid in np.meshgrid(*grids, indexing="ij")], axis=1)
        self._max_load_rps = max_load_rps
        self._latency_s = latency_s
        self._tolerance = tolerance
        self._values = np.zeros((ticks, len(grids) + _MEASURED), dtype=np.float32)
        self._missing = np.ones(ticks, dtype=bool)

    @property
    def size(self) -> int:
        """Number of inputs."""
        return int(self._values.size)

    def add(self, observation: Observation, configuration: int) -> Indicators:
        """Take in what was observed under a configuration (flat index); the window that ends with it."""
        values, missing = self._of_slot(observation, configuration)
        ticks = len(self._missing)
        self._values = np.concatenate([self._values, values])[-ticks:]
        self._missing = np.concatenate([self._missing, missing])[-ticks:]
        return Indicators(self._values.ravel(), bool(self._missing.mean() <= self._tolerance))

    def _of_slot(
        self, observation: Observation, configuration: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Indicators of every tick of a slot, shape (its ticks, K + 8), and which are missing."""
        stuck = observation.backlog > 0 and observation.throughput_rps == 0
        slot_s = math.nan if stuck else observation.mean_latency_s
        mean_s = np.array(observation.ticks or (slot_s,))
        throughput_rps = np.array(observation.tick_throughput_rps or (observation.throughput_rps,))
        missing = np.isnan(mean_s)
        mean_s = np.where(missing, LARGEST * self._latency_s if stuck else slot_s, mean_s)
        angle = 2 * math.pi * observation.minute / _MINUTES_A_DAY
        columns = (
            *self._positions[configuration],
            observation.load_rps / self._max_load_rps,
            np.minimum(mean_s / self._latency_s, LARGEST),
            min(observation.p95_latency_s / self._latency_s, LARGEST),
            throughput_rps / self._max_load_rps,
            observation.utilisation,
            math.log1p(observation.backlog) / _LONG_QUEUE,
            math.sin(angle),
            math.cos(angle),
        )
        rows = [np.broadcast_to(column, mean_s.shape) for column in columns]
        return np.stack(rows, axis=1).astype(np.float32), missing

    def state_dict(self) -> dict[str, Any]:
        """Copies of the window."""
        return {"values": self._values.copy(), "missing": self._missing.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved window."""
        self._values = np.array(state["values"], dtype=np.float32)
        self._missing = np.array(state["missing"], dtype=bool)
