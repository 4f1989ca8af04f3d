"""An agent on real servers, by the program that users call."""

import pandas as pd
import pytest

from experiments.build import build_env
from experiments.run import execute
from experiments.settings import compose_settings

SMALL = [
    "system=testbed", "model=deepspeech2", "system.model_settings={depth:1,width:32}", "truth=false",
    "system.request_parallelism=[1,2]", "system.inter_op_parallelism=[1,2]",
    "system.intra_op_parallelism=[1,2]", "workload=constant", "workload.mean_rps=6", "slot_s=1.5", "slots=6",
    "progress=false", "start=[1,1,1]",
]  # fmt: skip


@pytest.mark.slow
def test_an_agent_of_the_simulator_runs_unchanged_on_real_servers(tmp_path):
    plain = compose_settings(["agent=rrl", *SMALL, f"output_dir={tmp_path}"])
    assert plain["learning"] == "background"  # the default here: each choice is one slot old
    execute(plain, build_env(plain), "run", tmp_path / "run")
    rows = pd.read_parquet(tmp_path / "run" / "slots.parquet")
    timings = pd.read_parquet(tmp_path / "run" / "timings.parquet")
    assert len(rows) == len(timings) == 6
    assert set(rows["system"]) == {"testbed"}
    assert set(rows["hardware"]) == {"this_machine"}
    assert rows["optimal_cost"].isna().all()
    arrived = rows["arrivals"] + rows["backlog_start"]
    gone = rows[["completions", "rejections", "timeouts", "errors"]].sum(axis=1)
    assert (arrived == gone + rows["backlog_end"]).all()
    assert rows["completions"].sum() > 0.5 * rows["arrivals"].sum()
    assert (rows["errors"] == 0).all()
    assert (timings["server_cpu_s"] > 0).any()
    assert timings["cores"].nunique() == 1
