"""The summary: how many claims reproduced, and for each verdict its claims in one sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.claims import DUPLICATE, JUDGED, WAITING, Row, badge, counted, kind, slug
from experiments.report.markup import element, listing, paragraph, text
from experiments.report.sentences import sentence

_EXPLAINED = {
    "reproduced": "The interval excludes no effect and agrees with the paper's value.",
    "partly": "The effect has the paper's sign and its interval excludes none, but its size differs.",
    "not reproduced": "No effect, the opposite one, or a value that the interval excludes.",
    WAITING: "Runs, seeds or the computation are missing.",
    "not testable here": "What the claim rests on is not at hand.",
    "theory": "Proved in the paper, not measured.",
    "input": "Set-up of the experiments, or what the hardware profiles were fitted to.",
    DUPLICATE: "Said again elsewhere in the paper.",
}


def summary(rows: Sequence[Row]) -> str:
    """Counts, then the claims verdict by verdict; the ones on which there is a verdict unfolded."""
    if not rows:
        return "<p>No claims table yet: run <code>python -m experiments.claims</code>.</p>"
    counts = counted(rows)
    verdicts = {row["id"]: row["verdict"] for row in rows}
    strip = listing(
        element("a", f"<b>{count}</b> {badge(name)}", href=f"#verdict-{slug(name)}")
        for name, count in counts.items()
    )
    blocks = []
    for name in counts:
        sentences = listing(sentence(row, verdicts) for row in rows if kind(row["verdict"]) == name)
        head = element("summary", f"{badge(name)} ({counts[name]})") + element(
            "p", text(_EXPLAINED.get(name, "")), class_="note"
        )
        fold = {"open": ""} if name in JUDGED else {}
        blocks.append(element("details", head + sentences, id=f"verdict-{slug(name)}", **fold))
    return _lead(rows, counts) + element("div", strip, class_="counts") + "\n".join(blocks)


def _lead(rows: Sequence[Row], counts: dict[str, int]) -> str:
    judged = {name: counts.get(name, 0) for name in JUDGED}
    total = sum(judged.values())
    told = (
        f"Of {len(rows)} claims listed, {total} have a verdict: "
        + ", ".join(f"{count} {name}" for name, count in judged.items())
        + "."
    )
    if counts.get(WAITING):
        told += f" {counts[WAITING]} wait for runs."
    tuned = [row for row in rows if row.get("tuned_verdict") in JUDGED]
    if tuned:
        both = counted(tuned, "tuned_verdict")
        told += (
            f" Verdicts are on the published settings; with the tuned ones, {len(tuned)} claims have one: "
            + ", ".join(f"{count} {name}" for name, count in both.items())
            + "."
        )
    return paragraph(told)
