"""Sweeps that survive: failing runs, killed workers, interruptions, and leftovers."""

import csv
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests_support import SMALL

from experiments.records import is_finished
from experiments.results import failed_runs, finished_runs

ROOT = Path(__file__).resolve().parents[2]
AGENTS = """
import os
import signal
from pathlib import Path

class Good:
    def __init__(self, space):
        self.choice = space.configurations[0] if hasattr(space, "configurations") else next(iter(space))
    def act(self, observation):
        return self.choice
    def learn(self, *_):
        pass

class Raising(Good):
    def learn(self, *_):
        if Path("broken").exists():
            raise RuntimeError("two\\nlines")

class Hungry(Good):
    def learn(self, *_):
        raise MemoryError

class Deadly(Good):
    def learn(self, *_):
        try:
            if Path("deadly").read_text() == "once":
                Path("deadly").unlink()  # which one of two workers can do
        except FileNotFoundError:
            return
        os.kill(os.getpid(), 9)

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

class Interrupting(Good):
    def __init__(self, space):
        super().__init__(space)
        self.held = Finalised()
    def learn(self, *_):
        self.held = None
"""


DROWSY = """
import time

wide_awake = time.sleep

class Dream:
    def __init__(self, seconds):
        self.seconds = seconds
    def __del__(self):
        try:
            wide_awake(self.seconds)
        except KeyboardInterrupt:
            time.sleep = wide_awake
            raise  # which Python drops

time.sleep = lambda seconds: Dream(seconds) and None
"""


def start(folder, *overrides, flags=("--multirun",), **options):
    """A sweep in a process group of its own, in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.run", *flags, *overrides],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def finish(folder, *overrides, **options):
    process = start(folder, *overrides, **options)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def sweep(folder, *overrides):
    return finish(folder, "truth=false", "slots=4", *overrides)


def custom(folder, *names):
    (folder / "mine.py").write_text(AGENTS)
    return ["agent=custom", "agent._target_=" + ",".join(f"mine.{name}" for name in names)]


def test_failing_runs_are_listed_and_noted_and_the_others_go_on(tmp_path):
    (tmp_path / "broken").touch()
    code, err = sweep(tmp_path, *custom(tmp_path, "Raising", "Hungry", "Missing", "Good"), "seed=0,1")
    assert code == 1
    assert "8 runs: 2 done, 6 failed" in err
    listed = [one for one in err.splitlines() if one.startswith("failed: ")]
    assert len(listed) == 6
    assert listed[0].endswith("agent._target_=mine.Raising seed=0: RuntimeError: two lines")
    assert listed[2].endswith("agent._target_=mine.Hungry seed=0: MemoryError")
    assert "agent._target_=mine.Missing cannot be imported" in listed[4]
    noted = failed_runs(tmp_path / "results" / "runs")
    assert sorted(one.reason for one in noted) == ["MemoryError"] * 2 + ["RuntimeError: two lines"] * 2
    raised = next(one for one in noted if one.reason.startswith("RuntimeError"))
    assert "seed=0" in raised.overrides or "seed=1" in raised.overrides
    assert raised.config["agent"]["_target_"] == "mine.Raising"
    assert "in learn" in raised.traceback
    (tmp_path / "broken").unlink()
    code, err = sweep(tmp_path, *custom(tmp_path, "Raising", "Good"), "seed=0,1")
    assert code == 0, err
    assert "4 runs: 2 done, 2 skipped" in err
    assert {one.reason for one in failed_runs(tmp_path / "results")} == {"MemoryError"}


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_that_is_wrong_usage_altogether_is_one_line_and_leaves_nothing(tmp_path, launcher):
    code, err = sweep(tmp_path, "agent=rrl", "agent.radius=-1", "seed=0,1", f"hydra/launcher={launcher}")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "agent.radius=-1" in err
    assert [path for path in (tmp_path / "results").rglob("*") if path.is_file()] == []
    code, err = sweep(tmp_path, "agent=rrl,lrr")
    assert code == 2
    assert "agent=lrr" in err


def test_the_flag_may_come_last_and_an_unknown_one_is_wrong_usage(tmp_path):
    wanted = [*SMALL, "agent=random", "slots=3", "hydra/launcher=basic", "seed=0,1"]
    assert finish(tmp_path, *wanted, "-m", flags=())[0] == 0
    assert len(finished_runs(tmp_path / "results" / "runs")) == 2
    code, err = finish(tmp_path, *wanted, "--nonsense")
    assert code == 2
    assert "unrecognized arguments: --nonsense" in err
    assert "interrupted" not in err
    assert list((tmp_path / "results" / "sweeps").iterdir()) == []


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path):
    (tmp_path / "deadly").write_text("once")
    code, err = sweep(tmp_path, *custom(tmp_path, "Deadly", "Good"), "seed=0,1")
    assert code == 0, err
    assert "a worker was killed" in err
    assert len(finished_runs(tmp_path / "results" / "runs")) == 4
    assert list((tmp_path / "results" / "runs").rglob("*.partial")) == []


def test_a_run_that_kills_its_worker_every_time_is_given_up(tmp_path):
    (tmp_path / "deadly").write_text("always")
    overrides = [*custom(tmp_path, "Deadly", "Good"), "hydra.launcher.n_jobs=2"]
    code, err = sweep(tmp_path, *overrides)
    assert code == 1
    assert "Traceback" not in err
    assert re.search(r"failed: .*mine.Deadly.*killed twice", err)
    assert len(finished_runs(tmp_path / "results" / "runs")) == 1
    (tmp_path / "deadly").unlink()
    assert sweep(tmp_path, *overrides)[0] == 0
    assert failed_runs(tmp_path / "results") == []


def wait_for(folder, pattern):
    end = time.monotonic() + 60
    while not any(folder.glob(pattern)):
        assert time.monotonic() < end, pattern
        time.sleep(0.02)


def members(process):
    """Processes of the group that are at work."""
    found = []
    for one in psutil.process_iter():
        try:
            if os.getpgid(one.pid) == process.pid and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def wait_for_end(process):
    end = time.monotonic() + 10
    while members(process):
        assert time.monotonic() < end
        time.sleep(0.05)


def ignore_interrupts():
    """What a shell without job control does for a process in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def assert_interrupted(process):
    """It says one line, and none of its processes is left."""
    try:
        _, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130
    assert err.strip() == "interrupted: 0 runs done; the same command goes on from here"
    wait_for_end(process)


