"""The evidence for readers: few columns, intervals in brackets, verdicts in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from experiments.beyond.comparison import RESAMPLES
from experiments.beyond.conditions import AGENTS, CASES, LEARNERS, ORACLE, PREPARED
from experiments.beyond.judge import FAILS, HOLDS, LINES, UNDECIDED, Failed
from experiments.compare_text import shown
from experiments.figures.style import label
from experiments.pages import counted, markdown_table
from experiments.report.claims import WAITING

BEGIN, END = "<!-- beyond:begin -->", "<!-- beyond:end -->"
LEGEND = (
    "Per run, learning included; means over seeds (of times: medians), in brackets 95 % bootstrap intervals"
    " over seeds. Cost: of the objective, over that of the oracle, or of the system default, with the same "
    "seeds. Of that the first slot: what the ratio to the oracle would lose without it; its configuration "
    "is drawn, not chosen, but for those that are prepared. Prepared: in a simulator of another machine, 500 "
    "slots under the condition's own workload with other requests, so the same daily curve and the same "
    "crowd, or handed the tables of eight. Gap: noise-free cost of what was played over the least possible "
    "one, geometric mean after minute 60; worst 25 slots: the largest such mean over 25 slots. First "
    "passage, settled: minutes until the mean over 25 slots is first at most 1.25, and stays so to the end,"
    " with how many seeds got there; never where half of the seeds or more did not. Bad slots, in per cent "
    "of those after the first ten: that cost more than 1.5 times the system default's; that missed the "
    "latency objective (more than 5 % of their requests were over it or lost); that missed it while the "
    "oracle did not. Decision: CPU time of deciding and learning, median of the last 100 slots, and "
    "wall-clock, as it was while other runs used the other cores."
)
_COLUMNS = {
    "cost_ratio": ("cost over oracle", 1),
    "first_slot": ("of that the first slot", 1),
    "default_ratio": ("over default", 1),
    "late_gap": ("gap after 60 min", 1),
    "worst_gap": ("worst 25 slots", 1),
    "first_passage_min": ("first passage (min)", 1),
    "settled_min": ("settled (min)", 1),
    "dearer": ("slots > 1.5 default (%)", 100),
    "over_slo": ("over the SLO (%)", 100),
    "missed": ("the oracle not (%)", 100),
    "decision_ms": ("decision, CPU (ms)", 1),
    "decision_wall_ms": ("decision, wall (ms)", 1),
}


def agents(rows: pd.DataFrame) -> pd.DataFrame:
    """The agents under one condition, cheapest first; columns that say nothing are left out."""
    rows = rows.sort_values("cost")
    text = pd.DataFrame({"agent": rows["preset"], "seeds": rows["seeds"].astype(str)})
    for name, (title, factor) in _COLUMNS.items():
        if rows[name].notna().any():
            text[title] = [shown(_times(row, name, factor), name) for _, row in rows.iterrows()]
    return text


def _times(row: pd.Series, name: str, factor: float) -> pd.Series:
    scaled = row.copy()
    for end in ("", "_low", "_high"):
        scaled[f"{name}{end}"] = factor * row[f"{name}{end}"]
    return scaled


def lines_of(verdicts: pd.DataFrame, preset: str) -> pd.DataFrame:
    """What became of every line for one agent: a row per condition, a column per line."""
    mine = verdicts[verdicts["preset"] == preset]
    rows = []
    for condition, found in mine.groupby("condition", sort=False):
        by_line = {row["line"]: row for _, row in found.iterrows()}
        rows.append({"condition": condition} | {line.name: _said(by_line[line.name]) for line in LINES})
    return pd.DataFrame(rows)


def _said(row: pd.Series) -> str:
    if not row["seeds"]:
        return WAITING
    known = not np.isnan(row["low"])
    number = _told(row["value"], row["low"], row["high"]) if known else ""
    return ", ".join(filter(None, [number, row["verdict"], row["reason"]]))


def _told(value: float, low: float, high: float) -> str:
    """With three digits, or as many as tell the ends of the interval apart."""
    digits = next((n for n in range(3, 6) if f"{low:.{n}g}" != f"{high:.{n}g}"), 3)
    return f"{value:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def counts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """In how many conditions each line holds, a row per agent, a column per line."""
    rows = []
    for preset in LEARNERS:
        mine = verdicts[verdicts["preset"] == preset]
        columns = {line.name: _count(mine.loc[mine["line"] == line.name, "verdict"]) for line in LINES}
        rows.append({"agent": preset} | columns)
    return pd.DataFrame(rows)


def _count(verdicts: pd.Series) -> str:
    found = verdicts.value_counts()
    decided = len(verdicts) - int(found.get(WAITING, 0))
    if not decided:
        return WAITING
    rest = [f"{found[name]} {name}" for name in (UNDECIDED, FAILS, WAITING) if name in found]
    return f"{found.get(HOLDS, 0)} of {decided}" + (f" ({', '.join(rest)})" if rest else "")


def lead(verdicts: pd.DataFrame, winners: Sequence[str]) -> str:
    """Who is judged, and how each line fared, in sentences."""
    if not winners:
        return "Not yet computed: no agent has runs beside an oracle's. Run: make beyond."
    sentences = [
        f"Judged is who has the least geometric mean of cost ratios over the {len(CASES)} conditions, or "
        "those of them that have runs; lines with the conditions in which they hold, of those with a verdict."
    ]
    for preset in winners:
        mine = counts(verdicts[verdicts["preset"] == preset]).set_index("agent").loc[preset]
        who = "Of those prepared on another machine" if preset in PREPARED else "Of those from scratch"
        fared = "; ".join(f"{name}: {count}" for name, count in mine.items())
        sentences.append(f"{who} {label(preset)} ({preset}): {fared}.")
    return " ".join(sentences)


def without_runs(table: pd.DataFrame, failed: Failed) -> Iterator[str]:
    """A line for each condition that lacks agents or seeds, and for each whose runs failed."""
    for case in CASES:
        rows = table[table["condition"] == case.title] if len(table) else table
        seeds = dict(zip(rows["preset"], rows["seeds"], strict=True)) if len(rows) else {}
        absent = [one for one in case.agents if one not in seeds]
        most = max(seeds.values(), default=0)
        fewer = [f"{preset} {count}" for preset, count in seeds.items() if count < most]
        lost = [f"{one} {failed[case.title, one]}" for one in AGENTS if failed.get((case.title, one))]
        told = {"without runs": absent, f"fewer seeds than {most}": fewer, "failed runs": lost}
        parts = [f"{name}: {', '.join(which)}" for name, which in told.items() if which]
        if parts:
            yield f"{case.title}: {'; '.join(parts)}"


def not_compared(table: pd.DataFrame, improvement: pd.DataFrame, best: str | None) -> Iterator[str]:
    """A line for the agents that have rows, but no run beside one of the best agent's."""
    compared = set(improvement["preset"]) if len(improvement) else set()
    absent = [one for one in AGENTS if one in set(table["preset"]) - compared - {best, ORACLE}]
    if best is not None and absent:
        yield f"not compared with {best}, whose runs are elsewhere: {', '.join(absent)}"


