"""The whole chain where the truth is known: a simulated machine is profiled, fitted and validated."""

import os

import numpy as np
import pandas as pd
import pytest
import yaml

from experiments import calibrate, validate
from experiments.calibration import replay
from experiments.calibration.agreement import agreement, pool, tau
from experiments.calibration.hardware_file import read_profile
from experiments.calibration.measuring import Conditions
from experiments.calibration.simulator import simulated_testbed
from experiments.calibration.windows import WindowTable
from experiments.settings import compose_settings
from sim.fit import fit
from sim.fit_batching import BatchCurves
from sim.fit_cpu import CpuCurves
from sim.hardware import cpu_profile
from sim.service_time import ServiceTime
from sim.system import SimulatedCpu
from workloads.sizes import RequestSizes

TRUTH = {
    "sequential_s": 0.03, "inter_op_fraction": 0.4, "intra_op_fraction": 0.6, "synchronisation": 0.08,
    "memory_contention": 0.15, "oversubscription": 0.2, "spinning": 0.4, "service_cv": 0.15,
    "overhead_s": 0.005, "idle_slowdown": 0.25,
}  # fmt: skip
BATCHES = {"fixed_s": 0.01, "request_s": 0.008, "contention": 0.5, "kernel_share": 0.7}
BATCHING = {"batch_threads": [1, 2, 4], "batch_size": [1, 4, 16], "batch_timeout_us": [0, 1000, 10000]}
KNOBS = ["request_parallelism", "inter_op_parallelism", "intra_op_parallelism"]


def machine(folder, family):
    """Settings that stand for a machine whose parameters are known."""
    content = {
        "name": "truth", "cores": 2, "interference": family, "unbatched_requests": 8,
        "models": {"inception_v3": TRUTH},
    }  # fmt: skip
    (folder / "truth.yaml").write_text(yaml.safe_dump(content))
    return ["system=sim_testbed", f"hardware.file={folder / 'truth.yaml'}", "progress=false"]


@pytest.mark.parametrize("family", ["nested", "run_to_completion", "shared_pool"])
def test_known_parameters_are_recovered_within_their_intervals(family, tmp_path):
    settings = machine(tmp_path, family)
    file = tmp_path / "profile.csv"
    assert calibrate.main([*settings, "stage=profile", f"profile={file}", "budget=100"]) == 0
    plain = calibrate.settings(settings)
    conditions = Conditions(6.0, RequestSizes(), 0, 2)
    windows, known = read_profile("inception_v3", file, KNOBS, conditions)[1:]
    found = fit(CpuCurves(known, family), windows)
    for key, (low, high) in found.intervals.items():
        margin = 0.5 * (high - low)  # two dozen intervals of 95 % in all, of a linearised model
        assert low - margin <= TRUTH[key] <= high + margin, (key, low, TRUTH[key], high)
        assert high - low < 0.5 * max(TRUTH[key], 0.1), (key, low, high)
        assert low <= found.numbers[key] <= high
    assert found.profile.interference.spinning == pytest.approx(TRUTH["spinning"], abs=0.05)
    assert found.profile.service.cv == pytest.approx(TRUTH["service_cv"], rel=0.1)
    assert plain["hardware"]["cores"] == known.cores


def test_a_machine_that_slows_down_meanwhile_is_described_as_if_it_did_not(tmp_path, monkeypatch):
    settings = [*machine(tmp_path, "shared_pool"), "stage=profile", "budget=100"]
    assert calibrate.main([*settings, f"profile={tmp_path / 'steady.csv'}"]) == 0
    windows = [0]
    demand_s, reset = ServiceTime.demand_s, SimulatedCpu.reset

    def slower(self, *given):
        return demand_s(self, *given) * 1.002 ** windows[0]

    def counted(self, seed):
        windows[0] += 1
        reset(self, seed)

    with monkeypatch.context() as patch:
        patch.setattr(ServiceTime, "demand_s", slower)
        patch.setattr(SimulatedCpu, "reset", counted)
        assert calibrate.main([*settings, f"profile={tmp_path / 'slowing.csv'}"]) == 0
    conditions = Conditions(6.0, RequestSizes(), 0, 2)
    steady, slowing = (
        read_profile("inception_v3", tmp_path / name, KNOBS, conditions)[1]
        for name in ("steady.csv", "slowing.csv")
    )
    alike = [(one, other) for one, other in zip(steady, slowing, strict=True) if one.clients]
    ratio = np.array([other.mean_latency_s / one.mean_latency_s for one, other in alike])
    assert 1.002 ** len(steady) > 1.35
    assert ratio.std() < 0.03
    assert ratio.mean() == pytest.approx(1.002 ** (len(steady) / 2), rel=0.03)


