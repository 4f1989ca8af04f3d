"""Real servers as a Gymnasium environment."""

from __future__ import annotations

import re
from pathlib import Path

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import experiments.environments  # noqa: F401 - registers the environments

SMALL = [
    "model=deepspeech2", "system.model_settings={depth:1,width:32}", "system.request_parallelism=[1,2]",
    "system.inter_op_parallelism=[1]", "system.intra_op_parallelism=[1]", "workload=constant",
    "workload.mean_rps=6", "slot_s=0.5", "slots=5",
]  # fmt: skip
README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture(scope="module")
def env():
    with gymnasium.make("rrl/Testbed-v0", overrides=SMALL) as made:
        yield made


def test_it_passes_gymnasiums_own_check(env):
    check_env(env.unwrapped, skip_render_check=True)


def test_it_passes_stable_baselines3s_own_check(env):
    pytest.importorskip("stable_baselines3.common.env_checker").check_env(env.unwrapped)


def test_what_the_readme_does_with_real_servers_works():
    (snippet,) = re.findall(r'```python\n([^`]*"rrl/Testbed-v0"[^`]*)```', README)
    names: dict = {}
    exec(snippet, names)
    measurement = names["info"]["measurement"]
    assert measurement.completions > 0
    assert measurement.host is not None
    assert names["reward"] == -names["info"]["cost"]
