"""The queueing systems that the engines are verified against, each with what theory says of it.

Services have mean 1, arrivals are Poisson.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments import verification_theory as theory
from serving.configuration import batching_space
from serving.dispatch import Dispatch
from sim.gpu import GpuProfile
from sim.speeds import Batching, SpeedTable

Floats = NDArray[np.float64]
Demands = Callable[[np.random.Generator, int], Floats]
Quantity = Literal["latency", "p95", "loss", "busy"]
ENDLESS_S = 1e9  # a timeout that no batch waits for


def exponential(rng: np.random.Generator, count: int) -> Floats:
    """Squared coefficient of variation 1."""
    return rng.exponential(1.0, count)


def deterministic(rng: np.random.Generator, count: int) -> Floats:  # noqa: ARG001 - same signature as others
    """All alike."""
    return np.ones(count)


def lognormal(rng: np.random.Generator, count: int) -> Floats:
    """Squared coefficient of variation 4."""
    variance = math.log(5.0)
    return rng.lognormal(-variance / 2, math.sqrt(variance), count)


def two_kinds(rng: np.random.Generator, count: int) -> Floats:
    """One in ten takes 5.5, the others 0.5; squared coefficient of variation 2.25."""
    return np.where(rng.random(count) < 0.1, 5.5, 0.5)


def nothing(rng: np.random.Generator, count: int) -> Floats:  # noqa: ARG001 - same signature as others
    """Requests that cost nothing beside their batch's fixed part."""
    return np.zeros(count)


def one_in(size: int, rng: np.random.Generator, count: int) -> Floats:
    """Exponential for one request in ``size``, nothing for the others: full batches are exponential."""
    demand_s = np.zeros(count)
    demand_s[::size] = rng.exponential(1.0, len(demand_s[::size]))
    return demand_s


def constant_speed(limit: int, batching: Batching | None = None) -> SpeedTable:
    """``limit`` servers, or one with so many places that do not notice each other."""
    places = np.arange(limit + 1.0)
    busy: Floats = places / limit
    return SpeedTable(np.array([limit]), (places > 0).astype(np.float64)[None, :], busy[None, :], batching)


def one_shared_processor(limit: int = 2000) -> SpeedTable:
    """Processor sharing."""
    places = np.arange(limit + 1.0)
    speed: Floats = np.divide(1.0, places, out=np.zeros(limit + 1), where=places > 0)
    return SpeedTable(np.array([limit]), speed[None, :], (places > 0).astype(np.float64)[None, :])


def slowing_down(limit: int, slowdown: float) -> SpeedTable:
    """Processor sharing in which each further request costs the others some speed."""
    places = np.arange(limit + 1.0)
    speed: Floats = np.where(places > 0, 1 / (1 + slowdown * (places - 1)), 0.0)
    pace: Floats = places * speed
    busy: Floats = pace / pace.max()
    return SpeedTable(np.array([limit]), speed[None, :], busy[None, :])


def batches(size: int, timeout_s: float = 0.0, fixed_s: float = 0.0, limit: int = 1) -> SpeedTable:
    """A server of batches."""
    rules = Batching(np.array([size]), np.array([timeout_s]), np.array([fixed_s]))
    return constant_speed(limit, rules)


def gpu(threads: int, contention: float) -> SpeedTable:
    """The GPU's curves under batches of one."""
    profile = GpuProfile("theory", "any", 0.0, 1.0, contention, 1.0, 1)
    return profile.speeds(batching_space([threads], [1], [0]))


@dataclass(frozen=True)
class Model:
    """A queueing system, and what theory says of it.

    Attributes:
        name: in Kendall's notation, with the numbers that make it definite.
        load: arrivals per mean service time, at all servers together.
        speeds: the server's table.
        theory: the quantities that are compared: mean and 95th percentile of latency (in mean service
            times), share of arrivals lost, share of time that a server is busy.
        demands: makes the demand of each request, of mean 1 unless the batch counts.
        queue_limit: waiting requests at most, None for no limit.
        servers: how many servers, each with this table.
        dispatch: which of them a request goes to.
        requests: in each replication, after the warm-up.
    """

    name: str
    load: float
    speeds: SpeedTable
    theory: Mapping[Quantity, float]
    demands: Demands = exponential
    queue_limit: int | None = None
    servers: int = 1
    dispatch: Dispatch = "round_robin"
    requests: int = 600_000


def _mm1(load: float, requests: int = 600_000) -> Model:
    numbers: dict[Quantity, float] = {
        "latency": 1 / (1 - load),
        "p95": math.log(20) / (1 - load),
        "busy": load,
    }
    return Model(f"M/M/1, load {load}", load, constant_speed(1), numbers, requests=requests)


def _mmc(servers: int, load: float) -> Model:
    numbers: dict[Quantity, float] = {
        "latency": theory.erlang_c_latency(load, servers),
        "busy": load / servers,
    }
    return Model(f"M/M/{servers}, load {load}", load, constant_speed(servers), numbers, requests=900_000)


def _mg1(name: str, load: float, demands: Demands, squared_variation: float, requests: int) -> Model:
    numbers: dict[Quantity, float] = {"latency": theory.pollaczek_khinchine(load, squared_variation)}
    return Model(f"{name}, load {load}", load, constant_speed(1), numbers, demands, requests=requests)