def batching_machine(folder):
    """Settings that stand for a machine with known batch times."""
    content = {
        "name": "truth", "processor": "gpu", "unbatched_requests": 8, "models": {"inception_v3": BATCHES},
    }  # fmt: skip
    (folder / "truth.yaml").write_text(yaml.safe_dump(content))
    grids = [f"system.{name}={values}" for name, values in BATCHING.items()]
    return ["system=sim_gpu", *grids, f"hardware.file={folder / 'truth.yaml'}", "progress=false"]


def test_batch_times_are_recovered_within_their_intervals_and_foretell_the_rest(tmp_path):
    settings = batching_machine(tmp_path)
    own = [f"profile={tmp_path / 'profile.csv'}", f"target={tmp_path}", "budget=100"]
    assert calibrate.main([*settings, *own]) == 0
    conditions = Conditions(6.0, RequestSizes(), 0, os.cpu_count() or 1)
    file, names = tmp_path / "profile.csv", list(BATCHING)
    windows, known = read_profile("inception_v3", file, names, conditions)[1:]
    found = fit(BatchCurves(known), windows)
    for key, (low, high) in found.intervals.items():
        assert low <= BATCHES[key] <= high or found.numbers[key] == pytest.approx(BATCHES[key], rel=0.01), key
        assert high - low < 0.2 * BATCHES[key]
    assert found.profile.kernel_share == pytest.approx(BATCHES["kernel_share"], abs=0.05)
    fitted = tmp_path / "inception_v3_batching.yaml"
    own = [f"fitted={fitted}", f"measured={tmp_path / 'both.csv'}", "budget=100"]
    assert validate.main([*settings, *own]) == 0
    compared = agreement(pd.read_csv(tmp_path / "inception_v3_batching_both.csv"), names)
    assert compared.mape.value < 3
    assert compared.tau > 0.9


