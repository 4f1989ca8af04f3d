"""The engines agree to the last bit, with each other and with a third one written differently."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.slot import Slot
from sim.engine import Boundary, SlotTally
from sim.engines import make_engine
from sim.speeds import SpeedTable

BOUNDARIES: tuple[Boundary, ...] = ("bounded", "carry", "drop", "episodic")


@dataclass(frozen=True)
class Scenario:
    speeds: SpeedTable
    slots: tuple[tuple[int, Slot, np.ndarray], ...]  # configuration, slot, demand_s
    queue_limit: int | None


def slot_of(index: int, start_s: float, duration_s: float, arrival_s: list[float]) -> Slot:
    return Slot(index, start_s, duration_s, np.array(arrival_s), np.ones(len(arrival_s)), 1.0)


# Times and demands on a coarse grid make exact ties common; free ones exercise the rounding.
def numbers(maximum: float, tied: bool) -> st.SearchStrategy[float]:
    if tied:
        return st.integers(0, 8).map(lambda step: step * maximum / 8)
    return st.floats(0, maximum, exclude_max=maximum > 0, allow_subnormal=False)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    rows = draw(st.integers(1, 3))
    limit = np.array(draw(st.lists(st.sampled_from([1, 2, 3, 7, 40]), min_size=rows, max_size=rows)))
    columns = int(limit.max()) + 1
    tied = draw(st.booleans())
    if tied:
        speed = np.array([[2.0 ** -draw(st.integers(0, 1))] * columns for _ in range(rows)])
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        speed = rng.uniform(0.05, 3.0, (rows, columns))
    busy = np.minimum(1.0, np.arange(columns) * 0.3) * np.ones((rows, 1))
    speed[:, 0] = 0.0
    duration_s = draw(st.sampled_from([0.1, 1.0, 8.0]))
    slots = []
    gap_s = draw(st.sampled_from([0.0, 0.0, 0.5]))
    for index in range(draw(st.integers(1, 6))):
        start_s = 0.7 + index * (duration_s + gap_s)
        offsets = sorted(draw(st.lists(numbers(duration_s, tied), max_size=30)))
        slot = slot_of(index, start_s, duration_s, [])
        arrival_s = np.clip(start_s + np.array(offsets), start_s, slot.end_s).tolist()
        demand_s = draw(st.lists(numbers(4.0, tied), min_size=len(offsets), max_size=len(offsets)))
        configuration = draw(st.integers(0, rows - 1))
        slots.append((configuration, slot_of(index, start_s, duration_s, arrival_s), np.array(demand_s)))
    return Scenario(SpeedTable(limit, speed, busy), tuple(slots), draw(st.sampled_from([None, 0, 1, 4, 50])))


def serve(name: str, scenario: Scenario, boundary: Boundary) -> list[SlotTally]:
    engine = make_engine(name, scenario.speeds, boundary, scenario.queue_limit)
    return [engine.serve(*slot) for slot in scenario.slots]


def assert_equal(ones: list[SlotTally], others: list[SlotTally]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert one.latency_s.tolist() == other.latency_s.tolist()
        assert one.completed_at_s.tolist() == other.completed_at_s.tolist()
        for field in ("rejections", "busy_s", "elapsed_s", "backlog_start", "backlog_end"):
            assert getattr(one, field) == getattr(other, field), field


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
    for tally, (_, slot, _) in zip(reference, scenario.slots, strict=True):
        arrivals, completions = len(slot.arrival_s), len(tally.latency_s)
        assert tally.backlog_start + arrivals == completions + tally.rejections + tally.backlog_end
        assert (tally.latency_s >= 0).all()
        assert (np.diff(tally.completed_at_s) >= 0).all()
        assert 0 <= tally.busy_s <= tally.elapsed_s * (1 + 1e-9) + 1e-9


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
