"""A simulated CPU server as a ``ServingSystem``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.configuration import Configuration, ConfigurationSpace, cpu_space
from serving.errors import UsageError
from serving.histogram import count_latencies
from serving.measurement import SlotMeasurement, Ticks, summarise
from serving.slot import Slot
from sim.engine import Boundary, SlotTally
from sim.engines import make_engine
from sim.hardware import cpu_profile


class SimulatedCpu:
    """One server with the three CPU knobs: request, inter-op and intra-op parallelism.

    Given its slots it is deterministic: all randomness (arrivals, request sizes) comes from the workload,
    which is what gives every agent the same requests.
    """

    def __init__(
        self,
        hardware: Mapping[str, Any],
        model: str,
        slo_s: float,
        engine: str = "compiled",
        boundary: Boundary = "bounded",
        queue_limit: int = 50,
        grid_minimum: int = 0,
        grid_maximum: int = 10,
        ticks: int = 10,
        keep_latencies: bool = False,
        name: str = "sim_cpu",
    ) -> None:
        """Set up an empty server.

        Args:
            hardware: a hardware profile (see conf/hardware).
            model: one of the profile's models.
            slo_s: service-level objective on which violations are counted.
            engine: ``compiled``, or ``simpy``, the readable reference; the same bit for bit.
            boundary: what happens to the queue between slots (``sim.engine.Boundary``).
            queue_limit: waiting requests at most; what comes on top is rejected.
            grid_minimum: smallest value of each knob; 0 includes the system's own defaults.
            grid_maximum: largest value of each knob.
            ticks: number of sub-slot measurements, 0 for none.
            keep_latencies: hand out raw latencies with every measurement.
            name: as in the result rows.
        """
        profile = cpu_profile(hardware, model)
        if not 0 <= grid_minimum < grid_maximum:
            raise UsageError(
                f"system.grid_minimum={grid_minimum}, system.grid_maximum={grid_maximum}, "
                "expected 0 <= grid_minimum < grid_maximum"
            )
        if ticks < 0:
            raise UsageError(f"system.ticks={ticks}, expected an integer >= 0")
        if queue_limit < 0:
            raise UsageError(f"system.queue_limit={queue_limit}, expected an integer >= 0")
        self.name = name
        self.space: ConfigurationSpace = cpu_space(grid_maximum, grid_minimum, profile.interference.cores)
        self._sequential_s = profile.sequential_s
        speeds = profile.speeds(self.space)
        self.like = speeds.first_alike()
        self._engine = make_engine(engine, speeds, boundary, queue_limit)
        self._slo_s = slo_s
        self._ticks = ticks
        self._keep_latencies = keep_latencies

    def reset(self, seed: int) -> None:  # noqa: ARG002 - deterministic given the workload
        """Empty the server."""
        self._engine.reset()

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """Simulate one slot."""
        tally = self._engine.serve(self.space.index(configuration), slot, slot.size * self._sequential_s)
        return summarise(
            slot,
            histogram=count_latencies(tally.latency_s),
            latency_sum_s=float(tally.latency_s.sum()),
            slo_violations=int(np.count_nonzero(tally.latency_s > self._slo_s)),
            backlog_start=tally.backlog_start,
            backlog_end=tally.backlog_end,
            rejections=tally.rejections,
            cpu_utilisation=tally.busy_s / tally.elapsed_s,
            ticks=_tick(slot, tally, self._ticks) if self._ticks else None,
            latency_s=tally.latency_s if self._keep_latencies else None,
        )

    def close(self) -> None:
        """Nothing to release."""


def _tick(slot: Slot, tally: SlotTally, count: int) -> Ticks:
    position = (tally.completed_at_s - slot.start_s) / tally.elapsed_s * count
    tick = np.clip(position.astype(np.int64), 0, count - 1)
    latency_sum_s = np.bincount(tick, tally.latency_s, count).astype(np.float64)
    return Ticks(np.bincount(tick, minlength=count), latency_sum_s)
