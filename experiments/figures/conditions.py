"""What the figures of the evaluation (Fig. 11 to 15) compare: which agents, under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.arms import Arm, arms
from experiments.figures.style import NotYetComputedError, in_order, label
from experiments.one_condition import SHARED, by_preset, refuse_differences
from experiments.pages import counted
from experiments.results import Run, finished_runs

PUBLISHED = ("rrl_plus_paper", "deeprm", "capes_published")
TUNED = ("rrl_plus_tuned", "deeprm_tuned", "capes_tuned")
REFERENCES = ("tf_default", "oracle")


@dataclass(frozen=True)
class Condition:
    """One column or panel of a figure.

    Attributes:
        title: as it stands above the panel.
        workload: name of the workload; likewise ``model`` and ``system``.
        model: see there.
        system: see there.
    """

    title: str
    workload: str
    model: str
    system: str

    def holds(self, run: Run) -> bool:
        """Whether the run was made under it."""
        return all(
            run.config[name]["name"] == getattr(self, name) for name in ("workload", "model", "system")
        )

    @property
    def command(self) -> str:
        """The overrides that choose it."""
        return f"workload={self.workload} model={self.model} system={self.system}"


@dataclass(frozen=True)
class Compared:
    """The arms of one condition, by preset, in the order of legends."""

    condition: Condition
    by_preset: dict[str, Arm]

    @property
    def seeds(self) -> tuple[int, int]:
        """Fewest and most seeds of an arm."""
        counts = [len(arm.runs) for arm in self.by_preset.values()]
        return min(counts), max(counts)

    @property
    def settings(self) -> dict[str, Any]:
        """What all arms share: see ``experiments.one_condition.SHARED``."""
        first = next(iter(self.by_preset.values())).settings
        return {name: first[name] for name in SHARED}

    def of(self, presets: Iterable[str]) -> dict[str, Arm]:
        """The arms of these presets alone, as far as there are runs."""
        chosen = set(presets)
        return {preset: arm for preset, arm in self.by_preset.items() if preset in chosen}


def compared(
    runs: Path,
    experiment: str,
    conditions: Sequence[Condition],
    presets: Sequence[str] = (*PUBLISHED, *TUNED, *REFERENCES),
) -> list[Compared]:
    """The finished runs below a folder, sorted into conditions and presets.

    Raises:
        NotYetComputedError: if a condition has no run of the paper's agents; names the command.
        UsageError: if a preset has runs of several settings, or the agents of a panel met different ones.
    """
    found = [run for run in finished_runs(runs) if run.config["agent"].get("preset") in presets]
    return [_one(experiment, condition, found) for condition in conditions]


def _one(experiment: str, condition: Condition, runs: Sequence[Run]) -> Compared:
    found = by_preset(arms(run for run in runs if condition.holds(run)), condition.title)
    if not found.keys() & {*PUBLISHED, *TUNED}:
        raise NotYetComputedError(
            f"python -m experiments.run --multirun experiment={experiment} {condition.command} "
            f"agent={','.join(PUBLISHED)} 'seed=range(0,10)' (see make paper)"
        )
    ordered = Compared(condition, {preset: found[preset] for preset in in_order(found)})
    refuse_differences(ordered.by_preset, condition.title)
    return ordered


def seeds_said(panels: Sequence[Compared]) -> str:
    """How many seeds the panels rest on, for captions, and which agents of the paper have none."""
    fewest = min(one.seeds[0] for one in panels)
    most = max(one.seeds[1] for one in panels)
    missing = [
        f"{label(preset)} ({one.condition.title})"
        for one in panels
        for preset in (*PUBLISHED, *TUNED, *REFERENCES)
        if preset not in one.by_preset
    ]
    said = counted(fewest, "seed") if fewest == most else f"{fewest} to {most} seeds"
    return said + (f"; without runs: {', '.join(missing)}" if missing else "")
