"""The Q table: what every configuration is believed to cost in every state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.schedule import StepSize
from serving.errors import UsageError


class QTable:
    """Q[s, c] and how often each entry was updated.

    Attributes:
        values: expected discounted cost, shape (states, size), in the objective's unit; NaN while the
            table waits for its first value.
        updates: number of updates of each entry, same shape.
    """

    def __init__(self, states: int, size: int, initial: float) -> None:
        self.values: NDArray[np.float64] = np.full((states, size), initial, dtype=float)
        self.updates: NDArray[np.int64] = np.zeros((states, size), dtype=np.int64)

    def row(self, state: int) -> NDArray[np.float64]:
        """Q of every configuration in one state, shape (size,); a view."""
        values: NDArray[np.float64] = self.values[state]
        return values

    def update(
        self,
        state: int,
        region: NDArray[np.int64],
        target: NDArray[np.float64],
        step_size: StepSize,
    ) -> NDArray[np.float64]:
        """Move the entries of one state's region towards their targets (Eq. 2, left-hand side).

        Args:
            state: row to update; all others stay.
            region: distinct flat indices; all others stay.
            target: one value per entry of the region.
            step_size: gives the step of every entry from its number of earlier updates.

        Returns:
            The steps taken, shape (len(region),).
        """
        values, updates = self.values[state], self.updates[state]
        before = updates[region]
        steps = step_size(before)
        values[region] = (1 - steps) * values[region] + steps * target
        updates[region] = before + 1
        return steps

    def state_dict(self) -> dict[str, Any]:
        """Copies of both arrays."""
        return {"values": self.values.copy(), "updates": self.updates.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved arrays.

        Raises:
            UsageError: if they are those of another number of states or configurations.
        """
        values = np.array(state["values"], dtype=float)
        if values.shape != self.values.shape:
            raise UsageError(
                f"saved Q table of (states, configurations) {values.shape}, expected {self.values.shape}"
            )
        self.values = values
        self.updates = np.array(state["updates"], dtype=np.int64)