def from_elsewhere(table: pd.DataFrame, made: pd.DataFrame) -> Iterator[str]:
    """A line on the rows that were kept, if any: they do not rest on the runs that are here."""
    about = ["condition", "preset", "seeds"]
    here = set(made[about].itertuples(index=False, name=None)) if len(made) else set()
    kept = [one for one in table[about].itertuples(index=False, name=None) if one not in here]
    if kept:
        rows = f"{counted(len(kept), 'row')} of {len(table)}"
        yield f"runs here, of {rows}: kept from earlier evidence (keep=1)"


def verdicts_page(verdicts: pd.DataFrame, winners: Sequence[str], missing: list[str]) -> str:
    """The page of verdicts, as Markdown."""
    parts = ["# Judged", f"Made by `python -m experiments.beyond`. {lead(verdicts, winners)}"]
    parts.append("\n".join(f"- **{line.name}**: {line.question}." for line in LINES))
    for one in winners:
        parts += [f"## {one}, condition by condition", markdown_table(lines_of(verdicts, one))]
    parts += ["## Every agent", "In how many conditions each line holds.", markdown_table(counts(verdicts))]
    if missing:
        parts += ["## What is missing", "\n".join(f"- {line}" for line in missing)]
    return "\n\n".join(parts) + "\n"


def agents_page(table: pd.DataFrame, improvement: pd.DataFrame, best: str | None) -> str:
    """The page of agents, as Markdown."""
    parts = ["# All agents, all conditions", f"Made by `python -m experiments.beyond`. {LEGEND}"]
    for title, rows in table.groupby("condition", sort=False):
        parts += [f"## {title}", markdown_table(agents(rows))]
    if best is not None and len(improvement):
        parts += [f"## How probably {best} is better", improvement_note(), markdown_table(beats(improvement))]
    return "\n\n".join(parts) + "\n"


def improvement_note() -> str:
    """What the probability of improvement is."""
    return (
        "Probability that a run costs less, over the oracle with its seed, than one of the other agent under "
        "the same condition, mean over conditions; 95 % intervals: bootstrap over seeds, stratified by "
        f"condition, {RESAMPLES} resamples."
    )


def beats(improvement: pd.DataFrame) -> pd.DataFrame:
    """The probabilities of improvement as text."""
    return pd.DataFrame({
        "against": improvement["preset"],
        "probability": [_probability(row) for _, row in improvement.iterrows()],
        "conditions": improvement["conditions"].astype(str),
    })  # fmt: skip


def _probability(row: Mapping[str, float] | pd.Series) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
