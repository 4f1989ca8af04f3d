"""The Gaussian-process agent that starts from a simulator's table."""

from __future__ import annotations

import numpy as np
import pytest

from agents.acquisition import price
from agents.gp import GPAgent
from agents.gp_cells import Cells
from agents.gp_foretold import ForetoldPosterior
from agents.gp_kernel import ConfigurationLoadKernel, Scales
from agents.log_knobs import log_coordinates
from agents.log_scale import PLAIN
from serving.configuration import cpu_space
from serving.errors import UsageError
from serving.foretold import Foretold
from serving.observation import Observation

SPACE = cpu_space(maximum=3, minimum=0)
EVERY = np.arange(SPACE.size)
LOADS = np.array([2.0, 20.0])
OWN = 0.1**2


def observation(slot: int = 0, **measured: float) -> Observation:
    return Observation(slot=slot, minute=2.0 * slot, **measured)


def a_table(seed: int = 0) -> Foretold:
    cost = np.exp(np.random.default_rng(seed).normal(size=(2, SPACE.size)))
    return Foretold(LOADS, cost, 2 * cost)


def test_errors_of_the_table_are_a_process_that_real_slots_tell():
    """The posterior of table + error by the joint covariance, nothing compressed."""
    scales, rng, told = Scales(simulator=0.6, slope=1.0), np.random.default_rng(5), a_table()
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    cells = Cells(outputs=2, load_step=0.1, most=100)
    for _ in range(25):
        cells.add(int(rng.integers(SPACE.size)), rng.normal(2.0, 0.7), np.exp(rng.normal(size=2)))
    index, load = cells.configuration, cells.log_load
    errors = 0.36 * kernel(index, load, index, load) + OWN * (index[:, None] == index)
    noisy = errors + np.diag(0.01 / cells.weight)
    here = np.full(SPACE.size, 2.0)
    across = 0.36 * kernel(index, load, EVERY, here) + OWN * (index[:, None] == EVERY)
    prior = 0.36 * kernel(EVERY, here, EVERY, here) + OWN * np.eye(SPACE.size)
    off = np.log(cells.value) - told.of(index, load)
    posterior = prior - across.T @ np.linalg.solve(noisy, across)
    belief = ForetoldPosterior(cells, kernel, told, 2.0).at(2.0)
    np.testing.assert_allclose(
        belief.mean, told.at(2.0) + across.T @ np.linalg.solve(noisy, off), rtol=1e-7, atol=1e-9
    )
    whitened = np.linalg.solve(np.linalg.cholesky(noisy), off)
    amplitude = (10.0 + (whitened**2).sum(axis=0)) / (10.0 + len(cells))
    np.testing.assert_allclose(belief.deviation**2, amplitude * np.diag(posterior)[:, None], rtol=1e-6)
    down = whitened[whitened[:, 0] < 0, 0]
    saved = (10.0 + (down**2).sum()) / (10.0 + len(down))
    variance = np.diag(posterior)
    moved = np.abs(variance - posterior[3]) / np.sqrt(variance + 0.01)
    np.testing.assert_allclose(belief.reveals(3), np.sqrt(saved) * moved, atol=1e-8)


def test_without_real_slots_the_table_is_believed_and_doubted():
    told, scales = a_table(), Scales(slope=1.0)
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    belief = ForetoldPosterior(Cells(outputs=2, load_step=0.1, most=9), kernel, told, 1.0).at(1.0)
    np.testing.assert_allclose(belief.mean, told.at(1.0))
    np.testing.assert_allclose(belief.deviation**2, 0.25 * scales.prior_variance + OWN)
    assert belief.reveals(4)[4] == pytest.approx(0.0, abs=1e-6)
    assert (np.delete(belief.reveals(4), 4) > 0.05).all()


def test_overload_is_compressed_above_what_is_possible_at_the_load():
    cost = np.array([[0.1] * SPACE.size, [10.0] * SPACE.size])  # a hundred times as dear at the larger load
    told, kernel = Foretold(LOADS, cost, cost), ConfigurationLoadKernel(log_coordinates(SPACE), Scales())
    none = Cells(outputs=2, load_step=0.1, most=9)
    for load in np.log(LOADS):
        belief = ForetoldPosterior(none, kernel, told, load).at(load)
        np.testing.assert_allclose(belief.mean, told.at(load))  # all of it is below the knee


def test_the_best_of_all_saves_nothing_against_itself():
    mean, deviation = np.array([0.0, 0.5]), np.array([0.3, 0.3])
    blind = price(mean, deviation, PLAIN, horizon=100)
    seen = price(mean, deviation, PLAIN, lambda one: np.where(np.arange(2) == one, 0.0, 0.4), horizon=100)
    assert blind.argmin() == 0  # takes its own doubt for a saving
    assert seen[0] == pytest.approx(np.exp(0.3**2 / 2))
    assert seen.argmin() == 1


