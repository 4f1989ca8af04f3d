"""Writes a fitted profile with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from experiments.build import file_hash
from experiments.calibration.fitting import (
    UNBATCHED_PER_CORE,
    Candidate,
    alone,
    candidates,
    choose,
    curves_of,
    observations,
    rounded,
)
from experiments.calibration.measuring import Conditions
from experiments.calibration.residual_figure import draw
from experiments.calibration.speed import base_s, with_speed
from experiments.calibration.windows import WindowTable, is_clean
from experiments.figures import style
from serving.configuration import ConfigurationSpace, batching_space, parallelism_space
from serving.errors import UsageError
from sim import fit_batching, fit_cpu
from sim.fit import Machine, Observed, simulate
from sim.gpu import GpuProfile

_HEADER = """\
# Written by `python -m experiments.calibrate`: fitted to windows that were measured on a real machine.
# What each number means: docs/simulator.md; how it was measured and fitted: docs/calibration.md.
"""


def read_profile(
    model: str, file: Path, knobs: Sequence[str], conditions: Conditions
) -> tuple[pd.DataFrame, list[Observed], Machine]:
    """The windows that can be fitted to, as rows and as observations, and what is known beside them.

    Raises:
        UsageError: if there is no table, or too little in it.
    """
    if not file.exists():
        raise UsageError(f"profile={file} is not there, stage=profile measures it")
    rows = WindowTable(file, knobs).read()
    rows = with_speed(rows, base_s(rows))
    space = _space(rows, knobs)

    def like(window_s: float, seed: int) -> Conditions:
        return replace(conditions, window_s=window_s, seed=seed)

    rows, windows = observations(rows, space, like)
    share, spread, alone_s = alone(rows)
    cores = int(rows["cores"].iloc[-1])
    known = Machine(
        name=label(model, knobs),
        model=model,
        cores=cores,
        unbatched_requests=UNBATCHED_PER_CORE * cores,
        space=space,
        size_share=share,
        log_spread=spread,
        alone_s=alone_s,
    )
    return rows, windows, known


def write_fit(
    model: str,
    file: Path,
    knobs: Sequence[str],
    conditions: Conditions,
    target: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Fit to the table of windows in ``file``, write YAML and figure into ``target``; the paths.

    The same table gives the same YAML.

    Raises:
        UsageError: if there is no table, or too little in it.
    """
    rows, windows, known = read_profile(model, file, knobs, conditions)
    found = candidates(curves_of(known), windows, tell)
    chosen = choose(found, [one.configuration for one in windows])
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{known.name}.yaml"
    profile = chosen.fitted.profile
    as_yaml = fit_batching.as_yaml if isinstance(profile, GpuProfile) else fit_cpu.as_yaml
    content = rounded(as_yaml(profile)) | {"provenance": _provenance(file, knobs, rows, found, chosen)}
    path.write_text(_HEADER + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100))
    said = simulate(profile, known, windows, processor=chosen.curves.processor)
    style.apply()
    return [path, *style.save(draw(known.name, rows, knobs, chosen, said[:, 1]), target)]


def label(model: str, knobs: Sequence[str]) -> str:
    """What files about a model with these knobs are called."""
    return f"{model}_batching" if "batch_threads" in knobs else model


def _space(rows: pd.DataFrame, knobs: Sequence[str]) -> ConfigurationSpace:
    """The grid of the values that were measured."""
    first, second, third = (sorted(int(one) for one in rows[knob].unique()) for knob in knobs)
    if not first:
        raise UsageError("nothing has been profiled yet, stage=profile measures it")
    return (batching_space if "batch_threads" in knobs else parallelism_space)(first, second, third)


def _provenance(
    file: Path, knobs: Sequence[str], rows: pd.DataFrame, found: Sequence[Candidate], chosen: Candidate
) -> dict[str, Any]:
    closed, reference_s = rows["mode"] == "closed", base_s(WindowTable(file, knobs).read())
    provenance: dict[str, Any] = rounded(
        {
            "source": "fitted to windows measured on a real machine (docs/calibration.md)",
            "profile": {"file": file.name, "sha256": file_hash(file)},
            "measured": {"first": rows["measured_at"].min(), "last": rows["measured_at"].max()},
            "machine": {"cpu": str(rows["cpu"].iloc[-1]), "cores": int(rows["cores"].iloc[-1])},
            "versions": {name: version(name) for name in ("tensorflow", "numpy", "scipy", "scikit-learn")},
            "windows": {
                "closed": int(closed.sum()),
                "open": int((~closed).sum()),
                "configurations": len(rows[list(knobs)].drop_duplicates()),
                "disturbed": int((~is_clean(rows)).sum()),
            },
            "held_out_log_error": {one.name: one.error for one in found},
            "reference_s": float(reference_s) if math.isfinite(reference_s) else None,
            "chosen": chosen.name,
            "intervals_95": {key: list(value) for key, value in chosen.fitted.intervals.items()},
        }
    )
    return provenance
