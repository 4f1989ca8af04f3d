"""Gymnasium environments: ``gymnasium.make("rrl/Simulated-v0", overrides=["workload=dynamic"])``.

Importing this module registers them.
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


gymnasium.register("rrl/Simulated-v0", "experiments.environments:simulated")
