"""What a network learns from: features and targets of every observed slot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 1024


class Samples:
    """A growing list of (features, target) in two arrays that double when they are full."""

    def __init__(self, features: int) -> None:
        self._x = np.empty((0, features))
        self._y = np.empty(0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def x(self) -> NDArray[np.float64]:
        """Features, shape (number of samples, features); a view."""
        return self._x[: self._count]

    @property
    def y(self) -> NDArray[np.float64]:
        """Targets, shape (number of samples,); a view."""
        return self._y[: self._count]

    def append(self, features: NDArray[np.float64], target: float) -> None:
        """Add one sample."""
        if self._count == len(self._y):
            room = max(self._count, _FIRST_CAPACITY)
            self._x = np.concatenate((self._x, np.empty((room, self._x.shape[1]))))
            self._y = np.concatenate((self._y, np.empty(room)))
        self._x[self._count] = features
        self._y[self._count] = target
        self._count += 1

    def state_dict(self) -> dict[str, Any]:
        """Copies of both arrays."""
        return {"x": self.x.copy(), "y": self.y.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved arrays."""
        self._x, self._y = np.array(state["x"], dtype=float), np.array(state["y"], dtype=float)
        self._count = len(self._y)
