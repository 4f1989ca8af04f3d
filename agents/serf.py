"""An analytic controller in the spirit of SERF: service times from a profile, the rest is queueing theory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.gp_slot import SlotEvidence
from agents.log_knobs import first_index, log_coordinates
from agents.queueing import latency_s, service_time_s
from agents.ridge import Ridge, quadratic
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation


class SerfAgent:
    """Profiles some configurations, then plays what M/G/c says is best at the load (SERF, SC 2016).

    SERF profiles service times with their interference beforehand. Here the profile is measured live: each
    of the first slots plays another configuration, spread over the grid; a mean latency is turned into the
    service time of the M/G/c queue that has it, c the first knob. The logarithm of the service time is a
    quadratic of the knobs' logarithms, refined by every later slot.

    Args:
        space: configurations to choose from.
        rng: draws the candidates of the profile.
        profile_slots: how many.
        variation: squared coefficient of variation of the service time.
        penalty: of the squared weights.
        start: first configuration of the profile; the middle of the grid where None.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        profile_slots: int = 16,
        variation: float = 1.0,
        penalty: float = 0.1,
        start: Sequence[int] | None = None,
    ) -> None:
        if profile_slots < 1 or variation < 0 or penalty <= 0:
            raise UsageError(
                f"profile_slots={profile_slots} variation={variation} penalty={penalty}, expected an "
                "integer >= 1, a number >= 0 and one > 0"
            )
        self.space, self.variation = space, variation
        knobs = log_coordinates(space, default_distance=1.0)
        self.profile = spread(knobs, first_index(space, start), profile_slots, rng)
        self.features = quadratic(knobs)
        self.model = Ridge(self.features.shape[1], penalty)
        knob = space.knobs[0]
        self.servers = np.array([max(1, row[0] or knob.zero_means or 1) for row in space.configurations])
        self._slots = 0

    def act(self, observation: Observation) -> Configuration:
        """The next of the profile, then the least predicted latency at the observed load."""
        if self._slots < len(self.profile):
            return self.space.configurations[self.profile[self._slots]]
        return self.space.configurations[int(self.predicted_s(observation.load_rps).argmin())]

    def predicted_s(self, load_rps: float) -> NDArray[np.float64]:
        """Mean latency of every configuration, shape (size,); of the overloaded, by how much they are."""
        service_s = np.exp(np.clip(self.model.predict(self.features)[0], -20.0, 20.0))
        overload = load_rps * service_s / self.servers
        latencies = [
            latency_s(load_rps, one_s, int(servers), self.variation) if used < 1 else 1e6 * used
            for one_s, servers, used in zip(service_s, self.servers, overload, strict=True)
        ]
        return np.array(latencies)

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Turn the slot into a service time."""
        self._slots += 1
        slot = SlotEvidence.of(observation, cost, next_observation)
        if slot is None:
            return
        index = self.space.index(configuration)
        servers = int(self.servers[index])
        if next_observation.lost_rps > 0 and next_observation.throughput_rps > 0:
            service_s = servers / next_observation.throughput_rps  # all are busy
        else:
            measured_s = next_observation.mean_latency_s or cost
            load_rps = float(np.exp(slot.log_load))
            service_s = service_time_s(load_rps, measured_s, servers, self.variation)
        self.model.add(self.features[index], float(np.log(max(service_s, 1e-9))))

    def diagnostics(self) -> dict[str, Any]:
        """How many slots were learned from."""
        return {"slots": self._slots}

    def state_dict(self) -> dict[str, Any]:
        """The model, the profile and the number of slots."""
        return {"model": self.model.state_dict(), "profile": list(self.profile), "slots": self._slots}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.model.load_state_dict(state["model"])
        self.profile = list(state["profile"])
        self._slots = int(state["slots"])


def spread(
    points: NDArray[np.float64], first: int, count: int, rng: np.random.Generator, candidates: int = 200
) -> list[int]:
    """Indices of ``count`` points, each the farthest of some drawn candidates from all before it."""
    chosen = [first]
    while len(chosen) < min(count, len(points)):
        drawn = rng.integers(len(points), size=candidates)
        distance = np.linalg.norm(points[drawn][:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(drawn[distance.argmax()]))
    return chosen
