"""The Gaussian-process agent that starts from a simulator's table."""

from __future__ import annotations

from itertools import pairwise

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


def a_table(seed: int = 0, simulators: int = 1) -> Foretold:
    cost, tail = np.exp(np.random.default_rng(seed).normal(size=(2, simulators, 2, SPACE.size)))
    return Foretold(LOADS, cost, tail)


@pytest.mark.parametrize("simulators", [1, 4])
def test_errors_of_the_tables_are_a_process_that_real_slots_tell(simulators):
    """The posterior of tables + error by the joint covariance, nothing compressed."""
    scales, rng = Scales(simulator=0.6, slope=1.0), np.random.default_rng(5)
    told = a_table(simulators=simulators)
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    cells = Cells(outputs=2, load_step=0.1, most=100)
    for _ in range(25):
        cells.add(int(rng.integers(SPACE.size)), rng.normal(2.0, 0.7), np.exp(rng.normal(size=2)))
    index, load = cells.configuration, cells.log_load
    here = np.full(SPACE.size, 2.0)
    places, everywhere = np.append(index, EVERY), np.append(load, here)
    joint = 0.36 * kernel(places, everywhere, places, everywhere) + OWN * (places[:, None] == places)
    belief = ForetoldPosterior(cells, kernel, told, 2.0).at(2.0)
    n = len(cells)
    for output in range(2):
        tables = told.of(places, everywhere)[..., output]
        spread = np.cov(tables, rowvar=False) if simulators > 1 else 0.0
        total, mean = joint + spread, tables.mean(axis=0)
        busier, calmer = (told.of(places, everywhere + off)[..., output] for off in (0.1, -0.1))
        noise = 0.01 + np.maximum((busier - calmer).mean(axis=0) / 2, 0.0) ** 2
        np.testing.assert_allclose(belief.noise[:, output] ** 2, noise[n:])
        noisy, across, prior = total[:n, :n] + np.diag(noise[:n] / cells.weight), total[:n, n:], total[n:, n:]
        off = np.log(cells.value[:, output]) - mean[:n]
        expected = mean[n:] + across.T @ np.linalg.solve(noisy, off)
        np.testing.assert_allclose(belief.mean[:, output], expected, rtol=1e-7, atol=1e-9)
        posterior = prior - across.T @ np.linalg.solve(noisy, across)
        whitened = np.linalg.solve(np.linalg.cholesky(noisy), off)
        amplitude = (10.0 + (whitened**2).sum()) / (10.0 + n)
        np.testing.assert_allclose(
            belief.deviation[:, output] ** 2, amplitude * np.diag(posterior), rtol=1e-6
        )
        if output == 0:
            down = whitened[whitened < 0]
            saved = (amplitude + (down**2).sum()) / (1.0 + len(down))
            moved = np.abs(np.diag(posterior) - posterior[3]) / np.sqrt(np.diag(posterior) + noise[n:])
            np.testing.assert_allclose(belief.reveals(3), np.sqrt(saved) * moved, atol=1e-7)
    cost_alone = ForetoldPosterior(cells, kernel, told, 2.0, outputs=1).at(2.0)
    np.testing.assert_allclose(cost_alone.mean[:, 0], belief.mean[:, 0])
    assert cost_alone.mean.shape == (SPACE.size, 1)


def test_a_few_slots_tell_which_simulator_the_service_is_like():
    """Where all simulators agree nothing is told; one slot where they do not tells the rest."""
    rng = np.random.default_rng(1)
    many = np.exp(2 * rng.normal(size=(6, 1, 1)) * rng.choice([-1.0, 1.0], SPACE.size) + np.zeros((6, 2, 1)))
    told, scales = Foretold(LOADS, many, many), Scales(slope=1.0, simulator=0.1)
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    cells = Cells(outputs=2, load_step=0.1, most=9)
    cells.add(5, 2.0, np.full(2, many[4, 0, 5]))
    before, after = (
        np.abs(ForetoldPosterior(known, kernel, told, 2.0).at(2.0).mean[:, 0] - np.log(many[4, 0]))
        for known in (Cells(outputs=2, load_step=0.1, most=9), cells)
    )
    assert (before > 0.3).all()
    assert (after < 0.15).all()


