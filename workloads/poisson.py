"""Non-homogeneous Poisson arrivals under a piecewise-constant rate: the core of most workloads."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError
from serving.slot import Slot
from workloads import checks
from workloads.sizes import RequestSizes
from workloads.streams import stream


class Piece(NamedTuple):
    """A stretch of constant rate, from the end of the piece before it to ``end_s``."""

    end_s: float
    rate_rps: float


@dataclass(frozen=True, kw_only=True)
class PoissonWorkload(ABC):
    """Poisson arrivals given the rate, cut into slots of equal length (a ``serving.workload.Workload``).

    Attributes:
        name: as in the result rows.
        max_load_rps: upper end of the load bins, in requests/s; None, where a subclass allows it, is replaced
            by 2 x its mean (the peak of Wikipedia's traffic is 1.93 x its mean).
        slot_s: length of a slot in seconds.
        servers: how many servers share the requests; all rates and loads are per server.
        sizes: distribution of the requests' sizes.
    """

    name: str = "poisson"
    max_load_rps: float = None  # type: ignore[assignment]  # a float from __post_init__ on
    slot_s: float = 120.0
    servers: int = 1
    sizes: RequestSizes = field(default_factory=RequestSizes)

    def __post_init__(self) -> None:
        checks.positive(max_load_rps=self.max_load_rps, slot_s=self.slot_s)
        checks.whole("workload.servers", self.servers, least=1)
        check_sizes(self.sizes)

    def _default_max_load(self, mean_rps: float) -> None:
        if self.max_load_rps is None:
            object.__setattr__(self, "max_load_rps", 2 * mean_rps)

    @abstractmethod
    def pieces(self, rng: np.random.Generator) -> Iterator[Piece]:
        """The rate from time 0 on, in order of time; all randomness of the rate comes from ``rng``."""

    def slots(self, seed: int, count: int) -> Iterator[Slot]:
        """The first ``count`` slots, made one at a time.

        The arrivals and sizes of slot k depend on its rate, the seed and k only.

        Raises:
            UsageError: if the seed or the count is negative.
        """
        checks.whole("seed", seed, least=0)
        checks.whole("slots", count, least=0)
        return self._slots(seed, count)

    def _slots(self, seed: int, count: int) -> Iterator[Slot]:
        pieces = self.pieces(stream(seed, "rates"))
        piece = next(pieces)
        for index in range(count):
            start_s = index * self.slot_s
            end_s = start_s + self.slot_s
            edge_s, rate_rps = [start_s], [piece.rate_rps]
            while piece.end_s < end_s:
                edge_s.append(max(piece.end_s, start_s))
                # The default serves the last slot of a trace, whose end may differ by rounding.
                piece = next(pieces, Piece(math.inf, piece.rate_rps))
                rate_rps.append(piece.rate_rps)
            edge_s.append(end_s)
            checks.slot_fits(max(rate_rps) * self.slot_s * self.servers)
            expected = [0.0]
            for (begin_s, until_s), rate in zip(pairwise(edge_s), rate_rps, strict=True):
                expected.append(expected[-1] + (until_s - begin_s) * rate)
            load_rps = expected[-1] / self.slot_s
            arrival_s = poisson_arrivals(
                np.array(edge_s), self.servers * np.array(expected), stream(seed, "arrivals", index)
            )
            size = self.sizes.of_slot(seed, index, len(arrival_s))
            yield Slot(index, start_s, self.slot_s, arrival_s, size, load_rps, self.servers)


def poisson_arrivals(
    edge_s: NDArray[np.float64], expected: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sorted arrivals in [edge_s[0], edge_s[-1]) of a Poisson process whose rate is constant between edges.

    Given their number, the arrivals of a Poisson process are independent draws from the normalised rate
    (order-statistics property; Ross, Stochastic Processes, section 2.3), here by inverting ``expected``.

    Args:
        edge_s: increasing times, shape (pieces + 1,).
        expected: expected number of arrivals before each edge, from 0, same shape.
        rng: source of the draws.
    """
    total = float(expected[-1])
    positions = rng.random(rng.poisson(total))
    positions.sort()
    positions *= total
    return before(np.interp(positions, expected, edge_s), float(edge_s[-1]))


def before(time_s: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
    """The same times, with those that rounding put on or past ``end_s`` moved just before it."""
    return np.minimum(time_s, np.nextafter(end_s, -math.inf))


def check_sizes(sizes: object) -> None:
    """Raise UsageError for ``workload.sizes=lognormal``, which replaces the whole distribution by a word."""
    if not isinstance(sizes, RequestSizes):
        raise UsageError(f"workload.sizes={sizes}: set workload.sizes.distribution instead")
