"""Agents that learn in a simulator before their run begins."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.utils import instantiate

from agents.background import BackgroundAgent
from experiments.build import build_agent, build_env, read_profile, row_settings
from experiments.calibration.simulator import simulated_testbed, simulator_of
from experiments.cli import CONF
from experiments.pretraining import foretold, pretrain
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


SMALL_TABLE = ["table.load_rps=[30,60]", "table.most_batches=4", "pretrain.table=true"]


def test_an_agent_that_is_handed_the_table_begins_with_its_best_and_plays_no_simulated_slot(
    machine, tmp_path
):
    own = [f"pretrain.file={machine}", *SMALL_TABLE, f"table.folder={tmp_path}/tables", "agent=gp"]
    plain = settings(machine, *own)
    assert learned(plain) == []
    told = foretold(plain)
    execute(plain, build_env(plain), "run", tmp_path / "run")
    first = pd.read_parquet(tmp_path / "run/slots.parquet").iloc[0]
    space = build_env(plain).system.space
    assert space.index(first[list(space.names)].to_list()) == told.at(np.log(60.0))[0, :, 0].argmin()
    assert (
        costs(settings(machine, *own), tmp_path / "again").tolist() == costs(plain, tmp_path / "b").tolist()
    )


def test_the_table_of_a_machine_that_changes_is_that_before_the_change(tmp_path):
    own = [
        "system.grid_minimum=1", "system.grid_maximum=2", "truth=false", "slots=4", *SMALL_TABLE,
        "agent=gp", "table.load_rps=[2,4]", f"table.folder={tmp_path}/tables",
        f"pretrain.file={CONF / 'hardware/admissible/inception_v3_07.yaml'}",
    ]  # fmt: skip
    changing = ["system=sim_cpu_changing", "system.change_slot=2", "system.slowdown=3.0"]
    steady, changed = foretold(compose_settings(own)), foretold(compose_settings([*changing, *own]))
    assert steady.cost.tolist() == changed.cost.tolist()


@pytest.mark.parametrize(
    ("system", "knob"), [("testbed", "inter_op_parallelism"), ("testbed_batching", "batch_size")]
)
def test_the_table_of_real_servers_is_that_of_their_simulator(system, knob, machine):
    plain = compose_settings([f"system={system}", "model=mobilenet_v2"])
    told = simulator_of(plain)
    assert (told.get("grids") or told)[knob] == plain["system"][knob]
    if system == "testbed":
        hardware = read_profile(machine, "hardware.file")
        made = instantiate(told, hardware=hardware, model="mobilenet_v2", slo_s=1.0, _convert_="all")
        assert made.space.configurations == simulated_testbed(plain, hardware).space.configurations


def test_two_servers_have_another_table_than_one(machine, tmp_path):
    own = ["system=testbed", "model=mobilenet_v2", "workload=constant", "workload.mean_rps=45", "agent=gp",
           f"pretrain.file={machine}", *SMALL_TABLE, f"table.folder={tmp_path}"]  # fmt: skip
    one, two = (foretold(compose_settings([*own, f"servers={count}"])) for count in (1, 2))
    assert len(list(tmp_path.glob("*.npz"))) == 2  # loads are per server: one's table is not the other's
    assert one.size == two.size
    np.testing.assert_allclose(
        one.at(np.log(30.0))[..., 0].min(), two.at(np.log(30.0))[..., 0].min(), atol=0.3
    )


def test_told_tables_are_rough_and_never_finer_than_asked_for(machine, tmp_path):
    own = [f"pretrain.file={machine}", "pretrain.table=true", "table.load_rps=[30,60]", "agent=gp"]
    for name, asked, expected in (
        ("a", ["table.most_batches=9", "table.relative_error=0.01"], (0.1, 8)),
        ("b", ["table.most_batches=4", "table.relative_error=0.3"], (0.3, 4)),
    ):
        foretold(settings(machine, *own, *asked, f"table.folder={tmp_path / name}"))
        (file,) = (tmp_path / name).glob("*.npz")
        with np.load(file) as stored:
            key = json.loads(str(stored["key"]))
        assert (key["relative_error"], key["most_batches"]) == expected


@pytest.fixture
def other_machine(machine):
    """Twice as slow."""
    file = machine.with_name("other.yaml")
    content = yaml.safe_load(machine.read_text())
    content["models"]["mobilenet_v2"]["sequential_s"] *= 2
    file.write_text(yaml.safe_dump(content))
    return file


def test_of_several_machines_there_is_a_table_each(machine, other_machine, tmp_path):
    own = [*SMALL_TABLE, f"table.folder={tmp_path}", "agent=gp"]
    one, other, both = (
        foretold(settings(machine, *own, f"pretrain.file={named}"))
        for named in (machine, other_machine, f"[{machine},{other_machine}]")
    )
    np.testing.assert_array_equal(both.cost, np.concatenate([one.cost, other.cost]))
    np.testing.assert_array_equal(both.p95_latency_s[1:], other.p95_latency_s)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_slots_are_divided_among_machines(machine, other_machine):
    alone = learned(settings(machine, f"pretrain.file={machine}", "pretrain.slots=3"))
    both = learned(settings(machine, f"pretrain.file=[{machine},{other_machine}]", "pretrain.slots=5"))
    assert both[:3] == alone
    assert [slot for slot, _ in both[3:]] == [0, 1]


def test_runs_prepared_on_other_machines_are_other_runs(machine, other_machine):
    named = (f"{machine}", f"[{machine}]", f"[{machine},{other_machine}]", f"{other_machine}")
    one, same, both, other = (
        row_settings(plain, build_env(plain))["pretrain"]["file"]
        for plain in (settings(machine, f"pretrain.file={file}") for file in named)
    )
    assert one == same
    assert both == [one, other]


def test_a_mistake_in_the_agent_is_told_before_a_table_is_computed(machine, tmp_path):
    own = [f"pretrain.file={machine}", *SMALL_TABLE, f"table.folder={tmp_path}/tables"]
    plain = settings(machine, *own, "agent=gp", "+agent.horizn=3")
    with pytest.raises(UsageError, match="horizn"):
        build_agent(plain, build_env(plain), lambda: None)
    assert not (tmp_path / "tables").exists()


def test_who_cannot_take_a_table_plays_slots_and_a_table_of_nothing_is_refused(machine):
    told = [f"pretrain.file={machine}", "pretrain.slots=5"]
    assert learned(settings(machine, *told, "pretrain.table=true")) == learned(settings(machine, *told))
    with pytest.raises(
        UsageError, match=r"pretrain\.table=true without a simulator, expected pretrain\.file="
    ):
        settings(machine, "pretrain.table=true")
    with pytest.raises(UsageError, match=r"pretrain\.table=3, expected true or false"):
        settings(machine, f"pretrain.file={machine}", "pretrain.table=3")


def test_slots_and_table_are_other_runs_and_slots_are_what_they_were(machine):
    by_slots = settings(machine, f"pretrain.file={machine}")
    by_table = settings(machine, f"pretrain.file={machine}", "pretrain.table=true")
    assert "table" not in row_settings(by_slots, build_env(by_slots))["pretrain"]
    assert row_settings(by_table, build_env(by_table))["pretrain"]["table"]
    fewer = settings(
        machine, f"pretrain.file={machine}", "pretrain.table=true", "pretrain.slots=7", "agent=gp"
    )
    more = settings(machine, f"pretrain.file={machine}", "pretrain.table=true", "agent=gp")
    assert row_settings(fewer, build_env(fewer)) == row_settings(more, build_env(more))  # no slot is played


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
    for wrong in ("3", "[]", "[3]", "{a: 1}"):
        with pytest.raises(UsageError, match=r"pretrain\.file=.*, expected a file, a list of files or null"):
            settings(machine, f"pretrain.file={wrong}")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("pretrain.slots=1", "pretrain.slots=1 for 2 profiles, expected one each or more"),
        ("pretrain.slots=0", "pretrain.slots=0, expected an integer >= 1"),
    ],
)
def test_every_simulator_has_a_slot(changed, message, machine, other_machine):
    with pytest.raises(UsageError, match=message):
        settings(machine, f"pretrain.file=[{machine},{other_machine}]", changed)


def test_a_machine_counts_once(machine):
    with pytest.raises(UsageError, match=r"pretrain.file names .*machine.yaml twice"):
        settings(machine, f"pretrain.file=[{machine},{machine}]")


def test_who_knows_the_loads_to_come_is_not_prepared(tmp_path):
    """A run of 3 slots has 3 loads: 50 simulated slots would be beyond them."""
    own = ["system.grid_minimum=1", "system.grid_maximum=2", "progress=false", "slots=3", "agent=oracle",
           "table.load_rps=[2,20]", "table.most_batches=4", f"table.folder={tmp_path}/tables"]  # fmt: skip
    other = f"pretrain.file={CONF / 'hardware/admissible/inception_v3_07.yaml'}"
    scratch, before = (compose_settings([*own, *more]) for more in ((), (other, "pretrain.slots=50")))
    assert costs(before, tmp_path / "b").tolist() == costs(scratch, tmp_path / "a").tolist()
    wrong = f"pretrain.file={CONF / 'hardware/admissible/deepspeech2_07.yaml'}"
    with pytest.raises(UsageError, match=r"deepspeech2_07\.yaml: "):
        costs(compose_settings([*own, wrong]), tmp_path / "c")
