from __future__ import annotations

import numpy as np
import pytest

from agents.fixed import OracleAgent, RandomAgent, StaticAgent, StaticBestAgent
from serving.configuration import ConfigurationSpace, Knob
from serving.cost_table import CostTable
from serving.errors import UsageError
from serving.observation import Observation

SPACE = ConfigurationSpace((Knob("threads", (1, 2, 4)),))
COST = np.array([[1.0, 2.0, 3.0], [9.0, 4.0, 5.0]])
TABLE = CostTable(np.array([10.0, 20.0]), COST, np.zeros_like(COST), np.zeros_like(COST, dtype=bool))


def before_slot(slot: int) -> Observation:
    return Observation(slot=slot, minute=2.0 * slot, load_rps=0.0)


def test_the_oracle_follows_the_true_load_not_the_observed_one():
    oracle = OracleAgent(space=SPACE, cost_table=TABLE, true_load_rps=np.array([10.0, 20.0, 10.0, 25.0]))
    assert [oracle.act(before_slot(t)) for t in range(4)] == [(1,), (2,), (1,), (2,)]


@pytest.mark.parametrize(
    ("loads", "best"),
    [([10.0, 10.0], (1,)), ([20.0, 20.0], (2,)), ([10.0, 20.0], (2,)), ([10.0] * 9 + [20.0], (1,))],
)
def test_static_best_is_best_on_average_over_the_run(loads, best):
    # means over (10, 20): 5, 3, 4; over nine 10s and a 20: 1.8, 2.2, 3.2
    agent = StaticBestAgent(space=SPACE, cost_table=TABLE, true_load_rps=np.array(loads))
    assert {agent.act(before_slot(t)) for t in range(2)} == {best}


def test_no_static_choice_beats_static_best_and_nothing_beats_the_oracle():
    rng = np.random.default_rng(1)
    cost = rng.lognormal(size=(4, 3))
    table = CostTable(np.arange(1.0, 5.0), cost, np.zeros_like(cost), np.zeros_like(cost, dtype=bool))
    loads = rng.uniform(1, 4, size=50)

    def mean_cost(agent) -> float:
        chosen = [SPACE.index(agent.act(before_slot(t))) for t in range(50)]
        return float(np.mean([table.at(load)[c] for load, c in zip(loads, chosen, strict=True)]))

    oracle = mean_cost(OracleAgent(space=SPACE, cost_table=table, true_load_rps=loads))
    best_static = mean_cost(StaticBestAgent(space=SPACE, cost_table=table, true_load_rps=loads))
    others = [mean_cost(StaticAgent(space=SPACE, configuration=c)) for c in SPACE.configurations]
    assert best_static == min(others)
    assert oracle <= best_static


def test_random_is_uniform_and_resumes_where_it_stopped():
    agent = RandomAgent(space=SPACE, rng=np.random.default_rng(0))
    counts = np.bincount([SPACE.index(agent.act(before_slot(0))) for _ in range(3000)])
    assert (abs(counts - 1000) < 130).all()  # 5 standard deviations
    other = RandomAgent(space=SPACE, rng=np.random.default_rng(9))
    other.load_state_dict(agent.state_dict())
    assert [agent.act(before_slot(t)) for t in range(30)] == [other.act(before_slot(t)) for t in range(30)]


def test_static_refuses_a_configuration_off_the_grid():
    with pytest.raises(UsageError, match=r"configuration=\[3\] is not on the grid"):
        StaticAgent(space=SPACE, configuration=[3])
