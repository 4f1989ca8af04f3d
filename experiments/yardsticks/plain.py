"""The model in plain Python: one loop over lists and a heap, as fast as that reasonably gets.

Boundary ``bounded``; the configuration may change from slot to slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush, heapreplace
from math import inf

import numpy as np
from numpy.typing import NDArray

from serving.slot import Slot
from sim.speeds import SpeedTable


def serve_plain(  # noqa: PLR0912, PLR0915 - one loop, for speed
    speeds: SpeedTable, load: Iterable[tuple[int, Slot, NDArray[np.float64]]], queue_limit: int
) -> list[tuple[list[float], int, float]]:
    """Serve slots of (configuration, arrivals, demands in seconds at speed 1).

    Returns:
        For each slot the latencies in order of completion, the rejections, and the busy seconds.
    """
    results = []
    waiting: deque[tuple[float, float]] = deque()
    in_service: list[tuple[float, int, float]] = []
    n = admissions = row = 0
    virtual_s = virtual_at_s = 0.0
    departure_s = inf
    limits = speeds.limit.tolist()
    limit, speed, busy = limits[0], speeds.speed[0].tolist(), speeds.busy[0].tolist()
    for configuration, slot, demand_s in load:
        latency_s: list[float] = []
        rejections, busy_s, busy_at_s = 0, 0.0, slot.start_s
        if configuration != row:
            virtual_s += speed[n] * (slot.start_s - virtual_at_s)
            virtual_at_s = slot.start_s
            row = configuration
            limit, speed, busy = limits[row], speeds.speed[row].tolist(), speeds.busy[row].tolist()
            while waiting and n < limit:
                arrived_s, demand = waiting.popleft()
                admissions += 1
                heappush(in_service, (virtual_s + demand, admissions, arrived_s))
                n += 1
            if n:
                departure_s = virtual_at_s + max(0.0, in_service[0][0] - virtual_s) / speed[n]
        arrivals = slot.arrival_s.tolist()
        arrivals.append(slot.end_s)  # a last event that only lets departures up to the slot's end happen
        demands = demand_s.tolist()
        demands.append(-1.0)
        for arrival_s, demand in zip(arrivals, demands, strict=True):
            while departure_s <= arrival_s:
                busy_s += busy[n] * (departure_s - busy_at_s)
                virtual_at_s = busy_at_s = departure_s
                if waiting and n == limit:
                    virtual_s, _, arrived_s = in_service[0]
                    if n == 1:
                        virtual_s = 0.0
                    latency_s.append(departure_s - arrived_s)
                    arrived_s, next_demand = waiting.popleft()
                    admissions += 1
                    heapreplace(in_service, (virtual_s + next_demand, admissions, arrived_s))
                else:
                    virtual_s, _, arrived_s = heappop(in_service)
                    latency_s.append(departure_s - arrived_s)
                    n -= 1
                    if not n:
                        virtual_s, departure_s = 0.0, inf
                        break
                remaining_s = in_service[0][0] - virtual_s
                departure_s = virtual_at_s + (remaining_s if remaining_s > 0.0 else 0.0) / speed[n]
            if demand < 0.0:
                break
            if n < limit:
                busy_s += busy[n] * (arrival_s - busy_at_s)
                virtual_s += speed[n] * (arrival_s - virtual_at_s)
                virtual_at_s = busy_at_s = arrival_s
                admissions += 1
                heappush(in_service, (virtual_s + demand, admissions, arrival_s))
                n += 1
                remaining_s = in_service[0][0] - virtual_s
                departure_s = virtual_at_s + (remaining_s if remaining_s > 0.0 else 0.0) / speed[n]
            elif len(waiting) < queue_limit:
                waiting.append((arrival_s, demand))
            else:
                rejections += 1
        busy_s += busy[n] * (slot.end_s - busy_at_s)
        results.append((latency_s, rejections, busy_s))
    return results
