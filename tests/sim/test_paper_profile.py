"""The shipped profile is what it says it is: drawn from the stated ranges, meeting the published facts."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from sim.admissible import RANGES, draw, measure
from workloads.constant import Constant

PROFILE = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "conf" / "hardware" / "paper_cpu.yaml").read_text()
)
PARAMETERS = PROFILE["models"]["inception_v3"]


def test_it_is_the_draw_that_its_provenance_names():
    rng = np.random.default_rng(PROFILE["provenance"]["seed"])
    drawn = [draw(rng) for _ in range(PROFILE["provenance"]["draws"])][-1]
    assert drawn == PARAMETERS
    assert set(PARAMETERS) == set(RANGES)


def test_it_meets_the_facts_with_the_values_it_states():
    def stationary(load_rps, seed, count):
        return tuple(Constant(mean_rps=load_rps).slots(seed, count))

    facts = measure(PARAMETERS, stationary)
    assert facts.hold()
    for key, value in PROFILE["provenance"]["facts"].items():
        assert getattr(facts, key) == pytest.approx(value, rel=1e-3), key
