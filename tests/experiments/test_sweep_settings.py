"""The settings of a sweep: composed once for all seeds, and the same as hydra makes of each."""

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from experiments.cli import CONF
from experiments.sweep_settings import remembered

compose = ConfigLoaderImpl.load_sweep_config


@pytest.fixture
def sweep():
    """hydra's loader, and the settings that the sweep was started with."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        loader = GlobalHydra.instance().config_loader()
        given = ["agent=rrl,random", "seed=range(0,3)", "hydra.sweep.dir=there"]
        yield loader, loader.load_configuration("config", given, RunMode.MULTIRUN)


def test_every_run_has_the_settings_that_hydra_would_compose_for_it(sweep):
    loader, master = sweep
    composed = []

    def counted(*arguments):
        composed.append(arguments[2])
        return compose(*arguments)

    load = remembered(counted)
    twice = [[f"agent={agent}", "workload.slot_s=60"] for agent in ("rrl", "random")]
    runs = [[*one, f"seed={seed}"] for one in twice for seed in (10, 1)]
    runs += [["agent=random", "seed=2", "workload.slot_s=60"], ["agent=random"], ["agent=random", "seed=abc"]]
    for overrides in runs:
        config, expected = load(loader, master, overrides), compose(loader, master, overrides)
        assert OmegaConf.to_yaml(config) == OmegaConf.to_yaml(expected)
        assert OmegaConf.is_struct(config) == OmegaConf.is_struct(expected)
        config.hydra.job.id = "as the launcher sets it"
    assert composed == [runs[0], runs[2], *runs[5:]]
    assert config.hydra.sweep.dir == "there"


def test_what_cannot_be_composed_is_refused_for_every_seed(sweep):
    loader, master = sweep
    load = remembered(compose)
    for seed in range(2):
        with pytest.raises(HydraException):
            load(loader, master, ["agent=lrr", f"seed={seed}"])
