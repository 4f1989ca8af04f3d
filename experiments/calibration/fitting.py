"""From a table of windows to the profile of a machine: candidates, cross-validated, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.calibration.measuring import Conditions
from experiments.calibration.windows import is_clean, kept
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.slot import Slot
from sim.fit import Curves, Fitted, Machine, Observed, Profile, fit, simulate
from sim.fit_batching import BatchCurves
from sim.fit_correction import corrected
from sim.fit_cpu import CpuCurves
from sim.hardware import CpuProfile
from sim.interference import Family

Correction = Literal["none", "cpu", "all"]
CORRECTIONS: tuple[Correction, ...] = ("none", "cpu", "all")
_FOLDS = 5
_LEAST_CONFIGURATIONS = 4
_ENOUGH = 0.5
_HIGHEST_SHARE = 0.75  # of saturation: beyond it latency is that of the queue's length
UNBATCHED_PER_CORE = 4  # gRPC threads of TensorFlow Serving


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to describe the machine.

    Attributes:
        curves: what was fitted.
        correction: what a Gaussian process corrects.
        fitted: to all windows.
        errors: log errors of each window when its configuration was left out, of mean latency and of CPU
            seconds per request; shape (windows, 2).
    """

    curves: Curves[Any]
    correction: Correction
    fitted: Fitted[Any]
    errors: NDArray[np.float64]

    @property
    def error(self) -> dict[str, float]:
        """Mean absolute held-out log errors: about the mean relative errors."""
        latency, cpu = np.nanmean(np.abs(self.errors), axis=0)
        return {"latency": float(latency), "cpu": float(cpu)}

    @property
    def name(self) -> str:
        """Of the curves, and what is corrected."""
        return self.curves.name + {"none": "", "cpu": " + gp (cpu)", "all": " + gp"}[self.correction]


def observations(
    rows: pd.DataFrame, space: ConfigurationSpace, conditions: Callable[[float, int], Conditions]
) -> tuple[pd.DataFrame, list[Observed]]:
    """The windows that can be fitted to, and what was measured in them.

    Args:
        rows: a table of windows, with the column ``speed``: they are described in the time of a machine of
            speed 1.
        space: the configurations.
        conditions: of windows of a length and a seed.

    Raises:
        UsageError: if there are too few.
    """
    chosen = kept(rows, space.names)
    chosen = chosen[(chosen["completions"] >= 20) & (chosen["lost"] == 0)]
    chosen = chosen[(chosen["mode"] == "closed") | (chosen["level"] <= _HIGHEST_SHARE)]
    clean = is_clean(chosen)
    if clean.mean() > _ENOUGH:  # else all windows were disturbed, and it is known by how much
        chosen = chosen[clean]
    configurations = chosen[list(space.names)].drop_duplicates()
    if len(configurations) < _LEAST_CONFIGURATIONS:
        raise UsageError(
            f"{len(configurations)} configurations have been profiled, expected at least "
            f"{_LEAST_CONFIGURATIONS}: stage=profile goes on"
        )
    return chosen, [
        _observed(row, space, conditions(row["window_s"], int(row["seed"]))) for _, row in chosen.iterrows()
    ]


def _observed(row: pd.Series, space: ConfigurationSpace, conditions: Conditions) -> Observed:
    closed = row["mode"] == "closed"
    if closed:
        size = conditions.closed_sizes()
        slot = Slot(0, 0.0, conditions.window_s, np.empty(0), size, 0.0)
    else:
        slot = conditions.slot(float(row["load_rps"]))
    error_s, speed = row["mean_error_s"], float(row["speed"])
    return Observed(
        configuration=tuple(int(row[name]) for name in space.names),
        slot=replace(slot, duration_s=slot.duration_s * speed, arrival_s=slot.arrival_s * speed),
        clients=int(row["level"]) if closed else 0,
        mean_latency_s=float(row["mean_latency_s"]) * speed,
        relative_error=float(error_s / row["mean_latency_s"]) if np.isfinite(error_s) else 0.2,
        cpu_s=float(row["cpu_s_per_request"]) * speed,
    )


