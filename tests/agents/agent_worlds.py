"""Small worlds with a known truth for agents to play in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.rrl import RRLAgent
from serving.agent import Agent
from serving.configuration import ConfigurationSpace, cpu_space
from serving.observation import Observation


@dataclass
class Surface:
    """A world with a known cost per (load, configuration), noise, and loads that nobody influences."""

    space: ConfigurationSpace
    cost: NDArray[np.float64]  # (loads, size)
    noise: float
    seed: int

    @staticmethod
    def smooth(
        size: int = 3,
        loads: int = 2,
        noise: float = 0.1,
        seed: int = 0,
        minimum: int = 1,
        steepness: float = 1.5,
    ) -> Surface:
        """A bowl per load in the logarithm of the cost: 0.2 s at the bottom, about 15 times that at most."""
        space = cpu_space(maximum=size - 1 + minimum, minimum=minimum)
        positions = (space.values - minimum) / (size - 1)
        bottoms = np.random.default_rng(seed).random((loads, 3))
        squares = ((positions[None] - bottoms[:, None]) ** 2).sum(axis=2)
        return Surface(
            space, 0.2 * np.exp(steepness * (squares - squares.min(axis=1, keepdims=True))), noise, seed
        )

    def run(self, agent: Agent, slots: int) -> list[tuple[int, int, float]]:
        """(load, flat index, noise-free cost) of every slot."""
        rng = np.random.default_rng([self.seed, 1])
        loads = rng.integers(len(self.cost), size=slots + 1)
        observations = [
            Observation(slot=t, minute=2.0 * t, load_rps=float(load), load_bin=int(load))
            for t, load in enumerate(loads)
        ]
        history = []
        for t in range(slots):
            configuration = agent.act(observations[t])
            index = self.space.index(configuration)
            true = float(self.cost[loads[t], index])
            noisy = true * float(np.exp(self.noise * rng.standard_normal()))
            agent.learn(observations[t], configuration, noisy, observations[t + 1])
            history.append((int(loads[t]), index, true))
        return history


def make_agent(surface: Surface, seed: int = 0, **settings: Any) -> RRLAgent:
    rng = np.random.default_rng(seed)
    return RRLAgent(space=surface.space, rng=rng, load_levels=len(surface.cost), **settings)
