"""Logarithms of costs, compressed where the system is overloaded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogScale:
    """A place on it is a logarithm; above a knee, the knee and a part of what is above it.

    How many thousand times the least an overload costs says little of a good configuration's neighbours: it
    is a cliff, and a smooth model that has to follow it down sees nothing else. Without arguments the scale
    is the logarithm itself.

    Attributes:
        knee: place above which it is compressed.
        slope: how many units of the logarithm are one of the scale there.
        most: place from which on no logarithm grows any more.
    """

    knee: float = math.inf
    slope: float = 1.0
    most: float = math.inf

    def place(self, logarithm: Array | float) -> Array:
        """Where a logarithm stands."""
        above: Array = np.maximum(np.subtract(logarithm, self.knee), 0.0)
        return logarithm - above * (1 - 1 / self.slope)

    def logarithm(self, place: Array | float) -> Array:
        """What stands at a place."""
        place = np.minimum(place, self.most)
        above: Array = np.maximum(np.subtract(place, self.knee), 0.0)
        return place + above * (self.slope - 1)

    def capped(self, logarithm: float) -> LogScale:
        """The same, but that nothing stands at more than a logarithm."""
        return replace(self, most=float(self.place(logarithm)))


PLAIN = LogScale()
