"""The noise-free truth by exhaustive simulation: every configuration at every load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.cost_table import CostTable
from serving.measurement import SlotMeasurement
from serving.objective import Objective
from serving.slot import Slot
from serving.system import ServingSystem

_SEED = 20070918  # the table's own arrivals, which no run uses


class SimulatedSystem(ServingSystem, Protocol):
    """A system that knows which of its configurations behave alike."""

    @property
    def like(self) -> NDArray[np.int64]:
        """For every configuration the first one that behaves exactly like it."""


class StationaryWorkload(Protocol):
    """Makes slots of a constant load; the same seed gives every configuration the same requests."""

    def __call__(self, load_rps: float, seed: int, count: int) -> Sequence[Slot]:
        """``count`` slots at ``load_rps``."""


@dataclass(frozen=True)
class Precision:
    """When to stop sampling a cell.

    A run of ``batches`` consecutive batches of ``batch_slots`` slots, the first one thrown away as warm-up;
    the standard error is that of the batch means.

    Attributes:
        relative_error: wanted standard error over the mean.
        batch_slots: slots in a batch; long enough that batch means are nearly independent.
        least_batches: measured batches before the first look.
        most_batches: measured batches at which a cell is given up as capped.
    """

    relative_error: float = 0.01
    batch_slots: int = 5
    least_batches: int = 4
    most_batches: int = 60


@dataclass(frozen=True)
class Sweep:
    """Cost table of one load, and the other outcomes of the same runs, each of shape (configurations,).

    ``mean_latency_s`` is that of all completions, ``p95_latency_s`` the mean over slots of the slot's p95
    (both NaN where nothing completed), ``utilisation`` the mean busy share of the GPU, or of the cores.
    """

    load_rps: float
    cost: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    capped: NDArray[np.bool_]
    mean_latency_s: NDArray[np.float64]
    p95_latency_s: NDArray[np.float64]
    utilisation: NDArray[np.float64]


def sweep(
    system: SimulatedSystem,
    objective: Objective,
    workload: StationaryWorkload,
    load_rps: float,
    precision: Precision = Precision(),
) -> Sweep:
    """Run every configuration of a system at one constant load, with common random numbers.

    Every configuration starts empty and meets the same requests; configurations that behave alike (0 and
    what 0 stands for) are run once.
    """
    like = system.like
    slots = workload(load_rps, _SEED, precision.batch_slots * (precision.most_batches + 1))
    cells = {index: _cell(system, objective, slots, int(index), precision) for index in np.unique(like)}
    columns = zip(*(cells[index] for index in like), strict=True)
    cost, error, capped, mean_s, p95_s, utilisation = map(np.array, columns)
    return Sweep(load_rps, cost, error, capped, mean_s, p95_s, utilisation)


def _cell(
    system: ServingSystem, objective: Objective, slots: Sequence[Slot], index: int, precision: Precision
) -> tuple[float, float, bool, float, float, float]:
    configuration = system.space.configurations[index]
    system.reset(_SEED)
    batch_means: list[float] = []
    all_measured: list[SlotMeasurement] = []
    mean, error = np.nan, np.inf
    for first in range(0, len(slots), precision.batch_slots):
        measured = [
            system.serve(configuration, slot) for slot in slots[first : first + precision.batch_slots]
        ]
        if first == 0:  # warm-up
            continue
        all_measured += measured
        costs = [cost for one in measured if (cost := objective(one)) is not None]
        if costs:
            batch_means.append(fmean(costs))
        if len(batch_means) >= precision.least_batches:
            mean, error = _mean_and_error(batch_means)
            if error <= precision.relative_error * mean:
                break
    capped = not error <= precision.relative_error * mean
    return mean, error, capped, *_other_outcomes(all_measured)


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    mean = fmean(values)
    squares = sum((value - mean) ** 2 for value in values)
    return mean, sqrt(squares / (len(values) - 1) / len(values))


def _other_outcomes(measured: Sequence[SlotMeasurement]) -> tuple[float, float, float]:
    """Mean latency, mean p95 and mean utilisation."""
    completions = sum(m.completions for m in measured)
    mean_s = sum(m.latency_sum_s for m in measured) / completions if completions else np.nan
    p95_s = [m.p95_latency_s for m in measured if m.p95_latency_s is not None]
    busy = [m.gpu_utilisation if m.gpu_utilisation is not None else m.cpu_utilisation for m in measured]
    utilisation = fmean(share or 0.0 for share in busy)
    return mean_s, fmean(p95_s) if p95_s else np.nan, utilisation


def tabulate(sweeps: Sequence[Sweep]) -> CostTable:
    """Put the sweeps of ascending loads into one table."""
    return CostTable(
        load_rps=np.array([one.load_rps for one in sweeps]),
        cost=np.array([one.cost for one in sweeps]),
        standard_error=np.array([one.standard_error for one in sweeps]),
        capped=np.array([one.capped for one in sweeps]),
    )
