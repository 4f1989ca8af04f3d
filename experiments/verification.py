"""The simulator against queueing theory: ``python -m experiments.verification [page=docs/verification.md]``.

Runs every model with ten fixed seeds and writes the table of the page, between its markers; about half a
minute. The tests run the same and hold the page to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.arguments import parse, refuse
from experiments.pages import replace_section
from experiments.verification_models import MODELS, Model, Quantity
from serving.slot import Slot
from sim.engine import Boundary, SlotTally
from sim.engines import make_engine

SEEDS = range(10)
WARM_UP = 20_000
CONFIDENCE = 0.95  # of all comparisons together (Bonferroni)
HALF_WIDTH = 0.01  # of a confidence interval, over the mean: at most
COMPARISONS = sum(len(model.theory) for model in MODELS)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "verification.md"
_BEGIN, _END = "<!-- table: python -m experiments.verification -->", "<!-- end of table -->"
_WORDS = {"latency": "mean latency", "p95": "p95 latency", "loss": "lost", "busy": "busy"}


class Replication(NamedTuple):
    """What one seed gave after the warm-up: tally, arrivals, and the mean demand."""

    tally: SlotTally
    slot: Slot
    mean_demand_s: float

    def measured(self, quantity: Quantity) -> float:
        """One number of it."""
        if quantity == "latency":
            return float(self.tally.latency_s.mean())
        if quantity == "p95":
            return float(np.quantile(self.tally.latency_s, 0.95))
        if quantity == "loss":
            return self.tally.rejections / len(self.slot.arrival_s)
        return self.tally.busy_s / self.slot.duration_s


@dataclass(frozen=True)
class Comparison:
    """One quantity of a model: theory, mean over seeds, and half-width of its confidence interval."""

    model: str
    quantity: str
    theory: float
    measured: float
    half_width: float

    def agrees(self, half_width: float = HALF_WIDTH) -> bool:
        """Whether the theory lies within an interval that is narrow enough to say something."""
        narrow = self.half_width <= half_width * abs(self.measured)
        rounding = 1e-9 * abs(self.theory)  # where every replication gives the same number
        return narrow and abs(self.measured - self.theory) <= self.half_width + rounding


def replicate(model: Model, seed: int, engine_name: str = "compiled", warm_up: int = WARM_UP) -> Replication:
    """One replication: a warm-up that is thrown away, then the slot that counts."""
    rng = np.random.default_rng(seed)
    boundary: Boundary = "carry" if model.queue_limit is None else "bounded"
    engine = make_engine(
        engine_name, model.speeds, boundary, model.queue_limit, model.servers, model.dispatch
    )
    engine.reset(seed)
    start_s = 0.0
    for index, count in enumerate((warm_up, model.requests)):
        arrival_s = start_s + np.cumsum(rng.exponential(1 / model.load, count))
        duration_s = float(arrival_s[-1]) * (1 + 1e-12) - start_s
        slot = Slot(index, start_s, duration_s, arrival_s, np.ones(0), model.load)
        demand_s = model.demands(rng, count)
        tally = engine.serve(0, slot, demand_s)
        start_s = slot.end_s
    return Replication(tally, slot, float(demand_s.mean()))


def compare(model: Model, replications: Sequence[Replication]) -> list[Comparison]:
    """Every quantity that theory knows of the model; the intervals are Student's over the seeds."""
    from scipy.stats import t as student_t  # type: ignore[import-untyped]

    quantile = student_t.ppf(1 - (1 - CONFIDENCE) / COMPARISONS / 2, len(replications) - 1)
    comparisons = []
    for quantity, expected in model.theory.items():
        values = [one.measured(quantity) for one in replications]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        comparisons.append(
            Comparison(
                model.name, _WORDS[quantity], expected, float(np.mean(values)), float(quantile * error)
            )
        )
    return comparisons


def row(comparison: Comparison) -> str:
    """A row of the page's table."""
    difference = 100 * (comparison.measured / comparison.theory - 1)
    width = 100 * comparison.half_width / comparison.measured
    return (
        f"| {comparison.model} | {comparison.quantity} | {comparison.theory:.5g} | {comparison.measured:.5g} "
        f"| {difference:+.2f} % | {width:.2f} % |\n"
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """The page's table."""
    head = (
        "| system | quantity | theory | measured | difference | half-width |\n|---|---|---:|---:|---:|---:|\n"
    )
    return (head + "".join(map(row, comparisons))).rstrip("\n")


def main(arguments: Sequence[str]) -> int:
    """Write the table; 0 if theory and simulation agree throughout, else 1."""
    page = Path(parse(arguments, {"page": str(PAGE)}, __doc__ or "")["page"])
    if not page.is_file():
        refuse(f"page={page}, expected the page with the markers of the table")
    comparisons = []
    for model in MODELS:
        found = compare(model, [replicate(model, seed) for seed in SEEDS])
        comparisons += found
        for one in found:
            print(row(one).strip(), "" if one.agrees() else "DISAGREES")
    if not replace_section(page, _BEGIN, _END, table(comparisons)):
        refuse(f"page={page}, expected the lines {_BEGIN} and {_END} in it")
    return 0 if all(one.agrees() for one in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
