"""Yardsticks that learn nothing: random, static, best static, oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration, ConfigurationSpace
from serving.cost_table import Truth
from serving.observation import Observation


class _Unlearning:
    """The part of the agent protocol that an agent without memory leaves empty."""

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""

    def diagnostics(self) -> dict[str, Any]:
        """Nothing believed."""
        return {}


class RandomAgent(_Unlearning):
    """Every configuration with the same probability in every slot."""

    def __init__(self, *, space: ConfigurationSpace, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng

    def act(self, observation: Observation) -> Configuration:  # noqa: ARG002 - the protocol's
        """A uniform draw."""
        return self._space.configurations[int(self._rng.integers(self._space.size))]

    def state_dict(self) -> dict[str, Any]:
        """The generator."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the saved generator."""
        self._rng.bit_generator.state = state["rng"]


class StaticAgent(_Unlearning):
    """The same given configuration in every slot.

    Raises:
        UsageError: if the configuration is not in the space.
    """

    def __init__(self, *, space: ConfigurationSpace, configuration: Sequence[int]) -> None:
        self._configuration = space.configurations[space.index(configuration)]

    def act(self, observation: Observation) -> Configuration:  # noqa: ARG002 - the protocol's
        """The given configuration."""
        return self._configuration


class StaticBestAgent(_Unlearning):
    """The one configuration with the least mean cost over the true loads of the whole run.

    Knows the truth and the future: no static choice of the run does better in the cost table.
    """

    def __init__(
        self, *, space: ConfigurationSpace, cost_table: Truth, true_load_rps: NDArray[np.float64]
    ) -> None:
        self._configuration = space.configurations[cost_table.best_static(true_load_rps)]

    def act(self, observation: Observation) -> Configuration:  # noqa: ARG002 - the protocol's
        """The best static configuration."""
        return self._configuration


class OracleAgent(_Unlearning):
    """The best configuration at the true mean load of every slot, by the cost table.

    It knows the load of the slot to come, which no other agent sees. The table holds the cost of a load
    that stays, so a backlog left over from an earlier slot is not taken into account.
    """

    def __init__(
        self, *, space: ConfigurationSpace, cost_table: Truth, true_load_rps: NDArray[np.float64]
    ) -> None:
        self._space = space
        self._cost_table = cost_table
        self._true_load_rps = true_load_rps

    def act(self, observation: Observation) -> Configuration:
        """The best configuration at the true load of slot ``observation.slot``."""
        index, _ = self._cost_table.best(float(self._true_load_rps[observation.slot]), observation.slot)
        return self._space.configurations[index]
