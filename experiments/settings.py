"""Settings outside a hydra program: composed from conf/ as on the command line, one by one or as a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
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


def jobs(overrides: Sequence[str]) -> list[list[str]]:
    """Every combination of the values that overrides such as ``agent=rrl,capes`` or ``seed=range(0,3)`` list.

    Raises:
        UsageError: if they cannot be read.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise UsageError(explain(error, list(overrides))) from None
    choices = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [str(one.input_line)]
        for one in parsed
    ]
    return [list(job) for job in product(*choices)]
