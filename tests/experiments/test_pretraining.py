"""Agents that learn in a simulator before their run begins."""

import pandas as pd
import pytest
import yaml

from agents.background import BackgroundAgent
from experiments.build import build_env, row_settings
from experiments.cli import CONF
from experiments.pretraining import pretrain
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


@pytest.mark.parametrize("agent", ["q_learning", "gp", "linucb", "serf", "optuna"])
def test_what_was_learned_in_the_simulator_helps_from_the_first_slot_on(agent, machine, tmp_path):
    scratch = settings(machine, f"agent={agent}")
    before = settings(machine, f"agent={agent}", f"pretrain.file={machine}", "pretrain.slots=300")
    assert costs(before, tmp_path / "b").mean() < 0.6 * costs(scratch, tmp_path / "a").mean()


def test_a_simulated_run_is_prepared_on_another_machine(tmp_path):
    other = CONF / "hardware/admissible/inception_v3_07.yaml"
    own = ["system.grid_minimum=1", "system.grid_maximum=4", "truth=false", "progress=false", "slots=20"]
    scratch = compose_settings(["agent=gp", "workload=dynamic", *own])
    before = compose_settings(
        ["agent=gp", "workload=dynamic", *own, f"pretrain.file={other}", "pretrain.slots=50"]
    )
    assert costs(before, tmp_path / "b").mean() < costs(scratch, tmp_path / "a").mean()


class Costs:
    """Notes which slots it learns from, and what they cost."""

    def __init__(self, configuration):
        self.configuration, self.learned = configuration, []

    def act(self, observation):
        return self.configuration

    def learn(self, observation, configuration, cost, next_observation):
        self.learned.append((observation.slot, cost))


def learned(plain, wrap=lambda agent: agent):
    agent = Costs(build_env(plain).system.space.configurations[-1])
    pretrain(plain, wrap(agent))
    return agent.learned


def test_nothing_is_left_to_learn_when_the_run_begins(machine):
    plain = settings(machine, f"pretrain.file={machine}", "pretrain.slots=10")
    late = learned(plain, BackgroundAgent)
    assert late == learned(plain)
    assert [slot for slot, _ in late] == list(range(10))


def test_what_changes_in_mid_run_is_not_known_before_it():
    prepared = [
        "truth=false", "slots=4", "pretrain.slots=8",
        f"pretrain.file={CONF / 'hardware/admissible/inception_v3_07.yaml'}",
    ]  # fmt: skip
    changing = ["system=sim_cpu_changing", "system.change_slot=2", "system.slowdown=3.0"]
    assert learned(compose_settings([*changing, *prepared])) == learned(compose_settings(prepared))


def test_a_run_without_it_keeps_its_identity_and_one_with_it_has_another(machine):
    scratch, before = settings(machine), settings(machine, f"pretrain.file={machine}")
    assert "pretrain" not in row_settings(scratch, build_env(scratch))
    one = row_settings(before, build_env(before))
    machine.write_text(machine.read_text() + "# another file\n")
    assert row_settings(before, build_env(before)) != one


def test_a_profile_that_does_not_fit_is_refused_by_the_settings_name(tmp_path):
    own = ["agent=gp", "slots=2", "truth=false"]
    for file, said in (
        ("hardware/admissible/deepspeech2_07.yaml", "hardware=deepspeech2_07 has no model=inception_v3"),
        ("agent/gp.yaml", "has a _target_, expected a hardware profile"),
    ):
        plain = compose_settings([*own, f"pretrain.file={CONF / file}"])
        with pytest.raises(UsageError, match=rf"^pretrain\.file=\S+{file}: {said}"):
            pretrain(plain, Costs(None))
    with pytest.raises(UsageError, match=r"pretrain=None, expected settings such as pretrain\.file=null"):
        compose_settings(["pretrain=null"])


class Told(Costs):
    """Notes when a simulator begins, and when its slots begin to be real."""

    def begin_preparation(self):
        self.learned.append("simulated from here on")

    def end_preparation(self):
        self.learned.append("real from here on")


def test_an_agent_that_wants_to_know_is_told_once_when_its_slots_are_simulated_and_when_real(machine):
    plain = settings(machine, f"pretrain.file={machine}", "pretrain.slots=3")
    agent = Told(build_env(plain).system.space.configurations[-1])
    pretrain(plain, BackgroundAgent(agent))
    assert agent.learned[0] == "simulated from here on"
    assert agent.learned[4:] == ["real from here on"]


def test_wrong_settings_are_refused(machine):
    with pytest.raises(UsageError, match=r"pretrain\.slots=0, expected an integer >= 1"):
        settings(machine, f"pretrain.file={machine}", "pretrain.slots=0")
    with pytest.raises(UsageError, match=r"pretrain\.file=3, expected a file or null"):
        settings(machine, "pretrain.file=3")