def test_cheap_slots_beside_a_cliff_say_less_than_the_tables():
    """By the tables each costs 2, one of them steeply; five cheap slots of it may be luck."""
    cost = np.full((1, 3, SPACE.size), 2.0)
    cost[0, :, 7] = 0.5, 2.0, 8.0
    told = Foretold(np.array([9.0, 10.0, 10.0 / 0.9]), cost, cost)
    kernel, load = ConfigurationLoadKernel(log_coordinates(SPACE), Scales()), np.log(10.0)
    believed = []
    for played in (7, 22):
        cells = Cells(outputs=2, load_step=0.1, most=9)
        cells.add(played, load, np.ones(2), weight=5.0)
        believed.append(ForetoldPosterior(cells, kernel, told, load).at(load).mean[played, 0])
    assert believed[1] < 0.02  # log cost; 0 was seen
    assert believed[0] > 5 * believed[1]


def test_who_is_told_wrong_things_looks_around_more():
    """What one slot may reveal grows with how much dearer the service is than the tables say."""
    told = Foretold(LOADS, np.ones((1, 2, SPACE.size)), np.ones((1, 2, SPACE.size)))
    kernel, reveals = ConfigurationLoadKernel(log_coordinates(SPACE), Scales()), []
    for cost in (1.01, 3.0, 30.0):
        cells = Cells(outputs=2, load_step=0.1, most=9)
        for played in (7, 22, 41):
            cells.add(played, 2.0, np.full(2, cost), weight=5.0)
        reveals.append(ForetoldPosterior(cells, kernel, told, 2.0).at(2.0).reveals(7)[63])
    assert reveals[0] < reveals[1] < reveals[2]


def test_without_real_slots_the_table_is_believed_and_doubted():
    told, scales = a_table(), Scales(slope=1.0)
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    belief = ForetoldPosterior(Cells(outputs=2, load_step=0.1, most=9), kernel, told, 1.0).at(1.0)
    np.testing.assert_allclose(belief.mean, told.at(1.0)[0])
    np.testing.assert_allclose(belief.deviation**2, 0.25 * scales.prior_variance + OWN)
    assert belief.reveals(4)[4] == pytest.approx(0.0, abs=1e-6)
    assert (np.delete(belief.reveals(4), 4) > 0.05).all()


def test_overload_is_compressed_above_what_is_possible_at_the_load():
    cost = np.array([[0.1] * SPACE.size, [10.0] * SPACE.size])  # a hundred times as dear at the larger load
    told, kernel = (
        Foretold(LOADS, cost[None], cost[None]),
        ConfigurationLoadKernel(log_coordinates(SPACE), Scales()),
    )
    none = Cells(outputs=2, load_step=0.1, most=9)
    for load in np.log(LOADS):
        belief = ForetoldPosterior(none, kernel, told, load).at(load)
        np.testing.assert_allclose(belief.mean, told.at(load)[0])  # all of it is below the knee


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
        table = Foretold(LOADS, np.stack([told, told])[None], np.ones((1, 2, SPACE.size)))
        paid = serve(GPAgent(space=SPACE, play_defaults=True, foretold=table), costs, 60)
        assert first * costs.min() <= paid[0] < 1.2 * first * costs.min()
        assert np.mean(paid[40:]) < 1.1 * costs.min()


def test_before_anything_is_measured_it_expects_the_largest_load_of_the_table():
    cost = np.ones((2, SPACE.size))
    cost[0, SPACE.index((1, 1, 1))] = cost[1, SPACE.index((3, 3, 3))] = 0.1
    cost[:, 0] = 0.01  # a default, which is not played
    agent = GPAgent(space=SPACE, foretold=Foretold(LOADS, cost[None], cost[None]))
    assert agent.act(observation(0)) == (3, 3, 3)
    assert agent.act(observation(7, load_rps=2.0)) == (1, 1, 1)


