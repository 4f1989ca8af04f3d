"""Agents that learn in a simulator before their run begins."""

import pandas as pd
import pytest
import yaml

from experiments.build import build_env, row_settings
from experiments.run import execute
from experiments.settings import compose_settings
from serving.errors import UsageError

NUMBERS = {
    "sequential_s": 0.03, "inter_op_fraction": 0.4, "intra_op_fraction": 0.6, "synchronisation": 0.08,
    "memory_contention": 0.15, "oversubscription": 0.2, "spinning": 0.4,
}  # fmt: skip


@pytest.fixture
def machine(tmp_path):
    file = tmp_path / "machine.yaml"
    content = {
        "name": "m", "cores": 2, "interference": "shared_pool", "unbatched_requests": 8,
        "models": {"mobilenet_v2": NUMBERS},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(content))
    return file


def settings(machine, *overrides):
    """The simulator stands for the real servers, too."""
    return compose_settings(
        [
            "system=sim_testbed", "model=mobilenet_v2", f"hardware.file={machine}", "agent=q_learning",
            "workload=constant", "workload.mean_rps=45", "slot_s=5", "slots=30", "load_bins=1", "truth=false",
            "progress=false", *overrides,
        ]
    )  # fmt: skip


def costs(plain, folder):
    execute(plain, build_env(plain), "run", folder)
    return pd.read_parquet(folder / "slots.parquet")["cost"]


def test_what_was_learned_in_the_simulator_helps_from_the_first_slot_on(machine, tmp_path):
    scratch = settings(machine)
    before = settings(machine, f"pretrain.file={machine}", "pretrain.slots=300")
    assert costs(before, tmp_path / "b").mean() < 0.9 * costs(scratch, tmp_path / "a").mean()


def test_a_run_without_it_keeps_its_identity_and_one_with_it_has_another(machine):
    scratch, before = settings(machine), settings(machine, f"pretrain.file={machine}")
    assert "pretrain" not in row_settings(scratch, build_env(scratch))
    one = row_settings(before, build_env(before))
    machine.write_text(machine.read_text() + "# another file\n")
    assert row_settings(before, build_env(before)) != one


def test_wrong_settings_are_refused(machine):
    with pytest.raises(UsageError, match=r"pretrain\.slots=0, expected an integer >= 1"):
        settings(machine, f"pretrain.file={machine}", "pretrain.slots=0")
    with pytest.raises(UsageError, match=r"pretrain\.file=3, expected a file or null"):
        settings(machine, "pretrain.file=3")
