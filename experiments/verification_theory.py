"""What queueing theory says, for services of mean 1: the right-hand sides of docs/verification.md.

Sources: L. Kleinrock, Queueing Systems, vol. 1 (1975) for M/M/c, M/G/1 and GI/M/1; F. P. Kelly, Reversibility
and Stochastic Networks (1979), ch. 3, for insensitivity; M. F. Neuts, "A general class of bulk queues with
Poisson input", Ann. Math. Statist. 38 (1967), for the queue left behind by batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


def erlang_c_latency(load: float, servers: int) -> float:
    """Mean time in an M/M/c system (Erlang C)."""
    blocked = load**servers / math.factorial(servers) * servers / (servers - load)
    free = sum(load**k / math.factorial(k) for k in range(servers))
    return 1 + blocked / (free + blocked) / (servers - load)


def pollaczek_khinchine(load: float, squared_variation: float) -> float:
    """Mean time in an M/G/1 system, first come first served."""
    return 1 + load * (1 + squared_variation) / (2 * (1 - load))


def erlang_arrivals_latency(load: float, stages: int) -> float:
    """Mean time in E_k/M/1: 1 / (1 - sigma), sigma in (0, 1) the fixed point of the arrivals' transform."""
    sigma = 0.0
    for _ in range(10_000):  # increases to the least one
        sigma = (stages * load / (stages * load + 1 - sigma)) ** stages
    return 1 / (1 - sigma)


def birth_death(load: float, rate: NDArray[np.float64]) -> tuple[float, float]:
    """Probability of loss, and mean latency of those served, from the balance equations.

    ``rate[n]`` is the rate of departures with n + 1 in the system; whoever finds len(rate) there is lost.
    """
    weights = np.concatenate(([1.0], np.cumprod(load / rate)))
    probability = weights / weights.sum()
    loss = float(probability[-1])
    return loss, float(probability @ np.arange(len(probability))) / (load * (1 - loss))


def shortest_of_two_queues_latency(load: float, longest: int = 50) -> float:
    """Mean time where each arrival joins the shorter of two M/./1 queues, ``load`` for both together.

    From the balance equations of (longer, shorter), cut off where the longer one holds ``longest``.
    """
    states = [(i, j) for i in range(longest + 1) for j in range(i + 1)]
    index = {state: number for number, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))

    def flow(source: tuple[int, int], to: tuple[int, int], rate: float) -> None:
        target = (max(to), min(to))
        if target in index:
            rates[index[source], index[target]] += rate

    for i, j in states:
        flow((i, j), (i, j + 1), load)
        if i > 0:
            flow((i, j), (i - 1, j), 1.0)
        if j > 0:
            flow((i, j), (i, j - 1), 1.0)
    probability = _stationary(rates - np.diag(rates.sum(axis=1)))
    return float(probability @ [i + j for i, j in states]) / load


class BatchTime(NamedTuple):
    """Time of a batch of k: its first two moments, and P(0, 1, ... arrivals meanwhile)."""

    mean: float
    square: float
    arrivals: NDArray[np.float64]


def fixed_time(load: float, time: Callable[[int], float], most: int) -> Callable[[int], BatchTime]:
    """Batches of k that take exactly ``time(k)``: Poisson numbers of arrivals, cut off at ``most``."""

    def of(k: int) -> BatchTime:
        mean = load * time(k)
        counts = np.exp([n * math.log(mean) - mean - math.lgamma(n + 1) for n in range(most)])
        return BatchTime(time(k), time(k) ** 2, counts)

    return of


def summed_time(load: float, most: int) -> Callable[[int], BatchTime]:
    """Batches of k that take the sum of k exponential times of mean 1: negative binomial numbers."""

    def of(k: int) -> BatchTime:
        log_choose = [math.lgamma(n + k) - math.lgamma(n + 1) - math.lgamma(k) for n in range(most)]
        logs = np.array(log_choose) - k * math.log1p(load) + np.arange(most) * math.log(load / (1 + load))
        return BatchTime(k, k * (k + 1), np.exp(logs))

    return of


def bulk_service(load: float, size: int, batch: Callable[[int], BatchTime], most: int) -> tuple[float, float]:
    """Mean latency and busy share of M/G^(1,b)/1: a free server takes all who wait, at most ``size``.

    From the chain of the queue q that a batch leaves behind, q < ``most``. The next batch has
    k = min(max(q, 1), size) requests; with n in the system at its start it adds n E[S] + load E[S^2] / 2 to
    the area under the number in system, and Little's law makes the latency of it.
    """
    times = {k: batch(k) for k in range(1, size + 1)}
    chain = np.zeros((most, most))
    length, area, busy = np.zeros(most), np.zeros(most), np.zeros(most)
    for q in range(most):
        present = max(q, 1)
        k = min(present, size)
        left = present - k
        chain[q, left:] = times[k].arrivals[: most - left]
        busy[q] = times[k].mean
        length[q] = busy[q] + (1 / load if q == 0 else 0.0)
        area[q] = present * times[k].mean + load * times[k].square / 2
    probability = _stationary(chain - np.diag(chain.sum(axis=1)))
    cycle = float(probability @ length)
    return float(probability @ area) / cycle / load, float(probability @ busy) / cycle


def batch_forming_wait(load: float, size: int, timeout: float) -> float:
    """Mean wait until a batch leaves where a place is always free: full, or its oldest waited the timeout.

    A cycle begins with an arrival. j more come within the timeout with Poisson probability; the j-th wait is
    over when the batch is full or the time is up, so the sum of waits is the integral of the number waiting,
    sum over j < b - 1 of (j + 1) P(N > j) / load, and the batch has 1 + sum over j < b of P(N >= j).
    """
    mean = load * timeout
    counts = [math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(size)]
    more_than = 1 - np.cumsum(counts)  # P(N > n)
    waits = sum((j + 1) * more_than[j] / load for j in range(size - 1))
    return float(waits / (1 + sum(more_than[: size - 1])))


def _stationary(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities p with p generator = 0 that sum to 1."""
    equations = generator.T.copy()
    equations[-1] = 1.0
    return np.linalg.solve(equations, np.eye(len(generator))[-1])
