"""The claims about RRL Plus, CAPES and DeepRM, on runs whose answer is known by hand."""

import numpy as np
import pandas as pd
import pytest
from claim_runs import PAPER, QUIET, gap_that_settles, judged, write_run

from experiments.claim_values import slo
from experiments.claim_values.run_numbers import RunNumbers, latency_with_losses_s
from experiments.results import finished_runs

SEEDS = range(10)


def both(folder, presets=PAPER, seeds=SEEDS, **of):
    """Runs of the agents named in ``of``, with the columns given there."""
    shared = of.pop("shared", {})
    for name, columns in of.items():
        agent = name.replace("_", " ")
        for seed in seeds:
            write_run(folder, presets[agent], seed, **shared, **columns)


# --- reductions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "baseline", "condition"),
    [
        ("C022", "CAPES", {"experiment": "fig11", "workload": "wiki"}),
        ("C025", "DeepRM", {"experiment": "fig11", "workload": "dynamic"}),
        ("C026", "CAPES", {"experiment": "fig12", "workload": "wiki", "model": "deepspeech2"}),
        ("C029", "DeepRM", {"experiment": "fig12", "workload": "dynamic", "model": "deepspeech2"}),
        ("C030", "DeepRM", {"experiment": "fig13", "workload": "wiki", "system": "sim_gpu"}),
        ("C032", "CAPES", {"experiment": "fig13", "workload": "dynamic", "system": "sim_gpu"}),
    ],
)
def test_a_latency_reduction_is_that_of_the_mean_cost(tmp_path, claim, baseline, condition):
    both(tmp_path, RRL_Plus={"cost": 0.3, "mean_latency_s": 0.2}, shared=condition,
         **{baseline: {"cost": 1.0, "mean_latency_s": 0.4}})  # fmt: skip
    said = judged(tmp_path, claim)
    assert (said.value, said.interval_low, said.interval_high, said.seeds) == ("70", "70", "70", "10")
    assert (said.iqm_value, said.iqm_low, said.iqm_high) == ("70", "70", "70")
    assert "completed requests alone: 50 % [50, 50]" in said.reason
    assert said.tuned_verdict == "not yet computed"  # no runs of the tuned settings


def test_reductions_are_paired_by_seed_and_averaged_before_the_quotient(tmp_path):
    for seed in SEEDS:
        write_run(tmp_path, "rrl_plus_paper", seed, cost=0.1 * (1 + seed))
        write_run(tmp_path, "capes_published", seed, cost=0.4 * (1 + seed))
    write_run(tmp_path, "capes_published", 99, cost=1e6)  # a seed that the other does not have
    said = judged(tmp_path, "C022")
    assert (said.value, said.interval_low, said.interval_high) == ("75", "75", "75")  # the same in every seed


def test_the_interquartile_mean_leaves_out_what_is_far_off(tmp_path):
    for seed in SEEDS:
        write_run(tmp_path, "rrl_plus_paper", seed, cost=0.25)
        write_run(tmp_path, "capes_published", seed, cost=100.0 if seed == 0 else 1.0)
    said = judged(tmp_path, "C022")
    assert said.iqm_value == "75"
    assert float(said.value) == pytest.approx(100 * (1 - 0.25 / 10.9), rel=1e-3)


def test_the_tuned_settings_have_a_value_and_a_verdict_of_their_own(tmp_path):
    both(tmp_path, RRL_Plus={"cost": 0.3}, CAPES={"cost": 1.0})
    tuned = {"RRL Plus": "rrl_plus_tuned", "CAPES": "capes_tuned"}
    both(tmp_path, presets=tuned, RRL_Plus={"cost": 0.6}, CAPES={"cost": 0.5})
    said = judged(tmp_path, "C022")
    assert (said.value, said.verdict) == ("70", "reproduced")
    assert (said.tuned_value, said.tuned_verdict) == ("-20", "not reproduced")
    assert said.reason.endswith("tuned settings: the opposite came out: -20 % (-20 to -20)")


def test_runs_of_other_conditions_do_not_count(tmp_path):
    both(tmp_path, RRL_Plus={"cost": 0.3}, CAPES={"cost": 1.0}, shared={"workload": "dynamic"})
    assert "workload=wiki" in judged(tmp_path, "C022").reason
    both(tmp_path, RRL_Plus={"cost": 0.5}, CAPES={"cost": 1.0})
    odd = {"settings": {"load_bins": 5}}
    both(tmp_path, RRL_Plus={"cost": 9.0}, CAPES={"cost": 1.0}, shared=odd, seeds=range(3))
    said = judged(tmp_path, "C022")
    assert said.value == "50"
    assert "6 runs under other settings left out" in said.reason


