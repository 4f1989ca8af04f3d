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
    """

    mean_s: float
    size_share: float = 1.0
    cv: float = 0.0
    overhead_s: float = 0.0

    def demand_s(self, size: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Demand of requests of these sizes; draws from ``rng`` only where they vary, same shape."""
        relative = size if self.size_share == 1 else 1 - self.size_share + self.size_share * size
        if self.cv:
            variance = math.log1p(self.cv**2)
            relative = relative * rng.lognormal(-variance / 2, math.sqrt(variance), len(size))
        return relative * self.mean_s
