"""Hardware profiles that fit what the paper publishes about its servers, and nothing else.

The paper gives few facts and the curves have many parameters, so the fit is a search: draw every parameter
uniformly from a stated physical range, keep the draw if all facts hold. What the kept profiles have in common
is supported by the paper; where they differ, it says nothing. No agent is run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from sim.admissible_facts import FACTS, Candidate
from sim.exhaustive import StationaryWorkload
from sim.services import Service
from sim.services_cpu import DEEPSPEECH2, INCEPTION_RESNET_V2, INCEPTION_V3, INCEPTION_V3_SHARED_POOL
from sim.services_gpu import INCEPTION_V3_GPU

SERVICES = {
    service.name: service
    for service in (
        INCEPTION_V3,
        INCEPTION_RESNET_V2,
        DEEPSPEECH2,
        INCEPTION_V3_GPU,
        INCEPTION_V3_SHARED_POOL,
    )
}


@dataclass(frozen=True)
class Admissible:
    """A draw that meets all facts.

    Attributes:
        parameters: as in a hardware profile.
        facts: value of every fact that was asked for.
        drawn: how many draws it took since the first, itself included.
    """

    parameters: Mapping[str, float]
    facts: Mapping[str, float]
    drawn: int


def stream(service: Service, seed: int) -> np.random.Generator:
    """The random numbers of a service's draws."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=service.stream))


def draw(service: Service, rng: np.random.Generator) -> dict[str, float]:
    """One set of parameters, uniform over the ranges, rounded to what a reader can take in."""
    return {key: float(f"{rng.uniform(low, high):.4g}") for key, (low, high) in service.ranges.items()}


def measure(candidate: Candidate) -> dict[str, float] | None:
    """The facts of a candidate, or None as soon as one of them does not hold."""
    facts = {}
    for fact, (low, high) in candidate.service.asked.items():
        facts[fact] = FACTS[fact](candidate)
        if not low <= facts[fact] <= high:
            return None
    return facts


def admissible(service: Service, seed: int, workload: StationaryWorkload) -> Iterator[Admissible]:
    """Admissible draws, until the caller has enough."""
    rng = stream(service, seed)
    for drawn in count(1):
        parameters = draw(service, rng)
        facts = measure(Candidate(service, parameters, workload))
        if facts is not None:
            yield Admissible(parameters, facts, drawn)


def medoid(ranges: Mapping[str, tuple[float, float]], draws: Sequence[Mapping[str, float]]) -> int:
    """Index of the draw nearest to all others, every parameter scaled by its range."""
    scaled = np.array(
        [[(one[key] - low) / (high - low) for key, (low, high) in ranges.items()] for one in draws]
    )
    distances = np.linalg.norm(scaled[:, None] - scaled[None, :], axis=2)
    return int(distances.sum(axis=1).argmin())
