"""DeepRM's own way of training: the same requests replayed many times in a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.deeprm_network import PolicyNetwork
from agents.deeprm_player import Player
from agents.deeprm_reinforce import RewardScale, Step, reinforce
from serving.environment import ServingEnv
from serving.errors import UsageError
from serving.observation import Observation

Simulate = Callable[[int], ServingEnv]
"""Makes a simulated environment, ready for ``reset()``. Environments of the same seed meet the same
requests, run after run; none meets those of the run that is being prepared."""


class _Course:
    """One of the environments, run after run."""

    def __init__(self, env: ServingEnv, new_player: Callable[[], Player]) -> None:
        self._env = env
        self._new_player = new_player
        self._start_run()

    def _start_run(self) -> None:
        self._player = self._new_player()
        _, info = self._env.reset()
        self._observation: Observation = info["observation"]

    def episode(self, steps: int) -> list[Step]:
        """The next ``steps`` slots that the policy decides."""
        played: list[Step] = []
        while len(played) < steps:
            index, step = self._player.act(self._observation)
            _, _, _, truncated, info = self._env.step(index)
            self._observation = info["observation"]
            if step is not None:
                played.append(step.at(info["cost"]))
            if truncated:
                self._start_run()
        return played


class Pretraining:
    """Trains a policy on episodes that all environments play side by side on the same requests.

    Every iteration is an episode of each environment and one step of the network; the mean over the
    environments is the baseline. An episode goes on where the last one ended, so that the loads of whole
    runs are seen (DeepRM starts each from an empty cluster). Every slot counts here: an overload in one
    environment is compared with the same slot in the others.

    Args:
        simulate: makes the environments.
        episodes: number of environments (DeepRM: 20).
        new_player: a player for a new run, of the policy to train.

    Raises:
        UsageError: if there is nothing to simulate, or runs are shorter than two slots.
    """

    def __init__(self, simulate: Simulate, episodes: int, new_player: Callable[[], Player]) -> None:
        self._envs = [simulate(0) for _ in range(episodes)]
        if self._envs[0].slots < 2:  # the policy may not be asked in the first slot of a run
            raise UsageError(f"slots={self._envs[0].slots}, expected an integer >= 2 for pretraining")
        self._new_player = new_player

    def run(self, network: PolicyNetwork, scale: RewardScale, iterations: int, episode_slots: int) -> None:
        """Train, and close the environments."""
        courses: Sequence[_Course] = [_Course(env, self._new_player) for env in self._envs]
        for _ in range(iterations):
            episodes = [course.episode(episode_slots) for course in courses]
            for step in episodes[0]:
                scale.take_in(step.cost)
            reinforce(network, scale, episodes)
        for env in self._envs:
            env.close()
