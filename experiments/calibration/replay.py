"""The same requests on the testbed and in the calibrated simulator, under configurations that no fit saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from experiments.calibration.closed_loop_system import ClosedLoopSystem
from experiments.calibration.measuring import (
    SETTLE_S,
    Conditions,
    serve_closed,
    serve_open,
    when_and_where,
)
from experiments.calibration.plan import Mode, Window, kinds_of, split
from experiments.calibration.speed import reference_s
from experiments.calibration.windows import WindowTable, summary
from serving.configuration import Configuration, ConfigurationSpace
from serving.slot import Slot
from testbed.system import nearest_size
from workloads.wiki import Wiki

TRACE_SLOTS = 12
_TRACED = 2  # configurations
_TRACE_SHARE = 0.45  # mean rate of the trace over what the configuration can serve
_DAY_S = 86400.0
_REPEATS = 5  # of the simulator, over the chance in service times
_SATURATED_S = 60.0

Make = Callable[[], ClosedLoopSystem]


def capacity_rps(simulator: ClosedLoopSystem, configuration: Configuration) -> float:
    """Throughput of a closed loop in the simulator, for which nothing need be measured."""
    simulator.reset(0)
    measured = simulator.serve_closed(configuration, _clients(simulator.space), _SATURATED_S, np.ones(1))
    return measured.completions / _SATURATED_S


def _clients(space: ConfigurationSpace) -> int:
    """So many saturate a configuration."""
    return int(kinds_of(space)[0][1])


def rates_rps(simulator: ClosedLoopSystem, configurations: Sequence[Configuration]) -> list[float]:
    """Rates to compare all configurations at: shares of what the slowest and the middling one can serve.

    To two digits, so that another fit to the same machine asks for the same windows.
    """
    found = [capacity_rps(simulator, one) for one in configurations]
    rates = (0.65 * min(found), 0.65 * median(found), 0.3 * min(found), 0.5 * min(found))
    return [float(f"{rate:.2g}") for rate in rates]


def plan(
    space: ConfigurationSpace, simulator: ClosedLoopSystem, table: WindowTable, visits: int
) -> list[Window]:
    """Every held-out configuration saturated by clients, and at every rate; all of them, so many times over.

    Rates that were measured before stay, whatever the simulator says by now, if all of them were reached.
    """
    _, held_out = split(space)
    before = table.read()
    rates = rates_rps(simulator, held_out)
    measured = list(before.loc[before["mode"] == "rate", "level"].unique())
    if len(measured) >= len(set(rates)):
        rates = measured
    kinds: list[tuple[Mode, float]] = [("closed", _clients(space)), *(("rate", rate) for rate in rates)]
    return [Window(one, *kind, visit) for visit in range(visits) for kind in kinds for one in held_out]


def traced(
    space: ConfigurationSpace, simulator: ClosedLoopSystem, table: WindowTable
) -> list[tuple[Configuration, float]]:
    """The configurations that serve a trace, and its mean rate: the fastest and a middling one.

    Those of a trace that was measured before stay.
    """
    before = table.read()
    found = before[before["mode"] == "trace"].drop_duplicates([*table.knobs, "level"])
    if len(found) >= _TRACED:
        return [
            (tuple(int(row[knob]) for knob in table.knobs), float(row["level"]))
            for _, row in found.iterrows()
        ]
    _, held_out = split(space)
    ranked = sorted(held_out, key=lambda one: -capacity_rps(simulator, one))
    chosen = ranked[:: max(1, len(ranked) // _TRACED)][:_TRACED]
    return [(one, float(f"{_TRACE_SHARE * capacity_rps(simulator, one):.2g}")) for one in chosen]


def trace_slots(mean_rps: float, conditions: Conditions) -> list[Slot]:
    """A day of Wikipedia's traffic, compressed into a few slots."""
    workload = Wiki(
        mean_rps=mean_rps,
        compression=_DAY_S / (TRACE_SLOTS * conditions.window_s),
        slot_s=conditions.window_s,
        sizes=conditions.sizes,
    )
    slots = workload.slots(conditions.seed, TRACE_SLOTS)
    return [replace(slot, size=nearest_size(slot.size)) for slot in slots]


