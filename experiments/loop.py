"""The one loop: agent, environment, rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.logger import Logger, scalars
from serving.agent import Agent
from serving.cost_table import CostTable
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


@dataclass
class RunRecord:
    """What a run leaves: one entry per slot in each list.

    Attributes:
        rows: deterministic columns, in the order of results/README.md.
        timings: wall-clock seconds of deciding, learning and serving.
        histograms: latency counts per bin, each of shape (serving.histogram.BIN_COUNT,).
        estimates: the agent's Q values of the current load after the slot, where asked for.
        discount: the agent's gamma, which Q values contain; 0 unless it says otherwise.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, float]] = field(default_factory=list)
    histograms: list[NDArray[np.int64]] = field(default_factory=list)
    estimates: list[NDArray[np.float64]] = field(default_factory=list)
    discount: float = 0.0


def run_loop(
    env: ServingEnv,
    agent: Agent,
    seed: int,
    table: CostTable | None = None,
    keep_estimates: bool = False,
    logger: Logger | None = None,
    progress: Callable[[], object] = lambda: None,
) -> RunRecord:
    """Run one episode: act, serve, learn, record; ``progress`` is called after every slot."""
    record = RunRecord()
    space = env.system.space
    _, info = env.reset(seed=seed)
    observation: Observation = info["observation"]
    truncated = False
    while not truncated:
        started = perf_counter()
        configuration = agent.act(observation)
        acted = perf_counter()
        _, _, _, truncated, info = env.step(space.index(configuration))
        served = perf_counter()
        if info["cost"] is not None:
            agent.learn(observation, configuration, info["cost"], info["observation"])
        learned = perf_counter()
        record.rows.append(
            _load_columns(info["slot"], info["measurement"])
            | dict(zip(space.names, configuration, strict=True))
            | {name: getattr(info["measurement"], name) for name in _MEASURED}
            | {"cost": info["cost"], **_truth(table, info["slot"], space.index(configuration)), "flags": ""}
        )
        record.timings.append(
            {
                "slot": info["slot"].index,
                "agent_act_s": acted - started,
                "agent_learn_s": learned - served,
                "system_s": served - acted,
            }
        )
        record.histograms.append(info["measurement"].histogram)
        if keep_estimates:
            beliefs = agent.diagnostics()
            record.estimates.append(np.array(beliefs["q"], dtype=np.float64))
            record.discount = float(beliefs.get("gamma", 0.0))
        if logger is not None:
            values = scalars(getattr(agent, "diagnostics", dict)())
            values |= {"act_s": acted - started, "learn_s": learned - served}
            if info["cost"] is not None:
                values["cost"] = info["cost"]
            logger.log(info["slot"].index, values)
        observation = info["observation"]
        progress()
    return record


def _load_columns(slot: Slot, measurement: SlotMeasurement) -> dict[str, float]:
    return {
        "slot": slot.index,
        "minute": slot.start_s / 60,
        "load_rps": measurement.load_rps,
        "true_load_rps": slot.true_load_rps,
    }


def _truth(table: CostTable | None, slot: Slot, index: int) -> dict[str, float | None]:
    if table is None or not table.covers(slot.true_load_rps):
        return {"optimal_cost": None, "gap": None}
    costs = table.at(slot.true_load_rps)
    optimal = float(costs.min())
    return {"optimal_cost": optimal, "gap": float(costs[index]) / optimal}
