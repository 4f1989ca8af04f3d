"""The claims table for readers: Markdown, made from the rows of claims.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Row = Mapping[str, str]
"""One line of claims.csv, by column."""

NOT_YET = "not yet computed"
VERDICTS = ("reproduced", "partly", "not reproduced", NOT_YET)
BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"

_COMPUTED = ("id", "claim", "paper", "published settings", "verdict", "tuned settings", "verdict, tuned")
_OTHERS = ("id", "claim", "paper", "what it is here", "note")


def summary(rows: Sequence[Row]) -> str:
    """Counts per verdict, all duplicates together."""
    kinds = ["duplicate" if row["verdict"].startswith("duplicate") else row["verdict"] for row in rows]
    counts = Counter(kinds)
    order = [*(name for name in VERDICTS if name in counts), *sorted(set(counts) - set(VERDICTS))]
    return f"{len(rows)} claims: " + ", ".join(f"{counts[name]} {name}" for name in order)


def section(rows: Sequence[Row]) -> str:
    """What stands between the markers in the README."""
    computed = _computed(rows)
    tuned = Counter(row["tuned_verdict"] for row in computed if row["tuned_verdict"])
    with_tuned = ", ".join(f"{tuned[name]} {name}" for name in VERDICTS if name in tuned)
    return (
        "Written by `python -m experiments.claims`, from runs of the published settings and, beside them, of "
        "the tuned ones; in brackets 95 % bootstrap intervals over seeds. All claims, interquartile means "
        "and reasons: [results/claims.csv](results/claims.csv), to read: "
        "[results/claims.md](results/claims.md).\n\n"
        f"**{summary(rows)}.** Settings tuned (only for claims that tuning can change): "
        f"{with_tuned or 'not yet computed'}.\n\n"
        + _table(_COMPUTED, [_computed_cells(row) for row in computed])
    )


def markdown(rows: Sequence[Row]) -> str:
    """The whole table: computed claims, why those not reproduced are not, and all others."""
    computed = _computed(rows)
    others = [row for row in rows if row["verdict"] not in VERDICTS]
    reasons = [f"- **{row['id']}** ({row['verdict']}): {row['reason']}" for row in computed if row["reason"]]
    return "\n\n".join(
        [
            "# The paper's claims, judged",
            f"Made by `python -m experiments.claims`; how: [README.md](README.md). {summary(rows)}.",
            "## Computed",
            _table(_COMPUTED, [_computed_cells(row) for row in computed]),
            "## Remarks and reasons",
            "\n".join(reasons),
            "## Not computed",
            _table(_OTHERS, [_other_cells(row) for row in others]) + "\n",
        ]
    )


def _computed(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["verdict"] in VERDICTS]


def _computed_cells(row: Row) -> list[str]:
    published = _ours(row, "value", "interval_low", "interval_high")
    tuned = _ours(row, "tuned_value", "tuned_low", "tuned_high")
    return [row["id"], _what(row), _paper(row), published, row["verdict"], tuned, row["tuned_verdict"]]


def _other_cells(row: Row) -> list[str]:
    return [row["id"], _what(row), _paper(row), row["verdict"], row["reason"]]


def _what(row: Row) -> str:
    """Metric, who against whom, and where."""
    agents = " against ".join(filter(None, [row["subject"], row["baseline"]]))
    where = ", ".join(filter(None, [row["model"], row["hardware"], row["workload"]]))
    place = f" ({where}; {row['figure_or_section']})" if where else f" ({row['figure_or_section']})"
    return f"{row['metric']}{': ' if agents else ''}{agents}{place}"


def _paper(row: Row) -> str:
    return f"{row['paper_value']} {row['unit']}".strip()


def _ours(row: Row, value: str, low: str, high: str) -> str:
    if not row[value]:
        return ""
    if row[value].startswith(">"):
        return f"{row[value]} {row['unit']}"
    return f"{row[value]} {row['unit']} ({row[low]} to {row[high]})"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [list(head), ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells)
