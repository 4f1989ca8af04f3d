"""What the study of real servers says of runs, here of simulated ones, which look the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.figures import style
from experiments.interleave import interleave, jobs
from experiments.report.page import build
from experiments.settings import compose_settings
from experiments.studies.testbed import main
from experiments.studies.testbed_tables import agents, cost_ratio, grid, reference, spread

SMALL = [
    "system.grid_minimum=0", "system.grid_maximum=2", "workload=constant,dynamic", "slots=20", "truth=false",
    "progress=false", "experiment_name=real_${workload.name}",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    overrides = [*SMALL, "agent=random,tf_default", f"output_dir={folder}"]
    interleave([compose_settings(job) for job in jobs(overrides)], turn=10)
    other = [*SMALL, "agent=random", f"output_dir={folder}", "experiment_name=real_other_${workload.name}"]
    interleave([compose_settings(job) for job in jobs(other)], turn=10)
    return folder


def rows_of(folder):
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("real_[cd]*/*/slots.parquet"))])


def test_it_writes_tables_and_a_figure_of_the_experiment_asked_for_alone(runs, tmp_path, capsys):
    measured = tmp_path / "table.csv"
    measured.write_text(
        "request_parallelism,load_rps,cost,mean_latency_s,completions,cpu_utilisation,slot_s\n"
        "1,5,0.1,0.1,20,0.1,4\n1,90,3,2.0,40,0.5,4\n2,5,0.1,0.05,20,0.1,4\n2,90,3,2.0,80,0.9,4\n"
    )
    options = [f"runs={runs}", "experiment=real", f"table={measured}", f"target={tmp_path}"]
    assert main(options) == 0
    written = {Path(line).name for line in capsys.readouterr().out.split()}
    assert written == {
        "agents.csv",
        "agents.md",
        "slots.csv",
        "grid.md",
        "testbed.png",
        "testbed.pdf",
        "testbed.csv",
        "testbed.txt",
    }
    assert len(pd.read_csv(tmp_path / "slots.csv")) == 4 * 20
    table = pd.read_csv(tmp_path / "agents.csv")
    assert sorted(zip(table["workload"], table["preset"], strict=True)) == [
        (workload, preset) for workload in ("constant", "dynamic") for preset in ("random", "tf_default")
    ]
    assert "Its ratio to that of tf_default" in (tmp_path / "agents.md").read_text()
    assert (
        "10 to 20 requests/s (2.00 x); latency when idle: 50 to 100 ms (2.00 x)"
        in (tmp_path / "grid.md").read_text()
    )


def test_a_run_that_was_prepared_in_a_simulator_has_a_row_of_its_own(tmp_path):
    profile = "conf/hardware/admissible/inception_v3_07.yaml"
    ways = ["workload=constant", "agent=q_learning", f"pretrain.file=null,{profile}", "pretrain.slots=5"]
    interleave([compose_settings(job) for job in jobs([*SMALL, *ways, f"output_dir={tmp_path}"])], turn=10)
    assert main([f"runs={tmp_path}", "experiment=real", "table=none", f"target={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "agents.csv")
    assert sorted(table["preset"]) == ["q_learning", "q_learning_prepared"]
    assert set(table["slots"]) == {20}
    assert style.label("q_learning_prepared") == "Q-learning, prepared"
    assert style.label("rrl_plus_tuned_prepared") == "RRL Plus, tuned, prepared"
    assert style.colour("gp_prepared") == style.colour("gp")


def test_who_takes_a_table_and_who_plays_slots_again_are_told_apart(tmp_path):
    profile = "conf/hardware/admissible/inception_v3_07.yaml"
    ways = ["workload=constant", "agent=q_learning,gp", f"pretrain.file={profile}", "pretrain.slots=5"]
    ways += ["pretrain.table=false,true", "table.load_rps=[8,14]", "table.most_batches=4"]
    ways += [f"output_dir={tmp_path}", f"table.folder={tmp_path}/tables"]
    interleave([compose_settings(job) for job in jobs([*SMALL, *ways])], turn=10)
    assert main([f"runs={tmp_path}", "experiment=real", "table=none", f"target={tmp_path}"]) == 0
    presets = sorted(pd.read_csv(tmp_path / "agents.csv")["preset"])
    assert presets == ["gp_prepared", "gp_table_prepared", "q_learning_again_prepared", "q_learning_prepared"]
    assert style.label("gp_table_prepared") == "GP with a table, prepared"
    assert style.label("q_learning_again_prepared") == "Q-learning, prepared, again"
    assert style.label("rrl_plus_tuned_again_prepared") == "RRL Plus, tuned, prepared, again"
    assert style.colour("q_learning_again_prepared") == style.colour("q_learning")
    assert style.dashes("q_learning_again_prepared") == ":"


def test_a_prepared_fixed_agent_is_the_reference_where_no_other_has_a_run():
    presets = ["gp_prepared", "tf_default_prepared", "static_best_prepared"]
    assert reference(pd.DataFrame({"preset": presets})) == "static_best_prepared"
    assert reference(pd.DataFrame({"preset": [*presets, "tf_default"]})) == "tf_default"
    assert reference(pd.DataFrame({"preset": ["gp_prepared"]})) is None


def test_the_report_shows_it_but_for_an_excerpt(runs, tmp_path):
    for name in ("small_net", "excerpt"):
        assert main([f"runs={runs}", "experiment=real", f"target={tmp_path / 'testbed' / name}"]) == 0
    page = build(tmp_path)
    assert "Agents on real servers, small net, dynamic" in page
    assert page.count('id="testbed-') == 1
    assert "data:image/png" in page


def test_the_reference_is_compared_with_slot_by_slot_and_lost_requests_are_a_share(runs):
    rows = rows_of(runs)
    rows.loc[rows["preset"] == "random", "cost"] = (
        2 * rows.loc[rows["preset"] == "tf_default", "cost"].to_numpy()
    )
    rows["rejections"] = rows["arrivals"] // 2
    table = agents(rows).set_index(["workload", "preset"])
    for workload in ("constant", "dynamic"):
        ours = table.loc[(workload, "random")]
        assert ours["cost_ratio"] == pytest.approx(2)
        assert ours["lost"] == pytest.approx(0.5, abs=0.01)
        assert table.loc[(workload, "tf_default")]["configurations"] == 1
    without = agents(rows[rows["preset"] == "random"])
    assert without["cost_ratio"].isna().all()


def test_the_grid_is_sorted_and_its_ends_are_told():
    table = pd.DataFrame(
        {
            "threads": [1, 1, 2, 2], "load_rps": [5, 90, 5, 90], "mean_latency_s": [0.1, 2, 0.05, 1],
            "completions": [20, 40, 20, 160], "cpu_utilisation": 0.5, "slot_s": 4.0,
        }
    )  # fmt: skip
    found = grid(table)
    assert list(found["threads"]) == [2, 1]
    assert list(found["saturated_rps"]) == [40, 10]
    assert "(4.00 x)" in spread(found)


def test_a_table_that_is_none_is_refused_before_anything_is_written(runs, tmp_path, capsys):
    for table in ("README.md", tmp_path / "missing.csv"):
        with pytest.raises(SystemExit):
            main([f"runs={runs}", "experiment=real", f"table={table}", f"target={tmp_path / 'new'}"])
        assert f"table={table}" in capsys.readouterr().err
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        main([f"runs={runs}", "experiment=real", f"target={tmp_path / 'file'}"])
    assert not (tmp_path / "new").exists()


def test_few_turns_make_no_interval():
    cost = pd.Series(range(1, 101), dtype=float)
    assert cost_ratio(2 * cost, cost).value == pytest.approx(2)
    assert not np.isnan(cost_ratio(2 * cost, cost).low)
    assert cost_ratio(2 * cost[:20], cost[:20]).value == pytest.approx(2)
    assert np.isnan(cost_ratio(2 * cost[:20], cost[:20]).low)


def test_without_runs_it_says_how_to_get_them(tmp_path, capsys):
    assert main([f"runs={tmp_path}"]) == 1
    assert "python -m experiments.interleave experiment=testbed" in capsys.readouterr().err
