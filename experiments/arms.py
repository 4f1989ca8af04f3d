"""Arms of a comparison: finished runs that differ in the seed alone, and what each run came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.convergence import first_passage, settles, time_until
from experiments.identity import NOT_ROWS
from experiments.results import Run
from serving.errors import UsageError
from serving.histogram import BIN_COUNT, quantiles_s

CHANGE_NO_ROW = ("seed", *NOT_ROWS)


@dataclass(frozen=True)
class RunSummary:
    """One run in numbers; learning is included everywhere.

    Attributes:
        cost_s: mean over slots of the objective, in its unit.
        late_cost_s: the same over the last quarter of the slots.
        mean_latency_s: mean over slots of the mean latency of completed requests.
        median_latency_s: of all requests completed in the run, within 1 %.
        first_passage: slots until the windowed noise-free gap is first at most 1.25; infinite for never, NaN
            where the run has no table of the truth.
        settled: slots until it stays so.
        drained_slots: slots that were not learned from (``experiments.drain``).
    """

    cost_s: float
    late_cost_s: float
    mean_latency_s: float
    median_latency_s: float
    first_passage: float
    settled: float
    drained_slots: float

    @staticmethod
    def of(run: Run) -> RunSummary:
        """Read a finished run."""
        slots = run.table("slots")
        cost = slots["cost"]
        gap = slots["gap"].to_numpy(dtype=np.float64)
        counts = run.table("histogram").groupby("bin")["count"].sum()
        latencies = np.zeros(BIN_COUNT, dtype=np.int64)
        latencies[counts.index.to_numpy()] = counts
        median_s = quantiles_s(latencies, [0.5])[0]
        return RunSummary(
            cost_s=float(cost.mean()),
            late_cost_s=float(cost.iloc[len(cost) * 3 // 4 :].mean()),
            mean_latency_s=float(slots["mean_latency_s"].mean()),
            median_latency_s=np.nan if median_s is None else median_s,
            first_passage=time_until(first_passage, gap),
            settled=time_until(settles, gap),
            drained_slots=float(slots["flags"].str.contains("drained").sum()),
        )


@dataclass(frozen=True)
class Arm:
    """Runs that differ in the seed alone.

    Attributes:
        settings: what they share, without settings that change no row.
        runs: by seed, ascending.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, Run]

    @property
    def agent(self) -> Mapping[str, Any]:
        """Settings of the agent."""
        agent: Mapping[str, Any] = self.settings["agent"]
        return agent

    @property
    def text(self) -> str:
        """The settings as text to compare, as ``settings_text`` makes it."""
        return _text(self.settings)

    @property
    def conditions(self) -> str:
        """Everything but the agent, as text to compare."""
        return _text({key: value for key, value in self.settings.items() if key != "agent"})

    @property
    def world(self) -> str:
        """Everything but the agent and where it has learned before, as text to compare."""
        return _text({key: value for key, value in self.settings.items() if key not in ("agent", "pretrain")})

    def summaries(self) -> dict[int, RunSummary]:
        """What each run came to, by seed."""
        return {seed: RunSummary.of(run) for seed, run in self.runs.items()}


def settings_text(config: Mapping[str, Any]) -> str:
    """A run's settings, seed and those that change no row aside, as text to compare."""
    return _text(_kept(config))


def arms(runs: Iterable[Run]) -> list[Arm]:
    """Sort runs into arms.

    Raises:
        UsageError: if two runs have the same settings and seed, made by different code or of another trace.
    """
    found: dict[str, dict[int, Run]] = {}
    shared: dict[str, dict[str, Any]] = {}
    for run in runs:
        settings = _kept(run.config)
        text = _text(settings)
        shared[text] = settings
        seeds = found.setdefault(text, {})
        seed = int(run.config["seed"])
        if seed in seeds:
            raise UsageError(
                f"{run.folder} and {seeds[seed].folder} have the same settings and seed, expected one run: "
                "remove the older"
            )
        seeds[seed] = run
    return [Arm(shared[text], dict(sorted(seeds.items()))) for text, seeds in found.items()]


def differing(one: Arm, other: Arm) -> list[str]:
    """Dotted names of the settings in which two arms differ."""
    mine, theirs = _flat(one.settings), _flat(other.settings)
    return sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))


def paired(one: Mapping[int, RunSummary], other: Mapping[int, RunSummary], name: str) -> NDArray[np.float64]:
    """One number of the runs of two arms with the seeds that both have, shape (seeds, 2)."""
    seeds = sorted(one.keys() & other.keys())
    return np.array([(getattr(one[seed], name), getattr(other[seed], name)) for seed in seeds]).reshape(-1, 2)


def _kept(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in CHANGE_NO_ROW}
    if "table" in kept:
        kept["table"] = {key: kept["table"][key] for key in ("load_rps", "relative_error", "most_batches")}
    return kept


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
