"""What an agent may see before it decides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError
from serving.measurement import SlotMeasurement
from serving.record import Record
from serving.slot import Slot


@dataclass(frozen=True)
class LoadBins:
    """Equal-width load levels from 0 to ``max_load_rps``: the state of the paper's agents (Sec. IV-A)."""

    max_load_rps: float
    count: int = 10

    def __post_init__(self) -> None:
        if not self.max_load_rps > 0:
            raise UsageError(f"max_load_rps={self.max_load_rps}, expected a number > 0")
        if self.count < 1:
            raise UsageError(f"load_bins={self.count}, expected an integer >= 1")

    def __call__(self, load_rps: float) -> int:
        """Level of a load, 0..count-1; loads outside the range belong to the nearest level."""
        return min(self.count - 1, max(0, int(load_rps / self.max_load_rps * self.count)))


@dataclass(frozen=True, eq=False)
class Observation(Record):
    """The named numbers that an agent sees before slot ``slot``.

    All but ``slot`` describe the slot before it (or, with ``load_seen=current``, the load the coming
    one); before the first slot nothing has been measured, and they are 0.

    Attributes:
        slot: index of the slot to decide for.
        minute: start of that slot, minutes since the start of the run.
        load_rps: measured load.
        load_bin: its level in ``LoadBins``.
        configuration: flat index of the configuration in force.
        mean_latency_s: mean latency of completions; likewise p95.
        throughput_rps: completions per second and server.
        lost_rps: rejected, timed-out and failed requests per second and server.
        utilisation: busy share of the GPU where there is one, else of the cores, 0..1.
        backlog: requests in the system now.
        ticks: sub-slot mean latencies in seconds, NaN where nothing completed; empty where the system keeps
            none (not in ``as_array``).
        tick_throughput_rps: completions per second and server in each tick; same length.
    """

    slot: int
    minute: float
    load_rps: float = 0.0
    load_bin: int = 0
    configuration: int = 0
    mean_latency_s: float = 0.0
    p95_latency_s: float = 0.0
    throughput_rps: float = 0.0
    lost_rps: float = 0.0
    utilisation: float = 0.0
    backlog: int = 0
    ticks: tuple[float, ...] = ()
    tick_throughput_rps: tuple[float, ...] = ()

    FIELDS = (
        "load_rps",
        "load_bin",
        "configuration",
        "mean_latency_s",
        "p95_latency_s",
        "throughput_rps",
        "lost_rps",
        "utilisation",
        "backlog",
    )

    def as_array(self) -> NDArray[np.float32]:
        """The same numbers for Gymnasium: ``FIELDS`` in order, shape (9,), not scaled."""
        return np.array([getattr(self, field) for field in self.FIELDS], dtype=np.float32)


def observe(
    *,
    slot: int,
    start_s: float,
    load_rps: float,
    bins: LoadBins,
    configuration: int,
    served: tuple[Slot, SlotMeasurement] | None,
) -> Observation:
    """Build the observation for a slot from what was ``served`` in the one before it (None: the first)."""
    minute = start_s / 60.0
    if served is None:
        return Observation(slot, minute, load_rps, bins(load_rps), configuration)
    previous, measurement = served
    gpu, cpu = measurement.gpu_utilisation, measurement.cpu_utilisation
    ticks = measurement.ticks
    server_s = previous.duration_s * previous.servers
    tick_s = server_s / len(ticks.completions) if ticks is not None else math.nan
    return Observation(
        slot=slot,
        minute=minute,
        load_rps=load_rps,
        load_bin=bins(load_rps),
        configuration=configuration,
        mean_latency_s=measurement.mean_latency_s or 0.0,
        p95_latency_s=measurement.p95_latency_s or 0.0,
        throughput_rps=measurement.completions / server_s,
        lost_rps=measurement.lost / server_s,
        utilisation=(gpu if gpu is not None else cpu) or 0.0,
        backlog=measurement.backlog_end,
        ticks=() if ticks is None else tuple(ticks.mean_latency_s.tolist()),
        tick_throughput_rps=() if ticks is None else tuple((ticks.completions / tick_s).tolist()),
    )
