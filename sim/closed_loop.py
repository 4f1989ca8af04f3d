"""Clients that ask again as soon as they are answered, at one server under one configuration.

The server is that of ``sim.server``: first come, first served, at most ``limit`` in service, all at the same
speed; where it puts requests together, those are batches. A request spends ``overhead_s`` on its way, outside
of the server.

Unlike there, a batch whose time is up does not wait for others that come at the same instant: clients that
were answered together ask one after the other over a network, however soon.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.kernel import compiled

_Floats = NDArray[np.float64]


@compiled
def closed_loop(  # noqa: PLR0912 - one loop with its state in local variables, for speed
    speed: _Floats,
    limit: int,
    demand_s: _Floats,
    overhead_s: float,
    clients: int,
    until_s: float,
    size: int,
    timeout_s: float,
    fixed_s: float,
) -> tuple[_Floats, _Floats, _Floats]:
    """Serve requests in turn until none is left, or until a time.

    Args:
        speed: with n in service, shape (at least min(limit, clients) + 1,).
        limit: in service at most.
        demand_s: of the requests in the order in which they are asked, seconds at speed 1.
        overhead_s: of each request, before it comes to the server.
        clients: how many there are; all ask at time 0.
        until_s: nothing is counted after that.
        size: requests in a full batch; 1 where requests are not put together.
        timeout_s: for how long a batch that is not full is held back.
        fixed_s: demand of a batch beside that of its requests.

    Returns:
        In order of completion: latencies (overhead included), times of completion; and for how long n were in
        service, shape of ``speed``.
    """
    due_s = np.full(clients, overhead_s)  # a ring: who is on the way, in order of coming, then who waits
    places = min(limit, clients)
    tag, members = np.empty(places), np.empty(places, dtype=np.int64)  # of what is in service
    came_s = np.empty((places, min(size, clients)))
    first, on_the_way, waiting, inside = 0, clients, 0, 0
    latency_s, completed_s, time_s = np.empty(len(demand_s)), np.empty(len(demand_s)), np.zeros(len(speed))
    virtual, now_s, admitted, done = 0.0, 0.0, 0, 0
    while done < len(demand_s):
        while waiting > 0 and inside < limit and (waiting >= size or due_s[first] + timeout_s <= now_s):
            leaving = min(size, waiting, len(demand_s) - admitted)
            if leaving == 0:
                break
            tag[inside], members[inside] = fixed_s, leaving
            for member in range(leaving):
                tag[inside] += demand_s[admitted + member]
                came_s[inside, member] = due_s[(first + member) % clients]
            tag[inside] += virtual
            first, waiting, inside = (first + leaving) % clients, waiting - leaving, inside + 1
            admitted += leaving
        arrives_s = leaves_s = expires_s = np.inf
        if on_the_way > 0:
            arrives_s = due_s[(first + waiting) % clients]
        earliest = -1
        if inside > 0:
            earliest = int(np.argmin(tag[:inside]))
            leaves_s = now_s + (tag[earliest] - virtual) / speed[inside]
        if waiting > 0 and inside < limit and admitted < len(demand_s):
            expires_s = due_s[first] + timeout_s
        next_s = min(arrives_s, leaves_s, expires_s)
        if next_s == np.inf:
            break
        passed_s = min(next_s, until_s) - now_s
        time_s[inside] += passed_s
        virtual += passed_s * speed[inside]
        now_s += passed_s
        if next_s > until_s:
            break
        if leaves_s == next_s:
            virtual = tag[earliest]
            for member in range(members[earliest]):
                latency_s[done], completed_s[done] = now_s - came_s[earliest, member] + overhead_s, now_s
                done += 1
                due_s[(first + waiting + on_the_way) % clients] = now_s + overhead_s
                on_the_way += 1
            inside -= 1
            tag[earliest], members[earliest] = tag[inside], members[inside]
            came_s[earliest] = came_s[inside]
        elif arrives_s == next_s:
            waiting, on_the_way = waiting + 1, on_the_way - 1
        else:
            now_s = expires_s  # to the last bit, so that the batch leaves
    return latency_s[:done], completed_s[:done], time_s
