"""The M/G/c queue: what a request waits and takes, and what a measured latency says of the service time."""

from __future__ import annotations

import math


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an M/M/c request waits; 1 from saturation on.

    Args:
        servers: c.
        offered: arrival rate times service time, in servers.
    """
    if offered >= servers:
        return 1.0
    blocked = 1.0  # Erlang B, by its recursion over the number of servers
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def latency_s(load_rps: float, service_s: float, servers: int, variation: float = 1.0) -> float:
    """Mean time in an M/G/c system (Allen and Cunneen's approximation), infinite if it cannot keep up.

    Args:
        load_rps: Poisson arrivals.
        service_s: mean service time.
        servers: c.
        variation: squared coefficient of variation of the service time.
    """
    offered = load_rps * service_s
    if offered >= servers:
        return math.inf
    wait_s = erlang_c(servers, offered) * service_s / (servers - offered)
    return service_s + wait_s * (1 + variation) / 2


def service_time_s(load_rps: float, mean_latency_s: float, servers: int, variation: float = 1.0) -> float:
    """The service time with which ``latency_s`` is what was measured, by bisection."""
    low_s, high_s = 0.0, mean_latency_s if load_rps <= 0 else min(mean_latency_s, servers / load_rps)
    for _ in range(60):
        middle_s = (low_s + high_s) / 2
        if latency_s(load_rps, middle_s, servers, variation) > mean_latency_s:
            high_s = middle_s
        else:
            low_s = middle_s
    return high_s