def test_shorter_runs_of_the_same_seeds_do_not_take_the_place_of_the_recipes(tmp_path):
    both(tmp_path, RRL_Plus={"cost": 0.5}, CAPES={"cost": 1.0}, shared={"slots": 100})
    both(tmp_path, RRL_Plus={"cost": 9.0}, CAPES={"cost": 1.0}, shared={"slots": 30})  # "30" > "100" as text
    both(tmp_path, RRL_Plus={"cost": 9.0}, CAPES={"cost": 1.0}, shared={"slots": 11})  # "11" < "100" as text
    assert judged(tmp_path, "C022").value == "50"


def test_agents_without_a_common_setting_are_not_compared(tmp_path):
    both(tmp_path, RRL_Plus={"cost": 0.5})
    both(tmp_path, CAPES={"cost": 1.0}, shared={"settings": {"load_bins": 5}})
    assert "no seed with all of rrl_plus_paper, capes_published" in judged(tmp_path, "C022").reason


FIG15 = {"experiment": "fig15", "workload": "dynamic", "objective": "min_resource"}


def test_savings_are_of_the_processor_that_serves(tmp_path):
    both(tmp_path, RRL_Plus={"cpu_utilisation": 0.2, "cost": 9.0}, DeepRM={"cpu_utilisation": 0.4},
         shared=FIG15 | {"model": "deepspeech2"})  # fmt: skip
    assert judged(tmp_path, "C047").value == "50"
    both(tmp_path, RRL_Plus={"gpu_utilisation": 0.3}, CAPES={"gpu_utilisation": 0.29},
         shared=FIG15 | {"system": "sim_gpu"})  # fmt: skip
    said = judged(tmp_path, "C052")
    assert float(said.value) == pytest.approx(-3.45, rel=0.01)
    assert said.verdict == "reproduced"  # a claim of the same level


def test_under_another_objective_latency_is_not_the_cost(tmp_path):
    """100 answered in 0.1 s and 100 lost at 5 s are 2.55 s; without losses 0.1 s."""
    both(tmp_path, RRL_Plus={"cost": 7.0}, CAPES={"cost": 1.0, "rejections": 100},
         shared=FIG15 | {"system": "sim_gpu"})  # fmt: skip
    said = judged(tmp_path, "C053")
    assert float(said.value) == pytest.approx(100 * (1 - 0.1 / 2.55), rel=1e-3)
    assert "completed requests alone: 0 % [0, 0]" in said.reason
    violations = judged(tmp_path, "C054")
    assert (violations.value, violations.verdict) == ("100", "reproduced")


def test_the_formula_of_latency_with_losses_is_that_of_the_objective(world):
    for run in finished_runs(world.folder / "results/runs/fig11")[:2]:
        slots = run.table("slots")
        np.testing.assert_allclose(latency_with_losses_s(slots, 5.0), slots["cost"], rtol=1e-12)
        assert RunNumbers.of(run).cost_s == pytest.approx(slots["cost"].mean())


def test_the_largest_reduction_is_named(tmp_path):
    strict = {"experiment": "fig14", "workload": "dynamic", "objective": "strict_slo"}
    for more, ours in (({}, 20), ({"model": "deepspeech2"}, 10), ({"system": "sim_gpu"}, 50)):
        both(tmp_path, RRL_Plus={"slo_violations": ours}, CAPES={"slo_violations": 100}, shared=strict | more)
    said = judged(tmp_path, "C038")
    assert (said.value, said.interval_low, said.verdict) == ("90", "90", "reproduced")
    assert "DeepSpeech V2 on the CPU 90 % [90, 90]" in said.reason
    assert "no finished run of experiment=fig14" in judged(tmp_path, "C039").reason


def test_a_baseline_without_violations_leaves_nothing_to_reduce(tmp_path):
    both(tmp_path, RRL_Plus={"slo_violations": 1}, CAPES={}, shared=FIG15 | {"system": "sim_gpu"})
    said = judged(tmp_path, "C054")
    assert (said.value, said.verdict) == ("", "not reproduced")
    assert "nothing to reduce" in said.reason


