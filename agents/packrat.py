"""A planner in the spirit of Packrat: profiles of one instance, then instances x threads by arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.queueing import latency_s, service_time_s
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation

_KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")


class PackratAgent:
    """Measures one instance alone, then runs as many as fit side by side (Packrat, ICML 2025).

    Packrat measures the batch latency of one instance for few numbers of threads, and finds by dynamic
    programming how many instances with how many threads each use all cores best. Here an instance is a unit
    of request parallelism, its threads are intra-op parallelism; inter-op parallelism is 1. The profile is
    measured live, one slot each at 1, 2, 4, ...; instances are taken not to slow each other down, with an
    M/M/c queue before them.

    Args:
        space: configurations to choose from.
        cores: what instances times threads may come to; the last knob's largest value where None.
        start: configuration of the first slot, before the profile; none where None.

    Raises:
        UsageError: if the grid is not one of request, inter-op and intra-op parallelism, or ``cores`` < 1.
    """

    def __init__(
        self, *, space: ConfigurationSpace, cores: int | None = None, start: Sequence[int] | None = None
    ) -> None:
        if space.names != _KNOBS:
            raise UsageError(f"knobs={list(space.names)}, expected {list(_KNOBS)}: it plans threads")
        self.space = space
        self._instances, *between, self._threads = [
            [value for value in knob.values if value > 0] or [knob.values[0]] for knob in space.knobs
        ]
        self._between = [values[0] for values in between]
        self.cores = self._threads[-1] if cores is None else cores
        if self.cores < 1:
            raise UsageError(f"cores={cores}, expected an integer >= 1")
        doubling = [2**power for power in range(int(math.log2(max(1, self._threads[-1]))) + 1)]
        self.profile = [one for one in doubling if one in self._threads] or [self._threads[0]]
        self.opening = [] if start is None else [space.configurations[space.index(start)]]
        self.service_s: dict[int, float] = {}
        self._slots = 0

    def _configuration(self, instances: int, threads: int) -> Configuration:
        return (instances, *self._between, threads)

    def act(self, observation: Observation) -> Configuration:
        """The start, the profile, then the plan for the observed load."""
        if self._slots < len(self.opening):
            return self.opening[self._slots]
        missing = [threads for threads in self.profile if threads not in self.service_s]
        if missing:
            return self._configuration(self._instances[0], missing[0])
        return self.plan(observation.load_rps)

    def plan(self, load_rps: float) -> Configuration:
        """Instances and threads with the least latency; where none keeps up, with the largest capacity."""
        known = sorted(self.service_s)
        logs = np.log([self.service_s[threads] for threads in known])
        best, least = self._configuration(self._instances[0], known[0]), (math.inf, math.inf)
        for threads in self._threads:
            service_s = float(np.exp(np.interp(np.log(threads), np.log(known), logs)))
            for instances in self._instances:
                if instances * threads > self.cores:
                    break
                score = (latency_s(load_rps, service_s, instances), service_s / instances)
                if score < least:
                    best, least = self._configuration(instances, threads), score
        return best

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Turn a profiling slot into a service time, by its throughput or its latency."""
        self._slots += 1
        if configuration[:-1] != self._configuration(self._instances[0], 0)[:-1]:
            return
        threads = configuration[-1]
        if threads not in self.profile or threads in self.service_s:
            return
        instances, served_rps = configuration[0], next_observation.throughput_rps
        overloaded = next_observation.lost_rps > 0 or next_observation.backlog > 10 * instances
        if overloaded and served_rps > 0:
            self.service_s[threads] = instances / served_rps
        elif (seen_s := next_observation.mean_latency_s or cost) > 0:
            load_rps = served_rps or observation.load_rps
            self.service_s[threads] = max(1e-6, service_time_s(load_rps, seen_s, instances))

    def diagnostics(self) -> dict[str, Any]:
        """The profile so far: how many numbers of threads were measured."""
        return {"profiled": len(self.service_s)}

    def state_dict(self) -> dict[str, Any]:
        """The profile."""
        return {"service_s": dict(self.service_s), "slots": self._slots}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved profile."""
        self.service_s, self._slots = dict(state["service_s"]), int(state["slots"])
