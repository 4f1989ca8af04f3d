"""A claim in words: what it says, what the paper has and what came out here."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.report.claims import DUPLICATE, Row, anchor, kind
from experiments.report.markup import text


def sentence(row: Row, verdicts: Mapping[str, str]) -> str:
    """What became of a claim, as markup.

    Args:
        row: of the claims table.
        verdicts: of every claim by its id, for duplicates.
    """
    if kind(row["verdict"]) == DUPLICATE:
        original = row["verdict"].removeprefix(f"{DUPLICATE} of ")
        return (
            f"{anchor(row['id'])} repeats {anchor(original)}: {text(verdicts.get(original, 'not listed'))}."
        )
    about = "; ".join(filter(None, (parties(row), conditions(row))))
    told = f"{row['metric']} ({about})" if about else row["metric"]
    parts = [f"the paper has {with_unit(row['paper_value'], row['unit'])}"]
    if row["value"]:
        seeds = f" over {row['seeds']} seeds" if row["seeds"] else ""
        parts.append(f"here {estimate(row)}{seeds}")
    if row.get("tuned_value") or row.get("tuned_verdict"):
        tuned = ", ".join(filter(None, (estimate(row, "tuned_"), row.get("tuned_verdict"))))
        parts.append(f"with tuned settings {tuned}")
    if not row["value"] or row["verdict"] == "not reproduced":
        parts.append(clauses(row["reason"])[0].rstrip("."))
    return f"{anchor(row['id'])} {text(told)}: {text('; '.join(filter(None, parts)))}."


def parties(row: Row) -> str:
    """Whose value it is, and against whom."""
    return " against ".join(filter(None, (row["subject"], row["baseline"])))


def conditions(row: Row) -> str:
    """Under which conditions, as far as the claim says."""
    return ", ".join(filter(None, (row["model"], row["hardware"], row["workload"])))


def clauses(reason: str) -> tuple[str, str]:
    """The first clause of a reason, and the rest, which is detail."""
    first, _, rest = reason.partition("; ")
    return first, rest


def with_unit(number: str, unit: str) -> str:
    """A value as one says it."""
    return f"{number} {unit}".strip()


def estimate(row: Row, prefix: str = "") -> str:
    """A value with its 95 % interval and unit; ``prefix`` picks the columns (``tuned_``, ``iqm_``)."""
    bounds = (f"{prefix}low", f"{prefix}high") if prefix else ("interval_low", "interval_high")
    low, high = (row.get(name) or "" for name in bounds)
    value = row.get(f"{prefix}value") or ""
    interval = f" [{low}, {high}]" if low and high else ""
    return f"{with_unit(value, row['unit'])}{interval}" if value else ""
