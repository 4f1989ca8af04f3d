"""Whether agents rank alike on the testbed and in its simulator."""

import pandas as pd

from experiments.studies import both_worlds
from experiments.studies.both_worlds import both, said


def slots(costs, seed=0):
    return pd.DataFrame(
        [
            {"workload": "wiki", "preset": preset, "seed": seed, "cost": cost + change}
            for preset, cost in costs.items()
            for change in (-0.01, 0.01)
        ]
    )


def test_costs_are_means_over_slots_and_seeds_and_ranks_are_compared():
    real = slots({"a": 0.1, "b": 0.2, "c": 0.3, "only here": 0.4})
    simulated = pd.concat([slots({"a": 0.1, "b": 0.5, "c": 0.4}, seed) for seed in (0, 1)])
    table = both(real, simulated)
    assert list(table["preset"]) == ["a", "b", "c"]
    assert list(table["simulated_rank"]) == [1, 3, 2]
    assert list(table["seeds"]) == [2, 2, 2]
    assert "0.33 under wiki (3 agents)" in said(table)


def test_without_runs_it_says_so(tmp_path, capsys):
    assert both_worlds.main([f"runs={tmp_path}"]) == 1
    assert "testbed: not yet computed" in capsys.readouterr().err
