"""Settings outside a hydra program: composed from conf/ as on the command line, then resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import open_dict

from experiments.build import resolve
from experiments.cli import CONF, explain
from serving.errors import UsageError


def compose_settings(overrides: Sequence[str]) -> dict[str, Any]:
    """Plain settings of a run under hydra overrides such as ``workload=dynamic``."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = compose("config", overrides=list(overrides), return_hydra_config=True)
    except HydraException as error:
        raise UsageError(explain(error, list(overrides))) from None
    choices = dict(config.hydra.runtime.choices)
    with open_dict(config):
        del config.hydra
    return resolve(config, choices)
