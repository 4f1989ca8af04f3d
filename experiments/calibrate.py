"""A simulator of this machine: ``python -m experiments.calibrate model=mobilenet_v2 [budget=12]``.

``stage=profile`` measures short windows on the testbed into ``profile=results/profiles/MODEL.csv``, for at
most ``budget`` minutes: closed loops and Poisson arrivals under configurations of the grid, the coarse grid
first, each in ``visits`` visits apart in time. A window that others disturb is measured again, ``attempts``
times in all. Started again it goes on where it was. With ``system=testbed_batching`` the knobs are those of
batching, and files MODEL_batching.
``stage=fit`` fits the simulator's curves to that table and writes MODEL.yaml and a figure beside it into the
folder ``target=results/hardware``; ``stage=all`` does both. Other arguments are settings of
``experiments.run`` (``seed=1``, ``system.request_parallelism=[1,2]``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate
from tqdm import tqdm

from experiments.arguments import exit_code, parse_some, require_positive
from experiments.build import build_system
from experiments.calibration.closed_loop_system import ClosedLoopSystem
from experiments.calibration.hardware_file import label, write_fit
from experiments.calibration.measuring import Conditions, measure
from experiments.calibration.plan import plan
from experiments.calibration.simulator import BATCHING_KNOBS, CPU_KNOBS
from experiments.calibration.windows import WindowTable
from experiments.settings import compose_settings
from serving.errors import UsageError

_STAGES = ("all", "profile", "fit")
_DEFAULTS = {
    "stage": "all",
    "budget": 12.0,
    "visits": 1,
    "window_s": 6.0,
    "attempts": 3,
    "profile": "results/profiles/MODEL.csv",
    "target": Path("results/hardware"),
}


def profile(plain: dict[str, Any], file: Path, conditions: Conditions, visits: int, budget_s: float) -> int:
    """Measure what the table lacks; how many windows are still missing when the time is spent."""
    system = cast(ClosedLoopSystem, build_system(plain))
    try:
        table = WindowTable(file, system.space.names)
        return measure(system, table, plan(system.space, visits), conditions, budget_s, plain["progress"])
    finally:
        system.close()


def cores(plain: dict[str, Any]) -> int:
    """Of the machine: of a simulated one as its profile says."""
    return int(plain["hardware"].get("cores") or os.cpu_count() or 1)


def knobs(plain: dict[str, Any]) -> tuple[str, ...]:
    """Names of the system's knobs."""
    return BATCHING_KNOBS if "batch_threads" in plain["system"] else CPU_KNOBS


def settings(overrides: Sequence[str]) -> dict[str, Any]:
    """Settings of a run on the testbed, which overrides may change, with raw latencies."""
    return compose_settings(
        ["system=testbed", "workload=constant", "system.keep_latencies=true", "system.ticks=0", *overrides]
    )


def _calibrate(options: dict[str, Any], overrides: Sequence[str]) -> None:
    if options["stage"] not in _STAGES:
        raise UsageError(f"stage={options['stage']}, choose from {list(_STAGES)}")
    require_positive(options, ("budget", "visits", "window_s", "attempts"))
    plain = settings(overrides)
    names = knobs(plain)
    file = Path(options["profile"].replace("MODEL", label(plain["model"]["name"], names)))
    sizes = instantiate(plain["workload"].get("sizes"), _convert_="all")
    conditions = Conditions(options["window_s"], sizes, plain["seed"], cores(plain), options["attempts"])
    if options["stage"] != "fit":
        missing = profile(plain, file, conditions, options["visits"], 60 * options["budget"])
        print(f"{missing} windows of the plan are left; the same command goes on", file=sys.stderr)
        print(file)
    if options["stage"] != "profile":
        with tqdm(desc="fit", unit="step", disable=not plain["progress"]) as bar:

            def tell(step: str) -> None:
                bar.update()
                bar.set_postfix_str(step)

            model = plain["model"]["name"]
            for path in write_fit(model, file, names, conditions, options["target"], tell):
                print(path)


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code."""
    options, overrides = parse_some(arguments, _DEFAULTS, __doc__)
    return exit_code(lambda: _calibrate(options, overrides))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
