"""Every conf/workload/*.yaml builds the workload of its name, with the defaults of the class."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from serving.errors import UsageError
from workloads.sizes import RequestSizes

CONF = Path(__file__).parents[2] / "conf" / "workload"


def build(name: str, **overrides):
    config = OmegaConf.create(
        {
            "slot_s": 60.0,
            "servers": 1,
            "model": {"sizes": "constant"},
            "workload": OmegaConf.load(CONF / f"{name}.yaml"),
        }
    )
    for key, value in overrides.items():
        OmegaConf.update(config, f"workload.{key.replace('__', '.')}", value)
    return instantiate(config.workload, _convert_="all")


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_it_builds_with_the_defaults_of_the_class(name):
    workload = build(name)
    assert workload.name == name
    default = type(workload)() if name == "rrl_code_schedule" else type(workload)(slot_s=60.0)
    assert workload == default
    assert len(list(workload.slots(0, 3))) == 3


def test_every_workload_has_a_file():
    assert {path.stem for path in CONF.glob("*.yaml")} == {
        "wiki",
        "dynamic",
        "constant",
        "flash_crowd",
        "rrl_code_schedule",
    }


def test_overrides_reach_the_workload():
    wiki = build("wiki", mean_rps=5, sizes__distribution="lognormal", sizes__cv=0.3, preset="spiky")
    assert (wiki.max_load_rps, wiki.sizes, wiki.preset) == (10, RequestSizes("lognormal", 0.3), "spiky")
    with pytest.raises(Exception, match=r"workload\.preset=wild") as caught:
        build("wiki", preset="wild")
    assert isinstance(caught.value.__cause__, UsageError)
