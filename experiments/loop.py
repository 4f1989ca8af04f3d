"""The one loop: agent, environment, one record a slot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.drain import Drained, never_drained
from serving.agent import Agent
from serving.cost_table import Truth
from serving.environment import ServingEnv
from serving.measurement import SlotMeasurement
from serving.observation import Observation
from serving.slot import Slot

_MEASURED = (
    "mean_latency_s",
    "median_latency_s",
    "p95_latency_s",
    "p99_latency_s",
    "arrivals",
    "completions",
    "rejections",
    "timeouts",
    "errors",
    "slo_violations",
    "cpu_utilisation",
    "gpu_utilisation",
    "backlog_start",
    "backlog_end",
    "reconfiguration_s",
)


@dataclass(frozen=True)
class SlotRecord:
    """What one slot leaves.

    Attributes:
        row: deterministic columns, in the order of results/README.md.
        timing: wall-clock seconds of deciding, learning and serving; CPU seconds of deciding and learning.
        histogram: latency counts per bin, shape (serving.histogram.BIN_COUNT,).
        latency_s: raw latencies in order of completion, where the system was asked to keep them.
    """

    row: dict[str, Any]
    timing: dict[str, float]
    histogram: NDArray[np.int64]
    latency_s: NDArray[np.float64] | None


def run_loop(
    env: ServingEnv,
    agent: Agent,
    seed: int,
    table: Truth | None = None,
    drained: Drained = never_drained,
) -> Iterator[SlotRecord]:
    """Run one episode: act, serve, learn, record.

    Slots that are ``drained`` are not learned from, and flagged. When a record is handed out, the agent has
    learned from its slot.
    """
    space = env.system.space
    _, info = env.reset(seed=seed)
    observation: Observation = info["observation"]
    truncated = False
    while not truncated:
        started, started_cpu = perf_counter(), process_time()
        configuration = agent.act(observation)
        acted, acted_cpu = perf_counter(), process_time()
        _, _, _, truncated, info = env.step(space.index(configuration))
        served, served_cpu = perf_counter(), process_time()
        slot, measurement, cost = info["slot"], info["measurement"], info["cost"]
        skipped = drained(measurement)
        if cost is not None and not skipped:
            agent.learn(observation, configuration, cost, info["observation"])
        learned, learned_cpu = perf_counter(), process_time()
        row = (
            _load_columns(slot, measurement)
            | dict(zip(space.names, configuration, strict=True))
            | {name: getattr(measurement, name) for name in _MEASURED}
            | {"cost": cost, **_truth(table, slot, space.index(configuration))}
            | {"flags": " ".join((*(["drained"] if skipped else []), *measurement.flags))}
        )
        timing = {
            "slot": slot.index,
            "agent_act_s": acted - started,
            "agent_learn_s": learned - served,
            "agent_cpu_s": (acted_cpu - started_cpu) + (learned_cpu - served_cpu),
            "system_s": served - acted,
        } | _host(measurement)
        yield SlotRecord(row, timing, measurement.histogram, measurement.latency_s)
        observation = info["observation"]


def _load_columns(slot: Slot, measurement: SlotMeasurement) -> dict[str, float]:
    return {
        "slot": slot.index,
        "minute": slot.start_s / 60,
        "load_rps": measurement.load_rps,
        "true_load_rps": slot.true_load_rps,
    }


def _host(measurement: SlotMeasurement) -> dict[str, float]:
    """What a real machine did."""
    if measurement.host is None:
        return {}
    return asdict(measurement.host) | {"network_bytes": measurement.network_bytes}


def _truth(table: Truth | None, slot: Slot, index: int) -> dict[str, float | None]:
    known = None if table is None else table.optimum_and_gap(index, slot.true_load_rps, slot.index)
    optimum, gap = known or (None, None)
    return {"optimal_cost": optimum, "gap": gap}
