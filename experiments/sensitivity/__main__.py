"""The sensitivity study from its finished runs: ``python -m experiments.sensitivity [also="slots=40"]``.

Writes ``<target>/sensitivity.csv`` (every claim under every condition), ``sensitivity.md`` (a line for each
claim) and ``figures/sensitivity.png``, ``.pdf``, ``.csv`` and ``.txt``. ``also`` are overrides that the runs
were made with. ``python -m experiments.sensitivity.sweep`` says which runs are needed.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.figures import style
from experiments.results import failed_runs, finished_runs, tell_failed
from experiments.sensitivity.figure import draw
from experiments.sensitivity.judge import NOT_COMPUTABLE, judge, summary
from serving.errors import UsageError

_DEFAULTS = {"output_dir": "results/runs", "target": Path("results"), "also": ""}


def main(arguments: Sequence[str]) -> int:
    """Judge, tabulate and draw; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    target = options["target"]
    folder = Path(options["output_dir"]) / "sensitivity"
    runs = finished_runs(folder)
    tell_failed(failed_runs(folder))
    try:
        table = judge(runs, tuple(options["also"].split()))
    except UsageError as error:
        refuse(str(error))
    if (table["verdict"] == NOT_COMPUTABLE).all():
        also = [shlex.quote(f"also={options['also']}")] if options["also"] else []
        command = " ".join(["python -m experiments.sensitivity.sweep run=1", *also])
        print(f"sensitivity: not yet computed with two seeds, run: {command}", file=sys.stderr)
        return 1
    seeds = table.loc[table["seeds"] > 0, "seeds"]
    said = (
        f"{seeds.min()} to {seeds.max()} seeds a cell, {'; '.join(options['also'].split()) or 'full length'}."
    )
    lines = summary(table)
    style.apply()
    paths = style.save(draw(table, said), target / "figures")
    table.to_csv(target / "sensitivity.csv", index=False, float_format="%.6g")
    text = ["# Which claims hold where", "", said, "", *(f"- {line}" for line in lines), ""]
    (target / "sensitivity.md").write_text("\n".join(text), encoding="utf-8")
    for path in (target / "sensitivity.csv", target / "sensitivity.md", *paths):
        print(path)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
