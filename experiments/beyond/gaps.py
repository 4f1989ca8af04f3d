"""The noise-free gap of runs that were made without the table: read afterwards, where it is there by now."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.arms import Arm
from experiments.build import build_system
from experiments.truth import cached_truth
from serving.configuration import ConfigurationSpace
from serving.cost_table import Truth


class Gaps:
    """Gaps of the runs of one arm; table and grid are read once, and only if needed.

    Args:
        arm: whose runs.
        alike: whether its grid is that of the other agents; an agent with a grid of its own has no gap.
    """

    def __init__(self, arm: Arm, alike: bool = True) -> None:
        self._arm, self._alike = arm, alike
        self._read: tuple[Truth, ConfigurationSpace] | None = None

    def of(self, slots: pd.DataFrame) -> NDArray[np.float64]:
        """Noise-free cost over the least possible one in every slot, shape (slots,); NaN where not known."""
        recorded = slots["gap"].to_numpy(dtype=np.float64)
        known = self._truth() if np.isnan(recorded).all() and self._alike else None
        if known is None:
            return recorded
        truth, space = known
        played = zip(
            slots["slot"], slots["true_load_rps"], slots[list(space.names)].to_numpy().tolist(), strict=True
        )
        return np.array([self._gap(truth, int(slot), load, space.index(row)) for slot, load, row in played])

    def _gap(self, truth: Truth, slot: int, load_rps: float, index: int) -> float:
        if not truth.covers(load_rps):
            return np.nan
        costs = truth.at(load_rps, slot)
        return float(costs[index] / costs.min())

    def _truth(self) -> tuple[Truth, ConfigurationSpace] | None:
        if self._read is None:
            plain = next(iter(self._arm.runs.values())).config
            truth = cached_truth(plain)
            if truth is None:
                return None
            self._read = truth, build_system(plain).space
        return self._read
