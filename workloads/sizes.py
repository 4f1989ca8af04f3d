"""Sizes of requests: the work of each, relative to the model's mean request."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workloads import checks
from workloads.streams import stream

UTTERANCE_CV = 0.70
"""Coefficient of variation of utterance lengths: 5.2 s / 7.4 s over the 2620 utterances of LibriSpeech
test-clean, as printed by the LibriSpeech recipe of k2's icefall. A log-normal of that mean and deviation has
median 6.1, 95 % 17.1 and 99 % 26.3 s; the corpus has 5.8, 17.8 and 25.5 s. That the work of a request is
proportional to the length of the utterance is our assumption."""


@dataclass(frozen=True)
class RequestSizes:
    """A distribution of sizes with mean 1.

    Attributes:
        distribution: ``constant`` (all 1), ``exponential`` or ``lognormal``.
        cv: coefficient of variation of ``lognormal``, which alone reads it; ``UTTERANCE_CV`` for speech.
    """

    distribution: str = "constant"
    cv: float = UTTERANCE_CV

    def __post_init__(self) -> None:
        checks.one_of("sizes.distribution", self.distribution, ("constant", "exponential", "lognormal"))
        checks.positive(**{"sizes.cv": self.cv})

    def of_slot(self, seed: int, slot: int, count: int) -> NDArray[np.float64]:
        """Sizes of the requests of one slot, from a stream of their own; shape (count,)."""
        if self.distribution == "constant":
            return np.ones(count)
        return self.draw(count, stream(seed, "sizes", slot))

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent sizes, shape (count,)."""
        if self.distribution == "exponential":
            return rng.exponential(size=count)
        if self.distribution == "lognormal":
            variance = math.log1p(self.cv**2)
            return rng.lognormal(-variance / 2, math.sqrt(variance), size=count)
        return np.ones(count)
