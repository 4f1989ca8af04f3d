"""A slot: the requests of one decision interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.record import Record


@dataclass(frozen=True, eq=False)
class Slot(Record):
    """What a workload yields and a system serves during one decision interval.

    Attributes:
        index: number of the slot, from 0.
        start_s: start of the slot, seconds since the start of the run.
        duration_s: length of the slot in seconds.
        arrival_s: sorted arrival times, seconds since the start of the run, in [start_s, end_s).
        size: work of each request relative to the model's mean request, same shape as ``arrival_s``.
        true_load_rps: mean rate of the arrival process during the slot and per server, which only the oracle
            may use.
        servers: how many servers share the requests; loads are per server.
    """

    index: int
    start_s: float
    duration_s: float
    arrival_s: NDArray[np.float64]
    size: NDArray[np.float64]
    true_load_rps: float
    servers: int = 1

    @property
    def end_s(self) -> float:
        """End of the slot in seconds."""
        return self.start_s + self.duration_s

    @property
    def load_rps(self) -> float:
        """Measured load: arrivals per second and server."""
        return len(self.arrival_s) / self.duration_s / self.servers
