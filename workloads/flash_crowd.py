"""A quiet service that a crowd finds: a constant rate, many times as high for a while."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workloads import checks
from workloads.poisson import Piece, PoissonWorkload


@dataclass(frozen=True, kw_only=True)
class FlashCrowd(PoissonWorkload):
    """Poisson arrivals at ``base_rps``, and at ``factor`` times that in every crowd.

    Attributes:
        base_rps: mean without a crowd, in requests/s.
        factor: how many times as many there are in a crowd.
        first_s: when the first crowd comes, in seconds.
        every_s: from one crowd to the next, in seconds.
        lasts_s: how long each stays, in seconds.
    """

    name: str = "flash_crowd"
    base_rps: float = 0.45
    factor: float = 40.0
    first_s: float = 24000.0
    every_s: float = 36000.0
    lasts_s: float = 3600.0
    max_load_rps: float = 20.0

    def __post_init__(self) -> None:
        checks.positive(
            base_rps=self.base_rps, factor=self.factor, every_s=self.every_s, lasts_s=self.lasts_s
        )
        checks.not_negative(first_s=self.first_s)
        checks.ordered("lasts_s", self.lasts_s, "every_s", self.every_s)
        super().__post_init__()

    def pieces(self, rng: np.random.Generator) -> Iterator[Piece]:  # noqa: ARG002  # the times are settings
        """Quiet, crowd, quiet, crowd, without end."""
        begin_s = self.first_s
        while not math.isinf(begin_s):
            yield Piece(begin_s, self.base_rps)
            yield Piece(begin_s + self.lasts_s, self.factor * self.base_rps)
            begin_s += self.every_s
