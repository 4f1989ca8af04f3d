"""Random servers and requests for the engines to agree on."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from serving.dispatch import Dispatch
from serving.slot import Slot
from sim.engine import Boundary, SlotTally
from sim.engines import make_engine
from sim.reconfiguration import AT_ONCE, Switch
from sim.speeds import Batching, SpeedTable

BOUNDARIES: tuple[Boundary, ...] = ("bounded", "carry", "drop", "episodic")


@dataclass(frozen=True)
class Scenario:
    speeds: SpeedTable
    slots: tuple[tuple[int, Slot, np.ndarray], ...]  # configuration, slot, demand_s
    queue_limit: int | None
    switches: tuple[Switch, ...] = ()
    servers: int = 1
    dispatch: Dispatch = "round_robin"


def slot_of(index: int, start_s: float, duration_s: float, arrival_s: list[float]) -> Slot:
    return Slot(index, start_s, duration_s, np.array(arrival_s), np.ones(len(arrival_s)), 1.0)


# Times and demands on a coarse grid make exact ties common; free ones exercise the rounding.
def numbers(maximum: float, tied: bool) -> st.SearchStrategy[float]:
    if tied:
        return st.integers(0, 8).map(lambda step: step * maximum / 8)
    return st.floats(0, maximum, exclude_max=maximum > 0, allow_subnormal=False)


@st.composite
def batchings(draw: st.DrawFn, rows: int, tied: bool) -> Batching:
    def row(values: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=rows, max_size=rows)))

    size = row(st.sampled_from([1, 2, 3, 8]))
    return Batching(size, row(st.just(0.0) | numbers(2.0, tied)), row(numbers(1.0, tied)))


@st.composite
def scenarios(draw: st.DrawFn, whole: bool = False) -> Scenario:
    """One server that takes requests one by one and is reconfigured at once; ``whole``: all there is."""
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
    queue_limit = draw(st.sampled_from([None, 0, 1, 4, 50]))
    if not whole:
        return Scenario(SpeedTable(limit, speed, busy), tuple(slots), queue_limit)
    batching = draw(st.none() | batchings(rows, tied))
    times = st.just(0.0) | numbers(1.5 * duration_s, tied)
    switch = st.just(AT_ONCE) | st.builds(Switch, times, times)
    return Scenario(
        SpeedTable(limit, speed, busy, batching),
        tuple(slots),
        queue_limit,
        tuple(draw(st.lists(switch, min_size=len(slots), max_size=len(slots)))),
        draw(st.sampled_from([1, 1, 2, 3])),
        draw(st.sampled_from(["random", "round_robin", "least_loaded"])),
    )


def serve(name: str, scenario: Scenario, boundary: Boundary) -> list[SlotTally]:
    engine = make_engine(
        name, scenario.speeds, boundary, scenario.queue_limit, scenario.servers, scenario.dispatch
    )
    switches = scenario.switches or (AT_ONCE,) * len(scenario.slots)
    return [engine.serve(*slot, switch) for slot, switch in zip(scenario.slots, switches, strict=True)]


def assert_equal(ones: list[SlotTally], others: list[SlotTally]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert one.latency_s.tolist() == other.latency_s.tolist()
        assert one.completed_at_s.tolist() == other.completed_at_s.tolist()
        for field in ("rejections", "busy_s", "elapsed_s", "backlog_start", "backlog_end"):
            assert getattr(one, field) == getattr(other, field), field


def assert_balances(scenario: Scenario, tallies: list[SlotTally]) -> None:
    for tally, (_, slot, _) in zip(tallies, scenario.slots, strict=True):
        arrivals, completions = len(slot.arrival_s), len(tally.latency_s)
        assert tally.backlog_start + arrivals == completions + tally.rejections + tally.backlog_end
        assert (tally.latency_s >= 0).all()
        assert (np.diff(tally.completed_at_s) >= 0).all()
        assert 0 <= tally.busy_s <= tally.elapsed_s * (1 + 1e-9) + 1e-9
