"""Objectives: one cost per slot, smaller is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from serving.errors import UsageError
from serving.measurement import SlotMeasurement


class Objective(Protocol):
    """Turns a measurement into a cost.

    ``slo_s`` is the service-level objective on which the system counts violations.
    """

    @property
    def slo_s(self) -> float:
        """Latency objective in seconds."""

    @property
    def name(self) -> str:
        """As in the result rows."""

    def __call__(self, measurement: SlotMeasurement) -> float | None:
        """The cost; None where the slot says nothing (no request at all), and nobody learns."""


def _require_positive(**values: float) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UsageError(f"objective.{key}={value}, expected a number > 0")


def mean_cost_s(measurement: SlotMeasurement, penalty_s: float) -> float | None:
    """Mean latency with every lost request counted as ``penalty_s``; None without any request."""
    answered_or_lost = measurement.completions + measurement.lost
    if answered_or_lost == 0:
        waiting = measurement.backlog_start + measurement.backlog_end
        return penalty_s if waiting else None
    return (measurement.latency_sum_s + penalty_s * measurement.lost) / answered_or_lost


@dataclass(frozen=True)
class MeanLatency:
    """Mean latency in seconds, every lost request counted as ``penalty_s``.

    Cost = (sum of completed latencies + penalty_s x lost) / (completed + lost); penalty_s if nothing
    completed although requests were waiting.
    """

    slo_s: float
    penalty_s: float = 5.0
    name: str = "mean_latency"

    def __post_init__(self) -> None:
        _require_positive(slo_s=self.slo_s, penalty_s=self.penalty_s)

    def __call__(self, measurement: SlotMeasurement) -> float | None:
        """Cost in seconds."""
        return mean_cost_s(measurement, self.penalty_s)


@dataclass(frozen=True)
class StrictSlo:
    """Mean latency, weighted up by the share of requests over the service-level objective (Fig. 14).

    Cost = mean-latency cost x (1 + weight x share), in seconds; lost requests are over the objective.
    ``slo_s`` names the objective that the measurement counted violations of.
    """

    slo_s: float
    penalty_s: float = 5.0
    weight: float = 5.0
    name: str = "strict_slo"

    def __post_init__(self) -> None:
        _require_positive(slo_s=self.slo_s, penalty_s=self.penalty_s, weight=self.weight)

    def __call__(self, measurement: SlotMeasurement) -> float | None:
        """Cost in seconds."""
        cost_s = mean_cost_s(measurement, self.penalty_s)
        if cost_s is None:
            return None
        total = measurement.completions + measurement.lost
        share = (measurement.slo_violations + measurement.lost) / total if total else 1.0
        return cost_s * (1 + self.weight * share)


@dataclass(frozen=True)
class MinResource:
    """Busy share of the processor, plus a penalty while p95 is over the objective (Fig. 15).

    Cost = u + weight x max(0, p95 - slo_s) / slo_s, dimensionless; a slot in which nothing completed
    although requests were waiting counts as p95 = penalty_s.
    """

    slo_s: float
    penalty_s: float = 5.0
    weight: float = 10.0
    name: str = "min_resource"

    def __post_init__(self) -> None:
        _require_positive(slo_s=self.slo_s, penalty_s=self.penalty_s, weight=self.weight)

    def __call__(self, measurement: SlotMeasurement) -> float | None:
        """Cost, dimensionless."""
        if mean_cost_s(measurement, self.penalty_s) is None:
            return None
        p95_s = measurement.p95_latency_s if measurement.p95_latency_s is not None else self.penalty_s
        gpu, cpu = measurement.gpu_utilisation, measurement.cpu_utilisation
        utilisation = gpu if gpu is not None else cpu
        if utilisation is None:
            raise UsageError("objective=min_resource needs a system that measures utilisation")
        return utilisation + self.weight * max(0.0, p95_s - self.slo_s) / self.slo_s
