"""Whether agents rank alike on the testbed and in its simulator."""

import numpy as np
import pandas as pd

from experiments.studies import both_worlds
from experiments.studies.both_worlds import both, kendall, said, told_apart


def slots(costs, seed=0, count=60):
    draw = np.random.default_rng(7)
    return pd.DataFrame(
        [
            {"workload": "wiki", "preset": preset, "seed": seed, "slot": slot, "cost": cost * noise}
            for preset, cost in costs.items()
            for slot, noise in enumerate(draw.uniform(0.9, 1.1, count))
        ]
    )


def test_costs_are_means_over_slots_and_seeds_and_ranks_are_compared():
    real = slots({"a": 0.1, "b": 0.2, "c": 0.3, "only here": 0.4})
    simulated = pd.concat([slots({"a": 0.1, "b": 0.5, "c": 0.4}, seed) for seed in (0, 1)])
    table = both(real, simulated)
    assert list(table["preset"]) == ["a", "b", "c"]
    assert list(table["simulated_rank"]) == [1, 3, 2]
    assert list(table["seeds"]) == [2, 2, 2]
    text = said(table, real, simulated)
    assert "tau of 3 agents' costs in both worlds is 0.33" in text
    assert "0.33 over the 3 pairs that the testbed tells apart" in text
    assert "one seed of the simulator against its others: 1.00" in text


def test_pairs_that_differ_by_chance_are_not_told_apart():
    real = slots({"a": 0.1, "b": 0.1001, "c": 0.3})
    assert told_apart(real, "wiki") == {("a", "c"), ("b", "c")}
    one, other = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}), pd.Series({"a": 2.0, "b": 1.0, "c": 3.0})
    assert kendall(one, other) == np.mean([1, 1, -1])
    assert kendall(one, other, told_apart(real, "wiki")) == 1


def test_without_runs_it_says_so(tmp_path, capsys):
    measured = tmp_path / "slots.csv"
    assert both_worlds.main([f"runs={tmp_path}", f"real={measured}"]) == 1
    assert f"real={measured} is not there" in capsys.readouterr().err
    slots({"a": 0.1}).to_csv(measured)
    assert both_worlds.main([f"runs={tmp_path}", f"real={measured}"]) == 1
    assert "calibrated: not yet computed" in capsys.readouterr().err
