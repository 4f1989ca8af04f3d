"""Other programs give the same answers as the engines: Ciw, and the yardsticks of the benchmark."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from experiments import bench
from experiments.yardsticks.c_kernel import compile_kernel
from experiments.yardsticks.ciw_queue import serve_ciw
from experiments.yardsticks.naive import serve_naive
from experiments.yardsticks.plain import serve_plain
from experiments.yardsticks.process_per_request import serve_per_request
from serving.slot import Slot
from sim.engines import make_engine
from sim.speeds import SpeedTable


def load_of(slots: int, slot_s: float, load_rps: float) -> bench.Load:
    return bench.standard_load(slots, slot_s=slot_s, load_rps=load_rps, seed=7)


def test_plain_python_agrees_to_the_last_bit_under_resizes_and_overload() -> None:
    rng = np.random.default_rng(5)
    load = load_of(30, 20.0, 17.0)
    limit = np.array([6, 1, 10])
    speed = np.concatenate((np.zeros((3, 1)), rng.uniform(0.2, 1.0, (3, 10))), axis=1)
    speeds = SpeedTable(limit, speed, np.minimum(1.0, speed))
    rows = rng.integers(3, size=30).tolist()
    requests = list(zip(rows, load.slots, load.demands_s, strict=True))
    engine = make_engine("simpy", speeds, "bounded", 20)
    plain = serve_plain(speeds, requests, 20)
    rejected = 0
    for request, (latency_s, rejections, busy_s) in zip(requests, plain, strict=True):
        tally = engine.serve(*request)
        rejected += rejections
        assert latency_s == tally.latency_s.tolist()
        assert (rejections, busy_s) == (tally.rejections, tally.busy_s)
    assert rejected > 0


@pytest.mark.parametrize("yardstick", [serve_per_request, serve_naive])
@pytest.mark.parametrize("load_rps", [6.0, 25.0])
def test_a_process_per_request_agrees(
    yardstick: Callable[..., tuple[list[float], int]], load_rps: float
) -> None:
    load = load_of(3, 30.0, load_rps)
    engine = make_engine("simpy", load.speeds, "bounded", 10)
    tallies = [engine.serve(0, *request) for request in zip(load.slots, load.demands_s, strict=True)]
    nothing = Slot(3, 90.0, 1000.0, np.empty(0), np.empty(0), 0.0)
    tallies.append(engine.serve(0, nothing, np.empty(0)))
    latency_s, rejections = yardstick(load.speeds, 0, load.slots, load.demands_s, 10)
    expected_s = np.concatenate([tally.latency_s for tally in tallies])
    np.testing.assert_allclose(latency_s, expected_s, rtol=0, atol=1e-9)
    assert rejections == sum(tally.rejections for tally in tallies)
    assert (rejections > 0) == (load_rps == 25.0)


def test_c_agrees_to_the_last_bit() -> None:
    serve_c = compile_kernel()
    if serve_c is None:
        pytest.skip("no C compiler")
    for load_rps in (6.0, 25.0):
        load = load_of(4, 30.0, load_rps)
        engine = make_engine("compiled", load.speeds, "bounded", 10)
        tallies = [engine.serve(0, *request) for request in zip(load.slots, load.demands_s, strict=True)]
        latencies_s = serve_c(load.speeds, load.slots, load.demands_s, 10)
        for latency_s, tally in zip(latencies_s, tallies, strict=True):
            assert latency_s.tolist() == tally.latency_s.tolist()


@pytest.mark.parametrize("name", ["simpy", "compiled"])
@pytest.mark.parametrize("sharing", [False, True], ids=["fcfs", "processor-sharing"])
@pytest.mark.parametrize("limit", [1, 4, 1000])
@pytest.mark.parametrize("sizes", ["exponential", "deterministic"])
def test_ciw_agrees(name: str, sharing: bool, limit: int, sizes: str) -> None:
    rng = np.random.default_rng(11)
    places = np.arange(limit + 1)
    speed = (places > 0) / np.maximum(places, 1) if sharing else (places > 0) * 1.0
    speeds = SpeedTable(np.array([limit]), speed[None, :], (places > 0)[None, :] * 1.0)
    arrival_s = np.cumsum(rng.exponential(1.0, 1000))
    mean_s = 0.8 if sharing else 0.8 * min(limit, 20)
    demand_s = rng.exponential(mean_s, 1000) if sizes == "exponential" else np.full(1000, mean_s)
    slot = Slot(0, 0.0, float(arrival_s[-1]), arrival_s, np.ones(1000), 1.0)
    tally = make_engine(name, speeds, "episodic").serve(0, slot, demand_s)
    latency_s, completed_at_s = serve_ciw(arrival_s, demand_s, limit, sharing)
    np.testing.assert_allclose(tally.completed_at_s, completed_at_s, rtol=0, atol=1e-9)
    # Ties that rounding breaks in Ciw may leave in another order, so the latencies are compared sorted.
    np.testing.assert_allclose(np.sort(tally.latency_s), np.sort(latency_s), rtol=0, atol=1e-9)


def test_the_benchmark_prints_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([], slots=1, rounds=1, whole=False) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["benchmark"] for line in lines} >= {"sim_plain", "sim_simpy", "sim_compiled", "ciw_mmc"}
    assert all(line["requests_per_s"] > 0 and line["ratio_to_plain"] > 0 for line in lines)


def test_the_benchmark_names_an_unknown_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["agent=rrl"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "agent=rrl" in captured.err