def test_a_slot_of_what_is_known_reveals_nothing_however_doubtful_the_best_is():
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), Scales(slope=1.0))
    cells = Cells(outputs=2, load_step=0.1, most=9, most_weight=1e6)
    cells.add(22, 2.0, np.ones(2), weight=1e6)
    belief = ForetoldPosterior(cells, kernel, a_table(), 2.0).at(2.0)
    assert belief.reveals(5)[22] < 0.01
    assert belief.reveals(22)[5] > 0.3


def serve(agent, costs, slots):
    """Costs of the slots played, where a configuration costs what it is said to."""
    paid = []
    for slot in range(slots):
        seen = observation(slot, load_rps=10.0 if slot else 0.0)
        played = agent.act(seen)
        paid.append(float(costs[SPACE.index(played)]))
        agent.learn(seen, played, paid[-1], observation(slot + 1, load_rps=10.0, p95_latency_s=0.1))
    return paid


def test_a_right_table_is_played_from_the_first_slot_on_and_a_wrong_one_is_seen_through():
    coordinates = log_coordinates(SPACE).sum(axis=1)
    costs = np.exp(np.log(10) / np.ptp(coordinates) * coordinates)
    for told, first in ((costs, 1.0), (1 / costs, 9.0)):
        table = Foretold(LOADS, np.stack([told, told]), np.ones((2, SPACE.size)))
        paid = serve(GPAgent(space=SPACE, play_defaults=True, foretold=table), costs, 60)
        assert first * costs.min() <= paid[0] < 1.2 * first * costs.min()
        assert np.mean(paid[40:]) < 1.1 * costs.min()


def test_before_anything_is_measured_it_expects_the_largest_load_of_the_table():
    cost = np.ones((2, SPACE.size))
    cost[0, SPACE.index((1, 1, 1))] = cost[1, SPACE.index((3, 3, 3))] = 0.1
    cost[:, 0] = 0.01  # a default, which is not played
    agent = GPAgent(space=SPACE, foretold=Foretold(LOADS, cost, cost))
    assert agent.act(observation(0)) == (3, 3, 3)
    assert agent.act(observation(7, load_rps=2.0)) == (1, 1, 1)


def test_it_goes_on_from_a_saved_state():
    costs = np.exp(np.random.default_rng(3).normal(size=SPACE.size))
    agent, other = (GPAgent(space=SPACE, foretold=a_table()) for _ in range(2))
    serve(agent, costs, 20)
    other.load_state_dict(agent.state_dict())
    seen = observation(20, load_rps=11.0)
    assert agent.act(seen) == other.act(seen)
    np.testing.assert_array_equal(
        agent.diagnostics()["implied_latency"], other.diagnostics()["implied_latency"]
    )


def test_safe_play_reads_the_tail_from_the_table():
    """The cheapest configuration of the table misses the objective: it is not played, first slot included."""
    cost, tail = np.full((2, SPACE.size), 0.5), np.full((2, SPACE.size), 0.01)
    dear = SPACE.index((3, 3, 3))
    cost[:, dear], tail[:, dear] = 0.4, 50.0
    kept = GPAgent(space=SPACE, foretold=Foretold(LOADS, cost, tail), slo_s=1.0, safety={"free_slots": 0})
    paid = serve(kept, cost[0], 30)
    assert set(paid) == {0.5}
    free = GPAgent(space=SPACE, foretold=kept.foretold, slo_s=1.0, safety={"free_slots": 1})
    assert serve(free, cost[0], 30)[0] == 0.4


def test_an_overloaded_slot_is_compared_with_what_the_table_says_of_it():
    """The table is right, and has no losses in it: nothing is off."""
    cost = np.full((2, SPACE.size), 3.0)
    agent = GPAgent(space=SPACE, foretold=Foretold(LOADS, cost, cost))
    seen = observation(load_rps=10.0)
    lossy = observation(1, load_rps=10.0, throughput_rps=4.0, lost_rps=6.0, p95_latency_s=3.0)
    agent.learn(seen, (1, 1, 1), 3.0, lossy)
    agent.act(seen)
    np.testing.assert_allclose(agent.diagnostics()["implied_latency"], 3.0, rtol=1e-6)


def test_it_begins_for_no_larger_load_than_there_can_be():
    cost = np.ones((2, SPACE.size))
    cost[0, SPACE.index((1, 1, 1))] = cost[1, SPACE.index((3, 3, 3))] = 0.01
    table = Foretold(LOADS, cost, cost)
    assert GPAgent(space=SPACE, foretold=table, max_load_rps=2.5).act(observation(0)) == (1, 1, 1)
    assert GPAgent(space=SPACE, foretold=table, max_load_rps=50.0).act(observation(0)) == (3, 3, 3)


def test_simulated_slots_of_a_saved_state_are_refused():
    played = GPAgent(space=SPACE)
    played.begin_preparation()
    serve(played, np.ones(SPACE.size), 5)
    played.end_preparation()
    with pytest.raises(UsageError, match="the state has simulated slots"):
        GPAgent(space=SPACE, foretold=a_table()).load_state_dict(played.state_dict())


def test_a_table_of_another_grid_is_refused():
    with pytest.raises(UsageError, match="foretold: of 64 configurations, expected 125"):
        GPAgent(space=cpu_space(maximum=4, minimum=0), foretold=a_table())
