"""The shipped profiles, for the tests beside it."""

from pathlib import Path

import yaml

from experiments.admissible import stationary as _stationary
from sim.admissible import SERVICES

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "hardware" / "admissible").glob("*.yaml"))
_MADE = {name: _stationary(service) for name, service in SERVICES.items()}


def stationary(service):
    """The service's slots of constant loads, shared by all tests."""
    return _MADE[service.name]


def profile(name):
    """A file of conf/hardware."""
    return yaml.safe_load((CONF / "hardware" / f"{name}.yaml").read_text())


def provenance(service):
    """Where the service's part of the paper's profile comes from."""
    return profile(service.profile)["provenance"][service.model]


def parameters(service):
    """The service's numbers in the paper's profile."""
    return profile(service.profile)["models"][service.model]
