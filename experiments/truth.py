"""The exhaustive cost table of a run's system: computed once, cached by everything it depends on.

``python -m experiments.truth [overrides]`` computes the table of those settings without running an agent;
that of a real system is measured (``experiments.measured_table``).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from experiments.build import is_simulated, profile_of, resolve
from experiments.changing import stages
from experiments.cli import hydra_program
from experiments.measured_table import measure
from experiments.records import content_hash
from experiments.sweep_worker import joblib_workers_follow
from serving.cost_table import ChangingCosts, CostTable, Truth
from serving.foretold import Foretold
from serving.slot import Slot
from sim.exhaustive import Precision, Sweep, sweep, tabulate

_IRRELEVANT = (
    "engine",
    "name",
    "ticks",
    "keep_latencies",
    "reconfiguration",
)  # of the system: none changes a cost
_ARRAYS = ("load_rps", "cost", "standard_error", "capped", "mean_latency_s", "p95_latency_s", "utilisation")


def table_key(plain: dict[str, Any]) -> dict[str, Any]:
    """Everything that the table depends on."""
    told = {"batch_slots"} & plain["table"].keys()  # of tables that agents are told alone
    return {
        "hardware": profile_of(plain),
        "model": plain["model"]["name"],
        "system": {key: value for key, value in plain["system"].items() if key not in _IRRELEVANT},
        "objective": plain["objective"],
        "sizes": plain["workload"].get("sizes"),
        "slot": _slot_length(plain),
        "load_rps": plain["table"]["load_rps"],
        "relative_error": plain["table"]["relative_error"],
        "most_batches": plain["table"]["most_batches"],
    } | {name: plain["table"][name] for name in told}


def _slot_length(plain: dict[str, Any]) -> tuple[str, float]:
    """Slots last so many seconds, or as long as so many requests take on average."""
    requests = plain["workload"].get("requests_per_slot")
    return (
        ("seconds", plain["workload"].get("slot_s", plain["slot_s"]))
        if requests is None
        else ("requests", requests)
    )


def table_path(plain: dict[str, Any]) -> Path:
    """Where the table of these settings is kept."""
    return Path(plain["table"]["folder"]) / f"{content_hash(table_key(plain))}.npz"


def read_arrays(plain: dict[str, Any]) -> dict[str, np.ndarray] | None:
    """The stored arrays of the table, each of shape (loads, configurations); None if not yet computed."""
    try:
        with np.load(table_path(plain)) as stored:
            return {name: stored[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # missing, or damaged: it will be computed again


def cost_table(plain: dict[str, Any]) -> CostTable | None:
    """The table of a simulated system, from the cache or computed now; None for a real system."""
    if not is_simulated(plain):
        return None
    return cached_table(plain) or _as_table(_compute_once(plain))


def foretell(plain: dict[str, Any], profiles: Sequence[dict[str, Any]]) -> Foretold:
    """The tables of a simulated system with each hardware profile, as an agent may be told them.

    From the cache or computed now, with errors of a tenth (``table.relative_error`` if that is more): who is
    told them doubts them by more.
    """
    rough = plain | {"table": plain["table"] | _rough(plain)}
    tables = [rough | {"hardware": one} for one in profiles]
    stored = [read_arrays(one) or _compute_once(one) for one in tables]
    cost, tail = (np.stack([one[name] for one in stored]) for name in ("cost", "p95_latency_s"))
    return Foretold(stored[0]["load_rps"], cost, tail)


def _rough(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Slots enough for what happens once in dozens; on several servers fewer hold as many requests."""
    return {
        "relative_error": max(0.1, plain["table"]["relative_error"]),
        "most_batches": min(8, plain["table"]["most_batches"]),
        "batch_slots": max(1, 5 // plain["servers"]),
    }


def cached_table(plain: dict[str, Any]) -> CostTable | None:
    """The table that is there already; None where it is not."""
    stored = read_arrays(plain)
    return None if stored is None else _as_table(stored)


def _as_table(stored: Mapping[str, np.ndarray]) -> CostTable:
    return CostTable(stored["load_rps"], stored["cost"], stored["standard_error"], stored["capped"])


def truth(plain: dict[str, Any]) -> Truth | None:
    """The noise-free costs of a system in all states that it goes through; None for a real one."""
    return _put_together(plain, cost_table)


def cached_truth(plain: dict[str, Any]) -> Truth | None:
    """The same from tables that are there already; None where one is not."""
    return _put_together(plain, cached_table)


def states(plain: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Settings of each state that the system is in, by the slot in which it is; one unless it changes."""
    return {slot: plain | {"system": system} for slot, system in stages(plain["system"]).items()}


def _put_together(plain: dict[str, Any], make: Callable[[dict[str, Any]], CostTable | None]) -> Truth | None:
    slots = states(plain)
    tables = tuple(table for one in slots.values() if (table := make(one)) is not None)
    if len(tables) < len(slots):
        return None
    return tables[0] if len(tables) == 1 else ChangingCosts(tuple(slots), tables)


def _compute_once(plain: dict[str, Any]) -> dict[str, np.ndarray]:
    """Compute and store the table; processes that want the same one wait for the first to finish."""
    path = table_path(plain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stored = read_arrays(plain)
        if stored is not None:
            return stored
        sweeps = _sweeps(plain)
        table = tabulate(sweeps)
        arrays = {
            "load_rps": table.load_rps,
            "cost": table.cost,
            "standard_error": table.standard_error,
            "capped": table.capped,
            "mean_latency_s": np.array([one.mean_latency_s for one in sweeps]),
            "p95_latency_s": np.array([one.p95_latency_s for one in sweeps]),
            "utilisation": np.array([one.utilisation for one in sweeps]),
        }
        partial = path.with_suffix(f".{os.getpid()}.partial.npz")
        stored = {"key": np.array(json.dumps(table_key(plain), default=str))} | arrays
        np.savez(partial, **stored)  # type: ignore[arg-type]
        partial.rename(path)
        return arrays


def _sweeps(plain: dict[str, Any]) -> list[Sweep]:
    from joblib import Parallel, delayed
    from tqdm import tqdm

    loads = sorted(float(load) for load in plain["table"]["load_rps"])
    jobs = (delayed(_sweep_load)(plain, load) for load in reversed(loads))  # the longest first
    # Processes also in a sweep's worker, where threads would be the default: other workers wait meanwhile.
    with joblib_workers_follow():
        parallel = Parallel(n_jobs=plain["table"]["workers"], backend="loky", return_as="generator_unordered")
        done = tqdm(
            parallel(jobs), total=len(loads), desc="exhaustive table, loads", disable=not plain["progress"]
        )
        return sorted(done, key=lambda one: one.load_rps)


def _sweep_load(plain: dict[str, Any], load_rps: float) -> Sweep:
    system = instantiate(
        plain["system"] | {"engine": "compiled", "ticks": 0, "keep_latencies": False},
        hardware=plain["hardware"],
        model=plain["model"]["name"],
        slo_s=plain["objective"]["slo_s"],
        _convert_="all",
    )
    objective = instantiate(plain["objective"], _convert_="all")
    sizes = instantiate(plain["workload"].get("sizes"), _convert_="all")

    def stationary(load_rps: float, seed: int, count: int) -> Sequence[Slot]:
        from workloads.constant import Constant

        unit, length = _slot_length(plain)
        slot_s = length if unit == "seconds" else length / load_rps
        return tuple(
            Constant(mean_rps=load_rps, slot_s=slot_s, servers=plain["servers"], sizes=sizes).slots(
                seed, count
            )
        )

    wanted = ("relative_error", "most_batches", "batch_slots")
    precision = Precision(**{name: plain["table"][name] for name in wanted if name in plain["table"]})
    return sweep(system, objective, stationary, load_rps, precision)


def _main(config: DictConfig) -> None:
    plain = resolve(config, HydraConfig.get().runtime.choices)
    if is_simulated(plain):
        truth(plain)
        for path in dict.fromkeys(table_path(one) for one in states(plain).values()):
            print(path)
    else:
        print(measure(plain))


if __name__ == "__main__":
    hydra_program(_main)
