"""What a user sees who mistypes: exit code 2, one line, the valid choices, no traceback."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.cli import explain

ROOT = Path(__file__).resolve().parents[2]


def program(*arguments, module="experiments.run", cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(tmp_path, *arguments, module="experiments.run"):
    done = program(*arguments, f"output_dir={tmp_path}/runs", module=module)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/**/*.parquet"))
    return lines[0]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("agent=rlr", ["agent=rlr", "rrl", "q_learning", "oracle"]),
        ("workload=wikki", ["workload=wikki", "wiki", "dynamic"]),
        ("agent.radios=2", ["radios", "agent", "radius"]),
        ("sede=3", ["sede", "seed", "slots"]),
        ("agnet=rrl", ["agnet"]),
        ("workload.mean_rps=-1", ["workload.mean_rps=-1", "above 0"]),
        ("workload.mean_rps=fast", ["mean_rps", "fast"]),
        ("workload.trace=missing.csv", ["missing.csv"]),
        ("seed=-1", ["seed=-1", "integer >= 0"]),
        ("seed=abc", ["seed=abc", "an integer"]),
        ("slots=0", ["slots=0", "integer >= 1"]),
        ("slot_s=0", ["slot_s=0", "> 0"]),
        ("agent.radius=-1", ["radius=-1"]),
        ("agent.policy=greedy", ["greedy", "unit_free"]),
        ("system.engine=fortran", ["fortran", "compiled", "simpy"]),
        ("system.boundary=open", ["open", "bounded", "episodic"]),
        ("system.ticks=100000000", ["system.ticks=100000000", "0 to 10000"]),
        ("objective.slo_s=null", ["objective.slo_s=None", "expected a number > 0"]),
        ("system.grid_maximum=200", ["system.grid_maximum=200", "<= 64"]),
        ("system.reconfiguration.delay_s=5", ["system.reconfiguration.delay_s=5"]),
        ("table.workers=-5", ["table.workers=-5"]),
        ("hardware.file=missing.yaml", ["hardware.file=missing.yaml"]),
        ("load_seen=future", ["future", "current", "previous"]),
        ("objective.penalty_s=-5", ["penalty_s=-5"]),
        ("seed", ["seed"]),
        ("fresh=maybe", ["fresh=maybe", "true or false"]),
    ],
)
def test_a_mistake_is_one_line_with_the_choices(tmp_path, argument, expected):
    line = refused(tmp_path, "truth=false", "slots=2", argument)
    for word in expected:
        assert word in line


@pytest.mark.skipif(find_spec("hydra_plugins.hydra_ray_launcher") is not None, reason="ray is installed")
def test_a_launcher_that_is_not_installed_says_how_to_get_it(tmp_path):
    line = refused(tmp_path, "--multirun", "hydra/launcher=ray", "seed=0,1")
    assert line.startswith("hydra/launcher=ray is not known, choose from ['basic', 'joblib'")
    assert line.endswith("], or pip install -e '.[ray]'")


def test_an_exceptions_colours_and_control_characters_are_left_out():
    assert explain(ValueError("\x1b[31mred\x1b[0m\a and\nplain"), []) == "ValueError: red and plain"


def test_a_broken_trace_names_file_and_line(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("18/09/2007 20:11:43,100\n18/09/2007 20:12:43,many\n")
    line = refused(tmp_path, "truth=false", "slots=2", f"workload.trace={trace}")
    assert "trace.csv" in line
    assert "2" in line


def test_a_broken_hardware_profile_is_refused(tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text("name: mine\ncores: 0\ninterference: nested\nunbatched_requests: 4\nmodels: {}\n")
    line = refused(tmp_path, "truth=false", "slots=2", f"hardware.file={profile}")
    assert "hardware" in line


def test_estimates_need_an_agent_that_has_them(tmp_path):
    line = refused(tmp_path, "truth=false", "slots=2", "agent=random", "estimates=true")
    assert "RandomAgent" in line


def test_an_agent_that_cannot_be_imported_is_refused(tmp_path):
    line = refused(tmp_path, "truth=false", "slots=2", "agent=custom", "agent._target_=no_such_module.Agent")
    assert "no_such_module" in line


def test_a_custom_agent_without_a_class_says_so(tmp_path):
    assert "agent._target_" in refused(tmp_path, "truth=false", "slots=2", "agent=custom")


@pytest.mark.parametrize(
    ("module", "argument", "word"),
    [
        ("experiments.figures", "fig=99", "fig04"),
        ("experiments.figures", "figs=9", "fig"),
        ("experiments.claims", "targe=x", "target"),
        ("experiments.report", "nonsense", "results"),
        ("experiments.bench", "agentz=all", "agentz"),
        ("experiments.admissible", "count=many", "count"),
    ],
)
def test_the_small_programs_have_the_same_manners(module, argument, word):
    done = program(argument, module=module)
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_needs_no_tensorflow_and_lists_the_choices():
    done = program("--help")
    assert done.returncode == 0
    for word in ("agent", "q_learning", "workload", "wiki"):
        assert word in done.stdout
    code = "import sys, experiments.run, experiments.build, agents.rrl; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