def test_it_goes_on_from_a_saved_state():
    costs = np.exp(np.random.default_rng(3).normal(size=SPACE.size))
    agent, other = (GPAgent(space=SPACE, foretold=a_table()) for _ in range(2))
    serve(agent, costs, 20)
    agent.learn(observation(), (1, 1, 1), 1.0, observation(1, load_rps=19.0, p95_latency_s=0.1))
    other.load_state_dict(agent.state_dict())
    assert other.state_dict()["rises"] == 1
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
    table = Foretold(LOADS, cost[None], tail[None])
    kept = GPAgent(space=SPACE, foretold=table, slo_s=1.0, safety={"free_slots": 0})
    paid = serve(kept, cost[0], 30)
    assert set(paid) == {0.5}
    free = GPAgent(space=SPACE, foretold=table, slo_s=1.0, safety={"free_slots": 1})
    assert serve(free, cost[0], 30)[0] == 0.4


def test_an_overloaded_slot_is_compared_with_what_the_table_says_of_it():
    """The table is right, and has no losses in it: nothing is off."""
    cost = np.full((2, SPACE.size), 3.0)
    agent = GPAgent(space=SPACE, foretold=Foretold(LOADS, cost[None], cost[None]))
    seen = observation(load_rps=10.0)
    lossy = observation(1, load_rps=10.0, throughput_rps=4.0, lost_rps=6.0, p95_latency_s=3.0)
    agent.learn(seen, (1, 1, 1), 3.0, lossy)
    agent.act(seen)
    np.testing.assert_allclose(agent.diagnostics()["implied_latency"], 3.0, rtol=1e-6)


def test_it_begins_for_no_larger_load_than_there_can_be():
    cost = np.ones((2, SPACE.size))
    cost[0, SPACE.index((1, 1, 1))] = cost[1, SPACE.index((3, 3, 3))] = 0.01
    table = Foretold(LOADS, cost[None], cost[None])
    assert GPAgent(space=SPACE, foretold=table, max_load_rps=2.5).act(observation(0)) == (1, 1, 1)
    assert GPAgent(space=SPACE, foretold=table, max_load_rps=50.0).act(observation(0)) == (3, 3, 3)


def cliff(at_large_load: float) -> Foretold:
    """All alike at the small load, but (1, 1, 1) a little cheaper; at the large one that is overloaded."""
    cost = np.full((1, 2, SPACE.size), 1.0)
    cost[0, 0, SPACE.index((1, 1, 1))] = 0.9
    cost[0, 1, SPACE.index((1, 1, 1))] = at_large_load
    return Foretold(LOADS, cost, cost)


def played(agent: GPAgent, loads: list[float]) -> list[tuple[int, ...]]:
    """Configurations, each costing what the cheapest does: nothing is learned but how loads change."""
    choices = []
    for slot, (load, after) in enumerate(pairwise(loads)):
        choices.append(agent.act(observation(slot, load_rps=load)))
        after_it = observation(slot + 1, load_rps=after, p95_latency_s=0.1)
        agent.learn(
            observation(slot, load_rps=load), choices[-1], 0.9 if choices[-1] == (1, 1, 1) else 1.0, after_it
        )
    return choices


def test_what_a_rise_of_the_load_would_overload_is_left_alone_if_loads_rise():
    steady, rising = [2.0] * 120, [*[2.0] * 11, 3.0] * 10

    def last(told: float, loads: list[float], **settings: float) -> tuple[int, ...]:
        agent = GPAgent(space=SPACE, foretold=cliff(told), horizon=0.0, **settings)
        return played(agent, loads)[-2]

    assert last(1.0, rising) == (1, 1, 1)
    assert last(9.0, rising) != (1, 1, 1)
    assert last(9.0, steady, max_load_rps=2.2) == (1, 1, 1)  # there can be no larger load
    assert last(5.0, rising) != (1, 1, 1)
    assert last(5.0, steady) == (1, 1, 1)


