"""The engines agree with queueing theory: closed forms, Little's law, utilisation, work conservation.

Ten fixed seeds for each model. A model agrees where the theory's value lies within a confidence interval
over the seeds whose half-width is at most 1 % of the mean; the confidence is 95 % for all comparisons
together (Bonferroni).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import t as student_t

from serving.slot import Slot
from sim.engine import SlotTally
from sim.engines import make_engine
from sim.speeds import SpeedTable

SEEDS = range(10)
WARM_UP = 20_000

Sizes = Callable[[np.random.Generator, int], np.ndarray]  # mean 1


def exponential(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.exponential(1.0, count)


def deterministic(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.ones(count)


def lognormal(rng: np.random.Generator, count: int) -> np.ndarray:
    """Squared coefficient of variation 4."""
    variance = math.log(5.0)
    return rng.lognormal(-variance / 2, math.sqrt(variance), count)


def constant_speed(limit: int) -> SpeedTable:
    places = np.arange(limit + 1)
    return SpeedTable(np.array([limit]), 1.0 * (places > 0)[None, :], places[None, :] / limit)


def one_shared_processor(limit: int = 2000) -> SpeedTable:
    places = np.arange(limit + 1)
    speed = np.divide(1.0, places, out=np.zeros(limit + 1), where=places > 0)
    return SpeedTable(np.array([limit]), speed[None, :], 1.0 * (places > 0)[None, :])


def slowing_down(limit: int, slowdown: float) -> SpeedTable:
    places = np.arange(limit + 1)
    speed = np.where(places > 0, 1 / (1 + slowdown * (places - 1)), 0.0)
    pace = places * speed
    return SpeedTable(np.array([limit]), speed[None, :], pace[None, :] / pace.max())


def erlang_c_latency(load: float, servers: int) -> float:
    """Mean time in an M/M/c system with service rate 1 (Erlang C)."""
    blocked = load**servers / math.factorial(servers) * servers / (servers - load)
    free = sum(load**k / math.factorial(k) for k in range(servers))
    return 1 + blocked / (free + blocked) / (servers - load)


def birth_death(load: float, speeds: SpeedTable, queue_limit: int) -> tuple[float, float]:
    """Probability of loss and mean latency of those served, from the balance equations."""
    limit = int(speeds.limit[0])
    weights = [1.0]
    for n in range(1, limit + queue_limit + 1):
        served = min(n, limit)
        weights.append(weights[-1] * load / (served * speeds.speed[0, served]))
    probability = np.array(weights) / sum(weights)
    loss = float(probability[-1])
    return loss, float(probability @ np.arange(len(probability))) / (load * (1 - loss))


@dataclass(frozen=True)
class Model:
    name: str
    speeds: SpeedTable
    load: float  # arrivals per mean service time
    latency_s: float  # in theory
    sizes: Sizes = exponential
    queue_limit: int | None = None
    loss: float = 0.0
    requests: int = 600_000  # in each replication, after the warm-up


def lossy(name: str, speeds: SpeedTable, load: float, queue_limit: int) -> Model:
    loss, latency_s = birth_death(load, speeds, queue_limit)
    return Model(name, speeds, load, latency_s, queue_limit=queue_limit, loss=loss, requests=1_500_000)


MODELS = [
    Model("M/M/1, 0.5", constant_speed(1), 0.5, 1 / (1 - 0.5)),
    Model("M/M/1, 0.7", constant_speed(1), 0.7, 1 / (1 - 0.7), requests=1_500_000),
    Model("M/M/4, 0.75", constant_speed(4), 3.0, erlang_c_latency(3.0, 4)),
    Model("M/M/10, 0.8", constant_speed(10), 8.0, erlang_c_latency(8.0, 10)),
    Model("M/D/1", constant_speed(1), 0.6, 1 + 0.6 / (2 * (1 - 0.6)), deterministic),
    Model("M/M/1-PS", one_shared_processor(), 0.6, 1 / (1 - 0.6), exponential),
    Model("M/D/1-PS", one_shared_processor(), 0.6, 1 / (1 - 0.6), deterministic),
    Model("M/G/1-PS", one_shared_processor(), 0.6, 1 / (1 - 0.6), lognormal, requests=1_500_000),
    lossy("M/M/1/5", constant_speed(1), 0.9, 4),
    lossy("M/M/4/10", constant_speed(4), 4.0, 6),
    lossy("M/M/3/3", constant_speed(3), 2.0, 0),
    lossy("state-dependent, K=56", slowing_down(6, 0.08), 3.3, 50),
]
COMPARISONS = len(MODELS) + 3 + 1  # mean latencies, losses of the three models that lose, SimPy


def run(
    model: Model, engine_name: str, seed: int, requests: int, warm_up: int
) -> tuple[SlotTally, Slot, float]:
    """One replication after its warm-up: tally, slot, and mean demand."""
    rng = np.random.default_rng(seed)
    boundary = "carry" if model.queue_limit is None else "bounded"
    engine = make_engine(engine_name, model.speeds, boundary, model.queue_limit)
    start_s = 0.0
    for index, count in enumerate((warm_up, requests)):
        arrival_s = start_s + np.cumsum(rng.exponential(1 / model.load, count))
        duration_s = float(arrival_s[-1]) * (1 + 1e-12) - start_s
        slot = Slot(index, start_s, duration_s, arrival_s, np.ones(0), model.load)
        demand_s = model.sizes(rng, count)
        tally = engine.serve(0, slot, demand_s)
        start_s = slot.end_s
    return tally, slot, float(demand_s.mean())


def assert_agrees(values: list[float], theory: float, half_width: float = 0.01) -> None:
    mean, error = np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))
    width = student_t.ppf(1 - 0.05 / COMPARISONS / 2, len(values) - 1) * error
    assert width <= half_width * mean
    assert abs(mean - theory) <= width


def assert_accounts_balance(model: Model, tally: SlotTally, slot: Slot, mean_demand_s: float) -> None:
    """Conservation, Little's law, utilisation: on every run, up to who is in the system at its ends."""
    completions, arrivals = len(tally.latency_s), len(slot.arrival_s)
    assert tally.backlog_start + arrivals == completions + tally.rejections + tally.backlog_end
    if model.queue_limit is None:
        # The area under the number in system, from arrivals and departures without pairing them.
        area = tally.backlog_start * slot.duration_s
        area += (slot.end_s - slot.arrival_s).sum() - (slot.end_s - tally.completed_at_s).sum()
        assert area == pytest.approx(tally.latency_s.sum(), rel=2e-3)
    peak = (model.speeds.speed[0] * np.arange(model.speeds.speed.shape[1])).max()
    carried = (arrivals - tally.rejections) / slot.duration_s
    assert tally.busy_s / slot.duration_s == pytest.approx(carried * mean_demand_s / peak, rel=6e-3)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_closed_forms(model: Model) -> None:
    latency_s, loss = [], []
    for seed in SEEDS:
        tally, slot, mean_demand_s = run(model, "compiled", seed, model.requests, WARM_UP)
        assert_accounts_balance(model, tally, slot, mean_demand_s)
        latency_s.append(float(tally.latency_s.mean()))
        loss.append(tally.rejections / len(slot.arrival_s))
    assert_agrees(latency_s, model.latency_s)
    if model.loss > 0.01:
        assert_agrees(loss, model.loss)


def test_closed_form_on_the_simpy_engine() -> None:
    model = MODELS[0]
    latency_s = []
    for seed in SEEDS:
        tally, _, _ = run(model, "simpy", seed, 20_000, 1_000)
        latency_s.append(float(tally.latency_s.mean()))
    assert_agrees(latency_s, model.latency_s, half_width=0.04)


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