def test_the_testbeds_own_batching_settings_can_be_simulated():
    plain = calibrate.settings(["system=testbed_batching"])
    hardware = {
        "name": "truth", "processor": "gpu", "unbatched_requests": 8, "models": {"inception_v3": BATCHES},
    }  # fmt: skip
    assert list(simulated_testbed(plain, hardware).space.names) == list(BATCHING)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A folder with what calibration leaves, and the settings that stand for the machine."""
    folder = tmp_path_factory.mktemp("calibrated")
    settings = [*machine(folder, "shared_pool"), "system.grids.request_parallelism=[1,4]"]
    own = [f"profile={folder / 'profile.csv'}", f"target={folder}", "budget=100"]
    assert calibrate.main([*settings, *own]) == 0
    return folder, settings


@pytest.mark.slow
def test_fitting_twice_gives_the_same_bytes_and_what_it_gives_can_be_run(calibrated):
    folder, settings = calibrated
    before = (folder / "inception_v3.yaml").read_bytes()
    own = [f"profile={folder / 'profile.csv'}", f"target={folder}", "stage=fit"]
    assert calibrate.main([*settings, *own]) == 0
    assert (folder / "inception_v3.yaml").read_bytes() == before
    plain = compose_settings(["system=sim_testbed", f"hardware.file={folder / 'inception_v3.yaml'}"])
    assert plain["hardware"]["interference"] == "shared_pool"
    assert cpu_profile(plain["hardware"], "inception_v3").interference.cores == 2
    for suffix in ("png", "csv"):
        assert (folder / f"inception_v3_residuals.{suffix}").stat().st_size > 0


@pytest.mark.slow
def test_the_simulator_foretells_configurations_and_rates_that_the_fit_did_not_see(calibrated, capsys):
    folder, settings = calibrated
    own = [f"fitted={folder / 'inception_v3.yaml'}", f"measured={folder / 'inception_v3.csv'}"]
    assert validate.main([*settings, *own, "budget=100", "window_s=12"]) == 0
    assert str(folder / "inception_v3.md") in capsys.readouterr().out
    assert "mean absolute error" in (folder / "inception_v3.md").read_text()
    measured = pd.read_csv(folder / "inception_v3.csv")
    assert len(measured) == 2 * 6 * 5 + 2 * 12
    assert sorted(measured["seed"].unique()) == [1000, 1001]
    found = agreement(pd.read_csv(folder / "inception_v3_both.csv"), KNOBS)
    assert found.windows >= 15
    assert found.mape.value < 5
    assert abs(found.bias) < 4
    assert found.pairs >= 10
    assert found.tau > 0.9
    assert max(found.regret.values()) < 5
    assert found.trace_mape < 6


def windows(measured, said, error=0.001):
    return pd.DataFrame(
        {
            "level": 1.0, "mean_latency_s": measured, "simulated_mean_latency_s": said,
            "mean_error_s": error,
        }
    )  # fmt: skip


def test_a_window_is_the_mean_of_its_visits_and_as_uncertain_as_they_differ():
    visits = pd.DataFrame(
        {
            "a": 1, "mode": "rate", "level": 5.0, "slot": np.nan, "completions": [100, 300],
            "mean_latency_s": [0.1, 0.2], "simulated_mean_latency_s": [0.2, 0.2],
            "mean_error_s": [0.01, 0.01], "flags": ["late", None],
        }
    )  # fmt: skip
    window = pool(visits, ["a"]).iloc[0]
    assert window["visits"] == 2
    assert window["mean_latency_s"] == pytest.approx(0.175)
    assert window["simulated_mean_latency_s"] == pytest.approx(0.2)
    assert window["mean_error_s"] == pytest.approx(0.1 / 2)  # standard deviation 0.1 / sqrt(2), of two
    assert window["flags"] == "late"
    alone = pool(visits[:1], ["a"]).iloc[0]
    assert alone["mean_error_s"] == 0.01
    assert alone["mean_latency_s"] == 0.1


def test_what_was_measured_is_asked_for_again_whatever_the_simulator_says_by_now(tmp_path):
    plain = compose_settings(["system=sim_testbed"])
    table = WindowTable(tmp_path / "table.csv", KNOBS)
    row = dict(zip(KNOBS, (1, 1, 4), strict=True)) | {"seed": 0, "attempt": 0, "flags": "", "slot": None}
    simulators = [simulated_testbed(plain, plain["hardware"] | {"cores": cores}) for cores in (2, 10)]
    first, other = (replay.plan(one.space, one, table, 1) for one in simulators)
    assert first != other
    table.append(row | {"mode": "rate", "level": 7.0})
    interrupted = replay.plan(simulators[0].space, simulators[0], table, 1)
    assert interrupted == first  # what was not reached is still asked for
    for rate in (9.0, 11.0, 13.0):
        table.append(row | {"mode": "rate", "level": rate})
    for rate in (3.0, 4.0):
        table.append(row | {"mode": "trace", "level": rate})
    first, other = (replay.plan(one.space, one, table, 2) for one in simulators)
    assert first == other
    assert {one.level for one in first if one.mode == "rate"} == {7.0, 9.0, 11.0, 13.0}
    assert [one.visit for one in first] == [0] * 60 + [1] * 60
    for simulator in simulators:
        assert replay.traced(simulator.space, simulator, table) == [((1, 1, 4), 3.0), ((1, 1, 4), 4.0)]


def test_tau_counts_only_pairs_that_differ_for_certain():
    assert tau(windows([0.1, 0.2, 0.3], [0.1, 0.15, 0.4])) == (3, 1.0)
    assert tau(windows([0.1, 0.2, 0.3], [0.1, 0.5, 0.4])) == (3, pytest.approx(1 / 3))
    assert tau(windows([0.1, 0.101, 0.3], [0.2, 0.1, 0.4])) == (2, 1.0)
    pairs, nothing = tau(windows([0.1, 0.101], [0.2, 0.1]))
    assert pairs == 0
    assert np.isnan(nothing)


def test_what_is_missing_is_said_in_one_line(tmp_path, capsys):
    assert calibrate.main(["stage=fit", f"profile={tmp_path / 'no.csv'}"]) == 2
    assert "stage=profile measures it" in capsys.readouterr().err
    assert validate.main(["stage=page", f"fitted={tmp_path / 'no.yaml'}"]) == 2
    assert "python -m experiments.calibrate writes it" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):  # before an hour of measurements
        calibrate.main([f"target={__file__}"])
    assert capsys.readouterr().err == f"target={__file__} is a file, expected a folder\n"
