"""The section on real servers: what was served there, in pictures and tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from experiments.report.figures import figure
from experiments.report.markup import element, text
from experiments.report.tables import frame
from experiments.studies.testbed_tables import grid, spread

_EXCERPT = "excerpt"  # of who looks at this page, not of the experiment


def testbed(folder: Path) -> str:
    """What ``experiments.studies.testbed`` has written into folders of this one; empty where it has not."""
    found = [one.parent for one in sorted(folder.glob("*/agents.csv")) if one.parent.name != _EXCERPT]
    return "\n".join(part for place in found for part in _of(place))


def _of(place: Path) -> Iterator[str]:
    title = place.name.replace("_", " ")
    yield figure(place / "testbed.png", [], f"testbed-{place.name}")
    agents = pd.read_csv(place / "agents.csv")
    for workload, rows in agents.groupby("workload"):
        label = f"Agents on real servers, {title}, {workload}"
        yield element("h4", text(label)) + frame(rows.drop(columns="workload"), label)
    if (place / "table.csv").exists():
        configurations = grid(pd.read_csv(place / "table.csv"))
        label = f"What the knobs do, {title}"
        shown = element("p", text(spread(configurations))) + frame(configurations, label)
        yield element("details", element("summary", text(label)) + shown)
