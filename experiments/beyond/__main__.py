"""The evidence from its finished runs: ``python -m experiments.beyond [output_dir=results/runs]``.

Writes ``<target>/beyond/agents.csv`` and ``.md`` (a row per condition and agent), ``verdicts.csv`` and
``.md`` (the lines by which it is judged), ``improvement.csv``, and ``<target>/figures/beyond.png``, ``.pdf``,
``.csv`` and ``.txt``. Where the target is this checkout's own results, the README's sentences on it are
written anew, too. ``python -m experiments.beyond.sweep`` says which runs are needed. With ``keep=1`` agents
without runs here keep the rows that the target has of them: one can be added without running all the others
again, but for those that it is compared with (oracle, tf_default, and the best agent from scratch).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.arguments import parse, refuse
from experiments.beyond import text
from experiments.beyond.comparison import improvements
from experiments.beyond.conditions import AGENTS, CASES
from experiments.beyond.figure import draw, numbers
from experiments.beyond.judge import judge, winners
from experiments.beyond.kept import with_kept
from experiments.beyond.table import failed, read, tabulate
from experiments.figures import style
from experiments.pages import replace_section, write_whole
from experiments.records import ROOT
from experiments.results import failed_runs, finished_runs
from serving.errors import UsageError

_DEFAULTS = {"output_dir": "results/runs", "target": Path("results"), "keep": False}


def main(arguments: Sequence[str]) -> int:
    """Tabulate, judge and draw; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    folders = [Path(options["output_dir"]) / name for name in _experiments()]
    target = options["target"] / "beyond"
    drawn, order = options["target"] / "figures" / "beyond.csv", style.in_order(AGENTS)
    try:
        found = read([run for folder in folders for run in finished_runs(folder)])
        table = made = tabulate(found)
        if options["keep"]:
            table = with_kept(made, target / "agents.csv", ("condition", "preset"), "seeds", order)
        judged = winners(table) if len(table) else []
        winner = judged[0] if judged else None
        beaten = improvements(found, winner, AGENTS) if winner else pd.DataFrame()
        data = numbers(found, winner) if winner else pd.DataFrame()
        if options["keep"]:
            beaten = with_kept(beaten, target / "improvement.csv", ("preset",), "conditions", AGENTS, winner)
            data = with_kept(data, drawn, ("panel", "preset"), "conditions", order, winner)
    except UsageError as error:
        refuse(str(error))
    if table.empty:
        print("beyond: not yet computed, run: python -m experiments.beyond.sweep run=1", file=sys.stderr)
        return 1
    lost = failed(one for folder in folders for one in failed_runs(folder))
    verdicts = judge(table, lost)
    missing = [
        *text.without_runs(table, lost),
        *text.not_compared(table, beaten, winner),
        *text.from_elsewhere(table, made),
    ]
    pages = {
        "agents.csv": _csv(table),
        "agents.md": text.agents_page(table, beaten, winner),
        "verdicts.csv": _csv(verdicts),
        "verdicts.md": text.verdicts_page(verdicts, judged, missing),
        "improvement.csv": _csv(beaten),
    }
    for name, content in pages.items():
        write_whole(target / name, content)
        print(target / name)
    if winner:
        style.apply()
        for path in style.save(draw(data, winner), drawn.parent):
            print(path)
    said = text.lead(verdicts, judged)
    if target.resolve() == ROOT / "results" / "beyond":
        replace_section(ROOT / "README.md", text.BEGIN, text.END, said)
    print(said)
    for line in missing:
        print(f"missing: {line}", file=sys.stderr)
    return 0


def _experiments() -> list[str]:
    return list(dict.fromkeys(case.condition.experiment for case in CASES))


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format="%.6g")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
