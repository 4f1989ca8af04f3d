"""What calibration adds to a profile: service times that vary, time on the way, corrections, clients."""

import numpy as np
import pytest

from serving.configuration import parallelism_space
from serving.errors import UsageError
from serving.slot import Slot
from sim.closed_loop import closed_loop
from sim.correction import read_correction
from sim.service_time import ServiceTime
from sim.system import SimulatedCpu

SPACE = parallelism_space([1, 2, 4], [1, 2], [1, 2])
NUMBERS = {
    "sequential_s": 0.1, "inter_op_fraction": 0.0, "intra_op_fraction": 0.5, "synchronisation": 0.0,
    "memory_contention": 0.2, "oversubscription": 0.0, "spinning": 0.0,
}  # fmt: skip
GRIDS = {"request_parallelism": [1, 2, 4], "inter_op_parallelism": [1, 2], "intra_op_parallelism": [1, 2]}


def servers(**numbers):
    machine = {
        "name": "m", "cores": 2, "interference": "shared_pool", "unbatched_requests": 8,
        "models": {"m": NUMBERS | numbers},
    }  # fmt: skip
    return SimulatedCpu(machine, "m", grids=GRIDS, slo_s=1.0, keep_latencies=True, ticks=0)


def slot(arrival_s, duration_s=100.0):
    arrival_s = np.array(arrival_s)
    return Slot(0, 0.0, duration_s, arrival_s, np.ones(len(arrival_s)), 1.0)


def test_time_on_the_way_is_added_and_delays_nobody_else():
    plain, far = servers(), servers(overhead_s=0.03)
    for system in (plain, far):
        system.reset(0)
    ours, theirs = (one.serve((1, 1, 1), slot([1.0, 1.01, 5.0])).latency_s for one in (plain, far))
    assert theirs == pytest.approx(ours + 0.03)


def test_service_times_vary_as_told_and_by_the_seed_alone():
    system = servers(service_cv=0.3)
    alone = slot(np.arange(2000) * 1.0, 3000.0)
    system.reset(1)
    first = system.serve((1, 1, 1), alone).latency_s
    system.reset(1)
    assert (system.serve((1, 1, 1), alone).latency_s == first).all()
    system.reset(2)
    assert (system.serve((1, 1, 1), alone).latency_s != first).all()
    assert first.mean() == pytest.approx(0.1, rel=0.03)
    assert first.std() / first.mean() == pytest.approx(0.3, rel=0.1)


def test_a_server_that_has_been_idle_is_slower_at_first():
    plain, idling = servers(), servers(idle_slowdown=0.5, idle_time_s=0.1)
    for system in (plain, idling):
        system.reset(0)
    arrivals = slot([1.0, 1.05, 1.2, 1.4, 90.0])
    ours, theirs = (one.serve((1, 1, 1), arrivals).latency_s for one in (plain, idling))
    alone_s = 0.1
    grown = 1 + 0.5 * (1 - np.exp(-(0.2 - alone_s) / 0.1))
    assert theirs[:2] == pytest.approx(ours[:2])
    assert theirs[3] == pytest.approx(alone_s * grown)
    assert theirs[4] == pytest.approx(alone_s * 1.5)


def test_each_of_several_servers_idles_for_itself():
    service = ServiceTime(0.1, idle_slowdown=0.5, idle_time_s=0.1)
    demand_s, arrival_s = np.full(5, 0.1), np.array([0.0, 0.05, 0.08, 0.4, 0.6])
    idle_s = np.array([0.0, 0.0, 0.0, 0.25, 0.42])  # two servers: the third request finds the first one busy
    slowed = service.after_idling(demand_s, arrival_s, servers=2)
    assert slowed == pytest.approx(0.1 * (1 + 0.5 * (1 - np.exp(-idle_s / 0.1))))
    assert (service.after_idling(demand_s[:2], arrival_s[:2], servers=2) == demand_s[:2]).all()


def test_clients_that_ask_again_at_once_leave_no_time_to_idle():
    plain, idling = servers(), servers(idle_slowdown=0.5)
    ours, theirs = (one.serve_closed((1, 1, 1), 1, 10.0, np.ones(1)).latency_s for one in (plain, idling))
    assert (ours == theirs).all()


def test_part_of_the_work_is_alike_for_all_sizes():
    demand_s = ServiceTime(0.1, size_share=0.75).demand_s(np.array([1.0, 2.0]), np.random.default_rng(0))
    assert demand_s == pytest.approx([0.1, 0.175])


