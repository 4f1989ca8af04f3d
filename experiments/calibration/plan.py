"""Which windows to measure, those that tell most first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration, ConfigurationSpace

Mode = Literal["closed", "open", "rate", "trace"]
_HELD_OUT = 3  # every third configuration
_BLOCKS = 3  # in which the others are taken up, the coarsest grid first


@dataclass(frozen=True)
class Window:
    """A short measurement of one configuration.

    Attributes:
        configuration: what is in force.
        mode: ``closed``: clients that ask again as soon as they are answered; ``open`` and ``rate``: Poisson
            arrivals; ``trace``: arrivals at a rate that changes from slot to slot.
        level: number of clients; rate as a share of the configuration's throughput in its closed loops; rate
            in requests/s; mean rate in requests/s.
        visit: a window may be measured several times, apart in time and with other requests.
    """

    configuration: Configuration
    mode: Mode
    level: float
    visit: int = 0


# Ends of the range first: saturated, and alone; then how waiting builds up, and what idling costs; then what
# lies in between.
KINDS: tuple[tuple[Mode, float], ...] = (
    ("closed", 8), ("closed", 1), ("open", 0.5), ("closed", 2), ("open", 0.2), ("closed", 4), ("open", 0.7),
)  # fmt: skip


# As many clients as fill four batches of sixteen.
BATCHING_KINDS: tuple[tuple[Mode, float], ...] = (
    ("closed", 64), ("closed", 1), ("open", 0.5), ("closed", 4), ("open", 0.2), ("closed", 16), ("open", 0.7),
)  # fmt: skip


def kinds_of(space: ConfigurationSpace) -> tuple[tuple[Mode, float], ...]:
    """What is measured of every configuration, saturation first."""
    return BATCHING_KINDS if "batch_size" in space.names else KINDS


def split(space: ConfigurationSpace) -> tuple[list[Configuration], list[Configuration]]:
    """Configurations to fit, from far apart to close together, and those held out.

    Held out is every third one along every knob, so that each value of each knob is fitted and held out.
    """
    places = _places(space)
    out = places.sum(axis=1) % _HELD_OUT == _HELD_OUT - 1
    kept = np.flatnonzero(~out)
    order = kept[_far_apart(places[kept])]
    configurations = space.configurations
    return [configurations[one] for one in order], [configurations[one] for one in np.flatnonzero(out)]


def plan(space: ConfigurationSpace, visits: int) -> list[Window]:
    """All windows of a profile, in the order in which they are measured: a budget cuts off the end.

    A configuration's first window is a closed loop, which its rates are shares of. Between the visits of a
    window lie those of as many configurations as one of the blocks has.
    """
    kinds = kinds_of(space)
    fitted, _ = split(space)
    block = -(-len(fitted) // _BLOCKS)
    ranked = [
        ((2 * (place // block) + kind, visit), Window(configuration, *kinds[kind], visit))
        for place, configuration in enumerate(fitted)
        for kind in range(len(kinds))
        for visit in range(visits)
    ]
    return [window for _, window in sorted(ranked, key=lambda one: one[0])]


def _places(space: ConfigurationSpace) -> NDArray[np.int64]:
    """Grid index of every configuration along every knob, shape (configurations, knobs)."""
    return np.stack(np.unravel_index(np.arange(space.size), [len(knob.values) for knob in space.knobs]), 1)


def _far_apart(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order in which each is as far as can be from those before it; of equals the first."""
    scaled = places / np.maximum(1, places.max(axis=0))
    order = [0]
    nearest = np.full(len(places), np.inf)
    for _ in range(len(places) - 1):
        nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[order[-1]], axis=1))
        nearest[order[-1]] = -1.0
        order.append(int(nearest.argmax()))
    return np.array(order)
