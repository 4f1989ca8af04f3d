"""The engines agree to the last bit, with each other and with a third one written differently."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from engine_worlds import BOUNDARIES, Scenario, assert_balances, assert_equal, scenarios, serve, slot_of
from hypothesis import given, settings

from sim import fleet
from sim.engine import Boundary, SlotTally
from sim.engine_compiled import CompiledServer
from sim.speeds import Batching, SpeedTable


def by_events(scenario: Scenario, boundary: Boundary) -> list[SlotTally]:  # noqa: PLR0912, PLR0915
    """A third engine: a sorted calendar of (time, kind, order), a list for a heap, states recomputed."""
    departure, control, arrival = 0, 1, 2
    limit_s = scenario.queue_limit if boundary in ("bounded", "drop") else None
    speeds, tallies = scenario.speeds, []
    present: list[tuple[float, int, float]] = []
    queue: list[tuple[float, float]] = []
    row, order, virtual, since = 0, 0, 0.0, 0.0
    previous_end = -np.inf
    for configuration, slot, demand_s in scenario.slots:
        if boundary == "episodic":
            present, queue, row, order, virtual, since = [], [], 0, 0, 0.0, 0.0
            previous_end = -np.inf
        start = max(slot.start_s, previous_end)
        end = np.inf if boundary == "episodic" else max(slot.end_s, start)
        backlog = len(present) + len(queue)
        calendar = [(start, control, 0, 0.0)]
        calendar += [
            (max(time, start), arrival, i, demand)
            for i, (time, demand) in enumerate(zip(slot.arrival_s.tolist(), demand_s.tolist(), strict=True))
        ]
        latency, completed, lost, busy_s, busy_since = [], [], 0, 0.0, None
        while True:
            n = len(present)
            event = calendar[0] if calendar else (np.inf, arrival, 0, 0.0)
            if present:
                due = since + max(0.0, min(present)[0] - virtual) / speeds.speed[row, n]
                event = min(event, (due, departure, 0, 0.0))
            now, kind, _, demand = event
            if now > end or now == np.inf:
                break
            if kind == departure:
                first = min(present)
                present.remove(first)
                latency.append(now - first[2])
                completed.append(now)
            else:
                calendar.pop(0)
            if kind == arrival:
                queue.append((now, demand))
                place = n < speeds.limit[row]
                if not place and limit_s is not None and len(queue) > limit_s:
                    queue.pop()
                    lost += 1
                if not place:
                    continue
            if kind != control or configuration != row:
                virtual += speeds.speed[row, n] * (now - since)
                since = now
            if kind == departure:
                virtual = first[0] if present else 0.0
            if kind == control:
                busy_since, row = now, configuration
            elif busy_since is not None:
                busy_s += speeds.busy[row, n] * (now - busy_since)
                busy_since = now
            while queue and len(present) < speeds.limit[row]:
                since_s, work = queue.pop(0)
                order += 1
                present.append((virtual + work, order, since_s))
        if end < np.inf:
            busy_s += speeds.busy[row, len(present)] * (end - busy_since)
        if boundary == "drop":
            lost, queue = lost + len(queue), []
        previous_end = end
        elapsed = completed[-1] - start if boundary == "episodic" and completed else slot.duration_s
        left = len(present) + len(queue)
        tallies.append(
            SlotTally(np.array(latency), np.array(completed), lost, busy_s, elapsed, backlog, left)
        )
    return tallies


@pytest.mark.parametrize("boundary", BOUNDARIES)
@settings(max_examples=150, deadline=None)
@given(scenario=scenarios())
def test_three_engines_agree_to_the_last_bit(boundary: Boundary, scenario: Scenario) -> None:
    reference = serve("simpy", scenario, boundary)
    assert_equal(serve("compiled", scenario, boundary), reference)
    assert_equal(by_events(scenario, boundary), reference)
    assert_balances(scenario, reference)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@settings(max_examples=250, deadline=None)
@given(scenario=scenarios(whole=True))
def test_engines_agree_on_batches_clusters_and_slow_switches(boundary: Boundary, scenario: Scenario) -> None:
    reference = serve("simpy", scenario, boundary)
    with patch.object(fleet, "_PIECE", 3):  # as many requests as need several pieces
        assert_equal(serve("compiled", scenario, boundary), reference)
    assert_balances(scenario, reference)


def test_a_large_cluster_needs_little_more_room_than_its_servers() -> None:
    speeds = SpeedTable(np.array([1]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]))
    servers = [CompiledServer(speeds, 50) for _ in range(20)]
    arrival_s = np.linspace(0, 1000, 20_000)
    fleet.work_least_loaded(servers, arrival_s, np.full(20_000, 0.5), 1000.0, 0)
    assert sum(column.nbytes for server in servers for column in server.queue) < 20e6


@settings(max_examples=150, deadline=None)
@given(scenario=scenarios())
def test_batches_of_one_are_requests_one_by_one(scenario: Scenario) -> None:
    speeds, rows = scenario.speeds, scenario.speeds.size
    single = Batching(np.ones(rows, dtype=np.int64), np.zeros(rows), np.zeros(rows))
    batched = replace(scenario, speeds=replace(speeds, batching=single))
    for name in ("simpy", "compiled"):
        assert_equal(serve(name, batched, "bounded"), serve(name, scenario, "bounded"))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("load_rps", [10.0, 17.0, 40.0])
def test_engines_agree_on_long_runs_with_resizes(boundary: Boundary, load_rps: float) -> None:
    rng = np.random.default_rng(3)
    limit = np.array([6, 1, 10, 3])
    in_service = np.arange(1, 11)
    speed, busy = np.zeros((4, 11)), np.zeros((4, 11))
    speed[:, 1:] = rng.uniform(0.8, 1.2, (4, 1)) / (1 + 0.08 * (in_service - 1))
    busy[:, 1:] = in_service / 10
    slots = []
    for index in range(25):
        arrival_s = np.sort(index * 40.0 + rng.uniform(0, 40, rng.poisson(40 * load_rps)))
        slot = slot_of(index, index * 40.0, 40.0, arrival_s.tolist())
        slots.append((int(rng.integers(4)), slot, rng.exponential(0.24, len(arrival_s))))
    scenario = Scenario(SpeedTable(limit, speed, busy), tuple(slots), 50)
    reference = serve("simpy", scenario, boundary)
    assert_equal(serve("compiled", scenario, boundary), reference)
    assert sum(len(tally.latency_s) for tally in reference) > 1000


def test_engines_agree_where_nearly_everyone_is_in_service() -> None:
    rng = np.random.default_rng(4)
    places = 5000
    speed = np.concatenate(([0.0], 1.0 / np.arange(1, places + 1)))[None, :]
    busy = np.concatenate(([0.0], np.ones(places)))[None, :]
    slots = []
    for index in range(3):
        arrival_s = np.sort(index * 10.0 + rng.uniform(0, 10, 3000)).tolist()
        slots.append((0, slot_of(index, index * 10.0, 10.0, arrival_s), rng.choice([0.1, 0.01, 0.0], 3000)))
    scenario = Scenario(SpeedTable(np.array([places]), speed, busy), tuple(slots), None)
    reference = serve("simpy", scenario, "carry")
    assert_equal(serve("compiled", scenario, "carry"), reference)
    assert reference[-1].backlog_end > 1000


def test_another_process_adds_nothing_to_the_cache_of_machine_code(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from sim.engines import make_engine; from sim.speeds import SpeedTable;"
        "from serving.slot import Slot; row = np.array([[0.0, 1.0]]);"
        "speeds = SpeedTable(np.array([1]), row, row);"
        "slot = Slot(0, 0.0, 1.0, np.array([0.5]), np.ones(1), 1.0);"
        "engine = make_engine('compiled', speeds, servers=2, dispatch='least_loaded');"
        "engine.serve(0, slot, np.ones(1))"
    )
    kept = []
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", program], check=True, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        )
        kept.append({path.name for path in tmp_path.rglob("*.nb*")})
    assert kept[0] == kept[1] != set()


def test_kernels_keep_their_names_when_processes_fill_an_empty_cache_together(tmp_path: Path) -> None:
    first = (  # compiles one of the two kernels and is gone
        "import os, numba; compile = numba.njit\n"
        "def counted(*signature, **settings):\n"
        "    decorate = compile(*signature, **settings)\n"
        "    def named(function):\n"
        "        return os._exit(0) if function.__name__ == 'work_in_batches' else decorate(function)\n"
        "    return named\n"
        "numba.njit = counted\n"
        "import sim.kernel"
    )
    second = (  # has that one from the cache and compiles the other
        "from sim import kernel; both = kernel.work_one_by_one, kernel.work_in_batches\n"
        "names = {one.fndesc.mangled_name for work in both for one in work.overloads.values()}\n"
        "hits = [sum(work.stats.cache_hits.values()) for work in both]\n"
        "assert (len(names), hits) == (2, [1, 0]), (names, hits)"
    )
    for program in (first, second):
        subprocess.run(
            [sys.executable, "-c", program], check=True, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        )
