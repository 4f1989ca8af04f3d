"""The table of all claims, to be sorted by any column and filtered by verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.report.claims import Row, anchor, badge, counted, kind, place
from experiments.report.markup import Cell, element, plain, table, text
from experiments.report.sentences import clauses, conditions, estimate, parties, with_unit

_OPTIONAL = {"here, tuned": "tuned_", "here, IQM": "iqm_"}  # columns that a table may lack
_SHORT = 120  # characters of a reason that are not worth folding


def claims_table(rows: Sequence[Row]) -> str:
    """The filter and the table; without claims a word."""
    if not rows:
        return "<p>Not yet computed.</p>"
    values = {"here": ""} | {
        head: prefix for head, prefix in _OPTIONAL.items() if any(row.get(f"{prefix}value") for row in rows)
    }
    tuned = any(row.get("tuned_verdict") for row in rows)
    heads = ["id", "verdict", *["tuned verdict"] * tuned, "claim", "of whom", "paper", *values]
    heads += ["seeds", "conditions", "where", "reason, remarks"]
    body = [list(_cells(row, list(values.values()), tuned)) for row in rows]
    attributes = [{"id": row["id"], "data_verdict": kind(row["verdict"])} for row in rows]
    return _filter(rows) + table(heads, body, "All claims", attributes, id="claims-table")


def _cells(row: Row, prefixes: Sequence[str], tuned: bool) -> Iterator[Cell]:
    yield Cell(anchor(row["id"]))
    yield _verdict(row["verdict"])
    if tuned:
        yield _verdict(row.get("tuned_verdict") or "")
    yield plain(row["metric"])
    yield plain(parties(row))
    yield Cell(text(with_unit(row["paper_value"], row["unit"])), sort=_number(row["paper_value"]))
    for prefix in prefixes:
        order = _number(row.get(f"{prefix}value") or "")
        shown = text(estimate(row, prefix)).replace(" [", "<br>[")
        yield Cell(shown, sort=order, attributes={"class": "estimate"})
    yield plain(row["seeds"])
    yield plain(conditions(row))
    yield plain(row["figure_or_section"])
    yield _reason(row["reason"])


def _number(value: str) -> str:
    """A value without what says that it is more, less or about."""
    return value.lstrip("<>~ ")


def _verdict(verdict: str) -> Cell:
    return Cell(badge(verdict), sort=str(place(verdict))) if verdict else Cell("")


def _reason(reason: str) -> Cell:
    first, rest = clauses(reason)
    if len(rest) <= _SHORT:
        return Cell(text(reason), attributes={"class": "reason"})
    unfold = element("details", element("summary", "more") + text(rest))
    return Cell(text(first) + unfold, attributes={"class": "reason"})


def _filter(rows: Sequence[Row]) -> str:
    """A choice of verdict; hidden where no script runs."""
    buttons = []
    for name, count in ({"all": len(rows)} | counted(rows)).items():
        checked = {"checked": ""} if name == "all" else {}
        button = element("input", type="radio", name="verdict", value=name, **checked)
        buttons.append(element("label", f"{button} {text(name)} ({count})"))
    legend = element("legend", "Claims with the verdict")
    counter = element("output", f"{len(rows)} of {len(rows)} claims shown", id="shown")
    return element("fieldset", legend + "\n".join([*buttons, counter]), class_="filter", hidden="")
