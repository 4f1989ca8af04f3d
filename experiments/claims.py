"""The claims table: ``python -m experiments.claims [output_dir=results/runs] [target=results/claims.csv]``.

Reads the catalogue of the paper's claims and the finished runs, computes what it can, and writes one row per
claim with our value, its 95 % interval and a verdict; beside it, as ``.md``, a table to read. Where the
target is this checkout's own results/claims.csv, the README's section of claims is written anew, too.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Compute, Measured, Missing, Refuted
from experiments.claim_values.registry import PUBLISHED, TUNED
from experiments.claims_text import BEGIN, END, NOT_YET, Row, markdown, section, summary
from experiments.pages import replace_section, write_whole
from experiments.records import ROOT
from experiments.report.claims import JUDGED, read_claims
from experiments.results import failed_runs, tell_failed
from experiments.settings import compose_settings
from experiments.statistics import Estimate
from experiments.usable import tell_unusable, usable_runs
from experiments.verdict import bound_verdict, came_out, verdict
from serving.errors import UsageError

CATALOGUE = Path(__file__).with_name("claims_catalogue.csv")
MINIMUM_SEEDS = 10
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
    """What we can say about a claim; numbers as text, empty where there are none.

    ``value``, its interval and ``verdict`` are those of the published settings (mean over seeds, of times the
    median); ``iqm_*`` is the interquartile mean instead, ``tuned_*`` the tuned settings instead.
    """

    value: str = ""
    interval_low: str = ""
    interval_high: str = ""
    seeds: str = ""
    verdict: str = ""
    iqm_value: str = ""
    iqm_low: str = ""
    iqm_high: str = ""
    tuned_value: str = ""
    tuned_low: str = ""
    tuned_high: str = ""
    tuned_verdict: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Said:
    """One outcome as text: value, low, high; and the same of the interquartile mean."""

    verdict: str
    why: str
    seeds: str = ""
    numbers: tuple[str, str, str] = ("", "", "")
    iqm: tuple[str, str, str] = ("", "", "")
    note: str = ""


def read_catalogue(path: Path = CATALOGUE) -> list[Claim]:
    """Every claim, in the catalogue's order."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Claim(**row) for row in csv.DictReader(file)]


def judge(
    claim: Claim,
    evidence: Evidence,
    published: Mapping[str, Compute] = PUBLISHED,
    tuned: Mapping[str, Compute] = TUNED,
) -> Judged:
    """Value, interval and verdict of one claim, with the reason where it is not reproduced.

    A verdict on the paper takes ``MINIMUM_SEEDS`` seeds, or an exhaustive table.
    """
    if claim.type != "computed":
        return Judged(verdict=claim.type, reason=claim.note)
    evidence.lengths.clear()
    mine = _say(claim, published[claim.id], evidence)
    other = _say(claim, tuned[claim.id], evidence) if claim.id in tuned else _Said("", "")
    reasons = [mine.why, _shorter(evidence.lengths), mine.note, claim.note]
    reasons += [f"tuned settings: {other.why}"] if other.why else []
    return Judged(
        *mine.numbers,
        mine.seeds,
        mine.verdict,
        *mine.iqm,
        *other.numbers,
        other.verdict,
        "; ".join(filter(None, reasons)),
    )


def _say(claim: Claim, compute: Compute, evidence: Evidence) -> _Said:
    outcome = compute(evidence)
    if isinstance(outcome, Missing):
        return _Said(NOT_YET, f"missing: {outcome.reason}")
    if isinstance(outcome, Measured):
        return _say_measured(claim, outcome)
    seeds, too_few = str(outcome.seeds), _too_few(outcome.seeds)
    if isinstance(outcome, Refuted):
        why = "; ".join(filter(None, [too_few, outcome.reason]))
        return _Said(NOT_YET if too_few else "not reproduced", why, seeds)
    numbers = (f">{_text(outcome.bound)}", _text(outcome.low), "inf")
    said = bound_verdict(claim.paper_value, claim.unit, outcome.bound, outcome.low)
    undecided = "" if said else f"missing: longer runs, which end at {outcome.bound:g} {claim.unit}"
    why = "; ".join(filter(None, [too_few or undecided, outcome.note]))
    return _Said(NOT_YET if too_few or said is None else said, why, seeds, numbers)


