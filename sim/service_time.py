"""How long requests take alone, and how they differ from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ServiceTime:
    """Demands of requests, in seconds at speed 1.

    Attributes:
        mean_s: of a request of size 1.
        size_share: share of it that is proportional to a request's size; the rest is alike for all.
        cv: coefficient of variation of what size does not explain, log-normal; 0 for none.
        overhead_s: time that a request spends outside of the server, on its way there and back.
        idle_slowdown: by how much of itself the demand of a request grows that finds the server long idle:
            caches, clocks and sleeping threads.
        idle_time_s: of idling, after which 63 % of that is reached.
    """

    mean_s: float
    size_share: float = 1.0
    cv: float = 0.0
    overhead_s: float = 0.0
    idle_slowdown: float = 0.0
    idle_time_s: float = 0.01

    def demand_s(self, size: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Demand of requests of these sizes; draws from ``rng`` only where they vary, same shape."""
        relative = size if self.size_share == 1 else 1 - self.size_share + self.size_share * size
        if self.cv:
            variance = math.log1p(self.cv**2)
            relative = relative * rng.lognormal(-variance / 2, math.sqrt(variance), len(size))
        return relative * self.mean_s

    def after_idling(
        self, demand_s: NDArray[np.float64], arrival_s: NDArray[np.float64], servers: int = 1
    ) -> NDArray[np.float64]:
        """The demands of requests that come at these times, with what idling adds to them; same shape.

        A server is taken to be idle from when the request before would be served, were it alone at speed 1,
        so that no look into the server is needed: a queue is not seen, and the first request at each server
        in a slot is not slowed. Of several servers each gets every ``servers``-th request.
        """
        if not self.idle_slowdown or len(arrival_s) <= servers:
            return demand_s
        idle_s = np.zeros(len(arrival_s))
        idle_s[servers:] = arrival_s[servers:] - arrival_s[:-servers] - demand_s[:-servers]
        return demand_s * (1 - self.idle_slowdown * np.expm1(-np.maximum(0.0, idle_s) / self.idle_time_s))
