"""What the model promises, on examples small enough to check by hand, and what the engines refuse."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import UsageError
from serving.slot import Slot
from sim.engine import Boundary, SlotTally
from sim.engines import make_engine
from sim.speeds import SpeedTable

pytestmark = pytest.mark.parametrize("name", ["simpy", "compiled"])


def slot_of(arrival_s: list[float], index: int = 0, duration_s: float = 10.0) -> Slot:
    return Slot(index, index * duration_s, duration_s, np.array(arrival_s), np.ones(len(arrival_s)), 1.0)


def constant_speed(*limits: int) -> SpeedTable:
    """Every request at speed 1, whatever the company."""
    places = np.arange(max(limits) + 1)
    rows = np.ones((len(limits), 1))
    return SpeedTable(np.array(limits), rows * (places > 0), rows * places / max(limits))


def shared(*limits: int) -> SpeedTable:
    """One processor, shared by all in service."""
    places = np.arange(max(limits) + 1)
    rows = np.ones((len(limits), 1))
    return SpeedTable(
        np.array(limits), rows * (places > 0) / np.maximum(places, 1), rows * np.minimum(places, 1.0)
    )


def serve(
    name: str,
    speeds: SpeedTable,
    *slots: tuple[list[float], list[float]],
    boundary: Boundary = "bounded",
    queue_limit: int | None = 50,
    configurations: tuple[int, ...] = (0, 0, 0, 0),
) -> list[SlotTally]:
    engine = make_engine(name, speeds, boundary, queue_limit)
    return [
        engine.serve(configurations[index], slot_of(arrival_s, index), np.array(demand_s))
        for index, (arrival_s, demand_s) in enumerate(slots)
    ]


def test_two_share_a_processor(name: str) -> None:
    (tally,) = serve(name, shared(2), ([1.0, 2.0], [3.0, 1.0]))
    assert tally.completed_at_s.tolist() == [4.0, 5.0]
    assert tally.latency_s.tolist() == [2.0, 4.0]
    assert tally.busy_s == 4.0
    assert tally.elapsed_s == 10.0


def test_the_queue_is_first_come_first_served(name: str) -> None:
    (tally,) = serve(name, constant_speed(1), ([1.0, 1.5, 1.6], [2.0, 3.0, 0.5]))
    assert tally.completed_at_s.tolist() == [3.0, 6.0, 6.5]


def test_equal_tags_leave_in_order_of_arrival(name: str) -> None:
    (tally,) = serve(name, shared(8), ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]))
    assert tally.completed_at_s.tolist() == [4.0, 4.0, 4.0]
    (tally,) = serve(name, constant_speed(8), ([1.0, 1.5, 2.0], [2.0, 1.5, 1.0]))
    assert tally.latency_s.tolist() == [2.0, 1.5, 1.0]


def test_a_departure_comes_before_an_arrival_at_the_same_time(name: str) -> None:
    (tally,) = serve(name, constant_speed(1), ([1.0, 2.0], [1.0, 1.0]), queue_limit=0)
    assert tally.rejections == 0
    assert tally.latency_s.tolist() == [1.0, 1.0]


def test_a_departure_at_the_end_belongs_to_the_slot_and_comes_before_the_reconfiguration(name: str) -> None:
    first, second = serve(
        name, constant_speed(1, 2), ([8.0, 8.5], [2.0, 1.0]), ([], []), configurations=(0, 1)
    )
    assert first.completed_at_s.tolist() == [10.0]
    assert second.completed_at_s.tolist() == [11.0]


def test_a_smaller_limit_preempts_nobody(name: str) -> None:
    _, second = serve(
        name, constant_speed(3, 1), ([9.0] * 3, [3.0, 4.0, 5.0]), ([10.5], [1.0]), configurations=(0, 1)
    )
    assert second.completed_at_s.tolist() == [12.0, 13.0, 14.0, 15.0]


def test_a_larger_limit_admits_at_once(name: str) -> None:
    _, second = serve(
        name, constant_speed(1, 3), ([8.0] * 4, [5.0, 4.0, 3.0, 2.0]), ([], []), configurations=(0, 1)
    )
    assert second.completed_at_s.tolist() == [13.0, 13.0, 14.0, 15.0]


def test_a_new_speed_holds_from_the_slots_start(name: str) -> None:
    speeds = SpeedTable(np.array([1, 1]), np.array([[0, 1.0], [0, 4.0]]), np.array([[0, 1.0], [0, 0.5]]))
    first, second = serve(name, speeds, ([8.0], [6.0]), ([], []), configurations=(0, 1))
    assert second.completed_at_s.tolist() == [11.0]
    assert (first.busy_s, second.busy_s) == (2.0, 0.5)


def test_time_never_runs_backwards_where_rounding_carries_virtual_time_past_a_tag(name: str) -> None:
    """The third arrives one bit before the first departs, and finds V already one bit past its tag."""
    speed = np.array([[0.0, 1.736013000652795, 1.938996182080941, 0.01]])
    arrival_s = [0.6656805971270253, 0.6662164675036214, 1.686924974360312]
    demand_s = np.array([1.9800801757530966, 50.0, 50.0])
    table = SpeedTable(np.array([3]), speed, np.minimum(1.0, speed))
    tally = make_engine(name, table).serve(0, slot_of(arrival_s, duration_s=10.0), demand_s)
    assert tally.completed_at_s.tolist() == [arrival_s[2]]


def test_bounded_rejects_what_comes_on_top_and_carries_the_rest(name: str) -> None:
    first, second = serve(name, constant_speed(1), ([1.0] * 5, [8.0] * 5), ([], []), queue_limit=2)
    assert (first.rejections, first.backlog_start, first.backlog_end) == (2, 0, 2)
    assert (second.backlog_start, second.backlog_end) == (2, 1)


def test_carry_has_no_limit(name: str) -> None:
    first, second = serve(
        name, constant_speed(1), ([1.0] * 5, [8.0] * 5), ([], []), boundary="carry", queue_limit=2
    )
    assert (first.rejections, first.backlog_end, second.backlog_start) == (0, 4, 4)


def test_drop_discards_those_who_wait_and_counts_them(name: str) -> None:
    first, second = serve(
        name, constant_speed(1), ([1.0] * 9, [20.0] * 9), ([], []), boundary="drop", queue_limit=4
    )
    assert (first.rejections, first.backlog_end) == (8, 1)
    assert (second.backlog_start, second.rejections, second.backlog_end) == (1, 0, 1)


def test_episodic_serves_everyone_on_an_empty_server(name: str) -> None:
    first, third = ([0.0] * 3, [8.0] * 3), ([20.0] * 3, [8.0] * 3)
    tallies = serve(name, constant_speed(1), first, ([], []), third, boundary="episodic", queue_limit=0)
    assert [tally.elapsed_s for tally in tallies] == [24.0, 10.0, 24.0]
    assert [tally.busy_s for tally in tallies] == [24.0, 0.0, 24.0]
    assert tallies[0].latency_s.tolist() == tallies[2].latency_s.tolist() == [8.0, 16.0, 24.0]
    assert all(tally.backlog_start == tally.backlog_end == tally.rejections == 0 for tally in tallies)


def test_reset_starts_anew(name: str) -> None:
    engine = make_engine(name, constant_speed(1, 2), "carry")
    once = engine.serve(1, slot_of([1.0] * 9), np.full(9, 4.0))
    engine.serve(0, slot_of([11.0], 1), np.array([1.0]))
    engine.reset()
    again = engine.serve(1, slot_of([1.0] * 9), np.full(9, 4.0))
    assert again.latency_s.tolist() == once.latency_s.tolist()
    assert again.backlog_start == 0


def test_tallies_stay_as_they_were(name: str) -> None:
    engine = make_engine(name, constant_speed(2))
    first = engine.serve(0, slot_of([1.0]), np.array([1.0]))
    engine.serve(0, slot_of([11.0], 1), np.array([5.0]))
    assert first.latency_s.tolist() == [1.0]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_work_is_conserved(name: str, seed: int) -> None:
    """The integral of n x speed(n) is the work that was done, whatever the curve."""
    rng = np.random.default_rng(seed)
    limit = int(rng.integers(1, 9))
    speed = np.concatenate(([0.0], rng.uniform(0.2, 2.0, limit)))
    pace = speed * np.arange(limit + 1)
    speeds = SpeedTable(np.array([limit]), speed[None, :], (pace / pace.max())[None, :])
    arrival_s, demand_s = np.sort(rng.uniform(0, 10, 200)), rng.exponential(0.05, 200)
    tally = make_engine(name, speeds, "episodic").serve(0, slot_of(arrival_s.tolist()), demand_s)
    assert tally.busy_s * pace.max() == pytest.approx(demand_s.sum(), rel=1e-9)


def test_read_only_and_strided_inputs_are_fine(name: str) -> None:
    arrival_s, demand_s = np.repeat([1.0, 2.0], 2)[::2], np.array([1.0, 1.0])
    demand_s.flags.writeable = False
    slot = Slot(0, 0.0, 10.0, arrival_s, arrival_s, 1.0)
    tally = make_engine(name, constant_speed(1)).serve(0, slot, demand_s)
    assert tally.completed_at_s.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("arrival_s", "demand_s", "message"),
    [
        ([2.0, 1.0], [1.0, 1.0], "not sorted"),
        ([1.0, 11.0], [1.0, 1.0], "outside"),
        ([-1.0], [1.0], "outside"),
        ([1.0], [1.0, 2.0], "shape"),
        ([1.0], [-1.0], "negative or not finite"),
        ([1.0, 2.0], [1.0, float("nan")], "negative or not finite"),
        ([float("nan")], [1.0], "outside"),
    ],
)
def test_bad_requests_are_refused(
    name: str, arrival_s: list[float], demand_s: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        serve(name, constant_speed(1), (arrival_s, demand_s))


def test_slots_must_come_in_order(name: str) -> None:
    engine = make_engine(name, constant_speed(1))
    engine.serve(0, slot_of([], 3), np.empty(0))
    with pytest.raises(ValueError, match="already served"):
        engine.serve(0, slot_of([], 2), np.empty(0))


def test_rows_outside_the_table_are_refused(name: str) -> None:
    for row in (-1, 2):
        with pytest.raises(IndexError):
            serve(name, constant_speed(1, 2), ([], []), configurations=(row,))


def test_bad_settings_are_named(name: str) -> None:
    speeds = constant_speed(1)
    with pytest.raises(UsageError, match=rf"system\.engine='{name}2', choose from .*compiled.*simpy"):
        make_engine(f"{name}2", speeds)
    with pytest.raises(UsageError, match=r"system\.boundary='keep', choose from"):
        make_engine(name, speeds, "keep")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="queue_limit=-1"):
        make_engine(name, speeds, queue_limit=-1)


def test_an_engine_loads_only_what_it_needs(name: str) -> None:
    unneeded = {"simpy": "numba", "compiled": "simpy"}[name]
    program = (
        "import sys, numpy as np; from sim.engines import make_engine; from sim.speeds import SpeedTable;"
        "row = np.array([[0.0, 1.0]]);"
        f"make_engine('{name}', SpeedTable(np.array([1]), row, row)); sys.exit('{unneeded}' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_bad_tables_are_refused(name: str) -> None:
    good = constant_speed(2)
    for limit, speed, busy in [
        (np.array([0]), good.speed, good.busy),
        (np.array([3]), good.speed, good.busy),
        (good.limit, good.speed * 0, good.busy),
        (good.limit, good.speed + 1, good.busy),
        (good.limit, good.speed, good.busy * 2),
        (good.limit, good.speed, good.busy[:, :2]),
    ]:
        with pytest.raises(ValueError, match=r"limit|speed|busy"):
            make_engine(name, SpeedTable(limit, speed, busy))