def _say_measured(claim: Claim, outcome: Measured) -> _Said:
    one = outcome.estimate
    seeds = "" if outcome.exhaustive else str(one.seeds)
    texts = _texts(one), _texts(outcome.iqm) if outcome.iqm else ("", "", "")
    too_few = "" if outcome.exhaustive else _too_few(one.seeds)
    if too_few:
        return _Said(NOT_YET, too_few, seeds, *texts, outcome.note)
    said = verdict(claim.paper_value, claim.unit, one.value, one.low, one.high)
    why = came_out(claim.paper_value, claim.unit, said, one.value, one.low, one.high)
    return _Said(said, why, seeds, *texts, outcome.note)


def _too_few(seeds: int) -> str:
    few = seeds < MINIMUM_SEEDS
    return f"missing: {MINIMUM_SEEDS} seeds for a verdict, there are {seeds}" if few else ""


def _shorter(lengths: Mapping[str, int]) -> str:
    """Which runs are shorter than their recipe has them."""
    short = [(name, slots, _recipe_slots(name)) for name, slots in sorted(lengths.items())]
    return "; ".join(
        f"runs of {slots} slots, {name} has {full}" for name, slots, full in short if slots < full
    )


@cache
def _recipe_slots(experiment: str) -> int:
    return int(compose_settings([f"experiment={experiment}"])["slots"])


def _texts(estimate: Estimate) -> tuple[str, str, str]:
    return _text(estimate.value), _text(estimate.low), _text(estimate.high)


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4g}"


def rows_of(claims: Sequence[Claim], judged: Sequence[Judged]) -> list[Row]:
    """The rows of claims.csv: what the claim is, then what we say."""
    hidden = ("type", "note")
    return [
        {key: value for key, value in asdict(claim).items() if key not in hidden} | asdict(said)
        for claim, said in zip(claims, judged, strict=True)
    ]


def write_table(rows: Sequence[Row], target: Path) -> None:
    """Write all rows, or none: the file appears whole."""
    shown = [field.name for field in fields(Claim) if field.name not in ("type", "note")]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, shown + [field.name for field in fields(Judged)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(target, text.getvalue())


def _verdicts(target: Path) -> int:
    """How many claims the table there has judged; none where it is not there or is damaged."""
    try:
        return sum(row["verdict"] in JUDGED for row in read_claims(target))
    except UsageError:
        return 0


def _tell_fewer(before: int, rows: Sequence[Row], target: Path) -> None:
    now = sum(row["verdict"] in JUDGED for row in rows)
    if now < before:
        print(
            f"{target} had verdicts on {before} claims and has {now} now: these runs say less than those "
            "before (git restores what was committed)",
            file=sys.stderr,
        )


def main(arguments: Sequence[str]) -> int:
    """Write the table; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    folder, target = Path(options["output_dir"]), Path(options["target"])
    if not folder.is_dir() and options != _DEFAULTS | {"target": options["target"]}:
        refuse(f"output_dir={folder}, expected a folder of runs")
    claims = read_catalogue()
    runs, complaints = usable_runs(folder)
    tell_unusable(complaints)
    evidence = Evidence(runs, folder.parent / "figures")
    rows = rows_of(claims, [judge(claim, evidence) for claim in claims])
    tell_failed(one for one in failed_runs(folder) if one.config.get("experiment_name") in evidence.asked)
    _tell_fewer(_verdicts(target), rows, target)
    write_table(rows, target)
    write_whole(target.with_suffix(".md"), markdown(rows))
    if target.resolve() == ROOT / _DEFAULTS["target"]:
        replace_section(ROOT / "README.md", BEGIN, END, section(rows))
    print(f"{target}: {summary(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
