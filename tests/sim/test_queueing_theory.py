"""The engines agree with queueing theory: closed forms, Little's law, utilisation.

The systems, their theory and the measurement stand in ``experiments.verification``, ``verification_models``
and ``verification_theory``. Ten fixed seeds for each. A system agrees where the theory's value lies within a
confidence interval over the seeds whose half-width is at most 1 % of the mean; the confidence is 95 % for all
comparisons together (Bonferroni). What is measured here must be what docs/verification.md says.
"""

from dataclasses import replace

import numpy as np
import pytest

from experiments.verification import PAGE, SEEDS, Replication, compare, replicate
from experiments.verification_models import MODELS, Model, constant_speed
from serving.slot import Slot
from sim.engines import make_engine


def assert_accounts_balance(model: Model, one: Replication) -> None:
    """Conservation, Little's law, utilisation: on every run, up to who is in the system at its ends."""
    tally, slot, mean_demand_s = one
    completions, arrivals = len(tally.latency_s), len(slot.arrival_s)
    assert tally.backlog_start + arrivals == completions + tally.rejections + tally.backlog_end
    if model.queue_limit is None:
        # The area under the number in system, from arrivals and departures without pairing them.
        area = tally.backlog_start * slot.duration_s
        area += (slot.end_s - slot.arrival_s).sum() - (slot.end_s - tally.completed_at_s).sum()
        assert area == pytest.approx(tally.latency_s.sum(), rel=2e-3)
    if model.speeds.batching is None:
        peak = (model.speeds.speed[0] * np.arange(model.speeds.speed.shape[1])).max() * model.servers
        carried = (arrivals - tally.rejections) / slot.duration_s
        assert tally.busy_s / slot.duration_s == pytest.approx(carried * mean_demand_s / peak, rel=6e-3)


def on_the_page(model: str, quantity: str) -> tuple[float, float]:
    """Theory and measurement as docs/verification.md gives them."""
    (line,) = [one for one in PAGE.read_text().splitlines() if one.startswith(f"| {model} | {quantity} |")]
    theory, measured = line.split("|")[3:5]
    return float(theory), float(measured)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_closed_forms(model: Model) -> None:
    replications = []
    for seed in SEEDS:
        one = replicate(model, seed)
        assert_accounts_balance(model, one)
        replications.append(one)
    for comparison in compare(model, replications):
        assert comparison.agrees(), comparison
        theory, measured = on_the_page(comparison.model, comparison.quantity)
        assert theory == pytest.approx(comparison.theory, rel=1e-4)
        assert measured == pytest.approx(comparison.measured, rel=1e-3)


def test_the_page_lists_nothing_else() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.endswith(" % |")]
    assert len(rows) == sum(len(model.theory) for model in MODELS)


def test_closed_form_on_the_simpy_engine() -> None:
    model = replace(MODELS[0], requests=20_000, theory={"latency": MODELS[0].theory["latency"]})
    (comparison,) = compare(model, [replicate(model, seed, "simpy", 1_000) for seed in SEEDS])
    assert comparison.agrees(half_width=0.05)


@pytest.mark.parametrize("name", ["simpy", "compiled"])
def test_littles_law_with_losses(name: str) -> None:
    """Who was turned away is found again from arrivals and departures alone."""
    rng = np.random.default_rng(1)
    arrival_s, demand_s = np.sort(rng.uniform(0, 5000, 20_000)), rng.exponential(1.0, 20_000)
    engine = make_engine(name, constant_speed(4), "bounded", 6)
    slots = (
        Slot(0, 0.0, 5000.0, arrival_s, arrival_s, 4.0),
        Slot(1, 5000.0, 500.0, arrival_s[:0], arrival_s[:0], 0.0),
    )
    tallies = [engine.serve(0, slots[0], demand_s), engine.serve(0, slots[1], demand_s[:0])]
    completed_at_s = np.concatenate([tally.completed_at_s for tally in tallies])
    gone = np.searchsorted(completed_at_s, arrival_s, side="right")
    accepted: list[int] = []
    for index in range(len(arrival_s)):
        if len(accepted) - gone[index] < 10:
            accepted.append(index)
    assert tallies[0].rejections == len(arrival_s) - len(accepted) > 0
    latency_sum_s = sum(tally.latency_s.sum() for tally in tallies)
    events = np.concatenate((arrival_s[accepted], completed_at_s))
    change = np.repeat([1, -1], len(accepted))[np.argsort(events)]
    area = np.cumsum(change)[:-1] @ np.diff(np.sort(events))
    assert area == pytest.approx(latency_sum_s, rel=1e-9)
    assert sum(tally.busy_s for tally in tallies) == pytest.approx(demand_s[accepted].sum() / 4, rel=1e-9)