# --- times --------------------------------------------------------------------------------------------------


def test_a_time_of_convergence_is_in_minutes_and_for_good(tmp_path):
    gap = gap_that_settles(75)
    gap[:25] = 1.0  # so that the first passage is sooner
    both(tmp_path, RRL_Plus={"gap": gap})
    said = judged(tmp_path, "C019")
    assert (said.value, said.verdict) == ("150", "reproduced")
    assert "first passage: 50 min (10 of 10 seeds)" in said.reason


def test_never_is_beyond_the_window_where_that_is_the_claim(tmp_path):
    for seed in SEEDS:
        write_run(tmp_path, "capes_published", seed, slots=1000, gap=1e9)
        write_run(tmp_path, "deeprm", seed, slots=1000, gap=gap_that_settles(700 if seed < 4 else None, 1000))
    capes = judged(tmp_path, "C021")
    assert (capes.value, capes.verdict) == (">2000", "reproduced")
    deeprm = judged(tmp_path, "C020")
    assert (deeprm.value, deeprm.verdict) == (">2000", "not reproduced")
    assert "4 of 10 seeds got there in runs of 2000 min" in deeprm.reason


def test_runs_too_short_to_decide_give_no_verdict(tmp_path):
    both(tmp_path, CAPES={"gap": 1e9})
    said = judged(tmp_path, "C021")
    assert (said.value, said.verdict) == (">200", "not yet computed")
    assert "longer runs" in said.reason


def test_how_many_times_faster_is_against_the_best_baseline(tmp_path):
    both(tmp_path, RRL_Plus={"gap": gap_that_settles(50, 1000)}, CAPES={"gap": gap_that_settles(900, 1000)},
         DeepRM={"gap": gap_that_settles(450, 1000)}, shared={"slots": 1000})  # fmt: skip
    said = judged(tmp_path, "C001")
    assert (said.value, said.verdict) == ("9", "reproduced")


def test_against_baselines_that_never_settle_there_is_a_bound(tmp_path):
    both(tmp_path, RRL_Plus={"gap": gap_that_settles(50, 500)}, CAPES={"gap": 1e9}, DeepRM={"gap": 1e9},
         shared={"slots": 500})  # fmt: skip
    said = judged(tmp_path, "C001")
    assert (said.value, said.interval_high, said.verdict) == (">10", "inf", "reproduced")
    assert "settled: RRL Plus 10 of 10 seeds, CAPES 0 of 10 seeds, DeepRM 0 of 10 seeds" in said.reason


def test_an_agent_that_never_settles_is_not_faster(tmp_path):
    both(tmp_path, RRL_Plus={"gap": 1e9}, CAPES={"gap": 1e9}, DeepRM={"gap": gap_that_settles(60)})
    tuned = {
        name: preset.replace("_paper", "").replace("_published", "") + "_tuned"
        for name, preset in PAPER.items()
    }
    both(tmp_path, presets=tuned, RRL_Plus={"gap": 1e9}, CAPES={"gap": 1e9}, DeepRM={"gap": 1e9})
    said = judged(tmp_path, "C001")
    assert (said.value, said.verdict, said.tuned_verdict) == ("", "not reproduced", "not reproduced")
    assert "tuned settings: half or more of the seeds of the subject never settled" in said.reason


def test_without_a_table_of_the_truth_there_is_no_time(tmp_path):
    both(tmp_path, RRL_Plus={"gap": np.nan})
    assert "truth=true" in judged(tmp_path, "C019").reason


# --- service-level objectives -------------------------------------------------------------------------------


def slots_with(count=100, **columns):
    return pd.DataFrame({"slot": np.arange(count)} | QUIET | columns)


def test_a_slot_meets_the_slo_with_at_most_five_percent_over_or_lost():
    slots = slots_with(6, completions=[100, 100, 90, 0, 0, 95], slo_violations=[5, 6, 0, 0, 0, 0],
                       rejections=[0, 0, 10, 0, 0, 5], backlog_end=[0, 0, 0, 9, 0, 0])  # fmt: skip
    np.testing.assert_array_equal(slo.met(slots), [1, 0, 0, 0, np.nan, 1])
    assert slo.violation_percent(slots) == pytest.approx(100 * 26 / 400)


