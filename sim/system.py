"""Simulated servers as a ``ServingSystem``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serving.configuration import (
    Configuration,
    ConfigurationSpace,
    batching_space,
    cpu_space,
    parallelism_space,
)
from serving.dispatch import Dispatch
from serving.errors import UsageError
from serving.measurement import SlotMeasurement, summarise
from serving.slot import Slot
from sim.closed_loop import closed_loop
from sim.counting import count
from sim.engine import Boundary
from sim.engines import make_engine
from sim.gpu import gpu_profile
from sim.hardware import cpu_profile
from sim.reconfiguration import AT_ONCE, Reconfiguration
from sim.service_time import ServiceTime
from sim.speeds import SpeedTable

_LARGEST_GRID = 64
_MOST_CONFIGURATIONS = (_LARGEST_GRID + 1) ** 3
_MOST_TICKS = 10_000
_MOST_BATCH_THREADS = 10_000
_CPU_KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")
_STREAM = 0x_5E_57  # keeps the variation of service times apart from dispatch


class SimulatedServers:
    """One server, or several that are alike behind a dispatcher.

    Given its slots it is deterministic (random dispatch, and the variation of service times where a profile
    has any, derive from the seed): all other randomness (arrivals, request sizes) comes from the workload,
    which is what gives every agent the same requests.
    ``SimulatedCpu`` and ``SimulatedGpu`` say what the servers are; these are the settings of both.

    Args:
        space: the configurations.
        speeds: what the hardware profile says of each.
        service: demands of requests.
        processor: whose utilisation is measured.
        slo_s: service-level objective on which violations are counted.
        engine: ``compiled``, or ``simpy``, the readable reference; the same bit for bit.
        boundary: what happens to the queue between slots (``sim.engine.Boundary``).
        queue_limit: waiting requests at each server at most; what comes on top is rejected.
        servers: how many share the requests.
        dispatch: which server a request goes to: ``random``, ``round_robin`` or ``least_loaded``.
        reconfiguration: what changing a knob costs (``sim.reconfiguration.Reconfiguration``).
        ticks: number of sub-slot measurements, 0 for none.
        keep_latencies: hand out raw latencies with every measurement.
        name: as in the result rows.

    Raises:
        UsageError: for a value outside its range.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        speeds: SpeedTable,
        service: ServiceTime,
        processor: Literal["cpu", "gpu"],
        slo_s: float,
        engine: str = "compiled",
        boundary: Boundary = "bounded",
        queue_limit: int = 50,
        servers: int = 1,
        dispatch: Dispatch = "round_robin",
        reconfiguration: Mapping[str, Any] | None = None,
        ticks: int = 10,
        keep_latencies: bool = False,
        name: str,
    ) -> None:
        if not 0 <= ticks <= _MOST_TICKS:
            raise UsageError(f"system.ticks={ticks}, expected an integer from 0 to {_MOST_TICKS}")
        if queue_limit < 0:
            raise UsageError(f"system.queue_limit={queue_limit}, expected an integer >= 0")
        self.name = name
        self.space = space
        self.like = speeds.first_alike()
        self._service = service
        self._speeds = speeds
        self._rng = np.random.default_rng(0)
        self._processor = processor
        self._servers = servers
        self._engine = make_engine(engine, speeds, boundary, queue_limit, servers, dispatch)
        self._reconfiguration = Reconfiguration(space.names, **(reconfiguration or {}))
        self._slo_s = slo_s
        self._ticks = ticks
        self._keep_latencies = keep_latencies

    def reset(self, seed: int) -> None:
        """Empty the servers."""
        self._engine.reset(seed)
        self._reconfiguration.reset()
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, _STREAM]))

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """Simulate one slot."""
        switch = self._reconfiguration.switch_to(configuration)
        index = self.space.index(configuration)
        demand_s = self._service.demand_s(slot.size, self._rng)
        demand_s = self._service.after_idling(demand_s, slot.arrival_s, self._servers)
        tally = self._engine.serve(index, slot, demand_s, switch)
        overhead_s = self._service.overhead_s
        latency_s = tally.latency_s + overhead_s if overhead_s else tally.latency_s
        counts = count(
            latency_s, tally.completed_at_s, self._slo_s, slot.start_s, tally.elapsed_s, self._ticks
        )
        utilisation = tally.busy_s / tally.elapsed_s
        return summarise(
            slot,
            histogram=counts.histogram,
            latency_sum_s=counts.latency_sum_s,
            slo_violations=counts.slo_violations,
            backlog_start=tally.backlog_start,
            backlog_end=tally.backlog_end,
            rejections=tally.rejections,
            cpu_utilisation=utilisation if self._processor == "cpu" else None,
            gpu_utilisation=utilisation if self._processor == "gpu" else None,
            reconfiguration_s=min(slot.duration_s, switch.delay_s + switch.pause_s)
            if switch is not AT_ONCE
            else 0.0,
            ticks=counts.ticks,
            latency_s=latency_s if self._keep_latencies else None,
        )

    def serve_closed(
        self, configuration: Configuration, clients: int, duration_s: float, size: NDArray[np.float64]
    ) -> SlotMeasurement:
        """Simulate so many clients of one server, each of which asks again as soon as it is answered.

        Args:
            configuration: is in force before the first request; an open slot before it is forgotten.
            clients: requests that are in the system, or on their way there, at any time.
            duration_s: what is answered later does not count.
            size: sizes of the requests, in turn.
        """
        row = self.space.index(configuration)
        limit, speed, busy = (getattr(self._speeds, name)[row] for name in ("limit", "speed", "busy"))
        fastest = max(speed[n] * n for n in range(1, limit + 1))
        most = int(duration_s * fastest / (self._service.mean_s * size.mean())) * 2 + clients + len(size)
        demand_s = self._service.demand_s(np.resize(size, most), self._rng)
        latency_s, completed_s, time_s = closed_loop(
            speed, int(limit), demand_s, self._service.overhead_s, clients, duration_s, *self._batch(row)
        )
        counts = count(latency_s, completed_s, self._slo_s, 0.0, duration_s, self._ticks)
        asked = np.zeros(len(latency_s))
        return summarise(
            Slot(0, 0.0, duration_s, asked, asked, len(asked) / duration_s),
            histogram=counts.histogram,
            latency_sum_s=counts.latency_sum_s,
            slo_violations=counts.slo_violations,
            backlog_start=0,
            backlog_end=0,
            cpu_utilisation=float(busy @ time_s) / duration_s if self._processor == "cpu" else None,
            gpu_utilisation=float(busy @ time_s) / duration_s if self._processor == "gpu" else None,
            ticks=counts.ticks,
            latency_s=latency_s if self._keep_latencies else None,
        )

    def _batch(self, row: int) -> tuple[int, float, float]:
        """Size, timeout and fixed demand of a batch, the times in seconds."""
        batching = self._speeds.batching
        if batching is None:
            return 1, 0.0, 0.0
        return int(batching.size[row]), float(batching.timeout_s[row]), float(batching.fixed_s[row])

    def close(self) -> None:
        """Nothing to release."""


