"""Verdicts: does our interval agree with what the paper says?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["reproduced", "partly", "not reproduced"]

_NO_EFFECT = {"%": 0.0, "points": 0.0, "x": 1.0}  # units that compare with a baseline
_IN_POINTS = ("%", "points", "% of slots", "% of agents")
_NUMBER = re.compile(r"([<>~]?)\s*(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class PaperValue:
    """A number of the paper: ``10``, ``>8`` (more than), ``<5`` or ``~0`` (about)."""

    relation: str
    number: float

    @staticmethod
    def parse(text: str) -> PaperValue:
        """Read it.

        Raises:
            ValueError: if it is not a number.
        """
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"paper_value={text!r}, expected a number, with <, > or ~ before it or not")
        return PaperValue(match[1], float(match[2]))

    def band(self, unit: str) -> tuple[float, float]:
        """What counts as the paper's value: +- 10 points for percentages, +- 25 % for all else."""
        margin = 10.0 if unit in _IN_POINTS else 0.25 * abs(self.number)
        low = -math.inf if self.relation == "<" else self.number - margin
        high = math.inf if self.relation == ">" else self.number + margin
        return low, high


def verdict(paper_value: str, unit: str, value: float, low: float, high: float) -> Verdict:
    """Compare an estimate with the paper's number.

    *Reproduced*: right sign, the interval excludes no effect, and overlaps the paper's value +- 10 points
    (percentages) or +- 25 % (ratios). *Partly*: right sign and excludes no effect. *Not reproduced*
    otherwise. No effect is 0 for ``%`` and ``points``, 1 for ``x``.

    Two kinds of claim have no effect to exclude. Absolute ones (other units, such as ``min``): reproduced
    if the interval overlaps the band. Claims that there is no effect (``1 x``, ``~0 %``): reproduced if the
    interval lies within the band, partly if it overlaps it.

    Args:
        paper_value: as in the catalogue, e.g. ``88.9`` or ``>8``.
        unit: as in the catalogue.
        value: our estimate.
        low: lower end of its interval.
        high: upper end of its interval.
    """
    if math.isnan(value) or not low <= high:
        raise ValueError(f"no verdict on value={value} with interval {low}..{high}")
    paper = PaperValue.parse(paper_value)
    lower, upper = paper.band(unit)
    overlaps = low <= upper and high >= lower
    if unit not in _NO_EFFECT:
        return "reproduced" if overlaps else "not reproduced"
    no_effect = _NO_EFFECT[unit]
    claimed = paper.number - no_effect
    if claimed == 0 and paper.relation in ("", "~"):
        within = lower <= low and high <= upper
        return "reproduced" if within else "partly" if overlaps else "not reproduced"
    more = claimed > 0 if claimed != 0 else paper.relation == ">"
    right = value > no_effect and low > no_effect if more else value < no_effect and high < no_effect
    if not right:
        return "not reproduced"
    return "reproduced" if overlaps else "partly"


def bound_verdict(paper_value: str, unit: str, bound: float, low: float) -> Verdict | None:
    """Compare a value of which only a lower bound is known with the paper's number.

    *Reproduced* takes a claim of "more than" whose band begins at or below the bound, *partly* a bound that
    excludes no effect. An absolute value is *not reproduced* if the bound is beyond the band.

    Args:
        paper_value: as in ``verdict``, likewise ``unit``.
        unit: see there.
        bound: our value is above it.
        low: lower end of the bound's interval.

    Returns:
        None where the bound decides nothing.
    """
    paper = PaperValue.parse(paper_value)
    lower, upper = paper.band(unit)
    no_effect = _NO_EFFECT.get(unit)
    if no_effect is not None and low <= no_effect:
        return "not reproduced"
    if paper.relation == ">" and bound >= lower:
        return "reproduced"
    if no_effect is not None:
        return "partly"
    return "not reproduced" if low > upper else None


def came_out(paper_value: str, unit: str, said: Verdict, value: float, low: float, high: float) -> str:
    """What came out instead of the paper's value, in words; empty where it is reproduced."""
    if said == "reproduced":
        return ""
    paper = PaperValue.parse(paper_value)
    ours = f"{value:.4g} {unit} ({low:.4g} to {high:.4g})"
    lower, upper = paper.band(unit)
    if unit not in _NO_EFFECT:
        return f"instead {ours}, which is outside {lower:.4g} to {upper:.4g}"
    no_effect = _NO_EFFECT[unit]
    if paper.number == no_effect and paper.relation in ("", "~"):
        where = "not all within" if said == "partly" else "outside"
        return f"instead {ours}, {where} {lower:.4g} to {upper:.4g}"
    if said == "partly":
        return f"the direction holds, the size does not: {ours} instead of {paper_value}"
    if low <= no_effect <= high:
        return f"no difference is not excluded: {ours}"
    return f"the opposite came out: {ours}"
