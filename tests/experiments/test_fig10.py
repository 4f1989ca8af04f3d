"""Fig. 10 and its two claims: RRL Plus against the best of several fixed radii."""

import numpy as np
import pandas as pd
import pytest
from claim_runs import CLAIMS, gap_that_settles, write_run
from claim_runs import judged as judged_by_settings
from tests_support import SMALL, finished_run

from experiments.claim_values.evidence import Evidence
from experiments.claims import judge
from experiments.results import finished_runs, slots_of


def judged(folder, claim_id):
    return judge(CLAIMS[claim_id], Evidence(finished_runs(folder)))


def sweep(folder, seeds=10, **settled):
    """Runs whose cost and time of settling depend on the arm: names are r<radius> and the credits."""
    for seed in range(seeds):
        for arm, (cost, slots) in settled.items():
            gap = np.where(np.arange(100) < slots - 25, 1e9, 1.0)  # so large that no window may hold one
            fixed = arm.startswith("r")
            agent = {"preset": "rrl_paper", "radius": float(arm[1:])} if fixed else {"credit": arm}
            agent = {"preset": "rrl_plus_paper"} | agent
            finished_run(folder, seed, cost=cost + 0.001 * seed, gap=gap, experiment="fig10", agent=agent)


def test_the_verdict_is_against_the_best_fixed_radius(tmp_path):
    sweep(tmp_path, r0=(0.4, 90), r2=(0.1, 50), r3=(0.2, 80), same_slot=(0.085, 41), next_slot=(0.3, 60))
    cost = judged(tmp_path, "C018")
    expected = 100 * (1 - 0.0895 / 0.1045)
    assert float(cost.value) == pytest.approx(expected, rel=1e-3)
    assert float(cost.interval_low) < expected < float(cost.interval_high)
    assert cost.verdict == "reproduced"
    assert "the best fixed radius, 2;" in cost.reason
    assert f"paper same_slot against 3: {100 * (1 - 0.0895 / 0.2045):.3g} %" in cost.reason
    assert "paper next_slot against 2 (best): -1" in cost.reason
    time = judged(tmp_path, "C017")
    assert (time.value, time.verdict) == ("18", "reproduced")
    assert "RRL Plus 10, fixed 10 of 10 seeds (settled)" in time.reason


def test_an_agent_that_does_not_settle_has_no_time_of_convergence(tmp_path):
    sweep(tmp_path / "plus", r2=(0.1, 50), same_slot=(0.085, 101))
    said = judged(tmp_path / "plus", "C017")
    assert (said.value, said.verdict) == ("", "not reproduced")
    assert "RRL Plus 0, fixed 10 of 10 seeds (settled)" in said.reason
    sweep(tmp_path / "fixed", r2=(0.1, 101), same_slot=(0.085, 25))
    said = judged(tmp_path / "fixed", "C017")
    assert (said.value, said.interval_high, said.verdict) == (">75", "inf", "partly")  # the paper: 17.54
    assert "half or more of the seeds of the baseline never settled" in said.reason


def test_the_tuned_settings_are_compared_on_the_runs_of_fig11(tmp_path):
    for seed in range(10):
        write_run(tmp_path, "rrl_plus_tuned", seed, cost=0.9, gap=gap_that_settles(40))
        write_run(tmp_path, "rrl_tuned", seed, cost=1.0, gap=gap_that_settles(80))
    time, cost = judged_by_settings(tmp_path, "C017"), judged_by_settings(tmp_path, "C018")
    assert (time.tuned_value, time.tuned_verdict, time.verdict) == ("50", "partly", "not yet computed")
    assert (cost.tuned_value, cost.tuned_verdict) == ("10", "reproduced")


def test_without_the_papers_presets_there_is_no_value(tmp_path):
    sweep(tmp_path, r2=(0.1, 50), next_slot=(0.1, 50))
    assert "agent.credit=same_slot" in judged(tmp_path, "C018").reason


def test_runs_that_differ_in_more_than_the_radius_are_refused(tmp_path):
    sweep(tmp_path, seeds=1, r2=(0.1, 50), same_slot=(0.1, 50))
    agent = {"preset": "rrl_paper", "radius": 3.0, "gamma": 0.5}
    finished_run(tmp_path, 0, experiment="fig10", agent=agent)
    assert "differ in ['agent.gamma']" in judged(tmp_path, "C018").reason


@pytest.mark.slow
def test_fig10_draws_what_the_runs_say(world, tmp_path):
    runs = [*SMALL, "experiment=fig10", "seed=0,1", "slots=60", f"output_dir={tmp_path}"]
    world.program("run", "--multirun", *runs, "agent=rrl_paper", "agent.radius=0,1")
    plus = ["agent=rrl_plus_paper", "agent.delta_max=2", "agent.initial_radii=[0,1]"]
    world.program("run", "--multirun", *runs, *plus)
    world.program("figures", "fig=10", f"output_dir={tmp_path}", f"target={tmp_path}/drawn")
    numbers = pd.read_csv(tmp_path / "drawn/fig10.csv")
    rows = slots_of(finished_runs(tmp_path / "fig10"))
    mine = rows[rows["preset"] == "rrl_plus_paper"].pivot_table(index="slot", columns="seed", values="cost")
    of_plus = numbers[numbers["arm"] == "Plus, same slot"].set_index("what")
    assert of_plus.loc["mean cost", "seconds"] == pytest.approx(mine.mean().mean(), rel=1e-5)
    smoothed = mine.rolling(25, center=True, min_periods=1).mean().mean(axis=1)
    drawn = of_plus.loc["moving average of cost"].set_index("minute")["seconds"]
    np.testing.assert_allclose(drawn, smoothed[::10], rtol=1e-4)
    assert set(numbers["arm"]) == {"radius 0", "radius 1", "Plus, same slot"}
    assert (tmp_path / "drawn/fig10.png").read_bytes().startswith(b"\x89PNG")
