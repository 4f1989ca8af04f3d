"""Costs of a real system, measured: complete, taken up again, and what agents make of them."""

import pandas as pd
import pytest

from experiments.build import build_agent, build_env
from experiments.measured_table import measure, measured_table
from experiments.settings import compose_settings
from serving.errors import UsageError

SMALL = ["system.grid_minimum=1", "system.grid_maximum=2", "table.load_rps=[4,16]", "progress=false"]


def settings(folder, *overrides):
    """The measuring needs no more than a serving system, so here the simulator stands for the machine."""
    return compose_settings([*SMALL, f"table.measured={folder / 'table.csv'}", *overrides])


def test_every_configuration_is_measured_at_every_load_and_an_interrupted_sweep_goes_on(tmp_path):
    plain = settings(tmp_path)
    file = measure(plain)
    rows = pd.read_csv(file)
    space = build_env(plain).system.space
    assert len(rows) == 16 == len(rows.groupby([*space.names, "load_rps"]))
    table = measured_table(plain, space)
    assert table.cost.shape == (2, 8)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:6]))
    with pytest.raises(UsageError, match=r"11 of 16 costs are missing; python -m experiments\.truth"):
        measured_table(plain, space)
    measure(plain)
    again = pd.read_csv(file)
    assert file.read_text().startswith("".join(lines[:6]))
    assert sorted(again["cost"]) == pytest.approx(
        sorted(rows["cost"])
    )  # the simulator has no noise of its own


def test_the_best_static_configuration_is_the_one_that_was_measured_best(tmp_path):
    plain = settings(tmp_path, "agent=static_best", "workload=constant", "workload.mean_rps=16", "slots=3")
    env = build_env(plain)
    rows = pd.read_csv(measure(plain))
    rows.loc[rows.index[rows["load_rps"] == 16][2], "cost"] = 1e-6
    rows.to_csv(tmp_path / "table.csv", index=False)
    agent = build_agent(plain, env, lambda: measured_table(plain, env.system.space))
    observation = env.reset(seed=0)[1]["observation"]
    best = rows.loc[rows["cost"].idxmin()]
    assert agent.act(observation) == tuple(best[list(env.system.space.names)])


def test_without_a_file_there_is_no_table_and_one_of_something_else_is_refused(tmp_path):
    plain = settings(tmp_path)
    space = build_env(plain).system.space
    assert measured_table(plain | {"table": plain["table"] | {"measured": None}}, space) is None
    with pytest.raises(UsageError, match=r"table\.measured=null, expected a file"):
        measure(plain | {"table": plain["table"] | {"measured": None}})
    with pytest.raises(UsageError, match="16 of 16 costs are missing"):
        measured_table(plain, space)
    measure(plain)
    other = settings(tmp_path, "objective=strict_slo")
    with pytest.raises(UsageError, match=r"costs of objective \['mean_latency'\], expected strict_slo"):
        measured_table(other, space)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"columns \['a', 'b'\], expected"):
        measured_table(plain, space)


def test_the_testbeds_own_choice_has_a_grid_of_its_own():
    grids = {
        agent: compose_settings(["experiment=testbed", f"agent={agent}"])["system"]["request_parallelism"]
        for agent in ("tf_default", "rrl")
    }
    assert grids == {"tf_default": [0], "rrl": [1, 2, 4, 8]}