def test_a_correction_is_the_sum_of_its_points_and_one_far_away():
    content = {
        "lengths": [[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]], "at": [[1, 1, 1]],
        "log_speed": [np.log(2.0)], "log_cpu": [np.log(0.25)],
    }  # fmt: skip
    correction = read_correction("here", content)
    speed, busy = correction.factors(np.array([1.0, 2.0, 64.0]), np.ones(1), np.ones(1))
    assert speed == pytest.approx([2.0, 2.0 ** np.exp(-0.5), 1.0], rel=1e-3)
    assert busy[0] == pytest.approx(0.5)
    plain, fast = servers(), servers(correction=content)
    for system in (plain, fast):
        system.reset(0)
    ours, theirs = (one.serve((1, 1, 1), slot([1.0])).latency_s[0] for one in (plain, fast))
    assert theirs == pytest.approx(ours / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"service_cv": -1.0}, r"hardware\.models\.m\.service_cv=-1\.0, expected a number from 0"),
        ({"overhead_s": "x"}, r"hardware\.models\.m\.overhead_s='x'"),
        ({"correction": {"at": []}}, r"models\.m\.correction=.*expected the keys"),
        (
            {"correction": {"lengths": [[1, 1]], "at": [[1, 1, 1]], "log_speed": [0], "log_cpu": [0]}},
            r"correction\.lengths has shape \(1, 2\), expected \(2, 3\)",
        ),
        (
            {
                "correction": {
                    "lengths": [[1, 1, 0], [1, 1, 1]],
                    "at": [[1, 1, 1]],
                    "log_speed": [0],
                    "log_cpu": [0],
                }
            },
            "expected lengths > 0",
        ),
        (
            {"correction": {"lengths": "abc", "at": [[1, 1, 1]], "log_speed": [0], "log_cpu": [0]}},
            r"correction\.lengths='abc', expected a list of finite numbers",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        servers(**change)


@pytest.mark.parametrize("grids", [{"request_parallelism": [1]}, GRIDS | {"inter_op_parallelism": [-1]}])
def test_grids_name_all_knobs(grids):
    machine = {
        "name": "m", "cores": 2, "interference": "nested", "unbatched_requests": 8, "models": {"m": NUMBERS},
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"system\.grids="):
        SimulatedCpu(machine, "m", grids=grids, slo_s=1.0)


@pytest.mark.parametrize("clients", [1, 2, 3, 8])
def test_clients_keep_so_many_requests_going(clients):
    """Little's law, and with one client after the other the sum of their times."""
    speed = np.array([0.0, 1.0, 0.8, 0.5])
    rng = np.random.default_rng(1)
    demand_s = rng.uniform(0.5, 1.5, 4000)
    latency_s, completed_s, time_s = closed_loop(speed, 3, demand_s, 0.1, clients, 1e9, 1, 0.0, 0.0)
    assert len(latency_s) == 4000
    assert (np.diff(completed_s) >= 0).all()
    assert len(latency_s) / completed_s[-1] * latency_s.mean() == pytest.approx(clients, rel=0.01)
    assert time_s.sum() == pytest.approx(completed_s[-1])
    if clients == 1:
        assert latency_s == pytest.approx(demand_s + 0.1)
        assert completed_s[-1] == pytest.approx(latency_s.sum())
    if clients == 8:  # saturated: as much work is done as the server can
        assert (time_s @ (speed * np.arange(4))) == pytest.approx(demand_s.sum(), rel=0.01)


def test_a_closed_loop_stops_at_its_time_and_at_its_last_request():
    speed, demand_s = np.array([0.0, 1.0]), np.ones(100)
    latency_s, completed_s, time_s = closed_loop(speed, 1, demand_s, 0.0, 2, 10.5, 1, 0.0, 0.0)
    assert len(latency_s) == 10
    assert completed_s[-1] == 10.0
    assert time_s.sum() == 10.5
    assert len(closed_loop(speed, 1, demand_s, 0.0, 200, 1e9, 1, 0.0, 0.0)[0]) == 100


def test_clients_fill_a_batch_or_its_time_runs_out():
    speed, demand_s = np.array([0.0, 1.0, 0.5]), np.full(120, 0.1)
    full = closed_loop(speed, 2, demand_s, 0.0, 4, 1e9, 4, 0.03, 0.2)
    assert full[0] == pytest.approx(np.full(120, 0.2 + 4 * 0.1))
    assert full[2] == pytest.approx([0.0, 30 * 0.6, 0.0])
    alone = closed_loop(speed, 2, demand_s, 0.0, 1, 1e9, 4, 0.03, 0.2)
    assert alone[0] == pytest.approx(np.full(120, 0.03 + 0.2 + 0.1))
    assert alone[2] == pytest.approx([120 * 0.03, 120 * 0.3, 0.0])


def test_with_batches_too_as_many_requests_are_kept_going():
    speed = np.array([0.0, 1.0, 0.7])
    demand_s = np.random.default_rng(1).uniform(0.5, 1.5, 4000)
    latency_s, completed_s, time_s = closed_loop(speed, 2, demand_s, 0.1, 7, 1e9, 3, 0.4, 0.5)
    assert len(latency_s) == 4000
    assert (np.diff(completed_s) >= 0).all()
    assert len(latency_s) / completed_s[-1] * latency_s.mean() == pytest.approx(7, rel=0.01)
    assert time_s.sum() == pytest.approx(completed_s[-1])


def test_clients_that_come_together_come_one_after_the_other():
    # Held back for no time, the first leaves alone, and those behind it share the next batch.
    latency_s, *_ = closed_loop(np.array([0.0, 1.0]), 1, np.full(3, 0.1), 0.0, 3, 1e9, 4, 0.0, 0.2)
    assert latency_s == pytest.approx([0.3, 0.7, 0.7])