def _sharing(name: str, demands: Demands, requests: int = 600_000) -> Model:
    numbers: dict[Quantity, float] = {"latency": 1 / (1 - 0.6)}
    return Model(f"{name}, load 0.6", 0.6, one_shared_processor(), numbers, demands, requests=requests)


def _lossy(
    name: str, load: float, speeds: SpeedTable, queue_limit: int, demands: Demands = exponential
) -> Model:
    """A finite system: Erlang's formulae and their like, from the balance equations."""
    limit = int(speeds.limit[0])
    served = np.minimum(np.arange(1, limit + queue_limit + 1), limit)
    loss, latency = theory.birth_death(load, served * speeds.speed[0, served])
    numbers: dict[Quantity, float] = {"latency": latency}
    if loss > 0.1:  # a rarer one takes too many requests to measure within 1 %
        numbers["loss"] = loss
    name = f"{name}, load {load}"
    return Model(name, load, speeds, numbers, demands, queue_limit=queue_limit, requests=1_500_000)


def _bulk(name: str, load: float, size: int, speeds: SpeedTable, demands: Demands, batch: object) -> Model:
    latency, busy = theory.bulk_service(load, size, batch, 400)  # type: ignore[arg-type]
    return Model(f"{name}, load {load}", load, speeds, {"latency": latency, "busy": busy}, demands)


def _full_batches(size: int, load: float) -> Model:
    """Every batch is full: the b-th arrival completes it, so batches arrive in Erlang intervals."""
    latency = (size - 1) / (2 * load) + theory.erlang_arrivals_latency(load / size, size)
    numbers: dict[Quantity, float] = {"latency": latency, "busy": load / size}
    name = f"full batches of {size} (E{size}/M/1), load {load}"
    demands = partial(one_in, size)
    return Model(name, load, batches(size, ENDLESS_S), numbers, demands, requests=1_600_000)


def _forming(size: int, timeout_s: float, load: float) -> Model:
    latency = 1 + theory.batch_forming_wait(load, size, timeout_s)
    speeds = batches(size, timeout_s, 1.0, limit=200)
    name = f"batches of {size} or after {timeout_s}, always a free place, load {load}"
    return Model(name, load, speeds, {"latency": latency}, nothing)


def _cluster(dispatch: Dispatch, servers: int, load: float, latency: float) -> Model:
    name = f"{servers} x ./M/1, {dispatch.replace('_', ' ')}, load {load} each"
    numbers: dict[Quantity, float] = {"latency": latency, "busy": load}
    return Model(
        name,
        load * servers,
        constant_speed(1),
        numbers,
        servers=servers,
        dispatch=dispatch,
        requests=1_200_000,
    )


MODELS: tuple[Model, ...] = (
    _mm1(0.5),
    _mm1(0.7, 1_500_000),
    _mmc(4, 3.0),
    _mmc(10, 8.0),
    _mg1("M/D/1", 0.6, deterministic, 0.0, 600_000),
    _mg1("M/G/1, two kinds", 0.6, two_kinds, 2.25, 1_200_000),
    _sharing("M/M/1-PS", exponential),
    _sharing("M/D/1-PS", deterministic),
    _sharing("M/G/1-PS, lognormal", lognormal, 1_500_000),
    _sharing("M/G/1-PS, two kinds", two_kinds, 1_500_000),
    _lossy("M/M/1/5", 0.9, constant_speed(1), 4),
    _lossy("M/M/4/10", 4.0, constant_speed(4), 6),
    _lossy("M/M/3/3", 2.0, constant_speed(3), 0),
    _lossy("M/D/3/3", 2.0, constant_speed(3), 0, deterministic),
    _lossy("M/G/3/3, lognormal", 2.0, constant_speed(3), 0, lognormal),
    _lossy("slowing down, 6 places, 50 waiting", 3.3, slowing_down(6, 0.08), 50),
    _lossy("slowing down, 6 places, none waiting, two kinds", 3.3, slowing_down(6, 0.08), 0, two_kinds),
    _lossy("GPU curves, 4 threads, contention 0.8", 1.2, gpu(4, 0.8), 10),
    _bulk("M/D^(1,4)/1", 2.4, 4, batches(4, 0.0, 1.0), nothing, theory.fixed_time(2.4, lambda _: 1.0, 400)),
    _bulk("M/D^(1,8)/1, a batch of k takes 1 + k / 4", 2.0, 8, batches(8, 0.0, 1.0),
        lambda _, count: np.full(count, 0.25), theory.fixed_time(2.0, lambda k: 1 + k / 4, 400)),
    _bulk("M/G^(1,4)/1, a batch takes what its requests take", 0.6, 4, batches(4), exponential,
        theory.summed_time(0.6, 400)),
    _full_batches(4, 2.4),
    _full_batches(8, 4.8),
    _forming(8, 1.0, 4.0),
    _forming(3, 2.0, 1.5),
    _cluster("random", 4, 0.7, 1 / (1 - 0.7)),
    _cluster("round_robin", 4, 0.7, theory.erlang_arrivals_latency(0.7, 4)),
    _cluster("least_loaded", 2, 0.7, theory.shortest_of_two_queues_latency(1.4)),
)  # fmt: skip
