"""How far the simulator is from the testbed: ``python -m experiments.validate model=mobilenet_v2``.

``stage=measure`` serves configurations that ``experiments.calibrate`` held out, at rates and under a trace
that it never saw, each window in ``visits=2`` visits apart in time, for at most ``budget`` minutes, into
``measured=results/validation/MODEL.csv``; started again it goes on where it was. ``stage=page`` gives the
same requests to the simulator with the profile ``fitted=results/hardware/MODEL.yaml`` and writes MODEL.md,
its picture and both worlds' numbers beside the measurements. Other arguments are settings of
``experiments.run``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate

from experiments.arguments import exit_code, parse_some, require_positive
from experiments.build import build_system, read_yaml
from experiments.calibrate import cores, knobs, settings
from experiments.calibration import replay
from experiments.calibration.agreement import agreement
from experiments.calibration.closed_loop_system import ClosedLoopSystem
from experiments.calibration.hardware_file import label
from experiments.calibration.measuring import Conditions, measure
from experiments.calibration.simulator import simulated_testbed
from experiments.calibration.speed import at_speed, with_speed
from experiments.calibration.validation_page import draw, page
from experiments.calibration.windows import WindowTable, kept
from experiments.figures import style
from serving.errors import UsageError
from sim.system import SimulatedServers

_STAGES = ("all", "measure", "page")
_SEED = 1000  # apart from the seeds that windows are fitted with
_DEFAULTS = {
    "stage": "all",
    "budget": 20.0,
    "visits": 2,
    "window_s": 6.0,
    "attempts": 2,
    "fitted": "results/hardware/MODEL.yaml",
    "measured": "results/validation/MODEL.csv",
}


def measure_all(
    plain: dict[str, Any],
    simulated: SimulatedServers,
    table: WindowTable,
    conditions: Conditions,
    visits: int,
    budget_s: float,
) -> int:
    """Measure what the table lacks, constant rates first; how many windows are still missing."""
    system = cast(ClosedLoopSystem, build_system(plain))
    try:
        windows = replay.plan(system.space, simulated, table, visits)
        missing = measure(system, table, windows, conditions, budget_s, plain["progress"])
        if not missing:
            replay.measure_traces(system, table, replay.traced(system.space, simulated, table), conditions)
        return missing
    finally:
        system.close()


def write_page(
    plain: dict[str, Any], hardware: dict[str, Any], table: WindowTable, conditions: Conditions
) -> list[Path]:
    """Simulate what was measured, and write page, picture and numbers beside it; the paths."""
    model = plain["model"]["name"]
    rows = table.read()
    if rows.empty:
        raise UsageError(f"measured={table.file} is not there, stage=measure measures it")
    reference_s = hardware.get("provenance", {}).get("reference_s") or math.nan
    rows = kept(with_speed(rows, reference_s), [*table.knobs, "slot"])

    def simulator(speed: float) -> SimulatedServers:
        return _simulator(plain, at_speed(hardware, model, speed))

    compared = replay.simulated(rows, table.knobs, simulator, conditions)
    as_profiled = replay.simulated(rows.assign(speed=1.0), table.knobs, simulator, conditions)
    found = {
        "simulated at the speed that the machine had": agreement(compared, table.knobs),
        "as if it were always as when profiled": agreement(as_profiled, table.knobs),
    }
    style.apply()
    called = label(model, table.knobs)
    paths = style.save(draw(called, compared, table.knobs), table.file.parent)
    text = page(called, found, compared, table.knobs, "correction" in hardware["models"][model])
    target = table.file.with_suffix(".md")
    target.write_text(text)
    return [target, *paths]


def _simulator(plain: dict[str, Any], hardware: dict[str, Any]) -> SimulatedServers:
    return simulated_testbed(plain, hardware, ticks=0, keep_latencies=True)


def _validate(options: dict[str, Any], overrides: Sequence[str]) -> None:
    if options["stage"] not in _STAGES:
        raise UsageError(f"stage={options['stage']}, choose from {list(_STAGES)}")
    require_positive(options, ("budget", "visits", "window_s", "attempts"))
    plain = settings(overrides)
    model = plain["model"]["name"]
    called = label(model, knobs(plain))
    fitted = options["fitted"].replace("MODEL", called)
    if not Path(fitted).exists():
        raise UsageError(f"fitted={fitted} is not there, python -m experiments.calibrate writes it")
    hardware = read_yaml(Path(fitted), "fitted")
    simulated = _simulator(plain, hardware)
    table = WindowTable(Path(options["measured"].replace("MODEL", called)), simulated.space.names)
    sizes = instantiate(plain["workload"].get("sizes"), _convert_="all")
    seed = plain["seed"] + _SEED
    conditions = Conditions(options["window_s"], sizes, seed, cores(plain), options["attempts"])
    if options["stage"] != "page":
        missing = measure_all(plain, simulated, table, conditions, options["visits"], 60 * options["budget"])
        print(f"{missing} windows of the plan are left; the same command goes on", file=sys.stderr)
        print(table.file)
    if options["stage"] != "measure":
        there = replace(conditions, cores=hardware.get("cores", conditions.cores))
        for path in write_page(plain, hardware, table, there):
            print(path)


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code."""
    options, overrides = parse_some(arguments, _DEFAULTS, __doc__)
    return exit_code(lambda: _validate(options, overrides))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
