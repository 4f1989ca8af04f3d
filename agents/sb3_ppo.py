"""PPO of Stable-Baselines3."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.sb3 import Array, StableBaselinesAgent, library


class StableBaselinesPPO(StableBaselinesAgent):
    """Proximal policy optimisation (Schulman et al. 2017), one softmax over all configurations.

    Trains whenever its buffer of ``n_steps`` slots is full.
    """

    algorithm = "PPO"
    buffer = "rollout_buffer"

    def choose(self, scaled: Array) -> tuple[int, Any]:
        """A draw from the policy, with its value and its log probability."""
        self.reseed()
        self.model.policy.set_training_mode(False)
        torch = library("torch")
        with torch.no_grad():
            action, value, log_probability = self.model.policy(torch.as_tensor(scaled))
        return int(action[0]), (scaled, value, log_probability)

    def store(self, seen: Array, choice: Any, index: int, reward: NDArray[np.float64], then: Array) -> None:
        """Into the buffer, scaled; train and begin again once it is full."""
        del seen
        model, buffer = self.model, self.model.rollout_buffer
        scaled, value, log_probability = choice
        gain = self.scaling.normalize_reward(reward)
        buffer.add(scaled, np.array([[index]]), gain, np.array([False]), value, log_probability)
        if buffer.full:
            torch = library("torch")
            with torch.no_grad():
                last_value = model.policy.predict_values(torch.as_tensor(self.scaled(then)))
            buffer.compute_returns_and_advantage(last_values=last_value, dones=np.array([False]))
            self.reseed()
            model.train()
            buffer.reset()
