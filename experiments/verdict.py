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
