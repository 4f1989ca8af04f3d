"""Speed: ``python -m experiments.bench`` prints one JSON object a line.

``agents=all`` (or ``agents=rrl,capes``) measures the agents instead: see ``experiments.bench_agents``.

Without it, the simulator: ``requests_per_s`` is per second of this process's CPU time, the best of some
rounds; the rounds of all benchmarks are interleaved, so that a busy machine slows them alike. All serve the
same requests (except ``ciw_mmc``: first come, first served at constant speed, without a limit).
``sim_compiled`` hands mean, p95 and histogram of every slot to Python as a run does,
``sim_compiled_arrays`` the raw latencies; ``sim_c`` is the same model in C, where there is a compiler. Whole
pieces of work follow: see ``experiments.bench_simulator``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from experiments import bench_agents, bench_simulator
from experiments.arguments import parse
from experiments.yardsticks.c_kernel import Serve, compile_kernel
from experiments.yardsticks.ciw_queue import serve_ciw
from experiments.yardsticks.naive import serve_naive
from experiments.yardsticks.plain import serve_plain
from experiments.yardsticks.process_per_request import serve_per_request
from serving.measurement import summarise
from serving.slot import Slot
from sim.counting import count
from sim.engine import Engine
from sim.engines import make_engine
from sim.speeds import SpeedTable

QUEUE_LIMIT = 50


@dataclass(frozen=True)
class Load:
    """The requests to serve, with their demands, and the table of a server with one configuration."""

    speeds: SpeedTable
    slots: list[Slot]
    demands_s: list[NDArray[np.float64]]

    def first(self, slots: int) -> Load:
        """The same load, cut to some slots."""
        return Load(self.speeds, self.slots[:slots], self.demands_s[:slots])

    @property
    def requests(self) -> int:
        """How many."""
        return sum(len(slot.arrival_s) for slot in self.slots)


@dataclass(frozen=True)
class Benchmark:
    """Something to time: serve a load of about 0.1 s, so that all see the same mood of the machine."""

    name: str
    serve: Callable[[Load], object]
    slots: int


def standard_load(slots: int, slot_s: float = 120.0, load_rps: float = 14.0, seed: int = 1) -> Load:
    """Poisson arrivals and exponential demands at a utilisation of about 0.78, 6 in service at most."""
    rng = np.random.default_rng(seed)
    in_service = np.arange(7)
    speed = np.where(in_service > 0, 1 / (1 + 0.08 * (in_service - 1)), 0.0)[None, :]
    speeds = SpeedTable(np.array([6]), speed, (in_service / 6)[None, :])
    arrivals = []
    for index in range(slots):
        offset_s = np.sort(rng.uniform(0, slot_s, rng.poisson(load_rps * slot_s)))
        sizes = np.ones(len(offset_s))
        arrivals.append(Slot(index, index * slot_s, slot_s, index * slot_s + offset_s, sizes, load_rps))
    return Load(speeds, arrivals, [rng.exponential(0.24, len(slot.arrival_s)) for slot in arrivals])


def _serve_arrays(engine: Engine, load: Load) -> None:
    engine.reset()
    for slot, demand_s in zip(load.slots, load.demands_s, strict=True):
        engine.serve(0, slot, demand_s)


def _serve_measured(engine: Engine, load: Load) -> None:
    engine.reset()
    for slot, demand_s in zip(load.slots, load.demands_s, strict=True):
        tally = engine.serve(0, slot, demand_s)
        counts = count(tally.latency_s, tally.completed_at_s, 1.0, slot.start_s, tally.elapsed_s, ticks=0)
        summarise(
            slot,
            histogram=counts.histogram,
            latency_sum_s=counts.latency_sum_s,
            slo_violations=counts.slo_violations,
            backlog_start=tally.backlog_start,
            backlog_end=tally.backlog_end,
            rejections=tally.rejections,
            cpu_utilisation=tally.busy_s / tally.elapsed_s,
        )


def _serve_plain(load: Load) -> None:
    requests = zip(load.slots, load.demands_s, strict=True)
    serve_plain(load.speeds, [(0, slot, demand_s) for slot, demand_s in requests], QUEUE_LIMIT)


def _serve_c(serve: Serve, load: Load) -> None:
    serve(load.speeds, load.slots, load.demands_s, QUEUE_LIMIT)


def _benchmarks(speeds: SpeedTable) -> list[Benchmark]:
    compiled = make_engine("compiled", speeds, "bounded", QUEUE_LIMIT)
    simpy = make_engine("simpy", speeds, "bounded", QUEUE_LIMIT)
    serve_c = compile_kernel()
    c = [Benchmark("sim_c", lambda load: _serve_c(serve_c, load), 400)] if serve_c else []
    return [
        Benchmark("sim_plain", _serve_plain, 60),
        Benchmark("sim_simpy", lambda load: _serve_arrays(simpy, load), 12),
        Benchmark("sim_compiled", lambda load: _serve_measured(compiled, load), 400),
        Benchmark("sim_compiled_arrays", lambda load: _serve_arrays(compiled, load), 400),
        *c,
        Benchmark(
            "sim_simpy_per_request",
            lambda load: serve_per_request(load.speeds, 0, load.slots, load.demands_s, QUEUE_LIMIT),
            4,
        ),
        Benchmark(
            "sim_simpy_naive",
            lambda load: serve_naive(load.speeds, 0, load.slots, load.demands_s, QUEUE_LIMIT),
            1,
        ),
        Benchmark(
            "ciw_mmc",
            lambda load: serve_ciw(
                np.concatenate([slot.arrival_s for slot in load.slots]),
                np.concatenate(load.demands_s),
                int(load.speeds.limit[0]),
            ),
            1,
        ),
    ]


def measure(benchmarks: list[Benchmark], load: Load, rounds: int) -> dict[str, float]:
    """Requests per second of CPU time of each, the best of its rounds."""
    rates = dict.fromkeys((benchmark.name for benchmark in benchmarks), 0.0)
    for _ in tqdm(range(rounds), desc="rounds"):
        for benchmark in benchmarks:
            part = load.first(benchmark.slots)
            begin_s = time.process_time()
            benchmark.serve(part)
            rate = part.requests / (time.process_time() - begin_s)
            rates[benchmark.name] = max(rates[benchmark.name], rate)
    return rates


def main(arguments: list[str], slots: int = 400, rounds: int = 15, whole: bool = True) -> int:
    """Run all benchmarks; the exit code.

    Fewer slots and rounds make a quick, worse measurement; whole pieces of work can be left out.
    """
    agents = parse(arguments, {"agents": "none"}, __doc__ or "")["agents"]
    if agents != "none":
        return bench_agents.main(agents)
    load = standard_load(slots)
    rates = measure(_benchmarks(load.speeds), load, rounds)
    for name, rate in rates.items():
        ratio = rate / rates["sim_plain"]
        line = {"benchmark": name, "requests_per_s": round(rate), "ratio_to_plain": round(ratio, 4)}
        print(json.dumps(line), flush=True)
    for line in bench_simulator.lines() if whole else ():
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
