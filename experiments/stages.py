"""How long make's stages took: ``python -m experiments.stages target=paper stage=fig09 seconds=71``.

Called at the end of a stage, it notes the time in results/stages.csv with the runs and tables that were made
meanwhile and the machine. A stage that finds them already there takes seconds and says nothing: what was
noted on the same machine with more of them stays.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from experiments.arguments import parse, refuse
from experiments.pages import read_rows, write_whole
from experiments.records import git_state, machine, read_manifest

_DEFAULTS = {"target": "", "stage": "", "seconds": -1.0, "results": "results"}


@dataclass(frozen=True)
class Stage:
    """One stage as it was last measured.

    Attributes:
        target: of make, e.g. ``paper``.
        stage: name; that of the figure or experiment where it makes one.
        seconds: wall-clock.
        runs: how many runs were finished in that time.
        tables: how many exhaustive tables were.
        cores: of the machine.
        cpu: how it calls itself.
        revision: of the code.
        ended: time in UTC, ISO 8601.
    """

    target: str
    stage: str
    seconds: float
    runs: int
    tables: int
    cores: int
    cpu: str
    revision: str
    ended: str


def read_stages(path: Path) -> list[Stage]:
    """What was noted, in order; nothing where there is no file."""
    if not path.exists():
        return []
    return [_stage(row) for row in read_rows(path, [field.name for field in fields(Stage)])]


def _stage(row: dict[str, str]) -> Stage:
    numbers = {"seconds": float(row["seconds"])} | {key: int(row[key]) for key in ("runs", "tables", "cores")}
    known: dict[str, Any] = row | numbers
    return Stage(**known)


def note(stages: Sequence[Stage], new: Stage) -> list[Stage]:
    """The stages with the new one in its place; of one machine the one that made more stays."""
    found = list(stages)
    for place, old in enumerate(found):
        if (old.target, old.stage) == (new.target, new.stage):
            same_machine = (old.cpu, old.cores) == (new.cpu, new.cores)
            if not (same_machine and (old.runs, old.tables) > (new.runs, new.tables)):
                found[place] = new
            return found
    return [*found, new]


def write_stages(path: Path, stages: Sequence[Stage]) -> None:
    """Write all, or none: the file appears whole."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Stage)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(stage) for stage in stages)
    write_whole(path, text.getvalue())


def runs_since(runs: Path, start: datetime, stage: str = "") -> int:
    """How many finished runs ended after a time; for the stage of a figure, of that figure's experiment."""
    figure = re.match(r"fig\d\d", stage)
    manifests = (
        read_manifest(path.parent) or {}
        for path in runs.glob(f"{figure[0] if figure else '*'}/*/manifest.json")
    )
    return sum("end" in one and datetime.fromisoformat(one["end"]) >= start for one in manifests)


def tables_since(tables: Path, start: datetime) -> int:
    """How many exhaustive tables were finished after a time."""
    return sum(path.stat().st_mtime >= start.timestamp() for path in tables.glob("*.npz"))


def main(arguments: Sequence[str]) -> int:
    """Note one stage; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    if not options["target"] or not options["stage"] or options["seconds"] < 0:
        refuse("target, stage and seconds are needed, e.g. target=paper stage=fig09 seconds=71")
    results, now, computer = Path(options["results"]), datetime.now(UTC), machine()
    began = now - timedelta(seconds=options["seconds"] + 1)
    stage = Stage(
        target=options["target"],
        stage=options["stage"],
        seconds=options["seconds"],
        runs=runs_since(results / "runs", began, options["stage"]),
        tables=tables_since(results / "tables", began),
        cores=computer["cores"],
        cpu=computer["cpu"] or computer["processor"],
        revision=str(git_state()["revision"])[:10],
        ended=now.isoformat(timespec="seconds"),
    )
    path = results / "stages.csv"
    write_stages(path, note(read_stages(path), stage))
    print(f"{stage.target}, {stage.stage}: {stage.seconds:.0f} s, {stage.runs} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
