"""The decision process as a Gymnasium environment: the same loop for our agents and everyone else's."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.measurement import SlotMeasurement
from serving.objective import Objective
from serving.observation import LoadBins, Observation, observe
from serving.slot import Slot
from serving.system import ServingSystem
from serving.workload import Workload

LoadSeen = Literal["previous", "current"]


def action_space(space: ConfigurationSpace) -> gymnasium.Space[np.int64]:
    """Flat indices of the configurations."""
    return gymnasium.spaces.Discrete(space.size)


def observation_space() -> gymnasium.Space[NDArray[np.float32]]:
    """What ``Observation.as_array`` gives: shape (9,), not scaled."""
    return gymnasium.spaces.Box(0.0, np.inf, (len(Observation.FIELDS),), np.float32)


class ServingEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """One episode is one run of a workload; one step is one slot.

    Action: ``Discrete(size)``, the flat index of a configuration of ``system.space``.
    Observation: ``Box`` of shape (9,), the ``Observation.FIELDS`` in order (unscaled).
    Reward: minus the cost of the slot, 0 where the slot had no request at all.
    Starting state: an empty system that has measured nothing yet.
    Episode end: truncated after ``slots`` slots; never terminated.

    ``info`` holds ``observation`` (the named numbers of the same moment) and, after a step,
    ``measurement``, ``cost`` (None for a slot without requests) and ``slot`` (what was served).
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own form

    def __init__(
        self,
        system: ServingSystem,
        workload: Workload,
        objective: Objective,
        slots: int = 1000,
        load_seen: LoadSeen = "previous",
        load_bins: int = 10,
    ) -> None:
        if load_seen not in ("previous", "current"):
            raise UsageError(f"load_seen={load_seen!r}, choose from ['current', 'previous']")
        self.system = system
        self.workload = workload
        self.objective = objective
        self.slots = slots
        self.load_seen = load_seen
        self.bins = LoadBins(workload.max_load_rps, load_bins)
        self.action_space, self.observation_space = action_space(system.space), observation_space()
        self._upcoming: Iterator[Slot] = iter(())
        self._next: Slot | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a run: the seed fixes the requests and the system's own randomness."""
        super().reset(seed=seed, options=options)
        run_seed = seed if seed is not None else int(self.np_random.integers(2**31))
        self.system.reset(run_seed)
        self._upcoming = self.workload.slots(run_seed, self.slots)
        first = next(self._upcoming)
        self._next = first
        observation = self._observe(0, first.start_s, 0, None)
        return observation.as_array(), {"observation": observation}

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Serve one slot under the configuration with flat index ``action``.

        Raises:
            UsageError: for an action that is no place on the grid.
        """
        slot = self._next
        if slot is None:
            raise RuntimeError("step() without a slot left: call reset() first")
        measurement = self.system.serve(self._configuration(action), slot)
        cost = self.objective(measurement)
        self._next = next(self._upcoming, None)
        observation = self._observe(slot.index + 1, slot.end_s, int(action), (slot, measurement))
        info = {"observation": observation, "measurement": measurement, "cost": cost, "slot": slot}
        reward = 0.0 if cost is None else -cost
        return observation.as_array(), reward, False, self._next is None, info

    def _configuration(self, action: np.int64 | int) -> Configuration:
        space = self.system.space
        try:
            place = operator.index(action)
        except TypeError:
            place = -1
        if not 0 <= place < space.size:
            raise UsageError(f"action={action}, expected an integer from 0 to {space.size - 1}")
        return space.configurations[place]

    def _observe(
        self, index: int, start_s: float, configuration: int, served: tuple[Slot, SlotMeasurement] | None
    ) -> Observation:
        if self.load_seen == "current" and self._next is not None:
            load_rps = self._next.load_rps
        else:
            load_rps = 0.0 if served is None else served[0].load_rps
        return observe(
            slot=index,
            start_s=start_s,
            load_rps=load_rps,
            bins=self.bins,
            configuration=configuration,
            served=served,
        )

    def close(self) -> None:
        """Close the system."""
        self.system.close()
