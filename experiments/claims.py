"""The claims table: ``python -m experiments.claims [output_dir=results/runs] [target=results/claims.csv]``.

Reads the catalogue of the paper's claims and the finished runs, computes what it can, and writes one row per
claim with our value, its 95 % interval and a verdict.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.claim_values import COMPUTE, Compute, Missing, Refuted
from experiments.claim_values_fig10 import FIG10
from experiments.results import Run, finished_runs
from experiments.table_claims import Tabulated
from experiments.verdict import verdict

CATALOGUE = Path(__file__).with_name("claims_catalogue.csv")
MINIMUM_SEEDS = 10
NOT_YET = "not yet computed"
ALL: dict[str, Compute] = COMPUTE | FIG10
_DEFAULTS = {"output_dir": "results/runs", "target": "results/claims.csv"}


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, as the catalogue lists it.

    Attributes:
        id: C001 and up; C066 and up are claims that the text makes without a number.
        figure_or_section: where the paper makes it.
        workload: under which arrivals.
        model: of which network.
        hardware: on what.
        metric: what is measured.
        subject: whose value it is.
        baseline: against whom.
        paper_value: number (with <, > or ~ where the paper says so) or words.
        unit: ``%`` and ``points`` change against the baseline, ``x`` ratio to it, else an absolute unit.
        type: ``computed``, ``input``, ``duplicate of Cxxx``, ``theory`` or ``not testable here``.
        note: what to know about it; why it is of that type.
    """

    id: str
    figure_or_section: str
    workload: str
    model: str
    hardware: str
    metric: str
    subject: str
    baseline: str
    paper_value: str
    unit: str
    type: str
    note: str


@dataclass(frozen=True)
class Judged:
    """What we can say about a claim; numbers as text, empty where there are none."""

    value: str = ""
    interval_low: str = ""
    interval_high: str = ""
    seeds: str = ""
    verdict: str = ""
    reason: str = ""


def read_catalogue(path: Path = CATALOGUE) -> list[Claim]:
    """Every claim, in the catalogue's order."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Claim(**row) for row in csv.DictReader(file)]


def judge(claim: Claim, runs: Sequence[Run], compute: Mapping[str, Compute] = ALL) -> Judged:
    """Value, interval and verdict of one claim.

    A verdict on the paper takes ``MINIMUM_SEEDS`` seeds, or an exhaustive table.
    """
    if claim.type != "computed":
        return Judged(verdict=claim.type, reason=claim.note)
    if claim.id not in compute:
        who = " and ".join(filter(None, [claim.subject, claim.baseline]))
        return Judged(
            verdict=NOT_YET,
            reason=f"missing: the computation, and runs for {claim.figure_or_section} of {who}",
        )
    outcome = compute[claim.id](runs)
    if isinstance(outcome, Missing):
        return Judged(verdict=NOT_YET, reason=f"missing: {outcome.reason}")
    exhaustive = isinstance(outcome, Tabulated)
    enough = exhaustive or outcome.seeds >= MINIMUM_SEEDS
    if isinstance(outcome, Refuted):
        says = "not reproduced" if enough else NOT_YET
        return Judged(seeds=str(outcome.seeds), verdict=says, reason=outcome.reason)
    too_few = "" if enough else f"missing: {MINIMUM_SEEDS} seeds for a verdict, there are {outcome.seeds}"
    return Judged(
        value=f"{outcome.value:.4g}",
        interval_low=f"{outcome.low:.4g}",
        interval_high=f"{outcome.high:.4g}",
        seeds="" if exhaustive else str(outcome.seeds),
        verdict=verdict(claim.paper_value, claim.unit, outcome.value, outcome.low, outcome.high)
        if enough
        else NOT_YET,
        reason="; ".join(filter(None, [too_few, outcome.note, claim.note])),
    )


def write_table(claims: Sequence[Claim], judged: Sequence[Judged], target: Path) -> None:
    """Write all rows, or none: the file appears whole."""
    shown = [field.name for field in fields(Claim) if field.name not in ("type", "note")]
    columns = shown + [field.name for field in fields(Judged)]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for claim, said in zip(claims, judged, strict=True):
            writer.writerow(vars(claim) | vars(said))
    partial.replace(target)


def summary(judged: Sequence[Judged]) -> str:
    """Counts per verdict, all duplicates together."""
    counts = Counter("duplicate" if said.verdict.startswith("duplicate") else said.verdict for said in judged)
    return f"{len(judged)} claims: " + ", ".join(f"{count} {name}" for name, count in counts.most_common())


def main(arguments: Sequence[str]) -> int:
    """Write the table; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    folder, target = Path(options["output_dir"]), Path(options["target"])
    if not folder.is_dir() and options != _DEFAULTS | {"target": options["target"]}:
        refuse(f"output_dir={folder}, expected a folder of runs")
    claims = read_catalogue()
    runs = finished_runs(folder)
    judged = [judge(claim, runs) for claim in claims]
    write_table(claims, judged, target)
    print(f"{target}: {summary(judged)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
