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
        played = slots[list(space.names)].to_numpy().tolist()
        found = [
            truth.optimum_and_gap(space.index(row), float(load_rps), int(slot))
            for row, load_rps, slot in zip(played, slots["true_load_rps"], slots["slot"], strict=True)
        ]
        return np.array([np.nan if one is None else one[1] for one in found])

    def _truth(self) -> tuple[Truth, ConfigurationSpace] | None:
        if self._read is None:
            plain = next(iter(self._arm.runs.values())).config
            truth = cached_truth(plain)
            if truth is None:
                return None
            self._read = truth, build_system(plain).space
        return self._read
