"""DQN of Stable-Baselines3."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.sb3 import Array, StableBaselinesAgent


class StableBaselinesDQN(StableBaselinesAgent):
    """Deep Q-learning with replay (Mnih et al. 2015), one output per configuration.

    Trains every ``train_freq`` slots.
    """

    algorithm = "DQN"
    buffer = "replay_buffer"

    def choose(self, scaled: Array) -> tuple[int, Any]:
        """Any at first and now and then, else the one with the largest value."""
        model = self.model
        if model.num_timesteps < model.learning_starts or self.rng.random() < model.exploration_rate:
            return int(self.rng.integers(self.space.size)), None
        return int(model.predict(scaled, deterministic=True)[0][0]), None

    def store(self, seen: Array, choice: Any, index: int, reward: NDArray[np.float64], then: Array) -> None:
        """Into the replay buffer, which scales what it hands out; then a step of the algorithm."""
        del choice
        model = self.model
        model.replay_buffer.add(seen, then, np.array([index]), reward, np.array([False]), [{}])
        model._on_step()  # the rate of exploration, and the target network
        every = model.train_freq.frequency
        steps = every if model.gradient_steps < 0 else model.gradient_steps  # -1: as many as slots
        due = model.num_timesteps > model.learning_starts and model.num_timesteps % every == 0
        if due and steps:
            self.reseed()
            model.train(gradient_steps=steps, batch_size=model.batch_size)

    def diagnostics(self) -> dict[str, Any]:
        """``steps`` learned from, ``epsilon`` of the next choice."""
        return super().diagnostics() | {"epsilon": float(self.model.exploration_rate)}
