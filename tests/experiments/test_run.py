"""Runs end to end: determinism, records, skipping, one's own agent."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import records
from experiments.bench_simulator import run_once
from experiments.records import RunFolder, content_hash, is_finished
from experiments.results import finished_runs
from serving.histogram import count_latencies

ROOT = Path(__file__).resolve().parents[2]
FAST = ["truth=false", "progress=false", "slots=12"]


def run(tmp_path, *overrides, cwd=ROOT, check=True):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.run", *overrides[:1]),  # --multirun has to come first
            *(*FAST, f"output_dir={tmp_path}/runs", *overrides[1:]),
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(cwd)},
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def folder_of(done):
    return Path(done.stdout.strip().splitlines()[-1])


def rows_of(done, without=("run_id",)):
    return pd.read_parquet(folder_of(done) / "slots.parquet").drop(columns=list(without))


def test_the_same_seed_gives_identical_rows_and_another_does_not(tmp_path):
    first = rows_of(run(tmp_path / "a", "seed=1"))
    pd.testing.assert_frame_equal(first, rows_of(run(tmp_path / "b", "seed=1")), check_exact=True)
    other = rows_of(run(tmp_path / "a", "seed=2"))
    assert (first["arrivals"] != other["arrivals"]).any()


def test_both_engines_give_identical_rows(tmp_path):
    compiled = rows_of(run(tmp_path, "system.engine=compiled"), ("run_id", "engine"))
    simpy = rows_of(run(tmp_path, "system.engine=simpy"), ("run_id", "engine"))
    pd.testing.assert_frame_equal(compiled, simpy, check_exact=True)


def test_every_agent_meets_the_same_requests(tmp_path):
    columns = ["slot", "minute", "load_rps", "true_load_rps", "arrivals"]
    first, second = (rows_of(run(tmp_path, f"agent={name}"))[columns] for name in ("random", "q_learning"))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("run"), "agent=random", "seed=3", "slots=30")


def test_rows_hold_what_the_schema_says(finished):
    rows = pd.read_parquet(folder_of(finished) / "slots.parquet")
    described = (ROOT / "results" / "README.md").read_text()
    for column in rows.columns:
        name = re.sub(r"^(mean|median|p95|p99)_latency_s$", r"\1", column)
        assert name in described, column
    assert rows["run_id"].nunique() == 1
    assert rows["slot"].tolist() == list(range(30))
    assert rows["minute"].tolist() == [2.0 * slot for slot in range(30)]


def test_requests_are_conserved_over_every_slot(finished):
    rows = rows_of(finished)
    lost = rows["rejections"] + rows["timeouts"] + rows["errors"]
    into, out = rows["backlog_start"] + rows["arrivals"], rows["completions"] + lost + rows["backlog_end"]
    assert (into == out).all()
    assert (rows["backlog_start"].to_numpy()[1:] == rows["backlog_end"].to_numpy()[:-1]).all()


def test_cost_is_the_mean_with_losses_at_the_penalty(finished):
    rows = rows_of(finished)
    total = rows["mean_latency_s"].fillna(0) * rows["completions"] + 5 * rows["rejections"]
    expected = total / (rows["completions"] + rows["rejections"])
    np.testing.assert_allclose(rows["cost"], expected, rtol=1e-12)


def test_histograms_count_every_completion(finished):
    counts = pd.read_parquet(folder_of(finished) / "histogram.parquet").groupby("slot")["count"].sum()
    rows = rows_of(finished).set_index("slot")["completions"]
    assert (counts.reindex(rows.index, fill_value=0) == rows).all()
    assert count_latencies(np.array([0.1])).sum() == 1


def test_the_manifest_says_how_the_run_came_about(finished):
    manifest = json.loads((folder_of(finished) / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["seed"] == 3
    assert manifest["config"]["agent"]["preset"] == "random"
    assert {"argv", "git", "versions", "machine", "start", "end"} <= set(manifest)


def test_a_checkout_is_as_committed_whatever_our_commands_write(tmp_path, monkeypatch):
    for name in ("README.md", "code.py", "results/claims.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("committed")
    me = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], [*me, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(records, "ROOT", tmp_path)
    for name, dirty in (("README.md", False), ("results/claims.csv", False), ("code.py", True)):
        (tmp_path / name).write_text("changed")
        assert records.git_state.__wrapped__()["dirty"] is dirty, name


def test_a_finished_run_is_used_again_and_a_broken_one_redone(tmp_path):
    folder = folder_of(run(tmp_path))
    stamp = (folder / "slots.parquet").stat().st_mtime_ns
    assert folder_of(run(tmp_path)) == folder
    assert (folder / "slots.parquet").stat().st_mtime_ns == stamp
    (folder / "manifest.json").write_text("{ half writ")
    run(tmp_path)
    assert is_finished(folder)
    run(tmp_path, "fresh=true")
    assert (folder / "slots.parquet").stat().st_mtime_ns != stamp


def test_a_damaged_run_is_redone(tmp_path):
    folder = folder_of(run(tmp_path))
    whole = (folder / "slots.parquet").read_bytes()
    for damage in (b"", whole[: len(whole) // 2]):
        (folder / "slots.parquet").write_bytes(damage)
        assert not is_finished(folder)
        assert finished_runs(tmp_path) == []
        run(tmp_path)
        assert (folder / "slots.parquet").read_bytes() == whole


def test_where_results_go_changes_no_run_id_and_what_changes_rows_does(tmp_path):
    ids = [
        folder_of(run(tmp_path / name, *overrides)).name
        for name, overrides in [("a", []), ("b", ["progress=true"]), ("c", ["agent.radius=1"])]
    ]
    assert ids[0] == ids[1] != ids[2]


def test_a_run_on_a_trace_is_keyed_by_its_content(tmp_path):
    first, copy, other = (tmp_path / f"{name}.csv" for name in ("first", "copy", "other"))
    line = "{:02d}/09/2007 {:02d}:{:02d}:00,{}\n"
    text = "".join(line.format(18, 10 + i // 60, i % 60, 600 + i) for i in range(60))
    first.write_text(text)
    copy.write_text(text)
    other.write_text(text.replace("600", "660"))
    ids = [folder_of(run(tmp_path, f"workload.trace={path}")).name for path in (first, copy, other)]
    assert ids[0] == ids[1] != ids[2]


def test_content_hash_ignores_order_and_nothing_else():
    assert content_hash({"a": 1, "b": {"c": 2, "d": 3}}) == content_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})


def test_an_interrupted_write_leaves_nothing(tmp_path):
    target = tmp_path / "run"

    def interrupted():
        with RunFolder(target, {}) as folder:
            folder.write("slots", pd.DataFrame({"slot": [0]}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    assert finished_runs(tmp_path) == []


def test_a_sweep_makes_a_run_each_with_every_launcher(tmp_path):
    overrides = ["--multirun", "agent=rrl_plus_paper,capes", "seed=0,1", f"hydra.sweep.dir={tmp_path}/sweep"]
    run(tmp_path / "basic", *overrides, "hydra/launcher=basic")
    run(tmp_path / "joblib", *overrides, "hydra/launcher=joblib")
    basic, joblib = (finished_runs(tmp_path / name) for name in ("basic", "joblib"))
    assert len(basic) == 4
    for one, other in zip(basic, joblib, strict=True):
        assert (one.folder / "slots.parquet").read_bytes() == (other.folder / "slots.parquet").read_bytes()


def test_the_agent_in_the_readme_runs(tmp_path):
    readme = (ROOT / "README.md").read_text()
    (tmp_path / "my_agent.py").write_text(re.search(r"```python\n(import numpy.*?)```", readme, re.S)[1])
    command = re.search(r"python -m experiments.run (agent=custom .*)", readme)[1].split()
    rows = rows_of(run(tmp_path, *command, cwd=tmp_path))
    assert set(rows["agent"]) == {"EpsilonGreedy"}
    assert len(rows) == 12
    first = folder_of(run(tmp_path, *command, cwd=tmp_path))
    mine = tmp_path / "my_agent.py"
    mine.write_text(mine.read_text().replace("argmin", "argmax"))
    assert folder_of(run(tmp_path, *command, cwd=tmp_path)) != first


def test_an_override_beside_a_hardware_file_is_not_lost_without_a_word(tmp_path):
    (tmp_path / "mine.yaml").write_text((ROOT / "conf/hardware/paper_cpu.yaml").read_text())
    refused = run(tmp_path, f"hardware.file={tmp_path}/mine.yaml", "hardware.cores=8", check=False)
    assert refused.returncode == 2
    assert "hardware.cores=8 beside hardware.file=" in refused.stderr


def test_a_hardware_file_replaces_the_profile(tmp_path):
    text = (ROOT / "conf" / "hardware" / "paper_cpu.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("name: paper_cpu", "name: mine"))
    rows = rows_of(run(tmp_path, f"hardware.file={tmp_path}/mine.yaml"))
    assert set(rows["hardware"]) == {"mine"}


def test_raw_latencies_are_written_where_they_are_asked_for(tmp_path):
    folder = folder_of(run(tmp_path, "system.keep_latencies=true"))
    slots, latencies = (pd.read_parquet(folder / f"{name}.parquet") for name in ("slots", "latencies"))
    by_slot = latencies.groupby("slot")["latency_s"]
    assert by_slot.count().tolist() == slots["completions"].tolist()
    np.testing.assert_allclose(by_slot.mean(), slots["mean_latency_s"])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_run():
    run_once(50)
    short, long = (run_once(slots, trace=True)[1] for slots in (1500, 4500))
    assert long < 1.15 * short