def alone(rows: pd.DataFrame) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """Of requests alone, share of work proportional to size; by window, spread of log latency and latency.

    Raises:
        UsageError: if there are no such windows.
    """
    one = rows[(rows["mode"] == "closed") & (rows["level"] == 1) & rows["log_spread"].notna()]
    if one.empty:
        raise UsageError("no requests alone have been profiled, stage=profile goes on")
    share, alone_s = one["size_share"].median(), one["mean_latency_s"] * one["speed"]
    return 1.0 if np.isnan(share) else float(share), tuple(one["log_spread"]), tuple(alone_s)


def curves_of(machine: Machine) -> list[Curves[Any]]:
    """The ways to describe a machine with these knobs."""
    if "batch_threads" in machine.space.names:
        return [BatchCurves(machine)]
    return [CpuCurves(machine, family) for family in get_args(Family)]


def candidates(
    ways: Sequence[Curves[Any]], windows: Sequence[Observed], tell: Callable[[str], None] = lambda _: None
) -> list[Candidate]:
    """All ways, with and without correction, each fitted and cross-validated over configurations."""
    from sklearn.model_selection import GroupKFold

    labels = [str(one.configuration) for one in windows]
    folds = list(GroupKFold(min(_FOLDS, len(set(labels)))).split(labels, groups=labels))
    observed = np.log([(one.mean_latency_s, one.cpu_s) for one in windows])
    found = []
    for curves in ways:
        tell(f"{curves.name}: fit")
        whole = fit(curves, windows)
        kinds: Sequence[Correction] = CORRECTIONS if isinstance(curves, CpuCurves) else ("none",)
        errors = {correction: np.empty((len(windows), 2)) for correction in kinds}
        for number, (train, test) in enumerate(folds, start=1):
            tell(f"{curves.name}: fold {number} of {len(folds)}")
            seen, unseen = [windows[one] for one in train], [windows[one] for one in test]
            part = fit(curves, seen, whole).profile
            for correction in kinds:
                profile = _corrected(part, curves.machine, seen, correction)
                said = simulate(profile, curves.machine, unseen, processor=curves.processor)
                errors[correction][test] = np.log(said) - observed[test]
        for correction in kinds:
            fitted = replace(whole, profile=_corrected(whole.profile, curves.machine, windows, correction))
            found.append(Candidate(curves, correction, fitted, errors[correction]))
    return found


def _corrected(
    profile: Profile, machine: Machine, windows: Sequence[Observed], correction: Correction
) -> Profile:
    if correction == "none" or not isinstance(profile, CpuProfile):
        return profile
    return corrected(profile, machine, windows, speed=correction == "all")


def choose(found: Sequence[Candidate], configurations: Sequence[Configuration]) -> Candidate:
    """The least held-out error of latency; a correction has to pay, of speed first, then of CPU seconds."""
    best = {one.correction: one for one in sorted(found, key=lambda one: -one.error["latency"])}
    in_order: tuple[tuple[Correction, int], ...] = (("all", 0), ("cpu", 1))
    for correction, column in in_order:
        better = best.get(correction)
        if better is not None and _pays(best["none"], better, column, configurations):
            return better
    return best["none"]


def _pays(less: Candidate, more: Candidate, column: int, configurations: Sequence[Configuration]) -> bool:
    """Whether the second has smaller errors, by more than a standard error over configurations."""
    gain = pd.Series(np.abs(less.errors[:, column]) - np.abs(more.errors[:, column]))
    gains = gain.groupby(pd.Series([str(one) for one in configurations])).mean()
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def rounded(content: Any) -> Any:
    """Every number in a nest of lists and mappings to six significant digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [rounded(value) for value in content]
    return float(f"{content:.6g}") if isinstance(content, float) else content
