"""A player: one course of slots under the policy that all players share."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.deeprm_heads import Head
from agents.deeprm_image import StateImage
from agents.deeprm_network import PolicyNetwork
from agents.deeprm_reinforce import Step
from agents.policy import draw, entropy
from serving.observation import Observation


class Player:
    """Sees the slots of one run, and draws configurations from the policy.

    Args:
        network: the policy.
        head: what its outputs choose between.
        image: of this run alone.
        size: number of configurations.
        rng: one draw per softmax and slot.
        start: flat index to play in the first slot; None leaves it to the policy, or to chance where the
            head moves away from a configuration in force.

    Attributes:
        entropy: of the last policy, in nats.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        head: Head,
        image: StateImage,
        size: int,
        rng: np.random.Generator,
        start: int | None = None,
    ) -> None:
        self._network = network
        self._head = head
        self._image = image
        self._size = size
        self._rng = rng
        self._start = start
        self.entropy = float(sum(np.log(head.sizes)))

    def act(self, observation: Observation) -> tuple[int, Step | None]:
        """A configuration's flat index, and what the policy did; None where it was not asked."""
        image = self._image(observation)
        if observation.slot == 0 and self._start is not None:
            return self._start, None
        if observation.slot == 0 and self._head.relative:
            return int(self._rng.integers(self._size)), None
        probabilities = self._network.probabilities(image)
        self.entropy = sum(entropy(part) for part in probabilities)
        choices = tuple(draw(part, self._rng.random()) for part in probabilities)
        index = self._head.configuration(choices, observation.configuration)
        return index, Step(image, choices)

    def state_dict(self) -> dict[str, Any]:
        """What this player has seen."""
        return {"image": self._image.state_dict(), "entropy": self.entropy}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what another player saw."""
        self._image.load_state_dict(state["image"])
        self.entropy = float(state["entropy"])
