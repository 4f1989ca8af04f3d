"""Replay: what happened, to be learned from again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError


@dataclass(frozen=True)
class Minibatches:
    """Minibatches of transitions; shapes begin with those of the drawn indices.

    Attributes:
        inputs: before the move, float32 (..., inputs).
        move: int32 (...).
        gain: raw reward, in the unit of the cost, float64 (...).
        next_inputs: after the slot, float32 (..., inputs).
    """

    inputs: NDArray[np.float32]
    move: NDArray[np.int32]
    gain: NDArray[np.float64]
    next_inputs: NDArray[np.float32]


class Replay:
    """The last ``capacity`` transitions, drawn uniformly.

    Raises:
        UsageError: if the capacity is not positive.
    """

    def __init__(self, inputs: int, capacity: int = 100_000) -> None:
        if capacity < 1:
            raise UsageError(f"replay_capacity={capacity}, expected an integer >= 1")
        self._capacity = capacity
        self._added = 0
        # Never filled here: the operating system hands out the memory as it is written to.
        self._inputs = np.empty((capacity, inputs), dtype=np.float32)
        self._move = np.empty(capacity, dtype=np.int32)
        self._gain = np.empty(capacity)
        self._next_inputs = np.empty((capacity, inputs), dtype=np.float32)

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    @property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "inputs": self._inputs,
            "move": self._move,
            "gain": self._gain,
            "next_inputs": self._next_inputs,
        }

    def add(
        self, inputs: NDArray[np.float32], move: int, gain: float, next_inputs: NDArray[np.float32]
    ) -> None:
        """Keep a transition in the place of the oldest."""
        place = self._added % self._capacity
        self._inputs[place], self._next_inputs[place] = inputs, next_inputs
        self._move[place], self._gain[place] = move, gain
        self._added += 1

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Minibatches:
        """Uniform transitions, with replacement; the replay must not be empty."""
        places = rng.integers(len(self), size=shape)
        return Minibatches(**{name: array[places] for name, array in self._arrays.items()})

    def state_dict(self) -> dict[str, Any]:
        """Copies of what is filled."""
        filled = {name: array[: len(self)].copy() for name, array in self._arrays.items()}
        return {"added": self._added, **filled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved replay."""
        self._added = int(state["added"])
        for name, array in self._arrays.items():
            array[: len(self)] = state[name]
