"""What ran: every experiment's runs, agents, seeds, revisions, machine and wall time, as recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.failures import Failure
from experiments.records import git_state, machine
from experiments.report.markup import Cell, element, paragraph, plain, table
from experiments.results import Run
from experiments.stages import read_stages


@dataclass(frozen=True)
class Ran:
    """The finished runs of one experiment, in words and numbers.

    Attributes:
        experiment: its name.
        runs: how many finished.
        agents: presets, sorted.
        seeds: distinct seeds.
        slots: distinct lengths of a run.
        revisions: of the code, ten digits each, with a ``+`` where files differed from it.
        machines: processor, cores and Python.
        wall_s: time in which at least one of the runs was under way, zero where they recorded none.
    """

    experiment: str
    runs: int
    agents: tuple[str, ...]
    seeds: tuple[int, ...]
    slots: tuple[int, ...]
    revisions: tuple[str, ...]
    machines: tuple[str, ...]
    wall_s: float


def ran(runs: Iterable[Run]) -> list[Ran]:
    """The runs by experiment, in order of name."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(str(run.config["experiment_name"]), []).append(run)
    return [_ran(name, groups[name]) for name in sorted(groups)]


def _ran(name: str, runs: Sequence[Run]) -> Ran:
    return Ran(
        experiment=name,
        runs=len(runs),
        agents=tuple(sorted({str(run.config["agent"].get("preset")) for run in runs})),
        seeds=tuple(sorted({int(run.config["seed"]) for run in runs})),
        slots=tuple(sorted({int(run.config["slots"]) for run in runs})),
        revisions=tuple(sorted({revision(run.manifest.get("git", {})) for run in runs})),
        machines=tuple(sorted({computer(run.manifest.get("machine", {})) for run in runs})),
        wall_s=covered_s([span for run in runs if (span := _span(run.manifest))]),
    )


def revision(git: dict[str, Any]) -> str:
    """A revision in ten digits, with ``+`` for uncommitted changes."""
    return f"{str(git.get('revision') or 'unknown')[:10]}{'+' if git.get('dirty') else ''}"


def computer(recorded: dict[str, Any]) -> str:
    """A machine in a line."""
    if not recorded:
        return "unknown"
    name = recorded.get("cpu") or recorded.get("processor")
    return (
        f"{name}, {recorded.get('cores')} cores, Python {recorded.get('python')}, {recorded.get('platform')}"
    )


def _span(manifest: dict[str, Any]) -> tuple[datetime, datetime] | None:
    if "start" not in manifest or "end" not in manifest:
        return None
    return datetime.fromisoformat(manifest["start"]), datetime.fromisoformat(manifest["end"])


def covered_s(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Seconds that the spans cover together, each second once."""
    total, until = 0.0, None
    for start, end in sorted(spans):
        first = start if until is None else max(start, until)
        total += max(0.0, (end - first).total_seconds())
        until = end if until is None else max(end, until)
    return total


def manifest(runs: Sequence[Run], failures: Sequence[Failure] = ()) -> str:
    """A row per experiment, the failed runs, and who made this page; a machine shared by all stands once."""
    rows = ran(runs)
    machines = sorted({name for row in rows for name in row.machines})
    heads = ["experiment", "runs", "agents", "seeds", "slots", "revision", "wall time (min)"]
    heads += ["machine"] * (len(machines) > 1)
    body = [_cells(row)[: len(heads)] for row in rows]
    parts = [table(heads, body, "What ran")] if rows else [paragraph("No finished runs here.")]
    if len(machines) == 1:
        parts.append(paragraph(f"All of them on {machines[0]}."))
    if rows:
        remark = (
            f"{len(runs)} finished runs. Wall time: while at least one run of the experiment was under way; "
            "+ marks code with uncommitted changes."
        )
        parts.append(element("p", remark, class_="note"))
    if failures:
        heads = ["experiment", "failed run", "reason"]
        body = [[plain(words) for words in _failed(one)] for one in failures]
        parts += [element("h3", f"Failed runs: {len(failures)}"), table(heads, body, "Failed runs")]
    elif rows:
        parts.append(paragraph("No run is noted as failed."))
    made = f"Page made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by revision {revision(git_state())}"
    return "\n".join([*parts, paragraph(f"{made} on {computer(machine())}.")])


def _failed(one: Failure) -> tuple[str, str, str]:
    return str(one.config.get("experiment_name", "unknown")), " ".join(one.overrides), one.reason


def timetable(path: Path) -> str:
    """What ``experiments.stages`` has noted of make's targets; empty where nothing is."""
    rows = []
    for one in read_stages(path):
        minutes, where = f"{one.seconds / 60:.1f}", f"{one.cores} cores, {one.cpu}"
        words = (one.target, one.stage, minutes, one.runs, one.revision, where, one.ended)
        rows.append([plain(word) for word in words])
    if not rows:
        return ""
    heads = ["make", "stage", "minutes", "runs made", "revision", "machine", "ended"]
    return element("h3", "How long the stages took") + table(heads, rows, "Stages")


def _cells(row: Ran) -> list[Cell]:
    return [
        plain(row.experiment),
        plain(row.runs),
        plain(f"{len(row.agents)}: {', '.join(row.agents)}"),
        Cell(_numbers(row.seeds), sort=str(len(row.seeds))),
        Cell(_numbers(row.slots), sort=str(row.slots[0])),
        plain(", ".join(row.revisions)),
        plain(f"{row.wall_s / 60:.1f}" if row.wall_s else ""),
        plain(", ".join(row.machines)),
    ]


def _numbers(values: Sequence[int]) -> str:
    """Numbers in a few words: ``0 to 9`` for consecutive ones."""
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(str(value) for value in values)
