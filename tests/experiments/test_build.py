"""Agents that cannot be made: one line that names what was set."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import pytest

from experiments.build import agent_wants, build_agent, build_env
from experiments.cli import CONF
from experiments.settings import compose_settings
from serving.errors import UsageError


class Broken:
    """A user's own agent with a fault of its own."""

    def __init__(self, space):
        raise ValueError("my own fault")

    def act(self, observation):
        """Never called."""

    def learn(self, observation, configuration, cost, next_observation):
        """Never called."""


class TakesAll(Broken):
    """A user's own agent that takes whatever it is handed."""

    def __init__(self, space, **others):
        self.handed = {"space", *others}


def test_who_takes_just_anything_is_handed_no_truth_and_no_simulator():
    plain = compose_settings(["agent=custom", f"agent._target_={__name__}.TakesAll", "slots=2"])
    agent = build_agent(plain, build_env(plain), lambda: pytest.fail("nobody asks for the truth"))
    assert agent.handed == {"space", "rng", "start", "load_levels", "max_load_rps", "slo_s"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=gp", "agent.scales=5"], "scales=5, expected numbers by name"),
        (["agent=gp", "+agent.scales.bogus=1"], r"scales.bogus=1 does not exist, .*'simulator'"),
        (["agent=gp", "+agent.scales.simulator=0"], r"scales.simulator=0, expected a number > 0"),
        (["agent=rrl", "+agent.alpha=abc"], "agent.alpha=abc: the agent cannot be made: "),
        (["agent=rrl", "+agent.warm_up=1.5"], "agent.warm_up=1.5: the agent cannot be made: "),
        (["agent=capes", "agent.hidden=abc"], "agent.hidden=abc: the agent cannot be made: "),
        (
            ["agent=capes", "agent.replay_capacity=100000000000"],
            "agent.replay_capacity=100000000000: .* allocate",
        ),
        (["agent=rrl", "+agent.load_levels=3"], "agent.load_levels=3 is not a setting: agents are handed it"),
        (["agent=rrl", "+agent.start=[5,5,5]"], r"start=\[5, 5, 5\] is a setting of the run"),
        (["agent=capes", "start=[5,5,50]"], r"start=\[5, 5, 50\]: .* not on the grid"),
        (["agent=capes", "start=1"], "start=1: .* not on the grid"),
        (["agent=deeprm", "+agent.slo_s=-1"], "agent.slo_s=-1 is not a setting"),
    ],
)
def test_what_no_constructor_checks_is_still_one_line(overrides, message):
    plain = compose_settings([*overrides, "truth=false", "slots=2"])
    with pytest.raises(UsageError, match=message) as refused:
        build_agent(plain, build_env(plain), lambda: None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("agent", "module", "extra"),
    [("optuna", "optuna", "optuna"), ("sb3_ppo", "stable_baselines3", "sb3")],
)
def test_what_is_not_installed_is_one_line_that_says_how_to(agent, module, extra, monkeypatch):
    for name in [one for one in sys.modules if one.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    plain = compose_settings([f"agent={agent}", "truth=false", "slots=2"])
    line = f"agent={agent}: the agent cannot be made: it needs {module}: pip install -e '.[{extra}]'"
    with pytest.raises(UsageError, match=f"^{re.escape(line)}$"):
        build_agent(plain, build_env(plain), lambda: None)


def test_the_error_of_a_users_own_agent_is_left_as_it_is():
    plain = compose_settings(["agent=custom", f"agent._target_={__name__}.Broken", "truth=false", "slots=2"])
    with pytest.raises(Exception, match="my own fault") as raised:
        build_agent(plain, build_env(plain), lambda: None)
    assert not isinstance(raised.value, UsageError)


NOBODYS = ("custom",) if find_spec("stable_baselines3") else ("custom", "sb3_dqn", "sb3_ppo")
LEARNERS = sorted(path.stem for path in (CONF / "agent").glob("*.yaml") if path.stem not in NOBODYS)


@pytest.mark.parametrize("changed", ["agent.radius=0", "+agent.alpha=0.3", "~agent.beta"])
def test_a_tuned_preset_that_was_changed_is_called_by_what_differs(changed):
    agent = compose_settings(["agent=rrl_tuned", changed])["agent"]
    key = changed.lstrip("+~").removeprefix("agent.").partition("=")[0]
    assert (agent["preset"], agent["settings"]) == (f"rrl_tuned with {key}={agent.get(key)}", "changed")


def test_presets_are_called_by_their_files_where_nothing_tuned_was_changed():
    tuned = compose_settings(["agent=rrl_tuned"])["agent"]
    again = [f"agent.{key}={tuned[key]}" for key in ("radius", "gamma")]
    for overrides in ([], again, ["workload=dynamic", "start=[5,5,5]"]):
        assert compose_settings(["agent=rrl_tuned", *overrides])["agent"] == tuned
    for preset in (one for one in LEARNERS if one.endswith("_tuned")):
        agent = compose_settings([f"agent={preset}", "system=sim_gpu"])["agent"]
        assert (agent["preset"], agent["settings"]) == (preset, "tuned")
    radius = compose_settings(["agent=rrl_paper", "agent.radius=1"])["agent"]
    assert (radius["preset"], radius["settings"]) == ("rrl_paper", "published")


def test_what_cannot_be_made_of_a_changed_tuned_preset_is_one_line_that_names_it():
    plain = compose_settings(["agent=capes_tuned", "agent.hidden=abc", "truth=false", "slots=2"])
    with pytest.raises(UsageError, match=r"^agent\.hidden=abc: the agent cannot be made: "):
        build_agent(plain, build_env(plain), lambda: None)


def first_played(preset, *overrides):
    quick = ["agent.pretrain_iterations=0", "agent.frozen=false"] if preset == "deeprm_pretrained" else []
    plain = compose_settings([f"agent={preset}", "truth=false", "slots=2", *quick, *overrides])
    if not agent_wants(plain, "start") or plain["agent"].get("warm_up"):
        return None
    env = build_env(plain)
    _, info = env.reset(seed=plain["seed"])
    return build_agent(plain, env, lambda: None).act(info["observation"])


@pytest.mark.parametrize("overrides", [[], ["start=[5,0,7]"], ["seed=3"], ["learning=background"]])
def test_all_learning_agents_play_the_same_first(overrides):
    first = {preset: first_played(preset, *overrides) for preset in LEARNERS}
    learners = {preset: one for preset, one in first.items() if one is not None}
    assert {"q_learning", "rrl", "rrl_plus", "deeprm", "deeprm_increment", "capes"} <= learners.keys()
    assert set(first) - set(learners) >= {"oracle", "static", "random", "rrl_code"}
    assert len(set(learners.values())) == 1, learners
    assert overrides != ["start=[5,0,7]"] or set(learners.values()) == {(5, 0, 7)}


def test_the_first_configuration_is_drawn_from_the_seed():
    drawn = [first_played("rrl", f"seed={seed}") for seed in range(6)]
    assert len(set(drawn)) > 3
    assert drawn[2] == first_played("rrl", "seed=2", "workload=dynamic")
