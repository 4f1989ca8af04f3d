"""Gymnasium environments: ``gymnasium.make("rrl/Simulated-v0", overrides=["workload=dynamic"])``.

Installing the project registers them through Gymnasium's plugin entry point; nothing needs importing.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.environment import ServingEnv


def register() -> None:
    """Register the environments; called by Gymnasium itself."""
    import gymnasium

    if "rrl/Simulated-v0" not in gymnasium.registry:
        gymnasium.register("rrl/Simulated-v0", "experiments.environments:simulated")


def simulated(overrides: Sequence[str] = ()) -> ServingEnv:
    """A simulated server under the settings of conf/, changed by hydra overrides as on the command line."""
    from experiments.build import build_env
    from experiments.settings import compose_settings

    return build_env(compose_settings(overrides))