def loads_seen(agent: GPAgent, loads: list[float]) -> int:
    """How many of them the agent takes for rises."""
    for slot, load in enumerate(loads):
        after = observation(slot + 1, load_rps=load, p95_latency_s=0.1)
        agent.learn(observation(slot, load_rps=load), (1, 1, 1), 1.0, after)
    return int(agent.state_dict()["rises"])


def test_a_load_rises_beyond_what_it_was_lately_and_not_by_chance():
    stairs = [load for load in (2.0, 3.0, 4.0, 2.0, 4.0) for _ in range(12)]
    assert loads_seen(GPAgent(space=SPACE, foretold=a_table()), stairs) == 3
    slowly = list(np.exp(np.linspace(0.0, 3.0, 60)))
    assert loads_seen(GPAgent(space=SPACE, foretold=a_table()), slowly) == 0
    few_requests = np.random.default_rng(3).poisson(150, 500) / 10.0  # of a load that is always the same
    assert loads_seen(GPAgent(space=SPACE, foretold=a_table()), few_requests.tolist()) < 10


@pytest.mark.parametrize(("steep", "kept"), [(1.0, False), (1.2, False), (2.0, True), (1e4, True)])
def test_a_bad_slot_beside_a_cliff_is_bad_luck_and_elsewhere_a_change(steep, kept):
    """What is dearer by far at a load a little larger may be so by chance; the cells stay."""
    cost = np.full((1, 2, SPACE.size), 1.0)
    cost[0, 1] *= steep
    agent = GPAgent(space=SPACE, foretold=Foretold(np.array([10.0, 11.05]), cost, cost))
    serve(agent, np.ones(SPACE.size), 40)
    cells = len(agent.cells)
    now = observation(40, load_rps=10.0)
    choice = agent.act(now)
    agent.learn(now, choice, 4.0, observation(41, load_rps=10.0, p95_latency_s=0.1))
    assert len(agent.cells) in ((cells, cells + 1) if kept else (1,))


def test_after_a_change_the_tables_stand_and_are_doubted_more():
    """Of one bad slot who had seen a better service makes less than who begins with it."""
    cost = np.ones((1, 2, SPACE.size))
    beginner, witness, heir = (GPAgent(space=SPACE, foretold=Foretold(LOADS, cost, cost)) for _ in range(3))
    serve(witness, np.ones(SPACE.size), 40)
    now, later = (observation(slot, load_rps=10.0, p95_latency_s=0.1) for slot in (40, 41))
    for agent in (beginner, witness):
        agent.learn(now, agent.act(now), 4.0, later)
    heir.load_state_dict(witness.state_dict())
    doubts = []
    for agent in (beginner, witness, heir):
        agent.act(later)
        doubts.append(agent.diagnostics()["deviation"])
    assert len(witness.cells) == 1
    assert doubts[1] > 1.3 * doubts[0]
    assert doubts[2] == doubts[1]


def test_safe_play_knows_its_reference_after_two_slots_whatever_the_first_one_said():
    agent = GPAgent(space=SPACE, foretold=a_table(), safety={"reference": (3, 1, 1)})
    agent.learn(observation(), agent.act(observation()), float("nan"), observation(1, load_rps=10.0))
    assert agent.act(observation(1, load_rps=10.0)) == (3, 1, 1)


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


def test_a_state_of_an_agent_with_tables_is_refused_without_them():
    played = GPAgent(space=SPACE, foretold=a_table())
    serve(played, np.ones(SPACE.size), 5)
    with pytest.raises(UsageError, match="the state is of an agent that starts from tables"):
        GPAgent(space=SPACE).load_state_dict(played.state_dict())


def test_a_largest_load_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"max_load_rps=0\.0, expected a number > 0"):
        GPAgent(space=SPACE, foretold=a_table(), max_load_rps=0.0)
