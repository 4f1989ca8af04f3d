"""The live line of a sweep, and the plan that its total comes from."""

import io
import re
import time

import pytest
from omegaconf import OmegaConf

from experiments.sweep_line import LiveLine, duration, line, read_plan
from experiments.sweep_status import DONE, RUNNING, JobStatus


def test_the_line_says_what_is_known():
    counts = {"done": 12, "running": 2, "failed": 1}
    assert line(counts, 40, 80.0) == "12 done, 2 running, 1 failed of 40 runs, about 1 min 20 s left"
    assert line({}, None, None) == "starting"
    assert [duration(seconds) for seconds in (0.4, 59.6, 3600, 7500)] == [
        "0 s", "1 min 0 s", "1 h 0 min", "2 h 5 min",
    ]  # fmt: skip


def plan_of(tmp_path, *overrides, **settings):
    sweeper = {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "params": None}
    asked = {"hydra": {"sweeper": sweeper, "overrides": {"task": list(overrides)}}} | settings
    OmegaConf.save(asked, tmp_path / "multirun.yaml")
    return read_plan(tmp_path)


def test_the_plan_counts_the_runs_that_the_sweeper_will_make(tmp_path):
    assert read_plan(tmp_path) is None
    plan = plan_of(tmp_path, "agent=a,b", "seed=range(0,10)", "x=[1,2]")
    assert (plan.total, plan.shown) == (20, True)
    assert plan_of(tmp_path, "agent=glob(*)").total is None
    assert not plan_of(tmp_path, "seed=1", progress=False).shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "begins"), [(Terminal(), "\r"), (io.StringIO(), "")])
def test_the_live_line_is_drawn_in_place_on_a_terminal_and_line_by_line_elsewhere(tmp_path, stream, begins):
    plan_of(tmp_path, "seed=range(0,4)")
    with LiveLine(tmp_path, stream, every_s=0.02):
        JobStatus(tmp_path, 0, []).set(RUNNING)
        time.sleep(0.1)
        JobStatus(tmp_path, 0, []).set(DONE)
        JobStatus(tmp_path, 1, []).set(RUNNING)
        time.sleep(0.2)
    text = stream.getvalue()
    assert f"{begins}1 running of 4 runs" in text
    assert re.search(r"1 done, 1 running of 4 runs, about \d+ s left", text)
    assert ("\n" in text) is (begins == "")
