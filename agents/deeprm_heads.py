"""Action heads: what DeepRM's softmax outputs choose between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from serving.configuration import ConfigurationSpace
from serving.errors import UsageError

Choices = tuple[int, ...]


class Head(Protocol):
    """A tuple of independent choices, one per softmax, and the configuration that they stand for.

    Attributes:
        sizes: number of alternatives of every softmax.
        relative: whether the configuration also depends on the one in force.
    """

    @property
    def sizes(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def relative(self) -> bool: ...  # noqa: D102

    def configuration(self, choices: Choices, current: int) -> int:
        """Flat index of the configuration that ``choices`` lead to from flat index ``current``."""


@dataclass(frozen=True)
class Joint:
    """One softmax over all configurations."""

    shape: tuple[int, ...]
    relative = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """All configurations."""
        return (int(np.prod(self.shape)),)

    def configuration(self, choices: Choices, current: int) -> int:  # noqa: ARG002 - the protocol's
        """The choice itself."""
        return choices[0]


@dataclass(frozen=True)
class Factorised:
    """A softmax per knob: jumps anywhere with few outputs; the probability is the product."""

    shape: tuple[int, ...]
    relative = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """The values of every knob."""
        return self.shape

    def configuration(self, choices: Choices, current: int) -> int:  # noqa: ARG002 - the protocol's
        """One value per knob."""
        return int(np.ravel_multi_index(choices, self.shape))


@dataclass(frozen=True)
class Increment:
    """One softmax over 2K + 1 moves: stay, then up and down by a grid step for each of K knobs.

    A move off the grid stays, as an invalid pick of DeepRM does nothing.
    """

    shape: tuple[int, ...]
    relative = True

    @property
    def sizes(self) -> tuple[int, ...]:
        """The moves."""
        return (2 * len(self.shape) + 1,)

    def configuration(self, choices: Choices, current: int) -> int:
        """One step away from ``current``, or ``current``."""
        if choices[0] == 0:
            return current
        knob, down = divmod(choices[0] - 1, 2)
        position = list(np.unravel_index(current, self.shape))
        position[knob] += -1 if down else 1
        inside = 0 <= position[knob] < self.shape[knob]
        return int(np.ravel_multi_index(position, self.shape)) if inside else current


_HEADS: dict[str, Callable[[tuple[int, ...]], Head]] = {
    "factorised": Factorised,
    "increment": Increment,
    "joint": Joint,
}


def make_head(name: str, space: ConfigurationSpace) -> Head:
    """The head of that name over a space.

    Raises:
        UsageError: on an unknown name.
    """
    if name not in _HEADS:
        raise UsageError(f"head={name!r}, choose from {sorted(_HEADS)}")
    return _HEADS[name](tuple(len(knob.values) for knob in space.knobs))
