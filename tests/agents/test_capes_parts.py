"""The small parts of CAPES: moves, exploration, indicators, replay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.capes_exploration import Exploration, WorkloadChange
from agents.capes_indicators import IndicatorWindow
from agents.capes_moves import Moves
from agents.capes_replay import Replay
from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.observation import Observation

SPACE = ConfigurationSpace((Knob("a", (1, 2, 3)), Knob("b", (0, 10)), Knob("c", (7,))))


def test_moves_are_numbered_as_in_the_released_code():
    moves, start = Moves(SPACE), SPACE.index((2, 0, 7))
    assert moves.count == 7
    led_to = [SPACE.configurations[moves.apply(start, move)] for move in range(7)]
    assert led_to == [(2, 0, 7), (3, 0, 7), (1, 0, 7), (2, 10, 7), (2, 0, 7), (2, 0, 7), (2, 0, 7)]


@given(st.integers(0, 124), st.integers(0, 6))
def test_a_move_changes_one_knob_by_one_step_or_nothing_at_the_edge(index, move):
    space = cpu_space(maximum=4)
    before, after = space.values[index], space.values[Moves(space).apply(index, move)]
    wanted = before.copy()
    if move:
        wanted[(move - 1) // 2] += 1 if move % 2 else -1
    assert (after == (wanted if 0 <= wanted.min() <= wanted.max() <= 4 else before)).all()


def test_the_middle_of_the_papers_grid():
    space = cpu_space()
    assert space.configurations[Moves(space).middle()] == (5, 5, 5)


def test_epsilon_falls_on_a_straight_line_and_stays():
    exploration = Exploration(anneal_actions=100, end=0.1)
    epsilons = []
    for _ in range(150):
        epsilons.append(exploration.epsilon)
        exploration.count()
    expected = np.concatenate([1 - 0.9 * np.arange(100) / 100, np.full(50, 0.1)])
    np.testing.assert_allclose(epsilons, expected)


def test_a_new_workload_raises_epsilon_and_never_lowers_it():
    exploration, plain = Exploration(50, 0.05, 0.2, 20), Exploration(50, 0.05)
    for action in range(200):
        if action in (10, 100):
            exploration.new_workload()
        since = action - 100
        raised = 0.2 - 0.15 * since / 20 if 0 <= since < 20 else 0.05
        assert exploration.epsilon == pytest.approx(max(plain.epsilon, raised))
        exploration.count()
        plain.count()


@pytest.mark.parametrize(
    ("levels", "changes"),
    [
        ([3, 3, 4, 4, 4, 4], [4]),  # the third slot in a row
        ([3, 4, 4, 3, 4, 4, 3], []),  # back before that
        ([3, 4, 5, 4, 5, 4, 5], []),  # no level persists
        ([3, 4, 4, 4, 3, 3, 3], [3, 6]),
    ],
)
def test_a_workload_is_new_when_another_level_persists(levels, changes):
    change = WorkloadChange()
    assert [slot for slot, level in enumerate(levels) if change(level)] == changes


def observed(**changes) -> Observation:
    plain = {
        "slot": 1, "minute": 360.0, "load_rps": 5.0, "mean_latency_s": 0.3, "p95_latency_s": 0.6,
        "throughput_rps": 4.0, "utilisation": 0.7, "backlog": 100,
    }  # fmt: skip
    return Observation(**plain | changes)


def test_the_layout_of_the_indicators_of_a_tick():
    window = IndicatorWindow(SPACE, max_load_rps=10.0, latency_s=0.2, ticks=3)
    ticks = {"ticks": (0.1, math.nan, 9.0), "tick_throughput_rps": (3.0, 0.0, 6.0)}
    seen = window.add(observed(**ticks), SPACE.index((2, 10, 7)))
    knobs_and_load, rest = [0.5, 1.0, 0.0, 0.5], [0.7, 1.0, 1.0, 0.0]  # six in the morning
    expected = [
        [*knobs_and_load, 0.5, 3.0, 0.3, *rest],
        [*knobs_and_load, 1.5, 3.0, 0.0, *rest],  # nothing completed: the slot's mean latency
        [*knobs_and_load, 5.0, 3.0, 0.6, *rest],  # at most 5 times the reference
    ]
    assert seen.values.dtype == np.float32
    np.testing.assert_allclose(seen.values.reshape(3, 11), expected, atol=1e-6)
    assert window.size == 33


def test_without_ticks_the_last_slots_stand_for_them():
    window = IndicatorWindow(SPACE, max_load_rps=10.0, latency_s=1.0, ticks=4)
    for slot in range(6):
        seen = window.add(observed(slot=slot, mean_latency_s=0.1 * slot, backlog=0), slot)
    per_tick = seen.values.reshape(4, 11)
    np.testing.assert_allclose(per_tick[:, 4], [0.2, 0.3, 0.4, 0.5], atol=1e-6)
    np.testing.assert_allclose(per_tick[:, 0], [0.5, 0.5, 1.0, 1.0])


def test_a_slot_in_which_nothing_completed_is_slow_and_missing():
    window = IndicatorWindow(SPACE, max_load_rps=10.0, latency_s=1.0, ticks=1, tolerance=0.0)
    stuck = window.add(observed(mean_latency_s=0.0, throughput_rps=0.0), 0)
    assert (stuck.values[4], stuck.complete) == (5.0, False)
    idle = window.add(observed(slot=2, mean_latency_s=0.0, throughput_rps=0.0, backlog=0), 0)
    assert (idle.values[4], idle.complete) == (0.0, True)


def test_a_window_is_complete_up_to_a_fifth_missing():
    window = IndicatorWindow(SPACE, max_load_rps=10.0, latency_s=1.0, ticks=10)
    complete = [window.add(observed(slot=slot), 0).complete for slot in range(10)]
    assert complete == [False] * 7 + [True] * 3


def test_replay_keeps_the_last_and_draws_them_alike():
    replay = Replay(inputs=1, capacity=5)
    for number in range(8):
        replay.add(np.float32([number]), number, -number, np.float32([number + 1]))
    assert len(replay) == 5
    drawn = replay.draw(np.random.default_rng(0), (4, 500))
    assert drawn.inputs.shape == (4, 500, 1)
    counts = np.bincount(drawn.move.ravel(), minlength=8)
    assert not counts[:3].any()
    assert counts[3:].min() > 330  # 400 expected, standard deviation 18
    np.testing.assert_array_equal(drawn.inputs[..., 0], drawn.move)
    np.testing.assert_array_equal(drawn.next_inputs[..., 0], drawn.move + 1)
    np.testing.assert_array_equal(drawn.gain, -drawn.move)


@given(st.integers(0, 12))
def test_a_saved_replay_goes_on_as_if_never_saved(added):
    replay, other = Replay(1, capacity=5), Replay(1, capacity=5)
    for number in range(added):
        replay.add(np.float32([number]), number, 0.0, np.float32([0]))
    other.load_state_dict(replay.state_dict())
    for one in (replay, other):
        one.add(np.float32([99]), 99, 0.0, np.float32([0]))
    for name, array in replay.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name])
