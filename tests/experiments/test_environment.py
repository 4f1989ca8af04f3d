"""The Gymnasium environment, as everyone else's agents meet it."""

import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import experiments.environments  # noqa: F401 - registers the environments
from serving.errors import UsageError
from serving.observation import Observation


@pytest.fixture
def env():
    made = gymnasium.make("rrl/Simulated-v0", overrides=["slots=5", "truth=false"])
    yield made
    made.close()


def test_it_passes_gymnasiums_own_check(env):
    check_env(env.unwrapped, skip_render_check=True)


def test_it_passes_stable_baselines3s_own_check(env):
    pytest.importorskip("stable_baselines3.common.env_checker").check_env(env.unwrapped)


def readme(library):
    """The README's code that begins so."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    (snippet,) = re.findall(rf'```python\n({library}\n[^`]*"rrl/Simulated-v0"[^`]*)```', text)
    return snippet


def test_what_the_readme_does_with_gymnasium_works():
    names = {}
    exec(readme("import gymnasium"), names)
    assert names["reward"] == -names["info"]["cost"]
    assert names["observation"].shape == (9,)


def test_what_the_readme_does_with_stable_baselines3_works():
    pytest.importorskip("stable_baselines3")
    names = {}
    exec(readme("from stable_baselines3 import PPO"), names)
    assert names["model"].num_timesteps >= 500


def test_an_episode_is_truncated_after_its_slots(env):
    env.reset(seed=1)
    ends = [env.step(0)[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]
    with pytest.raises(RuntimeError, match="reset"):
        env.unwrapped.step(0)


def test_reward_is_minus_the_cost_and_info_names_what_the_array_holds(env):
    observation, info = env.reset(seed=1)
    assert not observation[list(Observation.FIELDS).index("load_rps")]
    observation, reward, _, _, info = env.step(700)
    assert reward == -info["cost"]
    for value, name in zip(observation, Observation.FIELDS, strict=True):
        assert value == pytest.approx(getattr(info["observation"], name), rel=1e-6)
    assert info["observation"].load_rps == info["measurement"].load_rps


@pytest.mark.parametrize(("load_seen", "offset"), [("previous", 0), ("current", 1)])
def test_the_load_seen_is_that_of_the_previous_or_the_current_slot(load_seen, offset):
    made = gymnasium.make("rrl/Simulated-v0", overrides=["slots=6", "truth=false", f"load_seen={load_seen}"])
    _, info = made.reset(seed=1)
    seen, measured = [info["observation"].load_rps], []
    for _ in range(6):
        info = made.step(700)[4]
        seen.append(info["observation"].load_rps)
        measured.append(info["measurement"].load_rps)
    np.testing.assert_allclose(seen[1 - offset : 5], measured[: 4 + offset])


def test_the_seed_decides_the_requests(env):
    def loads(seed):
        env.reset(seed=seed)
        return [env.step(700)[4]["measurement"].load_rps for _ in range(5)]

    assert loads(1) == loads(1) != loads(2)


@pytest.mark.parametrize(
    "override", ["agent=gp", "agent.horizon=3", "+pretrain.file=x.yaml", "learning=background"]
)
def test_settings_of_an_agent_are_refused_where_there_is_none(override):
    with pytest.raises(UsageError, match=r"^\+?(agent|pretrain|learning)\S*: an environment has no agent"):
        gymnasium.make("rrl/Simulated-v0", overrides=["slots=5", override])


@pytest.mark.parametrize("action", [-1, 1.5, 99999, "x", None])
def test_an_action_that_is_no_place_on_the_grid_is_refused(action, env):
    env.reset(seed=1)
    with pytest.raises(UsageError, match=f"action={action}, expected an integer from 0 to"):
        env.unwrapped.step(action)


def test_settings_that_are_no_list_are_refused():
    with pytest.raises(UsageError, match=r"overrides='workload=dynamic', expected a list"):
        gymnasium.make("rrl/Simulated-v0", overrides="workload=dynamic")
