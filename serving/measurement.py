"""What the profiler saw in one slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.histogram import BIN_COUNT, cumulative_quantiles_s
from serving.host import HostUse
from serving.record import Record
from serving.slot import Slot


@dataclass(frozen=True, eq=False)
class Ticks(Record):
    """Sub-slot series, each of shape (number of ticks,); requests are counted when they complete."""

    completions: NDArray[np.int64]
    latency_sum_s: NDArray[np.float64]

    @property
    def mean_latency_s(self) -> NDArray[np.float64]:
        """Mean latency per tick in seconds, NaN where nothing completed."""
        means = np.full(len(self.completions), np.nan)
        np.divide(self.latency_sum_s, self.completions, out=means, where=self.completions > 0)
        return means


@dataclass(frozen=True, eq=False)
class SlotMeasurement(Record):
    """What one slot looked like from outside. Measured by completion; None means not applicable.

    Attributes:
        load_rps: arrivals per second and server.
        arrivals: requests that arrived in the slot.
        completions: requests that were answered in the slot, whenever they arrived.
        rejections: requests turned away at the queue limit (or dropped at a slot boundary).
        timeouts: requests given up by their sender.
        errors: requests answered with an error.
        latency_sum_s: sum of the latencies of the completions.
        mean_latency_s: mean latency of the completions in seconds; likewise median, p95 and p99, which
            come from the histogram and are exact within 1 % from 0.1 ms to 1196 s: what is outside counts as
            the nearer end.
        slo_violations: completions slower than the service-level objective, counted exactly.
        cpu_utilisation: busy share of the cores, 0..1.
        gpu_utilisation: busy share of the GPU, 0..1.
        backlog_start: requests in the system when the slot began.
        backlog_end: requests in the system when it ended.
        reconfiguration_s: time that switching to the slot's configuration took.
        network_bytes: bytes received and sent by the server.
        histogram: counts per bin of ``serving.histogram``.
        ticks: sub-slot series, where the system keeps them.
        latency_s: raw latencies in order of completion, where asked for.
        host: use of the machine, where it is a real one.
        flags: what should make one doubt the slot: ``late``, ``shared``, ``faulted``.
    """

    load_rps: float
    arrivals: int
    completions: int
    rejections: int
    timeouts: int
    errors: int
    latency_sum_s: float
    mean_latency_s: float | None
    median_latency_s: float | None
    p95_latency_s: float | None
    p99_latency_s: float | None
    slo_violations: int
    cpu_utilisation: float | None
    gpu_utilisation: float | None
    backlog_start: int
    backlog_end: int
    reconfiguration_s: float
    network_bytes: int | None
    histogram: NDArray[np.int64]
    ticks: Ticks | None
    latency_s: NDArray[np.float64] | None
    host: HostUse | None = None
    flags: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """Requests that got no answer."""
        return self.rejections + self.timeouts + self.errors


def summarise(
    slot: Slot,
    *,
    histogram: NDArray[np.int64],
    latency_sum_s: float,
    slo_violations: int,
    backlog_start: int,
    backlog_end: int,
    rejections: int = 0,
    timeouts: int = 0,
    errors: int = 0,
    cpu_utilisation: float | None = None,
    gpu_utilisation: float | None = None,
    reconfiguration_s: float = 0.0,
    network_bytes: int | None = None,
    ticks: Ticks | None = None,
    latency_s: NDArray[np.float64] | None = None,
    host: HostUse | None = None,
    flags: tuple[str, ...] = (),
) -> SlotMeasurement:
    """Build a measurement from counts: the one place where means and quantiles are taken."""
    if histogram.shape != (BIN_COUNT,):
        raise ValueError(f"histogram has shape {histogram.shape}, expected ({BIN_COUNT},)")
    cumulative = np.add.accumulate(histogram)
    completions = int(cumulative[-1])
    median_s, p95_s, p99_s = cumulative_quantiles_s(cumulative, (0.50, 0.95, 0.99))
    return SlotMeasurement(
        load_rps=slot.load_rps,
        arrivals=len(slot.arrival_s),
        completions=completions,
        rejections=rejections,
        timeouts=timeouts,
        errors=errors,
        latency_sum_s=latency_sum_s,
        mean_latency_s=latency_sum_s / completions if completions else None,
        median_latency_s=median_s,
        p95_latency_s=p95_s,
        p99_latency_s=p99_s,
        slo_violations=slo_violations,
        cpu_utilisation=cpu_utilisation,
        gpu_utilisation=gpu_utilisation,
        backlog_start=backlog_start,
        backlog_end=backlog_end,
        reconfiguration_s=reconfiguration_s,
        network_bytes=network_bytes,
        histogram=histogram,
        ticks=ticks,
        latency_s=latency_s,
        host=host,
        flags=flags,
    )
