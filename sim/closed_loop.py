"""Clients that ask again as soon as they are answered, at one server under one configuration.

The server is that of ``sim.server``: first come, first served, at most ``limit`` in service, all at the same
speed. A request spends ``overhead_s`` on its way, outside of the server.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.kernel import compiled

_Floats = NDArray[np.float64]


@compiled
def closed_loop(
    speed: _Floats, limit: int, demand_s: _Floats, overhead_s: float, clients: int, until_s: float
) -> tuple[_Floats, _Floats, _Floats]:
    """Serve requests in turn until none is left, or until a time.

    Args:
        speed: with n in service, shape (at least min(limit, clients) + 1,).
        limit: requests in service at most.
        demand_s: of the requests in the order in which they are asked, seconds at speed 1.
        overhead_s: of each request, before it comes to the server.
        clients: how many there are; all ask at time 0.
        until_s: nothing is counted after that.

    Returns:
        In order of completion: latencies (overhead included), times of completion; and for how long n were in
        service, shape of ``speed``.
    """
    due_s = np.full(clients, overhead_s)  # a ring: who is on the way, in order of coming, then who waits
    tag, came_s = np.empty(clients), np.empty(clients)  # of those in service
    first, on_the_way, waiting, inside = 0, clients, 0, 0
    latency_s, completed_s, time_s = np.empty(len(demand_s)), np.empty(len(demand_s)), np.zeros(len(speed))
    virtual, now_s, admitted, done = 0.0, 0.0, 0, 0
    while done < len(demand_s):
        while waiting > 0 and inside < limit and admitted < len(demand_s):
            tag[inside], came_s[inside] = virtual + demand_s[admitted], due_s[first]
            first, waiting, inside, admitted = (first + 1) % clients, waiting - 1, inside + 1, admitted + 1
        if inside == 0 and on_the_way == 0:
            break
        leaving, next_s = -1, np.inf
        if on_the_way > 0:
            next_s = due_s[(first + waiting) % clients]
        if inside > 0:
            earliest = int(np.argmin(tag[:inside]))
            leaves_s = now_s + (tag[earliest] - virtual) / speed[inside]
            if leaves_s <= next_s:
                leaving, next_s = earliest, leaves_s
        passed_s = min(next_s, until_s) - now_s
        time_s[inside] += passed_s
        virtual += passed_s * speed[inside]
        now_s += passed_s
        if next_s > until_s:
            break
        if leaving < 0:
            waiting, on_the_way = waiting + 1, on_the_way - 1
            continue
        virtual = tag[leaving]
        latency_s[done], completed_s[done] = now_s - came_s[leaving] + overhead_s, now_s
        done, inside = done + 1, inside - 1
        tag[leaving], came_s[leaving] = tag[inside], came_s[inside]
        due_s[(first + waiting + on_the_way) % clients] = now_s + overhead_s
        on_the_way += 1
    return latency_s[:done], completed_s[:done], time_s
