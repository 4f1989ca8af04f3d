"""Settings outside a hydra program: composed from conf/ as on the command line, then resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.build import check_settings, resolve
from experiments.cli import CONF


def compose_settings(overrides: Sequence[str]) -> dict[str, Any]:
    """Plain settings of a run under hydra overrides such as ``workload=dynamic``."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        config = compose("config", overrides=list(overrides))
    check_settings(config)
    return resolve(config)
