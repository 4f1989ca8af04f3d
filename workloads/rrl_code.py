"""The load schedule of the authors' released RRL code."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from serving.errors import UsageError
from serving.slot import Slot
from workloads import checks
from workloads.poisson import before, check_sizes
from workloads.sizes import RequestSizes
from workloads.streams import stream

_FIRST_SLOT = (0, 800, 1300, 2000, 2400)
_MEAN_GAP_S = (0.07, 0.06, 0.07, 0.10, 0.12)
SCHEDULE_SLOTS = 3000
"""Length of the authors' schedule."""


@dataclass(frozen=True, kw_only=True)
class RrlCodeSchedule:
    """Slots of a fixed number of requests with exponential gaps, each slot as long as its requests take.

    The authors' mean gaps are 0.07 s in slots 0-799, 0.06 in 800-1299, 0.07 in 1300-1999, 0.10 in 2000-2399
    and 0.12 in 2400-2999. Their server stops after 201 requests. They seed with the slot number; here the
    seed of the run counts too.

    Attributes:
        name: as in the result rows.
        requests_per_slot: number of requests in every slot and for each server.
        max_load_rps: upper end of the load bins, in requests/s; the schedule's highest mean is 16.7.
        servers: how many servers share the requests; all loads are per server.
        sizes: distribution of the requests' sizes.
    """

    name: str = "rrl_code_schedule"
    requests_per_slot: int = 201
    max_load_rps: float = 20.0
    servers: int = 1
    sizes: RequestSizes = field(default_factory=RequestSizes)

    def __post_init__(self) -> None:
        checks.whole("workload.requests_per_slot", self.requests_per_slot, least=1)
        checks.whole("workload.servers", self.servers, least=1)
        checks.positive(max_load_rps=self.max_load_rps)
        check_sizes(self.sizes)

    def slots(self, seed: int, count: int) -> Iterator[Slot]:
        """The first ``count`` slots, made one at a time.

        Raises:
            UsageError: if the seed or the count is negative, or the schedule is shorter than ``count``.
        """
        checks.whole("seed", seed, least=0)
        checks.whole("slots", count, least=0)
        if count > SCHEDULE_SLOTS:
            raise UsageError(
                f"slots={count}: must be at most {SCHEDULE_SLOTS}, the schedule of workload.name={self.name}"
            )
        return self._slots(seed, count)

    def _slots(self, seed: int, count: int) -> Iterator[Slot]:
        start_s = 0.0
        requests = self.requests_per_slot * self.servers
        for index in range(count):
            mean_gap_s = _MEAN_GAP_S[bisect_right(_FIRST_SLOT, index) - 1]
            # A slot starts with its first request and ends one gap after its last.
            gap_s = stream(seed, "arrivals", index).exponential(mean_gap_s / self.servers, requests)
            end_s = start_s + float(gap_s.sum())
            arrival_s = before(start_s + np.concatenate(([0.0], np.cumsum(gap_s[:-1]))), end_s)
            size = self.sizes.of_slot(seed, index, requests)
            yield Slot(index, start_s, end_s - start_s, arrival_s, size, 1 / mean_gap_s, self.servers)
            start_s = end_s
