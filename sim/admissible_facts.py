"""The facts of a candidate profile: numbers that the paper publishes, measured by simulation.

``FACTS`` names them; ``sim.services_cpu`` and ``sim.services_gpu`` say which are asked of which service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration, ConfigurationSpace
from serving.objective import MeanLatency
from serving.slot import Slot
from serving.system import ServingSystem
from sim import services_cpu, services_gpu
from sim.exhaustive import Precision, StationaryWorkload, Sweep, sweep
from sim.gpu import gpu_profile
from sim.hardware import cpu_profile
from sim.services import Service
from sim.speeds import SpeedTable
from sim.system import SimulatedCpu, SimulatedGpu

_LOOK = Precision(relative_error=0.05, batch_slots=2, least_batches=3, most_batches=6)
_SEED = 20070918
_FIRST_SLOTS, _MORE_SLOTS, _FINALISTS = 5, 200, 5  # how long, and how many are looked at again
_FAR_OFF = 1.2  # times the objective: beyond it no second look is needed


def hardware(service: Service, parameters: Mapping[str, float], name: str) -> dict[str, Any]:
    """A hardware profile (the schema of conf/hardware) that holds one service."""
    models = {"models": {service.model: dict(parameters)}}
    if service.processor == "gpu":
        of_gpu = {"processor": "gpu", "unbatched_requests": services_gpu.UNBATCHED_REQUESTS}
        return {"name": name} | of_gpu | models
    return {
        "name": name,
        "cores": services_cpu.CORES,
        "interference": service.interference,
        "unbatched_requests": services_cpu.UNBATCHED_REQUESTS,
    } | models


@dataclass(frozen=True)
class Candidate:
    """Parameters of a service that may or may not meet its facts.

    Attributes:
        service: what the parameters are of.
        parameters: as in a hardware profile.
        workload: makes slots of a constant load, with the service's request sizes.
    """

    service: Service
    parameters: Mapping[str, float]
    workload: StationaryWorkload

    @cached_property
    def system(self) -> SimulatedCpu | SimulatedGpu:
        """One simulated server."""
        service = self.service
        kind = SimulatedGpu if service.processor == "gpu" else SimulatedCpu
        settings: dict[str, Any] = {
            "slo_s": service.slo_s,
            "ticks": 0,
            "queue_limit": service.queue_limit,
            **service.grid,
        }
        return kind(hardware(service, self.parameters, "candidate"), service.model, **settings)

    @cached_property
    def capacities_rps(self) -> NDArray[np.float64]:
        """Saturated throughput of every configuration, requests of mean size per second."""
        service, space = self.service, self.system.space
        machine = hardware(service, self.parameters, "candidate")
        if service.processor == "gpu":
            gpu = gpu_profile(machine, service.model)
            return saturated_rps(gpu.speeds(space), gpu.request_s)
        cpu = cpu_profile(machine, service.model)
        return saturated_rps(cpu.speeds(space), cpu.service.mean_s)

    @cached_property
    def look(self) -> Sweep:
        """Every configuration at the load at which they are compared."""
        objective = MeanLatency(slo_s=self.service.slo_s)
        return sweep(self.system, objective, self.workload, self.service.look_rps, _LOOK)


def saturated_rps(speeds: SpeedTable, request_s: float) -> NDArray[np.float64]:
    """Requests per second of every configuration with its places taken and its batches full."""
    working = speeds.limit * speeds.speed[np.arange(speeds.size), speeds.limit]
    if speeds.batching is None:
        return np.asarray(working / request_s)
    size = speeds.batching.size
    batch_s = speeds.batching.fixed_s + size * request_s
    return np.asarray(working * size / batch_s)


def throughput_ratio(candidate: Candidate) -> float:
    """Best static configuration over sequential (1, 1, 1), in requests completed per second, both saturated.

    Published: up to 10 x (Sec. I, Fig. 2), the load not stated. At 14 requests/s it cannot be a ratio of
    latencies: one core does at most 1 / 0.16 = 6.2 requests/s, so a sequential server is saturated, and
    behind a queue of 50 its mean cost is at least (6.2 x 8 s + 7.8 x 5 s) / 14 = 6 s, a tenth of which is not
    within 0.235 s. Where both are saturated the queue is full, latency is queue length over throughput, and
    the ratio of throughputs is the ratio of latencies, whatever the queue's length.
    """
    capacities = candidate.capacities_rps
    return float(capacities.max() / capacities[candidate.system.space.index((1, 1, 1))])


def capacity_rps(candidate: Candidate) -> float:
    """Highest saturated throughput of any configuration, requests/s."""
    return float(candidate.capacities_rps.max())


def top_p95_s(candidate: Candidate) -> float:
    """Least 95th percentile of latency at the highest load of Dynamic: of slots of 120 s, on average.

    Every configuration that keeps up is looked at briefly, the best few for long enough that the standard
    error does not matter: two of them are added, so that the objective is really met where it seems so.
    """
    service, system = candidate.service, candidate.system
    slots = candidate.workload(service.top_rps, _SEED, _MORE_SLOTS)
    able = [
        int(index) for index in np.unique(system.like) if candidate.capacities_rps[index] > service.top_rps
    ]
    briefly = {
        index: _p95_s(system, system.space.configurations[index], slots[:_FIRST_SLOTS]).mean()
        for index in able
    }
    best = sorted(briefly, key=lambda index: briefly[index])[:_FINALISTS]
    if not best or briefly[best[0]] > _FAR_OFF * service.slo_s:
        return float(briefly[best[0]]) if best else np.inf
    longer = [_p95_s(system, system.space.configurations[index], slots) for index in best]
    return float(min(p95_s.mean() + 2 * p95_s.std(ddof=1) / np.sqrt(p95_s.size) for p95_s in longer))


def _p95_s(system: ServingSystem, configuration: Configuration, slots: Sequence[Slot]) -> NDArray[np.float64]:
    """95th percentile of every slot but the first (the server starts empty) and those without requests."""
    system.reset(_SEED)
    measured = [system.serve(configuration, slot).p95_latency_s for slot in slots]
    return np.array([p95_s for p95_s in measured[1:] if p95_s is not None])


def neighbour_ratio(candidate: Candidate) -> float:
    """Median cost ratio of configurations one grid step apart. Published without a number: smooth locally."""
    return median_step(candidate.system.space, candidate.look.cost)


def median_step(space: ConfigurationSpace, cost: NDArray[np.float64]) -> float:
    """Median of max/min cost over pairs one grid step apart, both without system defaults.

    Steps to and from 0 are left out: they change the meaning of the setting.
    """
    logs = np.log(cost).reshape([len(knob.values) for knob in space.knobs])
    inner = logs[tuple(slice(1 if knob.values[0] == 0 else 0, None) for knob in space.knobs)]
    steps = [np.abs(np.diff(inner, axis=axis)).ravel() for axis in range(inner.ndim)]
    return float(np.exp(np.median(np.concatenate(steps))))


def global_ratio(candidate: Candidate) -> float:
    """Worst over best cost. Published without a number: versatile globally (Fig. 3, 4)."""
    return float(candidate.look.cost.max() / candidate.look.cost.min())


def fig5_ratio(candidate: Candidate) -> float:
    """Worst over best cost in the plane of Fig. 5: batch threads and timeout, at batch size 50."""
    plane = candidate.look.cost[candidate.system.space.values[:, 1] == 50]
    return float(plane.max() / plane.min())


Fact = Callable[[Candidate], float]
FACTS: dict[str, Fact] = {
    one.__name__: one
    for one in (throughput_ratio, capacity_rps, top_p95_s, neighbour_ratio, global_ratio, fig5_ratio)
}
