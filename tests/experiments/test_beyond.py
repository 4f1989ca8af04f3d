"""The evidence beyond the paper: what it says is what the runs say."""

import shutil

import numpy as np
import pandas as pd
import pytest
from claim_runs import write_run
from tests_support import SMALL, fail, run_here

from experiments.arms import arms
from experiments.beyond.__main__ import main
from experiments.beyond.comparison import improvement, profile
from experiments.beyond.conditions import CASES
from experiments.beyond.gaps import Gaps
from experiments.beyond.judge import LINES, judge, winners
from experiments.beyond.table import failed, read, tabulate
from experiments.beyond.text import lines_of
from experiments.report.page import build
from experiments.results import failed_runs, finished_runs
from experiments.settings import compose_settings
from serving.errors import UsageError

MINUTE = 2.0 * np.arange(100)
SHARED = {"servers": 1, "load_seen": "previous", "hardware": {"name": "made_up"}}
HERE = "Fig. 11, WiKi"


def play(folder, preset, seed, ms=1.0, cpu_ms=None, settings=None, **columns):
    """A run of Fig. 11 under WiKi, 100 slots of two minutes; an older one has no CPU time."""
    run = write_run(folder, preset, seed, minute=MINUTE, settings=SHARED | (settings or {}), **columns)
    timings = {"slot": np.arange(100), "agent_act_s": ms / 2000, "agent_learn_s": ms / 2000}
    if cpu_ms is not None:
        timings["agent_cpu_s"] = cpu_ms / 1000
    pd.DataFrame(timings).to_parquet(run / "timings.parquet")


def row_of(folder, preset):
    table = tabulate(read(finished_runs(folder)))
    return table.set_index(["condition", "preset"]).loc[(HERE, preset)]


def verdicts_of(folder, preset="gp"):
    judged = judge(tabulate(read(finished_runs(folder))), failed(failed_runs(folder)))
    mine = judged[(judged["condition"] == HERE) & (judged["preset"] == preset)]
    return mine.set_index("line")


def test_costs_are_compared_with_the_same_seeds(tmp_path):
    for seed, cost in enumerate([0.1, 0.2, 0.4]):
        play(tmp_path, "oracle", seed, cost=cost)
        play(tmp_path, "tf_default", seed, cost=10 * cost)
        play(tmp_path, "gp", seed, cost=1.2 * cost)
    play(tmp_path, "gp", 7, cost=50.0)  # without a partner
    row = row_of(tmp_path, "gp")
    assert row[["cost_ratio", "cost_ratio_low", "cost_ratio_high"]].tolist() == pytest.approx([1.2] * 3)
    assert row["default_ratio"] == pytest.approx(0.12)
    assert row["seeds"] == 4


def test_what_the_first_slot_alone_costs_is_told(tmp_path):
    for seed, first in enumerate([10.2, 30.2]):
        play(tmp_path, "oracle", seed, cost=0.2)
        play(tmp_path, "gp", seed, cost=np.where(np.arange(100) == 0, first, 0.2))
    row = row_of(tmp_path, "gp")
    assert row["first_slot"] == pytest.approx(0.2 / 0.2)
    assert row["cost_ratio"] == pytest.approx(2.0)
    assert (row_of(tmp_path, "oracle")["first_slot"], row["first_slot_high"]) == (0, pytest.approx(1.5))


def test_the_gap_after_an_hour_is_a_mean_and_its_worst_window(tmp_path):
    gap = np.where(np.arange(100) < 20, 9.0, 1.0)
    gap[55:80] = 2.0
    play(tmp_path, "gp", 0, gap=gap)
    play(tmp_path, "oracle", 0)
    row = row_of(tmp_path, "gp")
    assert row["late_gap"] == pytest.approx(2 ** (25 / 70))
    assert row["worst_gap"] == pytest.approx(2.0)
    assert row["first_passage_min"] == pytest.approx(2 * 43)  # two slots of 9 are 9^(2/25) = 1.19
    assert (row["settled_min"], row["settled_min_seeds"]) == (pytest.approx(2 * 97), 1)
    assert (row["within"], row["stayed"]) == (0, 0)


