"""Agents that cannot be made: one line that names what was set."""

from __future__ import annotations

import pytest

from experiments.build import build_agent, build_env
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


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=rrl", "+agent.alpha=abc"], "agent.alpha=abc: the agent cannot be made: "),
        (["agent=rrl", "+agent.warm_up=1.5"], "agent.warm_up=1.5: the agent cannot be made: "),
        (["agent=capes", "agent.hidden=abc"], "agent.hidden=abc: the agent cannot be made: "),
        (
            ["agent=capes", "agent.replay_capacity=100000000000"],
            "agent.replay_capacity=100000000000: .* allocate",
        ),
        (["agent=rrl", "+agent.load_levels=3"], "agent.load_levels=3 is not a setting: agents are handed it"),
        (["agent=deeprm", "+agent.slo_s=-1"], "agent.slo_s=-1 is not a setting"),
    ],
)
def test_what_no_constructor_checks_is_still_one_line(overrides, message):
    plain = compose_settings([*overrides, "truth=false", "slots=2"])
    with pytest.raises(UsageError, match=message) as refused:
        build_agent(plain, build_env(plain), lambda: None)
    assert "\n" not in str(refused.value)


def test_the_error_of_a_users_own_agent_is_left_as_it_is():
    plain = compose_settings(["agent=custom", f"agent._target_={__name__}.Broken", "truth=false", "slots=2"])
    with pytest.raises(Exception, match="my own fault") as raised:
        build_agent(plain, build_env(plain), lambda: None)
    assert not isinstance(raised.value, UsageError)
