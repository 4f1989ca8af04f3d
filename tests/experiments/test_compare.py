"""The table of agents: what the runs say, whatever presets they are of, and nothing mixed in silence."""

import numpy as np
import pandas as pd
import pytest
from conftest import AGENTS
from tests_support import fail, finished_run

from experiments.arms import RunSummary, arms
from experiments.compare import compare, main
from experiments.compare_text import markdown
from experiments.report.page import build
from experiments.results import finished_runs
from serving.errors import UsageError


def table_of(folder, **options):
    return compare(arms(finished_runs(folder)), **options)


@pytest.fixture(scope="module")
def table(world):
    world.program("compare")
    rows = pd.read_csv(world.folder / "results/agents.csv")
    assert set(rows["workload"]) == {"wiki", "dynamic"}
    return rows[rows["workload"] == "wiki"].set_index("preset")


def test_the_table_says_what_the_runs_say(table, world):
    assert set(table.index) == {*AGENTS.split(",")}
    assert (table["seeds"] == 2).all()
    assert table["cost_s"].is_monotonic_increasing
    for run in finished_runs(world.folder / "results/runs/fig11"):
        if run.config["workload"]["name"] != "wiki":
            continue
        row, slots = table.loc[run.config["agent"]["preset"]], run.table("slots")
        for column, mine in [
            ("cost_s", slots["cost"].mean()),
            ("late_cost_s", slots["cost"][-15:].mean()),
            ("mean_latency_s", slots["mean_latency_s"].mean()),
        ]:  # with two seeds the interval spans them
            assert row[f"{column}_low"] * 0.9999 <= mine <= row[f"{column}_high"] * 1.0001
            assert row[column] == pytest.approx((row[f"{column}_low"] + row[f"{column}_high"]) / 2, rel=1e-4)
    assert table.loc["oracle", ["cost_ratio", "first_passage", "settled"]].tolist() == [1, 25, 25]
    assert table.loc["random", "cost_ratio"] == pytest.approx(
        table.loc["random", "cost_s"] / table.loc["oracle", "cost_s"], rel=1e-4
    )


def test_readers_get_a_table_per_condition(table, world):
    text = (world.folder / "results/agents.md").read_text()
    assert "python -m experiments.compare`" in text
    assert text.count("## ") == 2
    assert sum(line.startswith("| ") for line in text.splitlines()) == 2 * (len(table) + 2)
    assert str(world.folder) not in text


def test_the_median_latency_is_that_of_all_requests(tmp_path):
    latency_s = np.random.default_rng(1).lognormal(-3, 1, 501)
    finished_run(tmp_path, 0, latency_s=latency_s)
    summary = RunSummary.of(finished_runs(tmp_path)[0])
    assert summary.median_latency_s == pytest.approx(np.median(latency_s), rel=0.011)


def test_never_is_counted_and_not_replaced(tmp_path):
    for seed in range(10):
        finished_run(tmp_path, seed, gap=np.where(np.arange(100) < 10, 9.0, 1.0) if seed < 4 else 2.0)
        agent = {"preset": "made_up_tuned", "settings": "tuned"}
        finished_run(tmp_path, seed, gap=2.0 if seed < 4 else 1.0, agent=agent)
    rows = table_of(tmp_path).set_index("preset")
    assert (rows.loc["rrl", "settled"], rows.loc["rrl", "settled_seeds"]) == (np.inf, 4)
    made_up = rows.loc["made_up_tuned"]
    assert (made_up["settled"], made_up["settled_seeds"], made_up["settled_high"]) == (25, 6, np.inf)
    text = markdown(rows.reset_index(), "command")
    assert "| never (4 of 10) |" in text
    assert "| 25 (25 to never; 6 of 10) |" in text


def test_without_the_truth_times_are_not_known_which_is_not_never(tmp_path):
    finished_run(tmp_path, 0, gap=np.nan)
    row = table_of(tmp_path).iloc[0]
    assert row[["first_passage", "settled", "settled_seeds", "cost_ratio"]].isna().all()
    text = markdown(table_of(tmp_path), "command")
    assert "| never" not in text
    assert "| first passage" not in text


def test_values_of_a_setting_are_compared_with_the_same_seeds(tmp_path):
    for seed, cost in enumerate([0.1, 0.2, 0.4]):
        finished_run(tmp_path, seed, cost=cost)
        finished_run(tmp_path, seed, cost=1.5 * cost, learning="background")
    finished_run(tmp_path, 7, cost=50.0, learning="background")  # without a partner
    with pytest.raises(UsageError, match=r"rrl on wiki has runs that differ in \['learning'\]"):
        table_of(tmp_path)
    rows = table_of(tmp_path, by="learning", reference="inline").set_index("learning")
    ratio = ["cost_ratio", "cost_ratio_low", "cost_ratio_high"]
    np.testing.assert_allclose(rows.loc["background", ratio].astype(float), 1.5)
    np.testing.assert_allclose(rows.loc["inline", ratio].astype(float), 1.0)
    assert rows.loc["background", "seeds"] == 4


def test_old_settings_of_a_preset_are_not_mixed_with_new_ones(tmp_path, capsys):
    finished_run(tmp_path, 0, agent={"beta": 20.0})
    finished_run(tmp_path, 1, agent={"beta": 100.0})
    with pytest.raises(SystemExit) as stop:
        main([f"output_dir={tmp_path}", f"target={tmp_path}/out"])
    assert stop.value.code == 2
    assert "['agent.beta']" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_settings_that_change_no_row_do_not_part_runs(tmp_path):
    finished_run(tmp_path, 0)
    table_settings = {"load_rps": [1, 2], "relative_error": 0.01, "most_batches": 60, "workers": 4}
    finished_run(tmp_path, 1, progress=False, logger="table", table=table_settings)
    assert table_of(tmp_path)["seeds"].tolist() == [2]
    finished_run(tmp_path, 1, progress=True)
    with pytest.raises(UsageError, match="the same settings and seed"):
        table_of(tmp_path)


def test_without_runs_it_says_what_to_run(tmp_path, capsys):
    assert main([f"output_dir={tmp_path}", f"target={tmp_path}"]) == 1
    assert "python -m experiments.run --multirun experiment=fig11" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_failed_is_told(tmp_path, capsys):
    finished_run(tmp_path, 0)
    fail(tmp_path, "fig11", "abc")
    fail(tmp_path, "fig12", "abc")
    assert main([f"output_dir={tmp_path}", f"target={tmp_path}"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "without runs that failed: 1 of fig11 (<run_id>.failed.json beside the runs says why)"
    ]


def test_the_report_shows_the_tables_there_are(tmp_path):
    finished_run(tmp_path / "runs", 0, cost=0.123)
    finished_run(tmp_path / "runs", 0, cost=0.456, learning="background", experiment="learning")
    main([f"output_dir={tmp_path}/runs", f"target={tmp_path}"])
    main([
        "experiment=learning", "by=learning", "reference=inline", f"output_dir={tmp_path}/runs",
        f"target={tmp_path}",
    ])  # fmt: skip
    page = build(tmp_path)
    assert "0.123 (one seed)" in page
    assert "<td>background</td>" in page
    assert "drain rule" not in page
