"""The page as a whole: summary, figures, tables, claims, what ran; style and script stand in it."""

from __future__ import annotations

from pathlib import Path

from experiments.report.beyond import beyond
from experiments.report.claims import read_claims
from experiments.report.claims_table import claims_table
from experiments.report.figures import contents, figures
from experiments.report.manifest import manifest, timetable
from experiments.report.markup import element, text
from experiments.report.summary import summary
from experiments.report.tables import comparisons, legend, means
from experiments.report.testbed import testbed
from experiments.results import failed_runs, finished_runs

_TITLE = "Region-based reinforcement learning for model serving: what reproduces"
_REMARK = (
    "Simulated results rest on hardware profiles that were fitted to the paper's few published facts, not to "
    "its measurements, which are not public. Every number on this page is read from the results folder."
)


def build(results: Path) -> str:
    """The page as text, from what stands in the results folder; an empty one gives a page that says so.

    Raises:
        UsageError: if a picture or a table is damaged.
    """
    claims = read_claims(results / "claims.csv")
    runs = finished_runs(results / "runs")
    compared = comparisons(results)
    sections = {
        "Summary": summary(claims) + element("p", text(_REMARK), class_="note"),
        "Figures": figures(results / "figures", claims),
        "Claims": claims_table(claims),
        "Agents compared": "\n".join([legend(), *compared.values()]) if compared else "",
        "Real servers": testbed(results / "testbed"),
        "Beyond the paper": beyond(results / "beyond"),
        "Mean costs": means(runs, without=list(compared)),
        "What ran": manifest(runs, failed_runs(results / "runs")) + timetable(results / "stages.csv"),
    }
    shown = {title: content for title, content in sections.items() if content}
    body = "\n".join(
        element("section", f"{element('h2', title)}\n{content}", id=_place(title))
        for title, content in shown.items()
    )
    return _PAGE.format(
        title=_TITLE,
        style=_beside("page.css"),
        links=" ".join(element("a", title, href=f"#{_place(title)}") for title in shown),
        figures=contents(results / "figures"),
        body=body,
        script=_beside("page.js"),
    )


def _place(title: str) -> str:
    return title.lower().replace(" ", "-")


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<nav aria-label="Sections">{links}<br>{figures}</nav>
</header>
<main>
{body}
</main>
<script>
{script}</script>
</body>
</html>
"""
