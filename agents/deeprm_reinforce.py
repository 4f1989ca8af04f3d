"""REINFORCE with DeepRM's time-dependent baseline, on costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.deeprm_heads import Choices
from agents.deeprm_network import PolicyNetwork
from serving.record import Record

_REFERENCE_COSTS = 20  # the scale of rewards is the median of this many costs
_LEAST_REWARD = -5.0  # an overload beyond five times the reference teaches nothing more


@dataclass(frozen=True, eq=False)
class Step(Record):
    """One slot of an episode.

    Attributes:
        image: what the policy saw, flattened.
        choices: what it chose in each softmax.
        cost: what that cost, in the objective's unit; None before it is known, and for a slot without any
            request.
    """

    image: NDArray[np.float64]
    choices: Choices
    cost: float | None = None

    def at(self, cost: float | None) -> Step:
        """The same step, with what it cost."""
        return replace(self, cost=cost)


class RewardScale:
    """Rewards from costs: -cost over the median of the first 20 costs, at least -5."""

    def __init__(self) -> None:
        self._first: list[float] = []

    @property
    def reference(self) -> float:
        """The cost that earns a reward of -1; NaN as long as there was none."""
        return float(np.median(self._first)) if self._first else float("nan")

    def take_in(self, cost: float | None) -> None:
        """Let a cost count towards the reference, if it is one of the first."""
        if cost is not None and len(self._first) < _REFERENCE_COSTS:
            self._first.append(cost)

    def reward(self, cost: float | None) -> float:
        """In [-5, 0]; 0 for a slot without any request."""
        if not cost:
            return 0.0
        return max(-cost / self.reference if self.reference > 0 else _LEAST_REWARD, _LEAST_REWARD)

    def state_dict(self) -> dict[str, Any]:
        """The costs that count."""
        return {"first": list(self._first)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved costs."""
        self._first = list(state["first"])


def advantages(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return-to-go minus its mean over the episodes at the same step: DeepRM's baseline.

    Args:
        rewards: shape (episodes, steps); nothing is discounted.

    Returns:
        Same shape; every column sums to 0.
    """
    returns = np.cumsum(rewards[:, ::-1], axis=1)[:, ::-1]
    centred: NDArray[np.float64] = returns - returns.mean(axis=0)
    return centred


def reinforce(network: PolicyNetwork, scale: RewardScale, episodes: list[list[Step]]) -> float:
    """One step of the network on episodes of the same length; the loss, minus what the step ascends."""
    rewards = np.array([[scale.reward(step.cost) for step in episode] for episode in episodes])
    steps = [step for episode in episodes for step in episode]
    return -network.ascend(
        np.array([step.image for step in steps]),
        np.array([step.choices for step in steps], dtype=np.int64),
        advantages(rewards).ravel(),
    )
