"""The paper's "Dynamic" workload: consecutive Poisson periods whose mean jumps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workloads import checks
from workloads.poisson import Piece, PoissonWorkload


@dataclass(frozen=True, kw_only=True)
class Dynamic(PoissonWorkload):
    """Periods of uniformly random length, each with a uniformly random mean.

    The paper gives neither the length nor the range; 100-300 minutes and 6-18 requests/s are our assumption.

    Attributes:
        shortest_period_s: least length of a period in seconds.
        longest_period_s: greatest length of a period in seconds.
        lowest_rps: least mean of a period in requests/s.
        highest_rps: greatest mean of a period in requests/s.
    """

    name: str = "dynamic"
    shortest_period_s: float = 6000.0
    longest_period_s: float = 18000.0
    lowest_rps: float = 6.0
    highest_rps: float = 18.0
    max_load_rps: float = 20.0

    def __post_init__(self) -> None:
        checks.positive(
            shortest_period_s=self.shortest_period_s,
            longest_period_s=self.longest_period_s,
            lowest_rps=self.lowest_rps,
            highest_rps=self.highest_rps,
        )
        checks.ordered("shortest_period_s", self.shortest_period_s, "longest_period_s", self.longest_period_s)
        checks.ordered("lowest_rps", self.lowest_rps, "highest_rps", self.highest_rps)
        super().__post_init__()

    def pieces(self, rng: np.random.Generator) -> Iterator[Piece]:
        """One piece per period, without end."""
        end_s = 0.0
        while True:
            end_s += rng.uniform(self.shortest_period_s, self.longest_period_s)
            yield Piece(end_s, rng.uniform(self.lowest_rps, self.highest_rps))