def test_gaps_are_judged_seed_by_seed(tmp_path):
    slots = np.arange(100)
    for seed in range(10):
        play(tmp_path, "gp", seed, gap=np.where(slots < 5, 3.0, 1.4))
        play(tmp_path, "linucb", seed, gap=np.where(slots < 25, 9.0, 1.4))
        play(tmp_path, "serf", seed, gap=np.where(slots < 40, 5.0, 1.0) if seed == 3 else 1.0)
    said = {preset: verdicts_of(tmp_path, preset) for preset in ("gp", "linucb", "serf")}
    lines = ["gap, first", "gap, stays"]
    assert said["gp"].loc[lines, "verdict"].tolist() == ["holds", "holds"]
    assert said["linucb"].loc[lines, "verdict"].tolist() == ["fails", "holds"]
    assert said["serf"].loc[lines, "verdict"].tolist() == ["fails", "fails"]
    assert said["serf"].loc["gap, stays", "reason"] == "9 of 10 seeds"
    assert said["serf"].loc["gap, stays", "value"] == pytest.approx(0.9)


def test_a_run_without_the_truth_says_nothing_of_its_gap(tmp_path):
    for seed in range(10):
        play(tmp_path, "gp", seed, gap=np.nan)
        play(tmp_path, "oracle", seed)
    found = verdicts_of(tmp_path)
    assert found.loc["gap, stays", "verdict"] == "not yet computed"
    assert found.loc["cost", "verdict"] == "holds"


@pytest.mark.parametrize(("elsewhere", "verdict"), [(1.2, "not yet computed"), (1.6, "fails")])
def test_a_gap_that_is_missing_may_be_any_gap(tmp_path, elsewhere, verdict):
    gap = np.where(np.arange(100) < 50, 1.0, elsewhere)
    gap[40] = np.nan  # a load beyond the table
    for seed in range(10):
        play(tmp_path, "gp", seed, gap=gap)
    assert verdicts_of(tmp_path).loc["gap, stays", "verdict"] == verdict


def test_bad_slots_are_counted_after_the_first_ten(tmp_path):
    play(tmp_path, "tf_default", 0, cost=0.1)
    cost = np.full(100, 0.149)
    cost[:10], cost[50:59] = 9.0, 0.151
    missed = np.zeros(100)
    missed[[3, 20, 30, 31]] = 6  # of 100 requests; 5 are tolerated
    play(tmp_path, "gp", 0, cost=cost, slo_violations=missed)
    hopeless = np.zeros(100)
    hopeless[30] = 50
    play(tmp_path, "oracle", 0, slo_violations=hopeless)
    row = row_of(tmp_path, "gp")
    assert row["dearer"] == pytest.approx(9 / 90)
    assert row["over_slo"] == pytest.approx(3 / 90)
    assert row["missed"] == pytest.approx(2 / 90)


@pytest.mark.parametrize(
    ("ms", "cpu_ms", "verdict", "value"),
    [
        (2.0, None, "holds", 2.0),
        (8.0, None, "undecided", 8.0),
        (8.0, 4.0, "holds", 4.0),
        (8.0, 6.0, "fails", 6.0),
    ],
)
def test_cpu_time_decides_and_wall_clock_alone_cannot_condemn(tmp_path, ms, cpu_ms, verdict, value):
    for seed in range(10):
        play(tmp_path, "gp", seed, ms=ms, cpu_ms=cpu_ms)
    judged = verdicts_of(tmp_path).loc["CPU"]
    assert (judged["verdict"], judged["value"]) == (verdict, pytest.approx(value))


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [([1.2] * 10, "holds"), ([1.3] * 10, "fails"), ([1.0, 1.4] * 5, "undecided")],
)
def test_cost_holds_only_where_its_interval_does(tmp_path, costs, verdict):
    for seed, cost in enumerate(costs):
        play(tmp_path, "oracle", seed, cost=1.0)
        play(tmp_path, "gp", seed, cost=cost)
    assert verdicts_of(tmp_path).loc["cost", "verdict"] == verdict


