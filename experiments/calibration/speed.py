"""How fast the machine was in each window: shared hosts, heat and clocks change it by the minute.

Before each window requests alone are measured, always under the same configuration. Windows are then
described in the time of a machine that is always equally fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from experiments.calibration.closed_loop_system import ClosedLoopSystem

REFERENCE_S = 1.0
_NEIGHBOURS = 9  # windows, over which the noise of one such measurement evens out
_TIMES = ("sequential_s", "overhead_s", "idle_time_s", "fixed_s", "request_s")


def reference_s(system: ClosedLoopSystem) -> float | None:
    """Mean latency of requests of size 1 alone, just now, under the first configuration of the grid."""
    first = system.space.configurations[0]
    return system.serve_closed(first, 1, REFERENCE_S, np.ones(1)).mean_latency_s


def smooth_reference_s(rows: pd.DataFrame) -> pd.Series:
    """``reference_s`` of rows in the order in which they were measured, evened out over neighbours."""
    if "reference_s" not in rows:
        return pd.Series(np.nan, index=rows.index)
    measured = rows["reference_s"].astype(float)
    return measured.rolling(_NEIGHBOURS, center=True, min_periods=1).median()


def base_s(rows: pd.DataFrame) -> float:
    """The reference of a whole table: that of its middling window; NaN where none was measured."""
    return float(smooth_reference_s(rows).median())


def with_speed(rows: pd.DataFrame, of_base_s: float) -> pd.DataFrame:
    """With a column ``speed``: of the machine in each window, over that at which requests alone take so long.

    Args:
        rows: a whole table, in the order in which it was measured.
        of_base_s: 1 stands in all rows if it is NaN.
    """
    speed = of_base_s / smooth_reference_s(rows)
    return rows.assign(speed=speed.fillna(1.0))


def at_speed(hardware: Mapping[str, Any], model: str, speed: float) -> dict[str, Any]:
    """The profile of the same machine so many times as fast."""
    numbers = {
        key: value / speed if key in _TIMES else value for key, value in hardware["models"][model].items()
    }
    return {**hardware, "models": {model: numbers}}
