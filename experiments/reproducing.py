"""The README's table for who repeats the paper: ``python -m experiments.reproducing [readme=README.md]``.

Claims, command, minutes, expected output and tolerance, figure by figure, from results/claims.csv and
results/stages.csv; written between the README's markers ``reproducing:begin`` and ``reproducing:end``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.pages import replace_section
from experiments.report.claims import JUDGED, WAITING, Row, is_of, read_claims
from experiments.report.sentences import estimate
from experiments.stages import Stage, read_stages
from serving.errors import UsageError

BEGIN, END = "<!-- reproducing:begin -->", "<!-- reproducing:end -->"
_HEAD = ("claims", "command", "minutes", "expected output", "tolerance")
_DEFAULTS = {"readme": "README.md", "results": "results", "target": "paper"}
ALL = ("paper", "studies", "agents", "beyond", "sensitivity")
"""What ``make paper-all`` makes, in the Makefile's order."""
_WITH_NETWORK = ("CAPES", "DeepRM", "network", "Adam", "FTRL")


def section(claims: Sequence[Row], stages: Sequence[Stage], figures: Sequence[str], target: str) -> str:
    """The table, and how long each target took, as Markdown.

    Args:
        claims: rows of claims.csv.
        stages: what was measured.
        figures: names such as ``fig09`` of the figures that there are or that claims name, in order.
        target: of make, whose stages' minutes stand in the table.
    """
    computed = [row for row in claims if row["verdict"] in (*JUDGED, WAITING)]
    seconds = {one.stage: one.seconds for one in stages if one.target == target}
    lines = [list(_HEAD), ["---"] * len(_HEAD)]
    for name in figures:
        rows = [row for row in computed if is_of(row, name)]
        draws = f"`make {target}`; the picture alone: `python -m experiments.figures fig={int(name[3:])}`"
        picture = f"[{name}](results/figures/{name}.png)"
        lines.append([_ids(rows), draws, _minutes(seconds, name), _expected(rows, picture), _tolerance(rows)])
    rest = [row for row in computed if not any(is_of(row, name) for name in figures)]
    table = "[claims.csv](results/claims.csv)"
    lines.append([_ids(rest), f"`make {target}`", "", _expected(rest, table), _tolerance(rest)])
    return "\n\n".join(["\n".join(f"| {' | '.join(cells)} |" for cells in lines), *_totals(stages)])


def _ids(rows: Sequence[Row]) -> str:
    return ", ".join(row["id"] for row in rows) or "none"


def _minutes(seconds: dict[str, float], name: str) -> str:
    return f"{seconds[name] / 60:.1f}" if name in seconds else ""


def _expected(rows: Sequence[Row], made: str) -> str:
    told = [f"{row['id']} {' '.join(filter(None, (estimate(row), row['verdict'])))}" for row in rows]
    return "; ".join([made, *told])


def _tolerance(rows: Sequence[Row]) -> str:
    """What a repetition may differ in: with networks, arithmetic differs from machine to machine."""
    parties = " ".join(f"{row['subject']} {row['baseline']}" for row in rows)
    if any(word in parties for word in _WITH_NETWORK):
        return "the same verdicts; on one machine the same numbers"
    return "the same numbers"


def _totals(stages: Sequence[Stage]) -> Iterator[str]:
    for target in dict.fromkeys(one.target for one in stages):
        mine = [one for one in stages if one.target == target]
        where = "; ".join(dict.fromkeys(f"{one.cores} cores, {one.cpu}" for one in mine))
        parts = ", ".join(f"{one.stage} {one.seconds / 60:.1f}" for one in mine)
        minutes = f"{sum(one.seconds for one in mine) / 60:.0f}"
        yield (
            f"`make {target}`: {minutes} minute{'' if minutes == '1' else 's'} and "
            f"{sum(one.runs for one in mine)} runs, set-up aside ({where}); by stage, in minutes: {parts}."
        )
    if set(ALL) <= {one.target for one in stages}:
        mine = [one for one in stages if one.target in ALL]
        yield (
            f"`make paper-all`: {sum(one.seconds for one in mine) / 60:.0f} minutes and "
            f"{sum(one.runs for one in mine)} runs, the sum of {', '.join(ALL)}; runs that a stage "
            "found there already are not in it."
        )


def figures_of(claims: Sequence[Row], folder: Path) -> list[str]:
    """Names of the paper's figures that are drawn, or that a claim stands with."""
    named = {
        f"fig{int(one):02d}" for row in claims for one in re.findall(r"Fig\. (\d+)", row["figure_or_section"])
    }
    drawn = {path.stem for path in folder.glob("fig??.png")}
    return sorted(named | drawn)


def main(arguments: Sequence[str]) -> int:
    """Fill in the README; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    readme, results = Path(options["readme"]), Path(options["results"])
    if not readme.is_file():
        refuse(f"readme={readme}, expected a file")
    try:
        claims, stages = read_claims(results / "claims.csv"), read_stages(results / "stages.csv")
    except UsageError as error:
        refuse(str(error))
    text = section(claims, stages, figures_of(claims, results / "figures"), options["target"])
    if not replace_section(readme, BEGIN, END, text):
        refuse(f"readme={readme}, expected the lines {BEGIN} and {END} in it")
    print(readme)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
