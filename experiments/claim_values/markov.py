"""The claim that the load is Markov: does the load before the last help to predict the next?"""

from __future__ import annotations

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray

from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Outcome, over_seeds, short
from experiments.settings import compose_settings
from experiments.statistics import reduction_percent
from serving.workload import Workload

Floats = NDArray[np.float64]

SEEDS, SLOTS = 10, 1000


def gain_of_a_second_load(_evidence: Evidence) -> Outcome:
    """By how many percent the error of predicting WiKi's next load falls with two loads instead of one.

    Linear predictions of the measured load (arrivals per second of a slot), fitted by least squares to the
    first half of a run and asked for the second; error: root mean square. The workload alone, no agent.
    """
    errors = _errors("wiki", "load_rps")
    others = {
        "of the true mean rate, without the noise of counting": _errors("wiki", "true_load_rps"),
        "of Dynamic": _errors("dynamic", "load_rps"),
    }
    said = ", ".join(f"{name}: {short(over_seeds([one], reduction_percent))}" for name, one in others.items())
    note = (
        f"{SLOTS} slots, fitted to the first half, asked for the second; root mean square error with one "
        f"load {errors[:, 1].mean():.3g} requests/s; {said}"
    )
    return over_seeds([errors], reduction_percent, note)


def _errors(workload: str, load: str) -> Floats:
    """With two loads and with one, shape (seeds, 2); ``load`` is an attribute of the slot."""
    source: Workload = instantiate(compose_settings([f"workload={workload}"])["workload"], _convert_="all")
    runs = [np.array([getattr(slot, load) for slot in source.slots(seed, SLOTS)]) for seed in range(SEEDS)]
    return np.array([[prediction_error(load_rps, lags) for lags in (2, 1)] for load_rps in runs])


def prediction_error(load_rps: Floats, lags: int, most_lags: int = 2) -> float:
    """Root mean square error of the best linear prediction from so many loads before, on the second half.

    Args:
        load_rps: load of every slot, shape (slots,).
        lags: how many of the loads before are used.
        most_lags: as many slots at the start are not asked for, whatever ``lags`` is.
    """
    target = load_rps[most_lags:]
    before = [load_rps[most_lags - lag : -lag] for lag in range(1, lags + 1)]
    inputs = np.column_stack([np.ones(len(target)), *before])
    half = len(target) // 2
    weights = np.linalg.lstsq(inputs[:half], target[:half], rcond=None)[0]
    return float(np.sqrt(np.mean((inputs[half:] @ weights - target[half:]) ** 2)))
