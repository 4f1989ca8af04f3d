"""The settings of the runs of a sweep: hydra composes them once for all that differ in the seed alone.

Otherwise it composes those of every run twice, before the first run to see whether they can be, and again in
the worker: 0.08 s each time, as long as some agents take for hundreds of slots.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf

Compose = Callable[[ConfigLoaderImpl, DictConfig, list[str]], DictConfig]
_SEED = re.compile(r"seed=(0|[1-9][0-9]*)")


@cache
def compose_seeds_together() -> None:
    """From now on in this process."""
    # hydra has no setting for it.
    setattr(ConfigLoaderImpl, "load_sweep_config", remembered(ConfigLoaderImpl.load_sweep_config))  # noqa: B010


def remembered(compose: Compose) -> Compose:
    """The same as ``compose``; settings that differ in the seed alone from those before are a copy."""
    last: tuple[list[str], DictConfig] | None = None

    def load(loader: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        nonlocal last
        seeds = [found for one in sweep_overrides if (found := _SEED.fullmatch(one))]
        if len(seeds) != 1:
            return compose(loader, master_config, sweep_overrides)
        hydra = master_config.hydra
        rest = [one for one in sweep_overrides if one != seeds[0].string]
        asked = [str(hydra.job.config_name), *hydra.overrides.hydra, "", *rest]
        if last is None or last[0] != asked:
            composed = compose(loader, master_config, sweep_overrides)
            last = asked, deepcopy(composed)
            return composed
        config = deepcopy(last[1])
        _set_seed(config, int(seeds[0][1]), sweep_overrides)
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    return load


def _set_seed(config: DictConfig, seed: int, overrides: list[str]) -> None:
    """Everything that hydra makes of the seed."""
    words = config.hydra.job.config.override_dirname
    before, after = (f"seed{words.kv_sep}{number}" for number in (config.seed, seed))
    names = config.hydra.job.override_dirname.split(words.item_sep)
    config.hydra.job.override_dirname = words.item_sep.join(
        after if name == before else name for name in names
    )
    config.hydra.overrides.task = overrides
    config.seed = seed
