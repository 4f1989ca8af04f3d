"""How alike the costs of two configurations at two loads are: the region, as a covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

Array = NDArray[np.float64]

_TREND_REACH = 3.0  # in load, of offset and trend, in load_lengths


@dataclass(frozen=True)
class Scales:
    """Prior of the logarithm of a cost; lengths in units of a knob's whole range.

    Attributes:
        offset: standard deviation of the level common to everything.
        trend: of what varies over the whole grid, the same way at every load.
        trend_length: how far that reaches.
        total: of what depends on all knobs together, on their product: how much runs side by side.
        total_length: how far that reaches; 1 is from all least to all largest.
        detail: of what is special to a neighbourhood of configurations and loads.
        detail_length: how far that reaches; the radius of the learned region.
        load_length: how far in load it reaches, as a logarithm: 0.7 is a factor of 2.
        own: of what a configuration shares with no other.
        noise: of one slot.
        simulator: by how much a simulator's log costs are off, as a share of all the others but the noise.
        knee: of a prepared agent: how far above the least log cost the scale is compressed from.
        slope: by how much; 1: not at all.
    """

    offset: float = 3.0
    trend: float = 1.5
    trend_length: float = 1.0
    total: float = 1.0
    total_length: float = 0.3
    detail: float = 0.7
    detail_length: float = 0.4
    load_length: float = 1.0
    own: float = 0.03
    noise: float = 0.1
    simulator: float = 0.5
    knee: float = 2.0
    slope: float = 3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise UsageError(f"scales.{field.name}={value}, expected a number > 0")
        if self.slope < 1:
            raise UsageError(f"scales.slope={self.slope}, expected a number >= 1")

    @staticmethod
    def of(settings: Mapping[str, Any] | None) -> Scales:
        """Those named, and the defaults of all others.

        Raises:
            UsageError: on names that do not exist, and values outside their range.
        """
        names = [field.name for field in fields(Scales)]
        if not isinstance(settings, Mapping | None):
            raise UsageError(f"scales={settings}, expected numbers by name, of {names}")
        for name in settings or {}:
            if name not in names:
                raise UsageError(
                    f"scales.{name}={(settings or {})[name]} does not exist, choose from {names}"
                )
        return Scales(**(settings or {}))

    @property
    def prior_variance(self) -> float:
        """Of one configuration at one load."""
        return self.offset**2 + self.trend**2 + self.total**2 + self.detail**2 + self.own**2


def matern(distance: Array, length: float) -> Array:
    """Matern 5/2 correlation."""
    scaled = np.sqrt(5.0) * distance / length
    correlation: Array = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return correlation


class ConfigurationLoadKernel:
    """Covariance of log costs of (configuration, load) pairs.

    (offset^2 + trend^2 M(c, c') + total^2 M(p, p')) L(l, l') + (detail^2 M(c, c') + own^2 [c = c']) L(l, l'):
    M over the knobs and over their product p, L over the logarithm of the load, the first of longer, the
    second of shorter reach. Correlations between configurations are computed once.

    Args:
        coordinates: of all configurations, from ``agents.log_knobs.log_coordinates``.
        scales: of the prior.

    Attributes:
        size: number of configurations.
    """

    def __init__(self, coordinates: Array, scales: Scales) -> None:
        squares = (coordinates**2).sum(axis=1)
        distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * coordinates @ coordinates.T, 0.0))
        np.fill_diagonal(distance, 0.0)
        self.scales = scales
        self.size = len(coordinates)
        total = coordinates[:, 0::2].mean(axis=1)
        self._trend = scales.trend**2 * matern(distance, scales.trend_length)
        self._trend += scales.total**2 * matern(np.abs(total[:, None] - total), scales.total_length)
        self._detail = scales.detail**2 * matern(distance, scales.detail_length)
        self._detail += scales.own**2 * np.eye(len(coordinates))

    def __call__(
        self, index: NDArray[np.int64], log_load: Array, other: NDArray[np.int64], other_load: Array
    ) -> Array:
        """Covariance of pairs, shape (len(index), len(other))."""
        pairs = np.ix_(index, other)
        return self._covariance(self._trend[pairs], self._detail[pairs], log_load[:, None] - other_load)

    def with_all(self, index: NDArray[np.int64], log_load: Array, other_load: float) -> Array:
        """Covariance of pairs with every configuration at one load, shape (len(index), size).

        The same numbers as from a call, ten times as fast: the loads' correlation is computed once a pair.
        """
        return self._covariance(self._trend[index], self._detail[index], (log_load - other_load)[:, None])

    def _covariance(self, trend: Array, detail: Array, load_gap: Array) -> Array:
        distance = np.abs(load_gap)
        slow = matern(distance, _TREND_REACH * self.scales.load_length)
        fast = matern(distance, self.scales.load_length)
        covariance: Array = (self.scales.offset**2 + trend) * slow + detail * fast
        return covariance
