"""Windows of a profile: what is measured, that at most one is lost, and that noise is repeated."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments import calibrate
from experiments.build import build_system
from experiments.calibration import measuring
from experiments.calibration.measuring import Conditions, measure
from experiments.calibration.plan import Window, plan, split
from experiments.calibration.windows import WindowTable, kept, service_spread
from experiments.records import machine
from experiments.settings import compose_settings
from serving.configuration import parallelism_space
from serving.errors import UsageError
from workloads.sizes import RequestSizes

GRID = parallelism_space([1, 2, 4, 8], [1, 2, 4], [1, 2, 4])
SIMULATED = ["system=sim_testbed", "system.keep_latencies=true", "progress=false"]


@pytest.fixture
def system():
    return build_system(compose_settings(SIMULATED))


def test_every_value_of_every_knob_is_fitted_and_held_out_and_the_first_are_far_apart():
    fitted, held_out = split(GRID)
    assert sorted([*fitted, *held_out]) == sorted(GRID.configurations)
    assert len(held_out) == 12
    for part in (fitted, held_out):
        assert [len(set(values)) for values in zip(*part, strict=True)] == [4, 3, 3]
    assert fitted[:2] == [(1, 1, 1), (8, 4, 4)]


def test_a_plan_begins_coarse_and_each_configuration_with_the_closed_loop_that_its_rates_are_shares_of():
    windows = plan(GRID, visits=1)
    assert len(windows) == len(set(windows)) == 24 * 7
    assert {one.configuration for one in windows[:8]} == set(split(GRID)[0][:8])
    seen = set()
    for window in windows:
        assert window.mode == "closed" or window.configuration in seen
        seen.add(window.configuration)


def test_the_visits_of_a_window_are_apart_in_time_and_before_finer_windows():
    windows = plan(GRID, visits=2)
    once = [window for window in windows if window.visit == 0]
    assert once == plan(GRID, visits=1)
    for place, window in enumerate(once):
        first, second = (windows.index(replace(window, visit=visit)) for visit in (0, 1))
        assert second - first >= 8  # windows of some seconds: the machine may have changed
        assert second < 2 * (place + 16)


def test_a_torn_row_is_cut_off_and_only_what_is_missing_is_measured(system, tmp_path):
    table = WindowTable(tmp_path / "folder" / "table.csv", system.space.names)
    conditions = Conditions(20.0, RequestSizes(), seed=0, cores=10)
    windows = plan(system.space, visits=1)[:12]
    assert measure(system, table, windows[:9], conditions, budget_s=600.0, progress=False) == 0
    whole = table.file.read_text()
    table.file.write_text(whole + "1,1,1,closed,2,0,0.1")
    assert len(table.read()) == 9
    assert measure(system, table, windows, conditions, budget_s=600.0, progress=False) == 0
    assert table.file.read_text().startswith(whole)
    rows = table.read()
    assert len(rows) == 12
    closed = rows[rows["mode"] == "closed"]
    assert np.allclose(closed["throughput_rps"] * closed["mean_latency_s"], closed["level"], rtol=0.25)
    table.file.write_text("request_par")  # killed while the very first line was written
    assert table.read().empty
    assert measure(system, table, windows[:1], conditions, budget_s=600.0, progress=False) == 0
    assert len(table.read()) == 1


@pytest.mark.parametrize("content", ["precious", "precious,line\n1,2", "a: 1\nb: 2", "a,b\n1,2\n"])
def test_a_file_that_is_no_table_of_windows_is_refused_and_left_as_it_is(system, tmp_path, content):
    table = WindowTable(tmp_path / "mine.txt", system.space.names)
    table.file.write_text(content)
    with pytest.raises(UsageError, match=r"mine\.txt"):
        table.read()
    with pytest.raises(UsageError, match=r"mine\.txt"):
        table.append({"request_parallelism": 1})
    assert table.file.read_text() == content


def test_windows_of_another_machine_or_length_are_not_mixed(system, tmp_path):
    table = WindowTable(tmp_path / "table.csv", system.space.names)
    conditions = Conditions(10.0, RequestSizes(), seed=0, cores=10)
    windows = plan(system.space, visits=1)[:2]
    measure(system, table, windows[:1], conditions, budget_s=60.0, progress=False)
    for other, named in (
        (replace(conditions, window_s=5.0), "window_s"),
        (replace(conditions, cores=2), "cores"),
    ):
        with pytest.raises(UsageError, match=f"{named}=10"):
            measure(system, table, windows, other, budget_s=60.0, progress=False)
    text = table.file.read_text()
    table.file.write_text(text.replace(str(machine()["cpu"]), "another processor"))
    with pytest.raises(UsageError, match="cpu=another processor"):
        measure(system, table, windows, conditions, budget_s=60.0, progress=False)


def test_the_budget_ends_the_profile_before_a_window_that_would_not_fit(system, tmp_path):
    table = WindowTable(tmp_path / "table.csv", system.space.names)
    conditions = Conditions(10.0, RequestSizes(), seed=0, cores=10)
    assert (
        measure(system, table, plan(system.space, visits=1), conditions, budget_s=10.0, progress=False)
        == 24 * 7
    )
    assert not table.file.exists()


def test_a_disturbed_window_is_measured_again_and_the_undisturbed_attempt_counts(
    system, tmp_path, monkeypatch
):
    flags = iter(["shared", "late shared", "", "shared"])
    real = measuring.serve_closed
    monkeypatch.setattr(measuring, "serve_closed", lambda *given: real(*given) | {"flags": next(flags)})
    table = WindowTable(tmp_path / "table.csv", system.space.names)
    conditions = Conditions(1.0, RequestSizes(), seed=0, cores=10)
    window = Window((1, 1, 1), "closed", 1)
    measure(system, table, [window], conditions, budget_s=600.0, progress=False)
    measure(system, table, [window], conditions, budget_s=600.0, progress=False)
    assert list(table.read()["flags"]) == ["shared", "late shared", ""]
    assert list(kept(table.read(), table.knobs)["attempt"]) == [2]


def test_the_rates_are_shares_of_the_measured_throughput_and_the_same_arrivals_can_be_made_again(
    system, tmp_path
):
    table = WindowTable(tmp_path / "table.csv", system.space.names)
    conditions = Conditions(5.0, RequestSizes("lognormal"), seed=3, cores=10)
    windows = [Window((2, 1, 1), "closed", 8), Window((2, 1, 1), "open", 0.5)]
    measure(system, table, windows, conditions, budget_s=600.0, progress=False)
    closed, opened = (row for _, row in table.read().iterrows())
    assert opened["load_rps"] == pytest.approx(0.5 * closed["throughput_rps"], rel=1e-4)
    assert len(conditions.slot(opened["load_rps"]).arrival_s) == opened["arrivals"]


def test_spread_is_that_of_the_logarithm_and_sizes_are_taken_away():
    rng = np.random.default_rng(1)
    noise = rng.lognormal(0, 0.2, 4000)
    assert service_spread(0.05 * noise)["log_spread"] == pytest.approx(0.2, rel=0.1)
    size = rng.choice([0.5, 1.0, 2.0], 4000)
    found = service_spread((0.01 + 0.04 * size) * noise, size)
    assert found["log_spread"] == pytest.approx(0.2, rel=0.1)
    assert found["size_share"] == pytest.approx(0.8, rel=0.05)


def test_another_table_is_refused_and_wrong_settings_are_one_line(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UsageError, match="a profile of the same knobs"):
        WindowTable(tmp_path / "a.csv", GRID.names).read()
    for wrong in ("stage=x", "budget=0", "no_such=3"):
        assert calibrate.main([wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_killed_at_any_moment_a_profile_goes_on(tmp_path):
    """The simulator stands for the machine; it is slowed down so that there is something to interrupt."""
    program = (
        "import time; from sim.system import SimulatedCpu as S; real = S.serve_closed\n"
        "S.serve_closed = lambda *given: (time.sleep(0.05), real(*given))[1]\n"
        "from experiments.calibrate import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    file = tmp_path / "table.csv"
    arguments = [*SIMULATED, "stage=profile", f"profile={file}", "window_s=1", "budget=0.4"]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.DEVNULL)
    while not file.exists() or len(file.read_text().splitlines()) < 4:
        time.sleep(0.02)
        assert process.poll() is None
    process.kill()
    process.wait()
    before = file.read_text()
    assert calibrate.main(arguments) == 0
    assert file.read_text().startswith(before[: before.rfind("\n") + 1])
    after = pd.read_csv(file)
    assert len(after) > len(before.splitlines()) - 1
    assert not after.duplicated([*GRID.names, "mode", "level"]).any()
