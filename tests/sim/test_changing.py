"""A server that changes: the same until then, worse after."""

import pytest
import yaml

from experiments.build import build_env
from experiments.cli import CONF
from experiments.settings import compose_settings
from serving.errors import UsageError

RECIPES = sorted(path.stem for path in (CONF / "experiment").glob("general_*.yaml"))


def latencies_s(*overrides: str) -> list[float]:
    plain = compose_settings(["workload=constant", "truth=false", "slots=6", *overrides])
    env = build_env(plain)
    env.reset(seed=1)
    index = env.system.space.index((5, 1, 4))
    return [env.step(index)[4]["measurement"].mean_latency_s for _ in range(6)]


def test_is_the_same_server_until_it_loses_cores():
    steady = latencies_s("system=sim_cpu")
    changing = latencies_s("system=sim_cpu_changing", "system.change_slot=3", "system.cores_after=5")
    assert changing[:3] == steady[:3]
    assert min(changing[4:]) > 1.2 * max(steady)


def test_a_slow_drift_grows_step_by_step():
    ratio = [
        drifted / steady
        for drifted, steady in zip(
            latencies_s(
                "system=sim_cpu_changing",
                "system.change_slot=2",
                "system.change_slots=2",
                "system.slowdown=1.5",
                "workload.mean_rps=1",
            ),
            latencies_s("system=sim_cpu", "workload.mean_rps=1"),
            strict=True,
        )
    ]
    assert ratio == pytest.approx([1, 1, 1, 1.25, 1.5, 1.5], rel=0.05)


def test_refuses_in_one_line():
    with pytest.raises(Exception, match=r"system\.change_slot=-1") as caught:
        latencies_s("system=sim_cpu_changing", "system.change_slot=-1")
    assert isinstance(caught.value.__cause__, UsageError)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_for_what_nobody_tuned_on_plays(recipe):
    plain = compose_settings([f"experiment={recipe}", "agent=gp", "slots=2", "truth=false"])
    assert (
        plain["experiment_name"]
        == recipe
        == yaml.safe_load((CONF / "experiment" / f"{recipe}.yaml").read_text())["experiment_name"]
    )
    env = build_env(plain)
    env.reset(seed=0)
    assert env.step(0)[4]["measurement"].completions > 0
