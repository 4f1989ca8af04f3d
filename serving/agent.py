"""The protocol of an agent."""

from __future__ import annotations

from typing import Any, Protocol

from serving.configuration import Configuration
from serving.observation import Observation


class Agent(Protocol):
    """Chooses a configuration for every slot, and learns from what it cost.

    The configuration space and the random generator come with the constructor; all randomness comes from
    that generator. Costs are in the objective's unit (seconds for latency), smaller is better.
    """

    def act(self, observation: Observation) -> Configuration:
        """The configuration for the coming slot."""

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Take in what the slot cost; not called for a slot without any request."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on in another process."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""

    def diagnostics(self) -> dict[str, Any]:
        """What the agent currently believes, for plots; keys depend on the agent."""
