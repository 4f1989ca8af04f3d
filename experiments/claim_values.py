"""Our value for each computed claim, from the finished runs: one function per claim, by claim id."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.convergence import HELD, settles_q
from experiments.results import Run
from experiments.statistics import Estimate, bootstrap, mean, median, ratio
from experiments.table_claims import Tabulated, distance_and_difference, too_much_parallelism


@dataclass(frozen=True)
class Missing:
    """Why a claim has no value yet."""

    reason: str


@dataclass(frozen=True)
class Refuted:
    """Why a claim fails without a number: what it says would happen did not happen in most runs."""

    reason: str
    seeds: int


Outcome = Estimate | Missing | Refuted
Compute = Callable[[Sequence[Run]], Outcome]

_NOT_CONDITIONS = ("seed", "output_dir", "fresh", "progress", "hydra", "agent")


def _agent(run: Run) -> dict[str, Any]:
    agent: dict[str, Any] = run.config["agent"]
    return agent


def _radius(run: Run) -> float:
    return float(_agent(run)["radius"])


def _seed(run: Run) -> int:
    return int(run.config["seed"])


def _conditions(run: Run) -> str:
    """Everything but seed, output and agent, as text to compare."""
    kept = {key: value for key, value in run.config.items() if key not in _NOT_CONDITIONS}
    return json.dumps(kept, sort_keys=True, default=str)


def _agent_but_radius(run: Run) -> str:
    return json.dumps({key: value for key, value in _agent(run).items() if key != "radius"}, sort_keys=True)


def _conv_q(run: Run) -> float:
    settled = settles_q(run.table("diagnostics")["q_distance"].to_numpy(dtype=np.float64))
    return np.inf if settled is None else float(settled)


def _mean_q_distance(run: Run) -> float:
    return float(run.table("diagnostics")["q_distance"].mean())


def _of_figure(runs: Sequence[Run], experiment: str, model: str) -> list[Run]:
    return [
        run
        for run in runs
        if run.folder.parent.name == experiment
        and run.config["model"]["name"] == model
        and (run.folder / "diagnostics.parquet").exists()
    ]


@dataclass(frozen=True)
class RadiusSweep:
    """The radius sweep of Fig. 9.

    Attributes:
        runs: differ in radius and seed alone.
        left_out: number of other runs of the figure, made under other settings.
    """

    runs: tuple[Run, ...]
    left_out: int

    @property
    def slots(self) -> int:
        """Length of each run."""
        return int(self.runs[0].config["slots"])

    def conv_q(self, radius: float) -> dict[int, float]:
        """Slots until Q settled, by seed; infinite for never."""
        return {_seed(run): _conv_q(run) for run in self.runs if _radius(run) == radius}


def radius_sweep(runs: Sequence[Run]) -> RadiusSweep | Missing:
    """The largest set of fig09 runs on Inception V3 without discount that differ in radius and seed alone.

    Without discount (the authors' code has none, the paper gives no value) Q has an end to settle at within
    a run; with 0.9 it still creeps up after thousands of slots, and conv_q measures the run's length.
    """
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in _of_figure(runs, "fig09", "inception_v3"):
        agent = _agent(run)
        if agent.get("radius") is not None and agent.get("preset") != "q_learning" and not agent.get("gamma"):
            groups[_conditions(run), _agent_but_radius(run)].append(run)
    if not groups:
        return Missing(
            "no finished run of experiment=fig09 with agent.gamma=0 and diagnostics on inception_v3"
        )
    chosen = max(groups.values(), key=len)
    return RadiusSweep(tuple(chosen), sum(map(len, groups.values())) - len(chosen))


def _ratio_of_medians(pairs: list[tuple[float, float]], slots: int, names: tuple[str, str]) -> Outcome:
    """Median conv_q of the first over that of the second, with what never converged spelled out."""
    times = np.array(pairs)
    never = np.isinf(times).sum(axis=0)
    counts = ", ".join(
        f"{name}: {len(pairs) - count} of {len(pairs)} seeds settled in runs of {slots} slots"
        for name, count in zip(names, never, strict=True)
    )
    first, second = median(times.T)
    if np.isinf(second):
        if np.isinf(first):
            return Missing(f"with neither radius half of the seeds settled ({counts})")
        return Refuted(f"most seeds never settled with the larger radius ({counts})", len(pairs))
    if np.isinf(first):
        bound = (1 - HELD) * slots / second
        return Missing(
            f"half or more of the seeds never settled, so the ratio is above {bound:.3g} ({counts})"
        )
    if never.any():
        counts += "; those that never settled count as later than all others, by how much is not known"
    return replace(bootstrap([times], ratio(median)), note=counts)


def speed_up(radius: float) -> Compute:
    """How many times sooner Q settles with that radius than with radius 0 (ratio of medians over seeds)."""

    def compute(runs: Sequence[Run]) -> Outcome:
        sweep = radius_sweep(runs)
        if isinstance(sweep, Missing):
            return sweep
        slow, fast = sweep.conv_q(0.0), sweep.conv_q(radius)
        pairs = [(slow[seed], fast[seed]) for seed in sorted(slow.keys() & fast.keys())]
        if not pairs:
            return Missing(f"fig09 has no seed with both radius 0 and radius {radius:g}")
        estimate = _ratio_of_medians(pairs, sweep.slots, ("radius 0", f"radius {radius:g}"))
        return _with_left_out(estimate, sweep.left_out)

    return compute


def radius_zero_is_q_learning(runs: Sequence[Run]) -> Outcome:
    """Mean distance of Q to its end over the run: RRL with radius 0 over preset ``q_learning``, same seeds.

    The area under the curve of convergence, which is defined also where no seed settles.
    """
    sweep = radius_sweep(runs)
    if isinstance(sweep, Missing):
        return sweep
    zero = {_seed(run): _mean_q_distance(run) for run in sweep.runs if _radius(run) == 0}
    q_learning = {
        _seed(run): _mean_q_distance(run)
        for run in _of_figure(runs, "fig09", "inception_v3")
        if _agent(run).get("preset") == "q_learning" and _conditions(run) == _conditions(sweep.runs[0])
    }
    pairs = [(zero[seed], q_learning[seed]) for seed in sorted(zero.keys() & q_learning.keys())]
    if not pairs:
        return Missing("fig09 has no seed with both RRL at radius 0 and agent=q_learning")
    return replace(
        bootstrap([np.array(pairs)], ratio(mean)), note="area under the curve of Q's distance to its end"
    )


def _with_left_out(estimate: Outcome, left_out: int) -> Outcome:
    if not isinstance(estimate, Estimate) or not left_out:
        return estimate
    return replace(estimate, note=f"{estimate.note}; {left_out} fig09 runs under other settings left out")


def adam_over_ftrl(_runs: Sequence[Run], results: Path = Path("results/figures/ftrl.csv")) -> Outcome:
    """Error of Adam over that of FTRL with few samples, from the study of optimizers (which has no runs)."""
    if not results.exists():
        return Missing(f"{results}: python -m experiments.studies.ftrl")
    import pandas as pd

    from experiments.studies.ftrl_figure import FEW, adam_and_ftrl

    estimate = bootstrap([adam_and_ftrl(pd.read_csv(results))], ratio(mean))
    return replace(
        estimate,
        note=f"{FEW} samples, the authors' set-up, each optimizer at the best of five learning rates",
    )


def from_table(experiment: str, value: Callable[[], Tabulated | None]) -> Compute:
    """A value that comes from an exhaustive table, whatever the runs."""

    def compute(runs: Sequence[Run]) -> Outcome:  # noqa: ARG001 - same signature as others
        return value() or Missing(f"python -m experiments.truth experiment={experiment}")

    return compute


def gpu_variance(runs: Sequence[Run]) -> Outcome:
    """Squared coefficient of variation of the slots' mean latencies: RRL Plus of fig13 over that of fig11."""
    on: list[dict[int, float]] = []
    for experiment in ("fig13", "fig11"):
        found = [
            run
            for run in runs
            if run.folder.parent.name == experiment
            and _agent(run).get("preset") == "rrl_plus"
            and run.config["workload"]["name"] == "wiki"
            and run.config["model"]["name"] == "inception_v3"
        ]
        if not found:
            return Missing(f"no finished run of experiment={experiment} with agent=rrl_plus on workload=wiki")
        on.append({_seed(run): _squared_variation(run) for run in found})
    gpu, cpu = on
    pairs = [(gpu[seed], cpu[seed]) for seed in sorted(gpu.keys() & cpu.keys())]
    if not pairs:
        return Missing("fig11 and fig13 have no seed in common for agent=rrl_plus")
    return replace(
        bootstrap([np.array(pairs)], ratio(mean)), note="over the slots of a run, learning included"
    )


def _squared_variation(run: Run) -> float:
    latency_s = run.table("slots")["mean_latency_s"].dropna()
    return float(latency_s.var() / latency_s.mean() ** 2)


COMPUTE: dict[str, Compute] = {
    "C014": speed_up(2),
    "C015": speed_up(1),
    "C016": radius_zero_is_q_learning,
    "C066": from_table("fig02", too_much_parallelism),
    "C067": from_table("fig03", distance_and_difference),
    "C068": gpu_variance,
    "C069": adam_over_ftrl,
}
"""Later issues add their claims here."""
