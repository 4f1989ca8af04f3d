"""Step sizes: how far one observation moves an entry of the Q table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError


class StepSize(Protocol):
    """The step alpha of Eq. (2), entry by entry."""

    def __call__(self, updates: NDArray[np.int64]) -> NDArray[np.float64]:
        """Step in (0, 1] of entries that have had this many updates so far; same shape."""


@dataclass(frozen=True)
class PowerStep:
    """``(1 + n) ** -exponent``: the first update replaces the entry, later ones average.

    An exponent in (0.5, 1] meets the paper's condition on alpha (sum infinite, sum of squares finite).
    """

    exponent: float = 0.7

    def __post_init__(self) -> None:
        if not 0.5 < self.exponent <= 1:
            raise UsageError(f"alpha_exponent={self.exponent}, expected a number in (0.5, 1]")

    def __call__(self, updates: NDArray[np.int64]) -> NDArray[np.float64]:
        """See ``StepSize``."""
        steps: NDArray[np.float64] = np.power(1.0 + updates, -self.exponent, dtype=np.float64)
        return steps


@dataclass(frozen=True)
class ConstantStep:
    """The same step for ever, as in the authors' released code (0.3)."""

    alpha: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise UsageError(f"alpha={self.alpha}, expected a number in (0, 1]")

    def __call__(self, updates: NDArray[np.int64]) -> NDArray[np.float64]:
        """See ``StepSize``."""
        return np.full(updates.shape, self.alpha)
