"""The costs of a real system, measured: every configuration at every load of ``table.load_rps``.

``python -m experiments.truth system=testbed ... table.measured=FILE`` serves one slot of ``slot_s`` seconds
for each, in random order, and adds a row to FILE after each: an interrupted sweep goes on where it was.
Unlike the simulator's table this one has noise, so it tells ``static_best`` and ``oracle`` what to choose but
does not stand in the rows as the truth.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from tqdm import tqdm

from experiments.build import build_system
from serving.configuration import Configuration, ConfigurationSpace
from serving.cost_table import CostTable
from serving.errors import UsageError
from serving.objective import Objective
from serving.slot import Slot
from serving.system import ServingSystem
from workloads.constant import Constant

_ORDER = 0x_0DE4
_SETTLE_S = 0.2
_MEASURED = (
    "mean_latency_s",
    "p95_latency_s",
    "arrivals",
    "completions",
    "rejections",
    "timeouts",
    "errors",
    "cpu_utilisation",
)


def measured_table(plain: dict[str, Any], space: ConfigurationSpace) -> CostTable | None:
    """The table that was measured; None where the settings name none.

    Raises:
        UsageError: if the file cannot be read, or lacks a configuration or a load.
    """
    file = plain["table"]["measured"]
    if file is None:
        return None
    rows = _read(Path(file), plain, space)
    cost = rows.pivot_table(index="load_rps", columns=list(space.names), values="cost", aggfunc="mean")
    cost = cost.reindex(index=_loads_rps(plain), columns=pd.MultiIndex.from_tuples(space.configurations))
    missing = int(cost.isna().to_numpy().sum())
    if missing:
        raise UsageError(
            f"table.measured={file}: {missing} of {cost.size} costs are missing; "
            "python -m experiments.truth with the same settings measures them"
        )
    values = cost.to_numpy(dtype=np.float64)
    unknown = np.full(values.shape, np.nan)
    return CostTable(cost.index.to_numpy(), values, unknown, np.ones(values.shape, dtype=bool))


def measure(plain: dict[str, Any]) -> Path:
    """Measure what is missing in the file; returns its path.

    Raises:
        UsageError: if the settings name no file, or one of another objective or other knobs.
    """
    if plain["table"]["measured"] is None:
        raise UsageError("table.measured=null, expected a file to write the costs of a real system to")
    file = Path(plain["table"]["measured"])
    system = build_system(plain)
    try:
        rows = _read(file, plain, system.space)
        done = set(zip(*(rows[name] for name in (*system.space.names, "load_rps")), strict=True))
        cells = [
            (configuration, load_rps)
            for configuration, load_rps in product(system.space.configurations, _loads_rps(plain))
            if (*configuration, load_rps) not in done
        ]
        order = np.random.default_rng(_ORDER).permutation(len(cells))
        file.parent.mkdir(parents=True, exist_ok=True)
        for place in tqdm(order, desc="cells", disable=not plain["progress"]):
            row = _row(plain, system, *cells[place])
            pd.DataFrame([row]).to_csv(file, mode="a", header=not file.exists(), index=False)
    finally:
        system.close()
    return file


def _row(
    plain: dict[str, Any], system: ServingSystem, configuration: Configuration, load_rps: float
) -> dict[str, Any]:
    """Serve one slot under a configuration that is in force before, with nobody left from another one."""
    objective: Objective = instantiate(plain["objective"], _convert_="all")
    sizes = instantiate(plain["workload"].get("sizes"), _convert_="all")
    workload = Constant(mean_rps=load_rps, slot_s=plain["slot_s"], servers=plain["servers"], sizes=sizes)
    slot = next(iter(workload.slots(plain["seed"], 1)))
    system.reset(plain["seed"])
    system.serve(configuration, Slot(0, 0.0, _SETTLE_S, np.empty(0), np.empty(0), 0.0, plain["servers"]))
    later = replace(slot, index=1, start_s=_SETTLE_S, arrival_s=slot.arrival_s + _SETTLE_S)
    measurement = system.serve(configuration, later)
    return (
        dict(zip(system.space.names, configuration, strict=True))
        | {"load_rps": load_rps, "objective": objective.name, "cost": objective(measurement)}
        | {name: getattr(measurement, name) for name in _MEASURED}
        | {"slot_s": plain["slot_s"], "flags": " ".join(measurement.flags)}
    )


def _loads_rps(plain: dict[str, Any]) -> list[float]:
    return sorted(float(load) for load in plain["table"]["load_rps"])


def _read(file: Path, plain: dict[str, Any], space: ConfigurationSpace) -> pd.DataFrame:
    """What was measured before; no rows if the file is not there."""
    columns = [*space.names, "load_rps", "objective", "cost"]
    try:
        rows = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=columns)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"table.measured={file}: {' '.join(str(error).split())}, expected a CSV file"
        ) from None
    if not set(columns) <= set(rows.columns):
        raise UsageError(f"table.measured={file}: columns {list(rows.columns)}, expected {columns} and more")
    name = instantiate(plain["objective"], _convert_="all").name
    others = set(rows["objective"]) - {name}
    if others:
        raise UsageError(f"table.measured={file}: costs of objective {sorted(others)}, expected {name}")
    return rows
