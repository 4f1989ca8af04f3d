"""What runs and sweeps leave on disk: records, notes of failures, states, and what killed processes began."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from experiments.failures import Failure, failure_path, write_failure
from experiments.leftovers import is_abandoned, make_owned
from experiments.records import RunFolder, is_finished
from experiments.results import failed_runs, finished_runs
from experiments.sweep_status import DONE, FAILED, LOST, RUNNING, JobStatus, count_states, read_states


def test_only_what_nobody_makes_any_more_is_abandoned(tmp_path):
    mine = make_owned(tmp_path, ".abc", ".partial")
    assert not is_abandoned(mine)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    pid, host = f".{os.getpid()}.", mine.name.split(".")[2]
    dead = mine.with_name(mine.name.replace(pid, f".{gone.pid}."))
    far = mine.with_name(mine.name.replace(f".{host}.", ".elsewhere."))
    dead.mkdir()
    far.mkdir()
    assert is_abandoned(dead)
    assert not is_abandoned(far)
    with RunFolder(tmp_path / "other", {}):
        assert not dead.exists()
        assert mine.exists()
        assert far.exists()
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(far, (long_ago, long_ago))
    assert is_abandoned(far)


def test_a_failure_is_forgotten_when_the_run_is_there(tmp_path):
    target = tmp_path / "abc"
    write_failure(target, Failure("abc", ["seed=1"], "no memory", {}))
    assert [one.reason for one in failed_runs(tmp_path)] == ["no memory"]
    with RunFolder(target, {"config": {}}) as folder:
        folder.finish()
    assert is_finished(target)
    assert not failure_path(target).exists()
    assert failed_runs(tmp_path) == []


def test_a_failure_of_an_agents_earlier_code_is_forgotten_when_its_mended_code_succeeds(tmp_path):
    config = {"agent": {"_target_": "mine.Agent"}, "seed": 1, "progress": True}
    write_failure(tmp_path / "before", Failure("before", ["seed=1"], "no memory", config))
    write_failure(tmp_path / "other", Failure("other", ["seed=2"], "no memory", config | {"seed": 2}))
    for name, content in (("damaged", "{"), ("strange", '{"run_id": "x"}'), ("list", "[1]")):
        (tmp_path / f"{name}.failed.json").write_text(content)
    with RunFolder(tmp_path / "mended", {"config": config | {"progress": False}}) as folder:
        folder.finish()
    assert [one.run_id for one in failed_runs(tmp_path)] == ["other"]


def test_a_folder_that_vanishes_while_runs_are_looked_for_is_passed_over(tmp_path, monkeypatch):
    with RunFolder(tmp_path / "fig09" / "abc", {"config": {}}) as folder:
        folder.finish()
    (tmp_path / "fig09" / "gone").mkdir()
    scandir = os.scandir

    def remove_first(path):
        if Path(path).name == "gone":
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", remove_first)
    assert [run.folder.name for run in finished_runs(tmp_path)] == ["abc"]
    assert not (tmp_path / "fig09" / "gone").exists()


def test_a_run_that_another_process_finished_first_is_left_as_it_is(tmp_path, monkeypatch):
    target = tmp_path / "abc"
    with RunFolder(target, {"config": {}, "by": "first"}) as folder:
        folder.finish()
    monkeypatch.setattr("experiments.records.shutil.rmtree", lambda *_, **__: None)  # it came just after that
    with RunFolder(target, {"config": {}, "by": "second"}) as folder:
        folder.finish()
    assert json.loads((target / "manifest.json").read_text())["by"] == "first"


def test_the_state_of_a_run_is_one_file(tmp_path):
    status = JobStatus(tmp_path, 3, ["seed=3"])
    status.set(RUNNING)
    status.set(LOST, deaths=1)
    again = JobStatus(tmp_path, 3, ["seed=3"])
    assert again.noted["deaths"] == 1
    assert not again.settled
    again.set(FAILED, reason="because")
    JobStatus(tmp_path, 10, ["seed=10"]).set(DONE)
    assert count_states(tmp_path) == {FAILED: 1, DONE: 1}
    assert [noted["reason"] for noted in read_states(tmp_path, FAILED)] == ["because"]
    JobStatus(tmp_path / "over", 0, []).set(DONE)
    assert not (tmp_path / "over").exists()
