"""Cost of whole pieces of work in the simulator; a part of ``python -m experiments.bench``.

- ``sim_table``: an exhaustive table, 5 loads x 1331 configurations x 10,000 requests, on all cores.
- ``sim_overload``: CPU time per request at 0.5, 1, 2 and 4 x saturation: flat, if cost is linear in requests.
- ``run_q_learning``: CPU time of a run of 1000 slots, and memory that 1000 and 4000 slots need at most.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from experiments.settings import compose_settings
from serving.objective import MeanLatency
from serving.slot import Slot
from sim.engines import make_engine
from sim.exhaustive import Precision, sweep
from sim.speeds import SpeedTable
from sim.system import SimulatedCpu
from workloads.constant import Constant

TABLE_LOADS_RPS = (6.0, 10.0, 14.0, 18.0, 22.0)
TABLE_REQUESTS = 10_000
_BATCHES = 10


def lines() -> Iterator[dict[str, Any]]:
    """One JSON object for each benchmark."""
    yield table_line(TABLE_LOADS_RPS, TABLE_REQUESTS)
    yield {"benchmark": "sim_overload", "us_per_request": overload_us((0.5, 1.0, 2.0, 4.0))}
    yield run_line(1000)


def table_line(loads_rps: Sequence[float], requests: int) -> dict[str, Any]:
    """Wall-clock of the table, and CPU time of all processes together."""
    hardware = compose_settings([])["hardware"]
    started_s = time.perf_counter()
    parallel = Parallel(n_jobs=-1)
    cells, cpu_s = zip(
        *parallel(delayed(_sweep)(hardware, load_rps, requests) for load_rps in loads_rps), strict=True
    )
    return {
        "benchmark": "sim_table",
        "cells": sum(cells),
        "requests_per_cell": requests,
        "wall_s": round(time.perf_counter() - started_s, 2),
        "cpu_s": round(sum(cpu_s), 2),
    }


def _sweep(hardware: dict[str, Any], load_rps: float, requests: int) -> tuple[int, float]:
    started_s = time.process_time()
    slot_s = requests / _BATCHES / load_rps

    def stationary(load_rps: float, seed: int, count: int) -> Sequence[Slot]:
        return tuple(Constant(mean_rps=load_rps, slot_s=slot_s).slots(seed, count))

    # Never precise enough: every cell takes all its batches, and one more to warm up.
    precision = Precision(relative_error=1e-12, batch_slots=1, least_batches=2, most_batches=_BATCHES)
    system = SimulatedCpu(hardware, "inception_v3", slo_s=0.235, ticks=0)
    outcome = sweep(system, MeanLatency(slo_s=0.235), stationary, load_rps, precision)
    return len(outcome.cost), time.process_time() - started_s


def overload_us(saturations: Sequence[float], rounds: int = 5) -> dict[str, float]:
    """Microseconds of CPU time per request at multiples of saturation, the queue without a limit."""
    places = np.arange(7)
    speed = np.where(places > 0, 1 / (1 + 0.08 * (places - 1)), 0.0)[None, :]
    speeds = SpeedTable(np.array([6]), speed, (places / 6)[None, :])
    saturated_rps = 6 * float(speed[0, 6]) / 0.24
    engine = make_engine("compiled", speeds, "carry")
    best = dict.fromkeys(saturations, np.inf)
    for _ in range(rounds):
        for saturation in saturations:
            slots = list(Constant(mean_rps=saturation * saturated_rps).slots(1, 100))
            demands_s = [
                np.random.default_rng(slot.index).exponential(0.24, len(slot.size)) for slot in slots
            ]
            engine.reset()
            started_s = time.process_time()
            for slot, demand_s in zip(slots, demands_s, strict=True):
                engine.serve(0, slot, demand_s)
            requests = sum(map(len, demands_s))
            best[saturation] = min(best[saturation], (time.process_time() - started_s) / requests * 1e6)
    return {f"{saturation:g}": round(us, 4) for saturation, us in best.items()}


def run_line(slots: int) -> dict[str, Any]:
    """A whole run of Q-learning with its records, without the exhaustive table."""
    cpu_s = min(run_once(slots)[0] for _ in range(3))
    memory = {str(length): round(run_once(length, trace=True)[1], 1) for length in (slots, 4 * slots)}
    return {"benchmark": "run_q_learning", "slots": slots, "cpu_s": round(cpu_s, 3), "peak_mib": memory}


def run_once(slots: int, trace: bool = False) -> tuple[float, float]:
    """CPU seconds of one run and, where traced (which slows it), the most memory that Python held, in MiB."""
    from experiments.build import build_env
    from experiments.run import execute

    with TemporaryDirectory() as folder:
        overrides = ["agent=q_learning", "workload=wiki", f"slots={slots}", "truth=false", "progress=false"]
        plain = compose_settings([*overrides, f"output_dir={folder}"])
        env = build_env(plain)
        if trace:
            tracemalloc.start()
        started_s = time.process_time()
        execute(plain, env, "bench", Path(folder) / "bench")
        cpu_s = time.process_time() - started_s
        peak = tracemalloc.get_traced_memory()[1] / 2**20 if trace else 0.0
        tracemalloc.stop()
    return cpu_s, peak