def test_worse_than_the_default_is_held_against_an_agent_only_where_it_is_significant(tmp_path):
    for seed in range(10):
        play(tmp_path, "tf_default", seed, cost=1.0)
        play(tmp_path, "gp", seed, cost=1.02)
        play(tmp_path, "serf", seed, cost=1.3 if seed % 2 else 0.8)
    assert verdicts_of(tmp_path).loc["default", "verdict"] == "fails"
    assert verdicts_of(tmp_path, "serf").loc["default", ["verdict", "value"]].tolist() == [
        "holds", pytest.approx(1.05)
    ]  # fmt: skip


def test_too_few_seeds_missing_and_failed_runs_are_told(tmp_path):
    for seed in range(9):
        play(tmp_path, "oracle", seed)
        play(tmp_path, "gp", seed)
    config = compose_settings(CASES[0].overrides("gp"))
    fail(tmp_path, "fig11", "abc", config)
    found = verdicts_of(tmp_path)
    assert set(found["verdict"]) == {"not yet computed"}
    assert found.loc["cost", "reason"] == "10 seeds for a verdict, there are 9; 1 run failed"
    assert found.loc["cost", "value"] == pytest.approx(1.0)
    assert set(verdicts_of(tmp_path, "serf")["reason"]) == {"no finished runs: make beyond"}


def test_a_comparison_rests_on_the_seeds_that_both_have(tmp_path):
    for seed in range(10):
        play(tmp_path, "gp", seed)
        play(tmp_path, "tf_default", seed)
        if seed:
            play(tmp_path, "oracle", seed)
    found = verdicts_of(tmp_path)
    assert found["seeds"].to_dict() == {
        "cost": 9, "gap, first": 10, "gap, stays": 10, "default": 10, "CPU": 10, "bad slots": 10, "SLO": 10,
        "SLO, as the oracle": 9,
    }  # fmt: skip
    assert found.loc["cost", "reason"] == "10 seeds for a verdict, there are 9"
    assert found.loc[["cost", "SLO, as the oracle", "default"], "verdict"].tolist() == [
        "not yet computed"
    ] * 2 + ["holds"]


def test_settings_and_conditions_are_not_mixed(tmp_path):
    play(tmp_path, "gp", 0)
    play(tmp_path, "oracle", 0, settings={"servers": 2})
    with pytest.raises(UsageError, match=r"servers=\d for \w+ and \d for others under Fig. 11, WiKi"):
        read(finished_runs(tmp_path))


def test_the_best_is_the_least_geometric_mean_of_those_that_ran_everywhere():
    rows = [("a", "gp", 1.1), ("b", "gp", 1.1), ("a", "serf", 1.0), ("b", "serf", 1.3), ("a", "aimd", 1.0)]
    rows += [("a", "gp_prepared", 1.0), ("b", "gp_prepared", 1.0), ("a", "oracle", 1.0), ("b", "oracle", 1.0)]
    table = pd.DataFrame(rows, columns=["condition", "preset", "cost_ratio"]).assign(oracle_seeds=10)
    assert winners(table) == ["gp", "gp_prepared"]
    assert winners(table[table["preset"] != "gp_prepared"]) == ["gp"]
    assert winners(table[-2:]) == []
    few = table["preset"] == "gp"
    assert winners(table.assign(oracle_seeds=table["oracle_seeds"].mask(few, 1)))[0] == "serf"


def test_a_profile_is_the_share_of_runs_within():
    value, low, high = profile([np.array([1.0, 1.5]), np.array([2.0, 8.0])], np.array([0.9, 1.0, 2.0, 9.0]))
    assert value.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert (low <= value).all()
    assert (value <= high).all()
    assert (low[1], high[1]) == (
        0.0,
        0.5,
    )  # all that the first condition can do; the second is never mixed in