def assert_nothing_is_left(folder):
    assert list((folder / "results" / "runs" / "single").iterdir()) == []
    assert list((folder / "results" / "sweeps").iterdir()) == []


@pytest.mark.parametrize("whom", ["group", "driver"])
@pytest.mark.parametrize("how", ["plain", "ignored", "dropped"])
def test_an_interrupted_sweep_says_one_line_and_leaves_no_process_and_no_half(tmp_path, whom, how):
    if how == "dropped":  # the driver sleeps in a finaliser
        (tmp_path / "sitecustomize.py").write_text(DROWSY)
    prepare = ignore_interrupts if how == "ignored" else None
    endless = ["truth=false", "slots=100000", "agent=random", "seed=range(0,4)"]
    process = start(tmp_path, *endless, preexec_fn=prepare)
    wait_for(tmp_path, "results/runs/single/.*.partial")
    os.killpg(process.pid, signal.SIGINT) if whom == "group" else os.kill(process.pid, signal.SIGTERM)
    assert_interrupted(process)
    assert_nothing_is_left(tmp_path)


def test_an_interruption_that_a_finaliser_drops_ends_a_run_in_the_sweeps_own_process(tmp_path):
    overrides = [*custom(tmp_path, "Interrupting"), "truth=false", "slots=100000", "seed=range(0,4)"]
    process = start(tmp_path, *overrides, "hydra/launcher=basic")
    assert_interrupted(process)
    assert_nothing_is_left(tmp_path)


def test_workers_end_with_a_driver_that_is_killed_and_what_they_began_goes_away(tmp_path):
    process = start(tmp_path, "truth=false", "slots=100000", "agent=random", "seed=0,1")
    runs = tmp_path / "results" / "runs" / "single"
    wait_for(runs, ".*.partial")
    process.kill()
    wait_for_end(process)
    assert list(runs.glob(".*.partial"))
    assert sweep(tmp_path, "agent=random", "seed=5")[0] == 0
    assert list(runs.glob(".*.partial")) == []
    assert list((tmp_path / "results" / "sweeps").iterdir()) == []


def test_workers_end_with_a_driver_that_is_killed_while_they_start(tmp_path):
    overrides = ["truth=false", "slots=100000", "agent=random", "seed=0,1", "hydra.launcher.n_jobs=2"]
    process = start(tmp_path, *overrides)
    driver, end = psutil.Process(process.pid), time.monotonic() + 60
    while len(driver.children()) < 3:  # two workers, and who cleans up after them
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=10)
    wait_for_end(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_stays_of_a_sweep_that_ends_while_a_worker_computes_a_table(tmp_path, how):
    process = start(tmp_path, "agent=oracle", "seed=0,1")
    wait_for(tmp_path, "results/tables/*.lock")
    driver, end = psutil.Process(process.pid), time.monotonic() + 30
    while {one.pid for one in driver.children(recursive=True)} <= {one.pid for one in driver.children()}:
        assert time.monotonic() < end  # until a worker has workers
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(how)
    process.communicate(timeout=30)
    wait_for_end(process)


def claims(folder):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.claims"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (folder / "results" / "claims.csv").read_bytes()


def rows(folder):
    """Every run's rows, as bytes."""
    runs = folder / "results" / "runs"
    return {str(path.relative_to(runs)): path.read_bytes() for path in runs.glob("*/[!.]*/slots.parquet")}


@pytest.mark.slow
def test_killed_five_times_a_sweep_ends_with_the_same_rows_and_claims(tmp_path):
    overrides = [*SMALL, "experiment=fig09", "agent=rrl_paper,q_learning", "agent.radius=0,1"]
    overrides += ["agent.gamma=0", "seed=range(0,4)", "slots=2500", "hydra.launcher.n_jobs=2"]
    moments = random.Random(7)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
    runs, processes = killed / "results" / "runs", []
    for finished, whole_group in zip((0, 2, 4, 6, 8), (True, False, True, False, True), strict=True):
        process = start(killed, *overrides)
        while len(finished_runs(runs)) < finished:
            time.sleep(0.1)
        time.sleep(moments.uniform(0.0, 0.5 if finished else 5.0))
        # without its group: the next sweep begins while workers of this one may still be at work
        os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
        assert process.wait() == -signal.SIGKILL
        processes.append(process)
        assert all(is_finished(folder) for folder in runs.glob("*/[!.]*"))
    assert len(finished_runs(runs)) < 16
    for folder in (killed, calm):
        code, err = finish(folder, *overrides)
        assert code == 0, err
    for process in processes:
        process.communicate(timeout=5)  # which ends when the last worker has gone
    assert len(rows(calm)) == 16
    assert rows(killed) == rows(calm)
    undisturbed = claims(calm)
    assert claims(killed) == undisturbed
    judged = csv.DictReader(io.StringIO(undisturbed.decode()))
    assert any(row["value"] and row["seeds"] == "4" for row in judged)
    assert list((killed / "results").rglob("*.partial")) == []
