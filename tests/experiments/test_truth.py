"""The exhaustive table: right, cached by what it depends on, and what rows and agents make of it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests_support import SMALL, ideal_machine, run_here

from experiments.results import finished_runs
from experiments.settings import compose_settings
from experiments.truth import cost_table, read_arrays, table_path, truth
from serving.configuration import cpu_space
from serving.objective import MeanLatency
from sim.exhaustive import Precision, sweep
from sim.system import SimulatedCpu
from workloads.constant import Constant

ROOT = Path(__file__).parents[2]


def settings(folder, *overrides):
    return compose_settings(["experiment=fig04", *SMALL, f"table.folder={folder}", *overrides])


def stationary(load_rps, seed, count):
    return tuple(Constant(mean_rps=load_rps).slots(seed, count))


def test_sequential_execution_agrees_with_m_d_1():
    """One at a time, constant work s: mean time in system s + rho s / (2 (1 - rho)), Pollaczek-Khinchine."""
    service_s, load_rps = 0.05, 14.0
    system = SimulatedCpu(ideal_machine(service_s), "inception_v3", slo_s=1, grid_minimum=1, grid_maximum=2)
    outcome = sweep(system, MeanLatency(slo_s=1), stationary, load_rps)
    rho = load_rps * service_s
    expected_s = service_s + rho * service_s / (2 * (1 - rho))
    index = system.space.index((1, 1, 1))
    assert abs(outcome.cost[index] - expected_s) < 4 * outcome.standard_error[index]
    assert outcome.standard_error[index] <= 0.01 * outcome.cost[index]
    assert outcome.utilisation[index] == pytest.approx(rho / 10, rel=0.02)


def test_a_cell_that_needs_more_samples_than_allowed_is_marked():
    system = SimulatedCpu(ideal_machine(0.07), "inception_v3", slo_s=1, grid_minimum=1, grid_maximum=2)
    tight = Precision(relative_error=1e-6, least_batches=2, most_batches=3)
    outcome = sweep(system, MeanLatency(slo_s=1), stationary, 14.0, tight)
    assert outcome.capped.all()


def test_zero_costs_what_it_stands_for():
    system = SimulatedCpu(ideal_machine(0.3), "inception_v3", slo_s=1)
    space = system.space
    for configuration, like in [((3, 0, 2), (3, 10, 2)), ((3, 2, 0), (3, 2, 10))]:
        assert system.like[space.index(configuration)] == system.like[space.index(like)]
    assert system.like[space.index((3, 2, 1))] != system.like[space.index((3, 1, 2))]


def test_the_table_is_computed_once_and_again_when_something_matters(tmp_path):
    plain = settings(tmp_path)
    first = cost_table(plain)
    stamp = table_path(plain).stat().st_mtime_ns
    again = cost_table(settings(tmp_path, "seed=7", "system.engine=simpy", "agent=random"))
    assert table_path(plain).stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(first.cost, again.cost)
    for change in (
        *("system.queue_limit=5", "objective.penalty_s=9", "hardware.cores=4"),
        *("slot_s=60", "workload.slot_s=60"),
    ):
        assert table_path(settings(tmp_path, change)) != table_path(plain), change
    assert list(tmp_path.glob("*.partial*")) == []


def test_a_broken_table_is_computed_again(tmp_path):
    plain = settings(tmp_path)
    first = cost_table(plain)
    whole = table_path(plain).read_bytes()
    for damage in (b"", b"half a tab", whole[: len(whole) // 2]):
        table_path(plain).write_bytes(damage)
        assert read_arrays(plain) is None
    np.testing.assert_array_equal(cost_table(plain).cost, first.cost)


def test_rows_compare_the_choice_with_the_best_of_the_table(world):
    runs = {run.config["agent"]["preset"]: run for run in finished_runs(world.folder / "results/runs/fig11")}
    oracle, random = (runs[name].table("slots") for name in ("oracle", "random"))
    np.testing.assert_allclose(oracle["gap"], 1.0)
    assert (random["gap"] >= 1).all()
    assert (random["gap"] > 1).any()
    plain = runs["random"].config | {"table": runs["random"].config["table"]}
    plain["table"]["folder"] = str(world.folder / "results/tables")
    table, space = cost_table(plain), cpu_space(2, 0)
    for row in random.head(10).itertuples():
        knobs = (row.request_parallelism, row.inter_op_parallelism, row.intra_op_parallelism)
        costs = table.at(row.true_load_rps)
        assert row.optimal_cost == pytest.approx(costs.min())
        assert row.gap == pytest.approx(costs[space.index(knobs)] / costs.min())


def test_the_best_static_choice_never_moves_and_no_other_is_better_on_average(world):
    runs = finished_runs(world.folder / "results/runs/fig11")
    static = next(run for run in runs if run.config["agent"]["preset"] == "static_best").table("slots")
    knobs = ["request_parallelism", "inter_op_parallelism", "intra_op_parallelism"]
    assert len(static[knobs].drop_duplicates()) == 1


CHANGING = [
    "system=sim_cpu_changing", "system.change_slot=5", "table.load_rps=[8,14]", "table.most_batches=6",
]  # fmt: skip


def test_the_truth_of_a_system_that_changes_is_that_of_the_system_it_then_is(tmp_path):
    drifting = truth(settings(tmp_path, *CHANGING, "system.change_slots=4", "system.slowdown=2"))
    steady = [settings(tmp_path, "table.load_rps=[8,14]", "table.most_batches=6") for _ in range(3)]
    for plain, work in zip(steady, (1.0, 1.5, 2.0), strict=True):
        plain["hardware"]["models"]["inception_v3"]["sequential_s"] *= work
    first, halfway, last = (cost_table(plain).at(10.0) for plain in steady)
    for slot, costs in [(0, first), (5, first), (7, halfway), (9, last), (99, last)]:
        np.testing.assert_allclose(drifting.at(10.0, slot), costs, rtol=1e-9)
    np.testing.assert_allclose(drifting.at(10.0, 6), np.sqrt(first * halfway))

    plain = settings(tmp_path, *CHANGING, "system.cores_after=2")
    broken, steady[1]["hardware"]["cores"] = truth(plain), 2
    steady[1]["hardware"]["models"] = steady[0]["hardware"]["models"]
    np.testing.assert_allclose(broken.at(10.0, 4), first)
    np.testing.assert_allclose(broken.at(10.0, 5), cost_table(steady[1]).at(10.0), rtol=1e-9)
    assert (broken.at(10.0, 5) > first).any()


def test_the_oracle_follows_the_change_and_its_gap_is_none(tmp_path):
    overrides = ["agent=oracle", "experiment=fig04", *SMALL, *CHANGING, "system.cores_after=1", "slots=10"]
    run_here(tmp_path, *overrides, "workload.mean_rps=10", f"table.folder={tmp_path}")
    rows = finished_runs(tmp_path)[0].table("slots")
    np.testing.assert_allclose(rows["gap"], 1.0)
    assert rows["optimal_cost"].nunique() == 2
    assert rows["optimal_cost"].iloc[4] < rows["optimal_cost"].iloc[5]


def test_workers_end_with_a_process_that_is_killed_while_they_compute_a_table(tmp_path):
    arguments = [sys.executable, "-m", "experiments.truth", "table.workers=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment) as killed:
        try:
            process, end = psutil.Process(killed.pid), time.monotonic() + 60
            while (
                len(workers := [one for one in process.children() if "popen_loky" in str(one.cmdline())]) < 2
            ):
                assert time.monotonic() < end
                time.sleep(0.05)
            time.sleep(1.0)  # they are at work
        finally:
            killed.kill()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
