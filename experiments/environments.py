"""Gymnasium environments: ``gymnasium.make("rrl/Simulated-v0", overrides=["workload=dynamic"])``.

Importing this module registers them: ``rrl/Simulated-v0``, and ``rrl/Testbed-v0`` for real servers, which
must be closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium

from experiments.build import build_env
from experiments.settings import compose_settings
from experiments.sweep_commands import key_of
from serving.environment import ServingEnv
from serving.errors import UsageError

_OF_AGENTS = ["agent", "learning", "pretrain"]


def simulated(overrides: Sequence[str] = ()) -> ServingEnv:
    """A simulated server under the settings of conf/, changed by hydra overrides as on the command line.

    Raises:
        UsageError: for one that does not exist, and for those of the agent: who drives an environment is one.
    """
    return _built(overrides)


def real(overrides: Sequence[str] = ()) -> ServingEnv:
    """Real servers under the settings of ``experiment=testbed``, changed by hydra overrides."""
    return _built(overrides, "experiment=testbed")


def _built(overrides: Sequence[str], *recipe: str) -> ServingEnv:
    if isinstance(overrides, str):
        raise UsageError(f"overrides={overrides!r}, expected a list of them: [{overrides!r}]")
    for one in overrides:
        if key_of(one).partition(".")[0] in _OF_AGENTS:
            raise UsageError(f"{one}: an environment has no agent, expected settings other than {_OF_AGENTS}")
    return build_env(compose_settings([*recipe, *overrides]))


gymnasium.register("rrl/Simulated-v0", "experiments.environments:simulated")
gymnasium.register("rrl/Testbed-v0", "experiments.environments:real", nondeterministic=True)
