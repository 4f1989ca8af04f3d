"""Where configurations stand for a smooth model: knobs on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from serving.configuration import ConfigurationSpace, Knob


def log_coordinates(space: ConfigurationSpace, default_distance: float = 0.5) -> NDArray[np.float64]:
    """Coordinates of every configuration: per knob its scaled logarithm and whether it is a default.

    Twice as many threads are one step, from 1 to 2 as from 4 to 8; each knob's scale runs from 0 to 1. The
    value 0 stands where the value that the system then uses stands (``Knob.zero_means``), but apart: the
    system may do other things by itself than when it is told to. A 0 that is a plain value, such as no
    timeout, stands one step below the smallest positive value.

    Args:
        space: the configurations.
        default_distance: how far apart a default and the value it means are, in the unit of the scales.

    Returns:
        Array of shape (space.size, 2 x number of knobs), dimensionless; space.configurations' order.
    """
    columns = [_coordinates(knob, default_distance) for knob in space.knobs]
    return np.array([np.concatenate(rows) for rows in product(*columns)])


def leaves_to_system(space: ConfigurationSpace) -> NDArray[np.bool_]:
    """Which configurations hold a default whose meaning another value can have, shape (size,)."""
    barred = np.zeros(space.size, dtype=bool)
    for column, knob in enumerate(space.knobs):
        if knob.zero_means is not None and knob.values[-1] > 0:
            barred |= space.values[:, column] == 0
    return barred


def first_index(space: ConfigurationSpace, start: Sequence[int] | None) -> int:
    """Flat index of the configuration to begin with: ``start``, or the middle of the grid where None.

    Raises:
        UsageError: if it is not on the grid.
    """
    return middle(space) if start is None else space.index(start)


def middle(space: ConfigurationSpace) -> int:
    """Flat index of the configuration nearest to the middle of every knob's scale, no defaults."""
    coordinates = log_coordinates(space, default_distance=10.0)
    scales, defaults = coordinates[:, 0::2], coordinates[:, 1::2]
    centre = np.where(np.ptp(scales, axis=0) > 0, 0.5, 0.0)
    return int((((scales - centre) ** 2).sum(axis=1) + defaults.sum(axis=1)).argmin())


def _coordinates(knob: Knob, default_distance: float) -> NDArray[np.float64]:
    """Shape (values, 2)."""
    values = np.array(knob.values, dtype=float)
    positive = values[values > 0]
    is_default = (values == 0) & (knob.zero_means is not None)
    if len(positive) == 0:
        return np.zeros((len(values), 2))
    below = positive[0] / (positive[1] / positive[0] if len(positive) > 1 else 2.0)  # a step further down
    meant = np.where(is_default, knob.zero_means or 1, np.where(values > 0, values, below))
    logs = np.log(meant)
    lowest, span = logs.min(), np.ptp(logs)
    scaled = (logs - lowest) / span if span > 0 else np.zeros_like(logs)
    return np.column_stack([scaled, default_distance * is_default])
