"""The claims about the radius sweep of Fig. 9."""

import numpy as np
from claim_runs import judged, write_run

SLOTS = 400


def sweep_run(folder, seed, radius, settled, preset="rrl_paper", error=0.2, **settings):
    """A run of fig09 whose Q settles after so many slots (None: it moves to the end)."""
    if settled is None:
        distance = np.linspace(1.0, 0.0, SLOTS)
    else:
        distance = np.where(np.arange(SLOTS) < settled - 1, 0.5, 0.01)
    write_run(
        folder, preset, seed, experiment="fig09", workload="constant", slots=SLOTS,
        agent={"radius": radius, "gamma": 0.0}, settings=settings,
        diagnostics={"q_distance": distance, "prediction_error": np.linspace(1.0, error, SLOTS)},
    )  # fmt: skip


def test_speed_ups_are_ratios_of_medians(tmp_path):
    for seed in range(11):
        sweep_run(tmp_path, seed, 0, 100 + seed)  # median 105
        sweep_run(tmp_path, seed, 1, 21)
        sweep_run(tmp_path, seed, 2, 70)
    said = judged(tmp_path, "C015")
    assert (said.value, said.seeds, said.verdict) == ("5", "11", "reproduced")
    assert 4.7 < float(said.interval_low) <= 5 <= float(said.interval_high) < 5.3
    assert judged(tmp_path, "C014").verdict == "partly"  # 1.5 x, paper 10 x


def test_the_other_measure_of_the_figure_is_told_where_the_truth_is_known(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, 100)
        sweep_run(tmp_path, seed, 2, 20)
    told = "first passage of the gap, 25 slots with radius 0 and 25 with radius 2 (medians over seeds)"
    assert told in judged(tmp_path, "C014").reason


def test_too_few_seeds_give_a_value_and_no_verdict(tmp_path):
    for seed in range(9):
        sweep_run(tmp_path, seed, 0, 100)
        sweep_run(tmp_path, seed, 1, 20)
    said = judged(tmp_path, "C015")
    assert (said.value, said.verdict) == ("5", "not yet computed")
    assert "10 seeds" in said.reason


def test_never_is_not_the_run_length(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, None if seed < 4 else 100)
        sweep_run(tmp_path, seed, 1, 20)
        sweep_run(tmp_path, seed, 2, None)
    said = judged(tmp_path, "C015")
    assert said.value == "5"
    assert said.interval_high == "inf"
    assert "radius 0: Q settled in 6 of 10 runs" in said.reason
    other = judged(tmp_path, "C014")
    assert (other.value, other.verdict) == ("", "not reproduced")
    assert "half or more of the seeds of the subject never settled" in other.reason


def test_what_settles_with_neither_radius_is_not_reproduced(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 1, None)
        sweep_run(tmp_path, seed, 3, 20 if seed < 4 else None)
    said = judged(tmp_path, "C070")
    assert (said.value, said.verdict) == ("", "not reproduced")
    assert "radius 1: Q settled in 0 of 10 runs of 400 slots, radius 3: Q settled in 4 of 10" in said.reason


def test_a_baseline_that_never_settles_gives_a_lower_bound(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, None)
        sweep_run(tmp_path, seed, 1, 20)
    said = judged(tmp_path, "C015")
    assert (said.value, said.interval_low, said.interval_high) == (">10", "10", "inf")  # half of 400 over 20
    assert said.verdict == "partly"  # the paper has 5 x: the direction is sure, the size is not
    assert "half or more of the seeds of the baseline never settled" in said.reason


def test_runs_under_other_settings_are_left_out_and_named(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, 100)
        sweep_run(tmp_path, seed, 1, 20)
    for seed in range(10, 14):
        sweep_run(tmp_path, seed, 0, 20, load_bins=1)
        sweep_run(tmp_path, seed, 1, 20, load_bins=1)
    said = judged(tmp_path, "C015")
    assert (said.value, said.seeds) == ("5", "10")
    assert "8 fig09 runs under other settings left out" in said.reason


def test_radius_zero_against_q_learning(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, 100 + seed)
    assert "agent=q_learning" in judged(tmp_path, "C016").reason
    for seed in range(10):
        sweep_run(tmp_path, seed, 0, 100 + seed, preset="q_learning")
    said = judged(tmp_path, "C016")
    assert (said.value, said.interval_low, said.interval_high, said.verdict) == ("1", "1", "1", "reproduced")


def test_unfinished_runs_do_not_count(tmp_path):
    sweep_run(tmp_path, 0, 0, 100)
    manifest = next(tmp_path.glob("**/manifest.json"))
    manifest.write_text(manifest.read_text().replace("finished", "running"))
    assert "no finished run" in judged(tmp_path, "C014").reason


def test_time_falls_faster_than_the_error_grows(tmp_path):
    for seed in range(10):
        sweep_run(tmp_path, seed, 1, 100, error=0.2)
        sweep_run(tmp_path, seed, 3, 20, error=0.4)
    said = judged(tmp_path, "C070")
    assert (said.value, said.verdict) == ("2.5", "reproduced")  # 5 x sooner, twice the error
    assert "error at radius 3 over that at 1: 2 x" in said.reason
    for seed in range(10, 20):
        sweep_run(tmp_path, seed, 1, 100, error=0.2)
        sweep_run(tmp_path, seed, 3, 50, error=0.8)
    assert judged(tmp_path, "C070").verdict == "not reproduced"
