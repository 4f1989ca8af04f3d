"""LinUCB: a contextual bandit that is linear in features of load and knobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.gp_slot import SlotEvidence, log_load
from agents.log_knobs import first_index, log_coordinates
from agents.ridge import Ridge, quadratic
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation


class LinUCBAgent:
    """The least lower confidence bound of a quadratic model of the log cost (Li et al., WWW 2010).

    One model for all arms (their "hybrid" shared part alone): 1331 arms are too many for a model each.

    Args:
        space: configurations to choose from.
        max_load_rps: upper end of the loads, which scales the context.
        kappa: width of the bound, in standard deviations of the noise.
        penalty: of the squared weights.
        forget: what a slot counts after one more slot, in (0, 1].
        start: configuration of the first slot; the middle of the grid where None.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        max_load_rps: float,
        kappa: float = 0.5,
        penalty: float = 0.1,
        forget: float = 0.998,
        start: Sequence[int] | None = None,
    ) -> None:
        if not (kappa >= 0 and penalty > 0 and 0 < forget <= 1):
            raise UsageError(
                f"kappa={kappa} penalty={penalty} forget={forget}, expected kappa >= 0, penalty > 0 and "
                "forget in (0, 1]"
            )
        self.space = space
        self.kappa = kappa
        self.start = first_index(space, start)
        self._max_log_load = log_load(max_load_rps)
        self._knobs = log_coordinates(space, default_distance=1.0)
        self.model = Ridge(self._features(0.0, np.arange(1)).shape[1], penalty, forget)
        self._slots = 0

    def _features(self, load: float, index: NDArray[np.int64]) -> NDArray[np.float64]:
        context = np.full(len(index), load - self._max_log_load)
        return quadratic(np.column_stack([context, self._knobs[index]]))

    def act(self, observation: Observation) -> Configuration:
        """The least bound at the observed load."""
        if self._slots == 0:
            return self.space.configurations[self.start]
        features = self._features(log_load(observation.load_rps), np.arange(self.space.size))
        mean, deviation = self.model.predict(features)
        return self.space.configurations[int((mean - self.kappa * deviation).argmin())]

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """One more row, at the load that the slot really had."""
        self._slots += 1
        slot = SlotEvidence.of(observation, cost, next_observation)
        if slot is not None:
            row = self._features(slot.log_load, np.array([self.space.index(configuration)]))[0]
            self.model.add(row, float(np.log(slot.outputs[0])))

    def diagnostics(self) -> dict[str, Any]:
        """How many slots were learned from."""
        return {"slots": self._slots}

    def state_dict(self) -> dict[str, Any]:
        """The model's two sums and the number of slots."""
        return {"model": self.model.state_dict(), "slots": self._slots}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.model.load_state_dict(state["model"])
        self._slots = int(state["slots"])
