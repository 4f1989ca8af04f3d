"""Additive increase, multiplicative decrease of one knob: the rule of thumb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.log_knobs import first_index
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation


class AIMDAgent:
    """One more while the tail is within the objective, a share of it once it is not (Clipper, NSDI 2017).

    Clipper steers the batch size so; here it is any knob, request parallelism by default. The others stay
    where they are.

    Args:
        space: configurations to choose from.
        slo_s: objective of the 95th percentile of the latency.
        knob: which one, by position.
        increase: added while all is well, in the knob's unit.
        decrease: factor applied otherwise, in (0, 1).
        start: configuration of the first slot; the middle of the grid where None.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        slo_s: float,
        knob: int = 0,
        increase: float = 1.0,
        decrease: float = 0.9,
        start: Sequence[int] | None = None,
    ) -> None:
        if not 0 <= knob < len(space.knobs):
            raise UsageError(f"knob={knob}, expected 0..{len(space.knobs) - 1}")
        if not (increase > 0 and 0 < decrease < 1):
            raise UsageError(
                f"increase={increase} decrease={decrease}, expected increase > 0 and decrease in (0, 1)"
            )
        self.space = space
        self.slo_s, self.knob, self.increase, self.decrease = slo_s, knob, increase, decrease
        self.others = space.configurations[first_index(space, start)]
        self.values = [value for value in space.knobs[knob].values if value > 0]
        self.level = float(self.others[knob] or space.knobs[knob].zero_means or 0)
        self._begun = False

    def act(self, observation: Observation) -> Configuration:
        """The grid's value next to the level, adjusted by what the last slot measured."""
        del observation
        if not self._begun or not self.values:
            return self.others
        nearest = min(self.values, key=lambda value: abs(value - self.level))
        return (*self.others[: self.knob], nearest, *self.others[self.knob + 1 :])

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Up by the increase, or down by the decrease where the tail or a loss says so."""
        del observation, configuration, cost
        self._begun = True
        late = next_observation.p95_latency_s > self.slo_s or next_observation.lost_rps > 0
        level = self.level * self.decrease if late else self.level + self.increase
        if self.values:
            self.level = min(max(level, float(self.values[0])), float(self.values[-1]))

    def diagnostics(self) -> dict[str, Any]:
        """The level, in the knob's unit."""
        return {"level": self.level}

    def state_dict(self) -> dict[str, Any]:
        """The level, and what the other knobs are held at."""
        return {"level": self.level, "begun": self._begun, "others": self.others}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.level, self._begun = float(state["level"]), bool(state["begun"])
        self.others = self.space.configurations[self.space.index(state["others"])]