def serve_trace(
    system: ClosedLoopSystem, configuration: Configuration, mean_rps: float, conditions: Conditions
) -> list[dict[str, Any]]:
    """One row per slot; the queue is carried over from slot to slot. To be called after ``reset``."""
    rows = []
    system.serve(configuration, Slot(0, 0.0, SETTLE_S, np.empty(0), np.empty(0), 0.0))
    for slot in trace_slots(mean_rps, conditions):
        later = replace(slot, start_s=slot.start_s + SETTLE_S, arrival_s=slot.arrival_s + SETTLE_S)
        measured = system.serve(configuration, later)
        found = summary(measured, conditions.window_s, conditions.cores)
        rows.append({"slot": slot.index, "load_rps": slot.load_rps} | found)
    return rows


def measure_traces(
    system: ClosedLoopSystem,
    table: WindowTable,
    wanted: Sequence[tuple[Configuration, float]],
    conditions: Conditions,
) -> None:
    """Measure the traces that the table lacks; one that was interrupted is served again from its start."""
    for configuration, mean_rps in wanted:
        before = table.attempts(Window(configuration, "trace", mean_rps), conditions.seed)
        if set(range(TRACE_SLOTS)) <= set(before.get("slot", ())):
            continue
        label = dict(zip(table.knobs, configuration, strict=True)) | {"mode": "trace", "level": mean_rps}
        label |= {"seed": conditions.seed, "attempt": 0}
        system.reset(conditions.seed)
        label |= {"slot": None, "reference_s": reference_s(system)}
        for row in serve_trace(system, configuration, mean_rps, conditions):
            table.append(label | row | when_and_where(conditions))


def _serve(
    simulator: ClosedLoopSystem, configuration: Configuration, mode: str, level: float, conditions: Conditions
) -> list[dict[str, Any]]:
    if mode == "trace":
        return serve_trace(simulator, configuration, level, conditions)
    if mode == "closed":
        return [serve_closed(simulator, configuration, int(level), conditions)]
    return [serve_open(simulator, configuration, level, conditions)]


def simulated(
    rows: pd.DataFrame,
    knobs: Sequence[str],
    simulator: Callable[[float], ClosedLoopSystem],
    conditions: Conditions,
) -> pd.DataFrame:
    """What the simulator says of every row: columns of the same names with ``simulated_`` before them.

    Args:
        rows: with the column ``speed``.
        knobs: names of the knobs.
        simulator: makes that of the machine at a speed.
        conditions: of the windows.
    """
    columns = ["mean_latency_s", "p95_latency_s", "cpu_s_per_request", "throughput_rps"]
    said: dict[Any, dict[Any, float]] = {}
    for _, part in rows.groupby([*knobs, "mode", "level", "seed", "window_s"]):
        first = part.iloc[0]
        chosen = tuple(int(first[knob]) for knob in knobs)
        here = replace(conditions, window_s=float(first["window_s"]), seed=int(first["seed"]))
        system = simulator(float(part["speed"].mean()))
        runs = []
        for repeat in range(_REPEATS):
            system.reset(repeat)
            served = _serve(system, chosen, str(first["mode"]), float(first["level"]), here)
            runs.append(pd.DataFrame(served)[columns].astype(float))
        means = pd.concat(runs).groupby(level=0).mean()  # by slot of a trace
        for index, slot in part["slot"].fillna(0).items():
            said[index] = means.loc[int(slot)].to_dict()
    found = pd.DataFrame.from_dict(said, orient="index").rename(
        columns={name: f"simulated_{name}" for name in columns}
    )
    return rows.join(found)
