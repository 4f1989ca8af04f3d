"""What a slot says about its configuration: load, cost and tail, fit for a model on a logarithmic scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.observation import Observation

_LEAST = 1e-9  # of a cost: its logarithm is taken
_LEAST_LOAD_RPS = 0.1
_LEAST_SHARE = 0.01  # of the load that is served, likewise
_BACKLOG = 10  # requests left over from a slot before from which on they are what is measured


def log_load(load_rps: float) -> float:
    """Logarithm of a load, of no load too."""
    return math.log(max(load_rps, _LEAST_LOAD_RPS))


@dataclass(frozen=True)
class SlotEvidence:
    """One slot as evidence.

    Attributes:
        log_load: logarithm of the load that was served in it.
        outputs: its cost and the 95th percentile of its latency, both > 0. The cost of an overloaded slot
            is multiplied by load over throughput: the objective hardly tells a server that is a little too
            slow from one that is much too slow (all wait in the same bounded queue), and that is the way out.
    """

    log_load: float
    outputs: NDArray[np.float64]

    @staticmethod
    def of(before: Observation, cost: float, after: Observation, graded: bool = True) -> SlotEvidence | None:
        """Read a slot from the observations around it; None if it says little about its configuration.

        That is so where it worked off a backlog left by another configuration, and where a number is none.
        The load is that of the slot itself, throughput and losses, where the system reports them, else the
        load observed before. Not ``graded``, the cost is the objective's alone, as tables have it.
        """
        if before.backlog >= _BACKLOG and after.backlog < before.backlog / 2:
            return None
        if not math.isfinite(cost + after.p95_latency_s):
            return None
        offered_rps = after.throughput_rps + after.lost_rps
        overload = 1.0
        if graded and after.lost_rps > 0:
            overload = offered_rps / max(after.throughput_rps, _LEAST_SHARE * offered_rps)
        outputs = np.array([max(cost, _LEAST) * overload, max(after.p95_latency_s, _LEAST)])
        return SlotEvidence(log_load(offered_rps if offered_rps > 0 else before.load_rps), outputs)
