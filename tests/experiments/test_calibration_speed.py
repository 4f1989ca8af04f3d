"""Windows in the time of a machine that is always equally fast."""

import numpy as np
import pandas as pd
import pytest

from experiments.calibration.simulator import simulated_testbed
from experiments.calibration.speed import at_speed, base_s, reference_s, with_speed
from experiments.settings import compose_settings


def test_speed_is_that_of_requests_alone_evened_out_over_neighbours():
    rows = pd.DataFrame({"reference_s": [0.01] * 20 + [0.02] * 21})
    rows.loc[3, "reference_s"] = 0.5  # a hiccup, not the machine
    rows.loc[30, "reference_s"] = np.nan
    speed = with_speed(rows, 0.02)["speed"]
    assert list(speed[:15]) == [2.0] * 15
    assert list(speed[25:]) == [1.0] * 16
    assert base_s(rows) == 0.02
    assert (with_speed(rows, np.nan)["speed"] == 1).all()
    assert (with_speed(rows.drop(columns="reference_s"), 0.02)["speed"] == 1).all()


def test_a_machine_at_twice_the_speed_answers_in_half_the_time():
    plain = compose_settings(["system=sim_testbed"])
    slow, fast = (
        simulated_testbed(plain, at_speed(plain["hardware"], plain["model"]["name"], speed))
        for speed in (1.0, 2.0)
    )
    for system in (slow, fast):
        system.reset(0)
    assert reference_s(fast) == pytest.approx(reference_s(slow) / 2)
