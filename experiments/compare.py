"""The table of agents: ``python -m experiments.compare [experiment=fig11] [by=SETTING] [reference=oracle]``.

Reads the finished runs of an experiment and writes ``<target>/<experiment>.csv`` (numbers) and ``.md`` (to
read), for Fig. 11, whose runs are the table of agents, ``agents.csv`` and ``.md``: one row per condition and
preset, with 95 % bootstrap intervals over seeds. Whatever presets have runs are in it.
``by=drain_rule reference=false`` makes a row per value of a setting, and compares with that value
instead of with the preset ``oracle``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.arguments import parse, refuse
from experiments.arms import Arm, RunSummary, arms, differing, paired
from experiments.compare_text import markdown
from experiments.pages import write_whole
from experiments.results import failed_runs, finished_runs, tell_failed
from experiments.statistics import Centre, alone, interval_columns, mean, median, ratio
from serving.errors import UsageError

LABELS = ("workload", "system", "hardware", "boundary", "model", "objective")
_NAMES = {"fig11": "agents"}  # of the files
_CENTRES: dict[str, Centre] = {"first_passage": median, "settled": median}  # mean for all else
_DEFAULTS = {
    "experiment": "fig11",
    "by": "",
    "reference": "oracle",
    "output_dir": "results/runs",
    "target": Path("results"),
}


@dataclass(frozen=True)
class _Entry:
    """An arm with what stands in its row."""

    arm: Arm
    labels: dict[str, Any]
    value: str  # of the setting that the table goes by; empty without one
    summaries: dict[int, RunSummary]


def compare(found: Sequence[Arm], by: str = "", reference: str = "oracle") -> pd.DataFrame:
    """One row per arm, cheapest first within its condition (with ``by``: a preset's rows together).

    Args:
        found: the arms; each condition may hold one per preset and value of ``by``.
        by: dotted name of a setting that makes rows of their own, or empty.
        reference: what ``cost_ratio`` compares with: a preset, or with ``by`` a value of that setting.

    Returns:
        Columns: the condition, preset, settings, the value of ``by``, seeds, slots, then every number of
        ``RunSummary`` with ``_low`` and ``_high`` (a mean over seeds, a median of times; infinite for never,
        empty where not known), ``<time>_seeds``: how many seeds got there, and ``cost_ratio``: mean cost
        over that of the reference with the same seeds, empty without one.

    Raises:
        UsageError: if two arms would share a row.
    """
    entries = [_entry(arm, by) for arm in found]
    taken: dict[tuple[Any, ...], _Entry] = {}
    for entry in entries:
        key = (*entry.labels.values(), entry.value)
        if key in taken:
            raise UsageError(
                f"{entry.labels['preset']} on {entry.labels['workload']} has runs that differ in "
                f"{differing(taken[key].arm, entry.arm)}, expected one setting: remove the older, or compare "
                "with by="
            )
        taken[key] = entry
    rows = [
        entry.labels
        | ({by: entry.value} if by else {})
        | {"seeds": len(entry.summaries), "slots": entry.arm.settings["slots"]}
        | _numbers(entry.summaries)
        | _ratio(entry, _find_reference(entry, entries, by, reference))
        for entry in entries
    ]
    table = pd.DataFrame(rows)
    order = [*LABELS, "preset", by] if by else [*LABELS, "cost_s"]
    return table if table.empty else table.sort_values(order, ignore_index=True)


def _entry(arm: Arm, by: str) -> _Entry:
    first = next(iter(arm.runs.values())).table("slots").iloc[0]
    labels = {name: first[name] for name in (*LABELS, "preset", "settings")}
    value: Any = arm.settings if by else ""
    for key in by.split(".") if by else []:
        value = value.get(key) if isinstance(value, Mapping) else None
    return _Entry(arm, labels, str(value).lower(), arm.summaries())


def _numbers(summaries: Mapping[int, RunSummary]) -> dict[str, float]:
    columns: dict[str, float] = {}
    for name in (field.name for field in fields(RunSummary)):
        values = np.array([getattr(one, name) for one in summaries.values()])
        columns |= interval_columns(name, values[:, None], alone(_CENTRES.get(name, mean)))
        if name in _CENTRES:
            columns[f"{name}_seeds"] = np.nan if np.isnan(values).any() else int(np.isfinite(values).sum())
    return columns


def _find_reference(entry: _Entry, entries: Sequence[_Entry], by: str, reference: str) -> _Entry | None:
    """The row to compare with: of the same condition, and with ``by`` of the same preset."""
    for other in entries:
        if by and other.value == reference.lower() and other.labels == entry.labels:
            return other
        same = other.arm.world == entry.arm.world
        if not by and other.labels["preset"] == reference and same:
            return other
    return None


def _ratio(entry: _Entry, reference: _Entry | None) -> dict[str, float]:
    pairs = paired(entry.summaries, reference.summaries, "cost_s") if reference else np.empty((0, 2))
    return interval_columns("cost_ratio", pairs, ratio(mean))


def main(arguments: Sequence[str]) -> int:
    """Compare and write both files; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    experiment, by, reference = options["experiment"], options["by"], options["reference"]
    folder = Path(options["output_dir"]) / experiment
    found = finished_runs(folder)
    tell_failed(failed_runs(folder))
    if not found:
        print(
            f"{experiment}: not yet computed, run: python -m experiments.run --multirun "
            f"experiment={experiment} (see the Makefile)",
            file=sys.stderr,
        )
        return 1
    try:
        table = compare(arms(found), by, reference)
    except UsageError as error:
        refuse(str(error))
    said = [
        f"{key}={options[key]}" for key in ("experiment", "by", "reference") if options[key] != _DEFAULTS[key]
    ]
    command = " ".join(["python -m experiments.compare", *said])
    target, name = options["target"], _NAMES.get(experiment, experiment)
    _write(target / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    _write(target / f"{name}.md", markdown(table, command, by, reference))
    return 0


def _write(path: Path, text: str) -> None:
    write_whole(path, text)
    print(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