def test_a_policy_meets_the_slo_over_a_window_first_and_for_good():
    over = np.zeros(100)
    over[:40] = 100
    slots = slots_with(slo_violations=over)
    # 1 slot of 25 that violates altogether is 4 %: the first such window starts at slot 39.
    assert slo.time_to_meet(slots) == slo.time_to_meet_for_good(slots) == 39 + 25
    over[80:90] = 100
    slots = slots_with(slo_violations=over)
    assert slo.time_to_meet(slots) == 64
    assert (
        slo.time_to_meet_for_good(slots) == np.inf
    )  # its last window, of slots 75 to 99, holds ten such slots
    assert slo.time_to_meet(slots_with(slo_violations=6)) == np.inf
    assert slo.time_to_meet(slots_with(24)) == np.inf


def test_time_until_the_slo_is_met(tmp_path):
    over = np.where(np.arange(300) < 226, 100, 0)  # the first good window holds slot 225 and 24 good ones
    both(tmp_path, DeepRM={"slo_violations": over},
         shared=FIG15 | {"model": "deepspeech2", "slots": 300})  # fmt: skip
    said = judged(tmp_path, "C043")
    assert (said.value, said.verdict) == ("500", "reproduced")
    assert "for good: 500 min" in said.reason


def test_share_of_slots_that_meet_the_slo(tmp_path):
    over = np.where(np.arange(100) < 8, 6, 5)
    both(tmp_path, RRL_Plus={"slo_violations": over}, shared=FIG15 | {"model": "deepspeech2"})
    said = judged(tmp_path, "C044")
    assert (said.value, said.verdict) == ("92", "reproduced")
    assert "of all requests 5.08 %" in said.reason


def test_violations_after_the_load_rose(tmp_path):
    """Falls at 20, rises at 40: of the 25 slots from there 5 violate, of the other 55 from 20 on 11 do."""
    load = np.where(np.arange(100) < 20, 12.0, np.where(np.arange(100) < 40, 8.0, 15.0))
    over = np.zeros(100)
    over[:20] = 100  # the start of learning, which counts on neither side
    over[40:45] = 100
    over[20:31] = 100
    slots = slots_with(true_load_rps=load, slo_violations=over)
    assert slo.more_violations_after_rises(slots) == pytest.approx(100 * (5 / 25 - 11 / 55))
    over[45:50] = 100
    for seed in SEEDS:
        write_run(tmp_path, "capes_published", seed, model="deepspeech2", true_load_rps=load,
                  slo_violations=over, **FIG15)  # fmt: skip
    write_run(tmp_path, "capes_published", 10, model="deepspeech2", **FIG15)  # no rise
    said = judged(tmp_path, "C045")
    assert (said.value, said.seeds, said.verdict) == ("20", "10", "reproduced")
    assert "1 seeds without a rise left out" in said.reason


def test_rounding_is_no_rise():
    load = np.where(np.arange(100) % 2 == 0, 10.0, np.nextafter(10.0, 11.0))
    assert np.isnan(slo.more_violations_after_rises(slots_with(true_load_rps=load)))


def test_share_of_agents_that_come_to_meet_the_slo(tmp_path):
    both(tmp_path, RRL_Plus={}, CAPES={"slo_violations": np.where(np.arange(100) < 50, 100, 0)},
         DeepRM={"slo_violations": 100}, shared=FIG15 | {"model": "inception_resnet_v2"})  # fmt: skip
    said = judged(tmp_path, "C050")
    assert (said.value, said.verdict) == ("66.67", "not reproduced")
    assert "RRL Plus 10 of 10 seeds (median 50 min)" in said.reason
    assert "DeepRM 0 of 10 seeds (median never)" in said.reason


def test_variance_on_gpu_over_that_on_cpu(tmp_path):
    for seed in SEEDS:
        write_run(tmp_path, "rrl_plus_paper", seed, slots=3, mean_latency_s=[1.0, 2.0, 3.0])
    assert "experiment=fig13" in judged(tmp_path, "C068").reason
    for seed in SEEDS:  # twice the spread over its mean
        write_run(tmp_path, "rrl_plus_paper", seed, experiment="fig13", system="sim_gpu", slots=4,
                  mean_latency_s=[0.0, 0.2, np.nan, 0.4])  # fmt: skip
    said = judged(tmp_path, "C068")
    assert (said.value, said.verdict) == ("4", "reproduced")
