"""What a user gets who names a model or a system: the sizes, the profile and the loads that go with it."""

import pytest

from experiments.build import build_agent, build_env
from experiments.settings import compose_settings


@pytest.mark.parametrize(
    ("model", "sizes"),
    [("inception_v3", "constant"), ("inception_resnet_v2", "constant"), ("deepspeech2", "lognormal")],
)
@pytest.mark.parametrize("workload", ["wiki", "dynamic", "constant", "rrl_code_schedule"])
def test_requests_have_the_sizes_of_the_model(model, sizes, workload):
    plain = compose_settings([f"model={model}", f"workload={workload}"])
    assert plain["workload"]["sizes"]["distribution"] == sizes
    (slot,) = build_env(plain).workload.slots(0, 1)
    assert (slot.size.std() > 0) == (sizes == "lognormal")


def test_the_command_line_wins_over_the_sizes_of_the_model():
    plain = compose_settings(["model=deepspeech2", "workload.sizes.distribution=constant"])
    assert plain["workload"]["sizes"]["distribution"] == "constant"


def test_a_gpu_brings_its_profile_its_loads_and_the_loads_of_its_table():
    plain = compose_settings(["system=sim_gpu", "workload=dynamic"])
    assert plain["hardware"]["name"] == "paper_gpu"
    assert (plain["workload"]["lowest_rps"], plain["workload"]["highest_rps"]) == (26, 78)
    assert min(plain["table"]["load_rps"]) < 26
    assert max(plain["table"]["load_rps"]) >= plain["workload"]["max_load_rps"]
    assert build_env(plain).system.space.names[0] == "batch_threads"


@pytest.mark.parametrize(("workload", "mean_rps"), [("wiki", 48), ("constant", 61)])
def test_loads_of_a_gpu_server_are_scaled(workload, mean_rps):
    assert compose_settings(["system=sim_gpu", f"workload={workload}"])["workload"]["mean_rps"] == mean_rps


def test_the_command_line_wins_over_what_a_gpu_brings():
    given = ["workload.mean_rps=5", "table.load_rps=[1,9]", "hardware=admissible/inception_v3_gpu_02"]
    plain = compose_settings(["system=sim_gpu", *given])
    assert plain["workload"]["mean_rps"] == 5
    assert plain["table"]["load_rps"] == [1, 9]
    assert plain["hardware"]["name"] == "inception_v3_gpu_02"


@pytest.mark.parametrize(
    ("agent", "expected"), [("sequential", (1, 1, 0)), ("static", (6, 16, 3000)), ("tf_default", (0, 0, 0))]
)
def test_fixed_agents_mean_something_on_a_gpu(agent, expected):
    plain = compose_settings(["system=sim_gpu", f"agent={agent}", "slots=2"])
    env = build_env(plain)
    _, info = env.reset(seed=0)
    assert build_agent(plain, env, lambda: None).act(info["observation"]) == expected
    assert plain["truth"] == (agent != "tf_default")  # on a grid of its own it would be called optimal
    chosen = compose_settings(["system=sim_gpu", "agent=static", "agent.configuration=[2,4,0]"])
    assert chosen["agent"]["configuration"] == [2, 4, 0]


@pytest.mark.parametrize("system", ["sim_cpu", "sim_gpu"])
@pytest.mark.parametrize("experiment", ["fig14", "fig15"])
def test_tables_of_dynamic_alone_span_its_loads(experiment, system):
    plain = compose_settings([f"experiment={experiment}", f"system={system}"])
    ends = plain["workload"]["lowest_rps"], plain["workload"]["highest_rps"]
    assert (min(plain["table"]["load_rps"]), max(plain["table"]["load_rps"])) == ends