def test_a_probability_of_improvement_compares_all_runs_of_a_condition():
    pairs = np.array([[1.0, 2.0], [3.0, 3.0]])  # 1 < 2, 1 < 3, 3 > 2, 3 = 3
    assert improvement([pairs])[0] == pytest.approx(2.5 / 4)
    always = np.column_stack([np.arange(10.0), 100 + np.arange(10.0)])
    assert improvement([always]) == (1.0, 1.0, 1.0)
    value, low, high = improvement([always, always[:, ::-1][:5]])  # conditions count alike
    assert (value, low, high) == (0.5, 0.5, 0.5)


def test_a_gap_that_a_run_did_not_record_is_read_from_the_table(tmp_path):
    told = ["experiment=fig04", *SMALL, "table.load_rps=[8,14]", "table.most_batches=4", "slots=12"]
    told += ["agent=random", "workload.mean_rps=10", f"table.folder={tmp_path}/tables"]
    for name, known in (("without", "truth=false"), ("with", "truth=true")):
        run_here(tmp_path / name, *told, known)
    ((without,), (with_it,)) = (finished_runs(tmp_path / name) for name in ("without", "with"))
    slots = without.table("slots")
    assert slots["gap"].isna().all()
    (arm,) = arms([without])
    np.testing.assert_allclose(Gaps(arm).of(slots), with_it.table("slots")["gap"])
    assert np.isnan(Gaps(arm, alike=False).of(slots)).all()
    for path in (tmp_path / "tables").glob("*.npz"):
        path.unlink()
    assert np.isnan(Gaps(arm).of(slots)).all()


def test_the_program_writes_tables_verdicts_and_picture_and_the_report_shows_them(tmp_path, capsys):
    for seed in range(10):
        for preset, ratio in {"oracle": 1.0, "tf_default": 4.0, "gp": 1.2, "rrl_plus_tuned": 1.5}.items():
            play(tmp_path / "made", preset, seed, cost=ratio * (0.1 + 0.01 * seed), gap=ratio)
    assert main([f"output_dir={tmp_path}/made", f"target={tmp_path}"]) == 0
    said = capsys.readouterr()
    assert "Of those from scratch Gaussian process (gp): cost: 1 of 1" in said.out
    assert "missing: Fig. 11, Dynamic: without runs: gp," in said.err
    verdicts = (tmp_path / "beyond/verdicts.md").read_text()
    assert f"| {HERE} | 1.2 (1.2 to 1.2), holds |" in verdicts
    assert f"| gp | 1 of 1 ({len(CASES) - 1} not yet computed) |" in verdicts
    assert "- lost cores: without runs: gp," in verdicts
    drawn = pd.read_csv(tmp_path / "figures/beyond.csv")
    profile_of = drawn[(drawn["preset"] == "rrl_plus_tuned") & drawn["tau"].notna()].set_index("tau")
    assert profile_of["value"].iloc[0] == 0
    assert profile_of["value"].iloc[-1] == 1
    beaten = pd.read_csv(tmp_path / "beyond/improvement.csv").set_index("preset")
    assert beaten.loc["rrl_plus_tuned", "value"] == 1
    page = build(tmp_path)
    assert "Beyond the paper" in page
    assert "1.2 (1.2 to 1.2), holds" in page
    assert 'id="beyond"' in page


def written(folder):
    return {
        name: (folder / name).read_text()
        for name in (
            "beyond/agents.csv",
            "beyond/verdicts.csv",
            "beyond/improvement.csv",
            "figures/beyond.csv",
        )
    }


