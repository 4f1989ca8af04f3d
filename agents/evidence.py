"""Which observations an entry of the Q table listens to: all of its region, or only the nearest so far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.q_table import QTable

_ITSELF = -1.0  # nearer than any other, also than one at distance 0 (the system default and what it means)


class NearestEvidence:
    """Lets an observation change only entries that have seen none from nearer by (our choice, no source).

    With f(c, r_t) = r_t an entry of RRL stays the average over its whole region for ever, however often the
    configuration itself was played: the gap of Theorem 1. Here a region fills what is unknown, and what
    is known from nearer by replaces it: once a configuration was played, its entry is Q-learning's.

    Attributes:
        distance: of the nearest configuration observed so far, shape (states, size), in grid steps.
    """

    def __init__(self, states: int, size: int) -> None:
        self.distance: NDArray[np.float64] = np.full((states, size), np.inf)

    def admit(
        self, table: QTable, state: int, index: int, region: NDArray[np.int64], distance: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """The part of the region that listens; entries that hear from nearer than before start afresh.

        Args:
            table: whose update counts start at 0 again where what was learned came from farther away.
            state: row of the table.
            index: the observed configuration.
            region: flat indices around it.
            distance: of each from it, shape (len(region),).
        """
        distance = np.where(region == index, _ITSELF, distance)
        before = self.distance[state, region]
        table.updates[state, region[distance < before]] = 0
        near = distance <= before
        listening: NDArray[np.int64] = region[near]
        self.distance[state, listening] = distance[near]
        return listening

    def state_dict(self) -> dict[str, Any]:
        """A copy of the distances."""
        return {"distance": self.distance.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved distances."""
        self.distance = np.array(state["distance"], dtype=float)
