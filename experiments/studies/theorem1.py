"""Theorem 1 on a small known MDP: ``python -m experiments.studies.theorem1 [seeds=10] [steps=15000]``.

Under the theorem's own conditions (step 1 / visits, configurations drawn from a fixed distribution, an
estimate that is off by at most Delta) RRL's limit can be computed, so that three things can be looked at:
that Q gets there, how far the limit is from Q* against the bound Delta / (1 - gamma), and how much sooner a
larger region gets there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.rrl import RRLAgent
from experiments.arguments import parse, refuse
from serving.configuration import ConfigurationSpace, Knob
from serving.observation import Observation

RADII = (0.0, 1.0, 1.5, 2.0, 3.0)
NOISES = (0.05, 0.5)  # s; costs within radius 1 differ by up to 0.31 s, so little and much beside that


@dataclass(frozen=True)
class KnownMDP:
    """Loads that nobody influences, and a known mean cost of every configuration under every load.

    The theorem bounds the error of the estimated cost alone; it is silent on a next state that depends on
    the configuration, whose probabilities a region update would mix up. So ours does not.

    Attributes:
        space: the configurations.
        cost: mean cost, shape (states, size).
        transition: P(s' | s), shape (states, states).
        sampling: probability of every configuration in every slot, shape (size,).
        gamma: discount factor.
        noise: standard deviation of a slot's cost; the same for all configurations of that slot.
    """

    space: ConfigurationSpace
    cost: NDArray[np.float64]
    transition: NDArray[np.float64]
    sampling: NDArray[np.float64]
    gamma: float
    noise: float = 0.0

    @cached_property
    def _distances(self) -> NDArray[np.float64]:
        return np.array([self.space.distances(index) for index in range(self.space.size)])

    def near(self, radius: float) -> NDArray[np.bool_]:
        """Which pairs of configurations are within a radius, shape (size, size)."""
        pairs: NDArray[np.bool_] = self._distances <= radius + 1e-9
        return pairs

    def delta(self, radius: float) -> float:
        """The Delta of Eq. (4) for f(c, r) = r: the largest cost difference within the radius."""
        differences = np.abs(self.cost[:, :, None] - self.cost[:, None, :])
        return float(differences[:, self.near(radius)].max())

    def limit(self, radius: float) -> NDArray[np.float64]:
        """What Q converges to with this radius, shape (states, size); Q* with radius 0.

        An entry averages the slots of all configurations in its region, as often as they are drawn.
        """
        weights = self.near(radius) * self.sampling
        average = self.cost @ (weights / weights.sum(axis=1, keepdims=True)).T
        q: NDArray[np.float64] = average / (1 - self.gamma)
        for _ in range(10_000):
            better = average + self.gamma * (self.transition @ q.min(axis=1))[:, None]
            if np.abs(better - q).max() < 1e-13 * np.abs(q).max():
                break
            q = better
        return q

    def learn(
        self, radius: float, checkpoints: Sequence[int], rng: np.random.Generator
    ) -> list[NDArray[np.float64]]:
        """Q of a real ``RRLAgent`` after so many slots, each of shape (states, size)."""
        agent = RRLAgent(
            space=self.space,
            rng=rng,
            load_levels=len(self.cost),
            radius=radius,
            gamma=self.gamma,
            alpha_exponent=1.0,
        )
        slots = max(checkpoints)
        states = self._loads(slots + 1, rng)
        drawn = rng.choice(self.space.size, size=slots, p=self.sampling)
        costs = self.cost[states[:-1], drawn] + self.noise * rng.standard_normal(slots)
        at = [Observation(slot=0, minute=0.0, load_rps=s, load_bin=s) for s in range(len(self.cost))]
        kept = []
        for t in range(slots):
            configuration = self.space.configurations[drawn[t]]
            agent.learn(at[states[t]], configuration, float(costs[t]), at[states[t + 1]])
            if t + 1 in checkpoints:
                kept.append(agent.table.values.copy())
        return kept

    def _loads(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        cumulative, uniform = self.transition.cumsum(axis=1), rng.random(count)
        states = np.zeros(count, dtype=np.int64)
        for t in range(1, count):
            row = cumulative[states[t - 1]]
            states[t] = np.searchsorted(row, uniform[t] * row[-1], side="right")
        return states


def small_mdp(gamma: float = 0.5, side: int = 7, states: int = 3, noise: float = NOISES[0]) -> KnownMDP:
    """A bowl per load on a square grid, every load and configuration equally often (R = 1 in the theorem)."""
    values = tuple(range(1, side + 1))
    space = ConfigurationSpace((Knob("rows", values), Knob("columns", values)))
    positions = (space.values - 1) / (side - 1)
    bottoms = np.random.default_rng(0).random((states, 2))
    cost = 0.2 + ((positions[None] - bottoms[:, None]) ** 2).sum(axis=2)
    uniform = np.full(space.size, 1 / space.size)
    return KnownMDP(space, cost, np.full((states, states), 1 / states), uniform, gamma, noise)


def study(mdp: KnownMDP, seeds: int, steps: int) -> pd.DataFrame:
    """One row per radius, seed and checkpoint: how far Q is from its limit, and that limit from Q*.

    Distances are largest absolute differences, in the unit of the cost.
    """
    checkpoints = np.unique(np.geomspace(min(50, steps), steps, 60).astype(int)).tolist()
    optimal = mdp.limit(0.0)
    rows = []
    for radius in RADII:
        limit = mdp.limit(radius)
        constants = {
            "noise": mdp.noise,
            "radius": radius,
            "region": float(mdp.near(radius).sum(axis=1).mean()),
            "bound": mdp.delta(radius) / (1 - mdp.gamma),
            "limit_to_optimum": float(np.abs(limit - optimal).max()),
            "largest_q": float(np.abs(optimal).max()),
        }
        for seed in range(seeds):
            tables = mdp.learn(radius, checkpoints, np.random.default_rng([seed, int(10 * radius)]))
            rows += [
                constants
                | {
                    "seed": seed,
                    "slot": slot,
                    "to_limit": float(np.abs(q - limit).max()),
                    "to_optimum": float(np.abs(q - optimal).max()),
                }
                for slot, q in zip(checkpoints, tables, strict=True)
            ]
    return pd.DataFrame(rows)


def main(arguments: list[str]) -> int:
    """Run, draw and write; returns the exit code."""
    from experiments.figures import style
    from experiments.studies.theorem1_figure import draw

    options = parse(arguments, {"seeds": 10, "steps": 15_000, "target": Path("results/figures")}, __doc__)
    for key in ("seeds", "steps"):
        if options[key] < 1:
            refuse(f"{key}={options[key]}, expected an integer >= 1")
    mdps = [small_mdp(noise=noise) for noise in NOISES]
    data = pd.concat([study(mdp, options["seeds"], options["steps"]) for mdp in mdps], ignore_index=True)
    style.apply()
    for path in style.save(draw(data, mdps[0].gamma), options["target"]):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
