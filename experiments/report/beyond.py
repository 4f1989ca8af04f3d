"""The section on what goes beyond the paper: who was judged by which lines, and all agents everywhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from experiments.beyond.judge import LINES, winners
from experiments.beyond.text import LEGEND, agents, counts, lead, lines_of
from experiments.report.markup import element, listing, paragraph, text
from experiments.report.tables import frame


def beyond(folder: Path) -> str:
    """What ``experiments.beyond`` has written into a folder; empty where it has not."""
    if not (folder / "verdicts.csv").exists() or not (folder / "agents.csv").exists():
        return ""
    verdicts = pd.read_csv(folder / "verdicts.csv").fillna({"reason": ""})
    table = pd.read_csv(folder / "agents.csv")
    judged = winners(table)
    parts = [paragraph(lead(verdicts, judged))]
    parts.append(listing(f"<b>{text(line.name)}</b>: {text(line.question)}." for line in LINES))
    for one in judged:
        title = f"{one}, condition by condition"
        parts += [element("h3", text(title)), frame(lines_of(verdicts, one), title)]
    title = "In how many conditions each line holds, for every agent"
    parts += [element("h3", title), frame(counts(verdicts), title)]
    parts += [element("h3", "All agents, condition by condition"), element("p", LEGEND, class_="note")]
    for name, rows in table.groupby("condition", sort=False):
        shown = frame(agents(rows), str(name))
        parts.append(element("details", element("summary", text(name)) + shown))
    return "\n".join(parts)
