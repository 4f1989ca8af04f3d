"""Regions: which configurations one observation speaks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import ConfigurationSpace, Metric, ZeroDistance
from serving.errors import UsageError


class Regions:
    """``space.region`` with one metric, each region computed once.

    Memory grows with the distinct (centre, radius) pairs asked for: about 1 MB per radius of 3 over the
    paper's 1331 configurations once every centre was seen.

    Raises:
        UsageError: on an unknown metric or way of counting 0.
    """

    def __init__(
        self, space: ConfigurationSpace, metric: Metric = "euclidean", zero_distance: ZeroDistance = "raw"
    ) -> None:
        space.distances(0, metric, zero_distance)  # fails here, not at the first slot with a radius > 0
        self._space = space
        self._metric = metric
        self._zero_distance = zero_distance
        self._known: dict[tuple[int, float], NDArray[np.int64]] = {}

    def __call__(self, index: int, radius: float) -> NDArray[np.int64]:
        """Flat indices within ``radius`` of a configuration, ascending; not to be written to."""
        key = (index, radius)
        if key not in self._known:
            self._known[key] = self._space.region(index, radius, self._metric, self._zero_distance)
        return self._known[key]

    def distances(self, index: int, region: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distance of each configuration of a region from one, shape (len(region),)."""
        return self._space.distances(index, self._metric, self._zero_distance)[region]


def checked_radius(radius: float) -> float:
    """The radius as a float.

    Raises:
        UsageError: if it is negative or not finite.
    """
    if not 0 <= radius < np.inf:
        raise UsageError(f"radius={radius}, expected a finite number >= 0 (0 is Q-learning)")
    return float(radius)


def checked_radii(key: str, radii: Any) -> NDArray[np.float64]:
    """Radii as an array, in their order.

    Args:
        key: name of the setting.
        radii: its value, as a user gave it.

    Raises:
        UsageError: if it is no list of finite numbers >= 0.
    """
    listed = isinstance(radii, Sequence | np.ndarray) and not isinstance(radii, str)
    if not listed or not all(
        isinstance(one, int | float | np.integer) and 0 <= one < np.inf for one in radii
    ):
        raise UsageError(f"{key}={radii}, expected a list of finite numbers >= 0 (grid steps)")
    return np.array(radii, dtype=float)
