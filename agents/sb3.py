"""Agents of Stable-Baselines3 behind our protocol: what all of its algorithms share."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.log_knobs import first_index
from agents.pending import Pending
from serving.configuration import Configuration, ConfigurationSpace
from serving.environment import action_space, observation_space
from serving.errors import UsageError
from serving.extras import load_extra
from serving.observation import Observation

Array = NDArray[np.float32]


def library(name: str) -> ModuleType:
    """A module of Stable-Baselines3, with PyTorch held to one thread: its networks are small.

    Raises:
        UsageError: saying what to install, if it is not there.
    """
    found = load_extra(name, "sb3", "it")
    load_extra("torch", "sb3", "it").set_num_threads(1)
    return found


class Spaces(gymnasium.Env[Array, np.int64]):
    """What an algorithm asks of its environment before it starts. Nobody resets or steps this one."""

    def __init__(self, space: ConfigurationSpace) -> None:
        self.action_space, self.observation_space = action_space(space), observation_space()


class StableBaselinesAgent(ABC):
    """Drives an algorithm by its parts, because Stable-Baselines3 owns its loop and we own ours.

    The decision process is that of ``rrl/Simulated-v0``: the array of an observation, the flat index of a
    configuration, minus the cost; ``VecNormalize`` scales observations and rewards, as is usual there. An
    algorithm chooses in ``act`` and stores and trains in ``learn``, in the order of ``collect_rollouts``.
    The first slot plays ``start`` and is not learned from: it was not the algorithm's choice.

    Args:
        space: configurations to choose from.
        rng: source of all randomness: the library's global generators are seeded from it before every use.
        arguments: of the algorithm, by the library's own names.
        gamma: discount factor, of the algorithm and of the scale of rewards.
        total_slots: what the library calls ``total_timesteps``: its schedules are shares of that.
        start: configuration of the first slot; the middle of the grid where None.

    Attributes:
        algorithm: name of the class in ``stable_baselines3``.
        buffer: name of what the algorithm learns from.

    Raises:
        UsageError: if ``total_slots`` < 1, or Stable-Baselines3 is not installed.
    """

    algorithm: str
    buffer: str

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        arguments: Mapping[str, Any] | None = None,
        gamma: float = 0.0,
        total_slots: int = 1000,
        start: Sequence[int] | None = None,
    ) -> None:
        if total_slots < 1:
            raise UsageError(f"total_slots={total_slots}, expected an integer >= 1")
        vectorised = library("stable_baselines3.common.vec_env")
        self.space, self.rng, self.total_slots = space, rng, total_slots
        self.start = first_index(space, start)
        self.scaling = vectorised.VecNormalize(vectorised.DummyVecEnv([lambda: Spaces(space)]), gamma=gamma)
        make = getattr(library("stable_baselines3"), self.algorithm)
        self.model = make(
            "MlpPolicy", self.scaling, gamma=gamma, seed=self._seed(), device="cpu", **(arguments or {})
        )
        self._log_nowhere()
        self._made: Pending[tuple[Array, Any]] = Pending()  # what was seen, and what the algorithm chose
        self._begun = False

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))

    def reseed(self) -> None:
        """Before the library draws: it draws from the global generators of Python, NumPy and PyTorch."""
        library("stable_baselines3.common.utils").set_random_seed(self._seed())

    def _log_nowhere(self) -> None:
        self.model.set_logger(library("stable_baselines3.common.logger").Logger(None, []))

    def act(self, observation: Observation) -> Configuration:
        """What the algorithm chooses."""
        if not self._begun:
            self._begun = True
            return self.space.configurations[self.start]
        seen = observation.as_array()[None]
        self.scaling.obs_rms.update(seen)
        index, choice = self.choose(self.scaled(seen))
        self._made.add(observation.slot, (seen, choice))
        return self.space.configurations[index]

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Hand the slot to the algorithm, which trains when it is time."""
        made = self._made.take(observation.slot)
        if made is None:
            return
        reward = np.array([-cost])
        self.scaling.returns = self.scaling.returns * self.scaling.gamma + reward
        self.scaling.ret_rms.update(self.scaling.returns)
        self.model.num_timesteps += 1
        done = min(self.model.num_timesteps, self.total_slots)
        self.model._update_current_progress_remaining(done, self.total_slots)
        self.store(*made, self.space.index(configuration), reward, next_observation.as_array()[None])

    def scaled(self, seen: Array) -> Array:
        """Observations as the networks see them, shape (1, 9)."""
        scaled: Array = self.scaling.normalize_obs(seen).astype(np.float32)
        return scaled

    @abstractmethod
    def choose(self, scaled: Array) -> tuple[int, Any]:
        """Flat index of the choice for a scaled observation, shape (1, 9), and what ``store`` needs of it."""

    @abstractmethod
    def store(self, seen: Array, choice: Any, index: int, reward: NDArray[np.float64], then: Array) -> None:
        """Take in a transition, not scaled (observations of shape (1, 9)), and train if it is time."""

    def diagnostics(self) -> dict[str, Any]:
        """``steps`` learned from."""
        return {"steps": self.model.num_timesteps}

    def state_dict(self) -> dict[str, Any]:
        """The model as the library saves it, its buffer, the scales, the generator and what was decided."""
        saved = BytesIO()
        self.model.save(saved)
        scales = self.scaling.obs_rms, self.scaling.ret_rms, self.scaling.returns
        return {
            "model": saved.getvalue(),
            "buffer": pickle.dumps(getattr(self.model, self.buffer)),
            "scales": pickle.dumps(scales),
            "rng": self.rng.bit_generator.state,
            "made": pickle.dumps(self._made.decisions),
            "begun": self._begun,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.model = type(self.model).load(BytesIO(state["model"]), env=self.scaling, device="cpu")
        self._log_nowhere()
        setattr(self.model, self.buffer, pickle.loads(state["buffer"]))
        scales = pickle.loads(state["scales"])
        self.scaling.obs_rms, self.scaling.ret_rms, self.scaling.returns = scales
        self.rng.bit_generator.state = state["rng"]
        self._made.decisions = pickle.loads(state["made"])
        self._begun = bool(state["begun"])
