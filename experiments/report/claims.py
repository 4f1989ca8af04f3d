"""The claims of claims.csv: how they are read, and their verdicts in order, with marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.pages import read_rows
from experiments.report.markup import element, text

Row = Mapping[str, str]
"""A row of claims.csv."""

JUDGED = {"reproduced": "●", "partly": "◐", "not reproduced": "○"}
"""Verdicts on the paper, with a mark that needs no colour."""

WAITING = "not yet computed"
DUPLICATE = "duplicate"
VERDICTS = (*JUDGED, WAITING, "not testable here", "theory", "input", DUPLICATE)


_READ = ("id", "verdict", "figure_or_section", "subject", "baseline", "value", "unit", "reason")


def read_claims(path: Path) -> list[Row]:
    """Rows of the claims table; none where there is no table.

    Raises:
        UsageError: if it is damaged.
    """
    if not path.exists():
        return []
    return list(read_rows(path, _READ))


def kind(verdict: str) -> str:
    """The verdict, all duplicates being one."""
    return DUPLICATE if verdict.startswith(DUPLICATE) else verdict


def place(verdict: str) -> int:
    """Where a verdict stands in the order of ``VERDICTS``; unknown ones come last."""
    return VERDICTS.index(kind(verdict)) if kind(verdict) in VERDICTS else len(VERDICTS)


def counted(rows: Sequence[Row], column: str = "verdict") -> dict[str, int]:
    """How many claims have each verdict, in order; verdicts that no claim has are left out."""
    found = Counter(kind(row[column]) for row in rows)
    return dict(sorted(found.items(), key=lambda one: place(one[0])))


def slug(verdict: str) -> str:
    """A verdict as part of an address or class."""
    return re.sub(r"\W+", "-", verdict)


def badge(verdict: str) -> str:
    """A verdict with its mark."""
    return element(
        "span", text(f"{JUDGED.get(verdict, '')} {verdict}".strip()), class_=f"verdict {slug(verdict)}"
    )


def anchor(identifier: str) -> str:
    """A link to the row of a claim."""
    return element("a", text(identifier), href=f"#{identifier}")


def is_of(row: Row, figure: str) -> bool:
    """Whether the paper makes the claim with a figure, named like ``fig09``."""
    numbers = re.findall(r"Fig\. (\d+)", row["figure_or_section"])
    return figure in {f"fig{int(number):02d}" for number in numbers}
