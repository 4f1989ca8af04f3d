"""One suite for every system, simulated or real: what agents and results rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from experiments.settings import compose_settings
from serving.configuration import Configuration
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from serving.system import ServingSystem
from sim.system import SimulatedCpu, SimulatedGpu
from workloads.constant import Constant

SLOT_S = 1.0
PATIENCE = 30
Rates = tuple[
    float, float
]  # requests/s that are no burden, and many times what the smallest configuration can


def simulated_cpu(engine: str) -> tuple[ServingSystem, Rates]:
    plain = compose_settings(["system.grid_maximum=3", "system.grid_minimum=1"])
    settings = {"slo_s": 0.3, "engine": engine, "keep_latencies": True, "grid_minimum": 1, "grid_maximum": 3}
    return SimulatedCpu(plain["hardware"], "inception_v3", **settings), (1.0, 200.0)


def simulated_gpu() -> tuple[ServingSystem, Rates]:
    plain = compose_settings(["system=sim_gpu"])
    grids = {"batch_threads": [1, 2], "batch_size": [1, 8], "batch_timeout_us": [0, 1000]}
    system = SimulatedGpu(plain["hardware"], "inception_v3", **grids, slo_s=0.3, keep_latencies=True)
    return system, (3.0, 2000.0)


def real_servers() -> tuple[ServingSystem, Rates]:
    from testbed.model_system import TestbedCpu

    model = {"model": "deepspeech2", "model_settings": {"depth": 1, "width": 32}}
    grids = {"request_parallelism": [1, 2], "inter_op_parallelism": [1, 2], "intra_op_parallelism": [1]}
    return TestbedCpu(**model, **grids, slo_s=0.3, keep_latencies=True), (4.0, 600.0)


SYSTEMS: dict[str, Callable[[], tuple[ServingSystem, Rates]]] = {
    "sim_cpu, compiled": lambda: simulated_cpu("compiled"),
    "sim_cpu, simpy": lambda: simulated_cpu("simpy"),
    "sim_gpu": simulated_gpu,
    "testbed": real_servers,
}


@pytest.fixture(scope="module", params=SYSTEMS, ids=str)
def made(request: pytest.FixtureRequest) -> Iterator[tuple[ServingSystem, Rates]]:
    system, rates = SYSTEMS[request.param]()
    yield system, rates
    system.close()
    system.close()


def slots(rate_rps: float, count: int, first: int = 0) -> list[Slot]:
    made = list(Constant(mean_rps=rate_rps, slot_s=SLOT_S).slots(3, first + count))
    return made[first:]


def serve(system: ServingSystem, served: Sequence[tuple[Configuration, Slot]]) -> list[SlotMeasurement]:
    return [system.serve(configuration, slot) for configuration, slot in served]


def balanced(measured: SlotMeasurement) -> bool:
    arrived = measured.backlog_start + measured.arrivals
    return arrived == measured.completions + measured.lost + measured.backlog_end


def test_requests_are_neither_lost_nor_made_up_and_the_numbers_fit_together(made: Any) -> None:
    system, (light_rps, _) = made
    configurations = system.space.configurations
    system.reset(0)
    before = 0
    for slot, configuration in zip(slots(light_rps, 4), configurations[::3], strict=False):
        measured = system.serve(configuration, slot)
        assert balanced(measured)
        assert measured.backlog_start == before
        before = measured.backlog_end
        assert measured.arrivals == len(slot.arrival_s)
        assert measured.load_rps == pytest.approx(len(slot.arrival_s) / SLOT_S)
        assert measured.histogram.sum() == measured.completions == len(measured.latency_s)
        assert measured.ticks.completions.sum() == measured.completions
        assert measured.latency_sum_s == pytest.approx(measured.latency_s.sum())
        assert measured.ticks.latency_sum_s.sum() == pytest.approx(measured.latency_sum_s)
        assert (measured.latency_s > 0).all()
        assert measured.slo_violations == (measured.latency_s > 0.3).sum()
        if measured.completions:
            assert measured.mean_latency_s == pytest.approx(measured.latency_s.mean())
            assert measured.p95_latency_s == pytest.approx(
                np.quantile(measured.latency_s, 0.95, method="inverted_cdf"), rel=0.011
            )
        assert 0 <= (measured.cpu_utilisation or measured.gpu_utilisation or 0.0) <= 1
        assert 0 <= measured.reconfiguration_s <= SLOT_S


def test_a_slot_without_arrivals_completes_nothing(made: Any) -> None:
    system, _ = made
    system.reset(0)
    empty = Slot(0, 0.0, SLOT_S, np.zeros(0), np.zeros(0), 0.0)
    measured = system.serve(system.space.configurations[0], empty)
    assert (measured.arrivals, measured.completions, measured.lost) == (0, 0, 0)
    assert measured.mean_latency_s is None
    assert measured.p95_latency_s is None


def test_under_overload_it_refuses_and_afterwards_recovers(made: Any) -> None:
    system, (light_rps, heavy_rps) = made
    system.reset(0)
    smallest, largest = system.space.configurations[0], system.space.configurations[-1]
    seen = []
    for slot in slots(heavy_rps, PATIENCE):  # a busy machine takes longer even to refuse
        seen.append(system.serve(smallest, slot))
        if seen[-1].rejections:
            break
    assert seen[-1].rejections > 0
    assert seen[-1].backlog_end > 0
    for slot in slots(light_rps, PATIENCE, first=len(seen)):
        seen.append(system.serve(largest, slot))
        if seen[-1].backlog_end == seen[-1].rejections == 0:
            break
    assert seen[-1].backlog_end == seen[-1].rejections == 0
    assert seen[-1].completions > 0
    assert all(map(balanced, seen))


def test_reset_forgets_who_was_waiting(made: Any) -> None:
    system, (light_rps, heavy_rps) = made
    system.reset(0)
    serve(system, [(system.space.configurations[0], slot) for slot in slots(heavy_rps, 1)])
    system.reset(1)
    measured = system.serve(system.space.configurations[-1], slots(light_rps, 1)[0])
    assert measured.backlog_start == 0
    assert measured.completions <= measured.arrivals
