"""Bayesian linear regression that forgets: quadratic in load and knobs, exact from two sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quadratic(columns: Array) -> Array:
    """1, all columns, their squares and products: shape (n, 1 + d + d (d + 1) / 2)."""
    first, second = np.triu_indices(columns.shape[1])
    return np.column_stack([np.ones(len(columns)), columns, columns[:, first] * columns[:, second]])


class Ridge:
    """Weights with a Gaussian prior of standard deviation 1 / sqrt(penalty), given every row so far.

    Args:
        features: per row.
        penalty: of the squared weights.
        forget: what a row counts after one more, in (0, 1].

    Attributes:
        precision: sum of outer products plus the penalty, shape (features, features).
        moment: sum of features times targets, shape (features,).
    """

    def __init__(self, features: int, penalty: float, forget: float = 1.0) -> None:
        self.penalty, self.forget = penalty, forget
        self.precision: Array = penalty * np.eye(features)
        self.moment: Array = np.zeros(features)

    def add(self, row: Array, target: float) -> None:
        """Take in one row, shape (features,)."""
        prior = self.penalty * np.eye(len(row))
        self.precision = self.forget * (self.precision - prior) + prior + np.outer(row, row)
        self.moment = self.forget * self.moment + row * target

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (in units of the noise) of rows, each of shape (n,)."""
        weights = np.linalg.solve(self.precision, self.moment)
        spread = (rows * np.linalg.solve(self.precision, rows.T).T).sum(axis=1)
        return rows @ weights, np.sqrt(np.maximum(spread, 0.0))

    def state_dict(self) -> dict[str, Any]:
        """Copies of both sums."""
        return {"precision": self.precision.copy(), "moment": self.moment.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved sums."""
        self.precision = np.array(state["precision"], dtype=float)
        self.moment = np.array(state["moment"], dtype=float)