class SimulatedCpu(SimulatedServers):
    """CPU servers with the three knobs request, inter-op and intra-op parallelism.

    Args:
        hardware: a CPU's hardware profile (see conf/hardware).
        model: one of the profile's models.
        grid_minimum: smallest value of each knob; 0 includes the system's own defaults.
        grid_maximum: largest value of each knob.
        grids: the values of the three knobs instead, by their names.
        **settings: see ``SimulatedServers``.
    """

    def __init__(
        self,
        hardware: Mapping[str, Any],
        model: str,
        grid_minimum: int = 0,
        grid_maximum: int = 10,
        grids: Mapping[str, Sequence[int]] | None = None,
        name: str = "sim_cpu",
        **settings: Any,
    ) -> None:
        profile = cpu_profile(hardware, model)
        if grids is not None and (set(grids) != set(_CPU_KNOBS) or min(map(min, grids.values())) < 0):
            raise UsageError(f"system.grids={grids}, expected lists of integers >= 0 of {list(_CPU_KNOBS)}")
        if not 0 <= grid_minimum < grid_maximum <= _LARGEST_GRID:
            raise UsageError(
                f"system.grid_minimum={grid_minimum}, system.grid_maximum={grid_maximum}, "
                f"expected 0 <= grid_minimum < grid_maximum <= {_LARGEST_GRID}"
            )
        cores = profile.interference.cores
        if grids is None:
            space = cpu_space(grid_maximum, grid_minimum, cores)
        else:
            request, inter_op, intra_op = (grids[name] for name in _CPU_KNOBS)
            space = parallelism_space(request, inter_op, intra_op, system_default=cores)
        super().__init__(
            space=space,
            speeds=profile.speeds(space),
            service=profile.service,
            processor="cpu",
            name=name,
            **settings,
        )


class SimulatedGpu(SimulatedServers):
    """GPU servers with the three batching knobs: batch threads, batch size, batch timeout.

    Args:
        hardware: a GPU's hardware profile (see conf/hardware).
        model: one of the profile's models.
        batch_threads: grid of batches at once; 0 disables batching.
        batch_size: grid of requests in a full batch; 0 disables batching.
        batch_timeout_us: grid of times that a batch is held back, in microseconds.
        **settings: see ``SimulatedServers``.
    """

    def __init__(
        self,
        hardware: Mapping[str, Any],
        model: str,
        batch_threads: Sequence[int],
        batch_size: Sequence[int],
        batch_timeout_us: Sequence[int],
        name: str = "sim_gpu",
        **settings: Any,
    ) -> None:
        profile = gpu_profile(hardware, model)
        for key, values in (
            ("batch_threads", batch_threads),
            ("batch_size", batch_size),
            ("batch_timeout_us", batch_timeout_us),
        ):
            if not values or min(values) < 0 or any(isinstance(value, float | bool) for value in values):
                raise UsageError(f"system.{key}={list(values)}, expected a list of integers >= 0")
        if max(batch_threads) > _MOST_BATCH_THREADS:
            raise UsageError(
                f"system.batch_threads={list(batch_threads)}, expected integers from 0 to "
                f"{_MOST_BATCH_THREADS}"
            )
        if len(batch_threads) * len(batch_size) * len(batch_timeout_us) > _MOST_CONFIGURATIONS:
            raise UsageError(
                "system.batch_threads, batch_size and batch_timeout_us make more than "
                f"{_MOST_CONFIGURATIONS} configurations, expected fewer values"
            )
        space = batching_space(batch_threads, batch_size, batch_timeout_us)
        super().__init__(
            space=space,
            speeds=profile.speeds(space),
            service=profile.service,
            processor="gpu",
            name=name,
            **settings,
        )
