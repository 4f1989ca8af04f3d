"""Gymnasium environments: ``gymnasium.make("rrl/Simulated-v0", overrides=["workload=dynamic"])``.

Importing this module registers them: ``rrl/Simulated-v0``, and ``rrl/Testbed-v0`` for real servers, which
must be closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium

from experiments.build import build_env
from experiments.settings import compose_settings
from serving.environment import ServingEnv


def simulated(overrides: Sequence[str] = ()) -> ServingEnv:
    """A simulated server under the settings of conf/, changed by hydra overrides as on the command line."""
    return build_env(compose_settings(overrides))


def real(overrides: Sequence[str] = ()) -> ServingEnv:
    """Real servers under the settings of ``experiment=testbed``, changed by hydra overrides."""
    return build_env(compose_settings(["experiment=testbed", *overrides]))


gymnasium.register("rrl/Simulated-v0", "experiments.environments:simulated")
gymnasium.register("rrl/Testbed-v0", "experiments.environments:real", nondeterministic=True)
