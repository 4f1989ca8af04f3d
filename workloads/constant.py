"""A constant rate: the stationary load of the exhaustive tables and of Fig. 4."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workloads import checks
from workloads.poisson import Piece, PoissonWorkload


@dataclass(frozen=True, kw_only=True)
class Constant(PoissonWorkload):
    """Poisson arrivals at ``mean_rps`` requests/s (14 in Fig. 4: one per 0.07 s)."""

    name: str = "constant"
    mean_rps: float = 14.0

    def __post_init__(self) -> None:
        checks.positive(mean_rps=self.mean_rps)
        self._default_max_load(self.mean_rps)
        super().__post_init__()

    def pieces(self, rng: np.random.Generator) -> Iterator[Piece]:  # noqa: ARG002  # nothing is random here
        """One piece without end."""
        yield Piece(math.inf, self.mean_rps)