def test_an_agent_is_added_without_running_all_others_again(tmp_path, capsys):
    ratios = {"oracle": 1.0, "tf_default": 4.0, "gp": 1.2, "rrl_plus_tuned": 1.5}
    for seed in range(10):
        for preset, ratio in ratios.items():
            play(tmp_path / "all", preset, seed, cost=ratio * (0.1 + 0.01 * seed), gap=ratio)
        for preset, ratio in {"oracle": 1.0, "tf_default": 4.0, "aimd": 2.0}.items():
            play(tmp_path / "few", preset, seed, cost=ratio * (0.1 + 0.01 * seed), gap=ratio)
    target = f"target={tmp_path}"
    assert main([f"output_dir={tmp_path}/all", target]) == 0
    before = written(tmp_path)
    rows = pd.read_csv(tmp_path / "beyond/agents.csv")
    gone = rows[rows["preset"] == "gp"].assign(preset="no_longer_there")
    pd.concat([rows, gone]).to_csv(tmp_path / "beyond/agents.csv", index=False)
    assert main([f"output_dir={tmp_path}/all", target, "keep=1"]) == 0
    assert written(tmp_path) == before  # nothing is twice
    assert main([f"output_dir={tmp_path}/few", target, "keep=1"]) == 0
    after = written(tmp_path)
    for name, text in before.items():
        lines = after[name].splitlines()
        assert [
            line for line in text.splitlines() if line not in lines and "no finished runs" not in line
        ] == []
    told = capsys.readouterr().err
    assert "missing: not compared with gp, whose runs are elsewhere: aimd" in told
    assert "missing: runs here, of 2 rows of 5: kept from earlier evidence" in told  # gp, rrl_plus_tuned
    rows = pd.read_csv(tmp_path / "beyond/agents.csv")
    assert sorted(rows["preset"]) == sorted([*ratios, "aimd"])
    verdicts = pd.read_csv(tmp_path / "beyond/verdicts.csv").set_index(["line", "preset", "condition"])
    assert verdicts.loc[("cost", "gp", HERE), "verdict"] == "holds"
    assert verdicts.loc[("cost", "aimd", HERE), "verdict"] == "fails"
    for seed in range(3):  # too few to replace what rests on ten
        play(tmp_path / "few", "gp", seed, cost=9.0, gap=9.0)
    assert main([f"output_dir={tmp_path}/few", target, "keep=1"]) == 0
    assert pd.read_csv(tmp_path / "beyond/agents.csv").set_index("preset").loc["gp", "seeds"] == 10
    shutil.rmtree(tmp_path / "few")
    for seed in range(10):
        for preset in ("oracle", "tf_default", "aimd"):
            play(tmp_path / "few", preset, seed, cost=1.0, gap=1.0)
    assert main([f"output_dir={tmp_path}/few", target]) == 0
    assert "gp" not in set(pd.read_csv(tmp_path / "beyond/agents.csv")["preset"])
    for name in ("beyond/agents.csv", "figures/beyond.csv"):
        assert main([f"output_dir={tmp_path}/all", target]) == 0
        (tmp_path / name).write_text("condition,panel,value\n")
        with pytest.raises(SystemExit) as stopped:
            main([f"output_dir={tmp_path}/few", target, "keep=1"])
        assert stopped.value.code == 2
        assert "has no column preset, expected a file of this program" in capsys.readouterr().err


def test_without_runs_it_says_what_to_run(tmp_path, capsys):
    assert main([f"output_dir={tmp_path}", f"target={tmp_path}"]) == 1
    assert "experiments.beyond.sweep run=1" in capsys.readouterr().err
    assert "Beyond the paper" not in build(tmp_path)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((1.0029, 1.0018, 1.004), "1.003 (1.002 to 1.004), fails"),
        ((2.5, 1.0, 4.0), "2.5 (1 to 4), fails"),
        ((0.0, 0.0, 0.0), "0 (0 to 0), fails"),
    ],
)
def test_the_ends_of_an_interval_are_told_apart(found, said):
    found = dict(zip(("value", "low", "high"), found, strict=True))
    rest = {"preset": "gp", "condition": HERE, "seeds": 10, "verdict": "fails", "reason": ""}
    rows = [{"line": line.name} | found | rest for line in LINES]
    assert lines_of(pd.DataFrame(rows), "gp")["default"].tolist() == [said]
