"""A generator of Wikipedia-like rates, minute by minute.

Fitted to twelve days (18-30 September 2007, UTC) of the WikiBench trace of all Wikimedia projects (Urdaneta,
Pierre and van Steen, Computer Networks 53, 2009), which itself is not part of this repository::

    rate = mean x hour of day (weekday or weekend) x day of week x exp(u + v + w) x spikes x dips

with u an hourly AR(1), v an AR(1) per minute and w white.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

# fmt: off
_WEEKDAY = (  # by hour of day, UTC
    0.9396, 0.9212, 0.8719, 0.7723, 0.6602, 0.6145, 0.6699, 0.7344, 0.8014, 0.8219, 0.8454, 0.9454,
    1.1186, 1.2805, 1.3545, 1.3619, 1.3288, 1.3179, 1.2912, 1.2673, 1.2001, 1.0661, 0.9354, 0.8796,
)
_WEEKEND = (
    0.8316, 0.8197, 0.8099, 0.7611, 0.6986, 0.6457, 0.6415, 0.6991, 0.7988, 0.8782, 0.9039, 0.9650,
    1.0640, 1.1608, 1.2583, 1.3124, 1.3377, 1.3417, 1.3359, 1.3144, 1.2635, 1.1631, 1.0356, 0.9596,
)
# fmt: on
_DAY = (1.0924, 1.0980, 1.0850, 1.0611, 0.9459, 0.8095, 0.9080)  # Monday to Sunday
_DAY_MIN, _WEEK_MIN = 24 * 60, 7 * 24 * 60

_HOURLY_STD, _HOURLY_PHI = 0.03, 0.78
_MINUTE_STD, _MINUTE_PHI = 0.0056, 0.80
_WHITE_STD = 0.0038

_DIPS_PER_DAY, _DIP_DEPTH, _DIP_MIN = 0.66, (0.1, 0.7), (1, 2)


class Spikes(NamedTuple):
    """Spikes that start as a Poisson process, jump up and decay exponentially.

    Height (relative to the rate) and time constant (minutes) are each drawn as ``least + spread x X``, with X
    exponential of mean 1 or uniform between 0 and 1.
    """

    per_day: float
    height: tuple[float, float]
    decay_min: tuple[float, float]
    law: Literal["exponential", "uniform"]

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Height and time constant of one spike."""
        x, y = rng.exponential(size=2) if self.law == "exponential" else rng.random(2)
        return self.height[0] + self.height[1] * x, self.decay_min[0] + self.decay_min[1] * y

    def added(self) -> float:
        """Expected share of requests that the spikes add."""
        mean_x = 1.0 if self.law == "exponential" else 0.5
        area_min = (self.height[0] + self.height[1] * mean_x) * (
            self.decay_min[0] + self.decay_min[1] * mean_x
        )
        return self.per_day * area_min / _DAY_MIN


OBSERVED = Spikes(1.24, height=(0.05, 0.03), decay_min=(0.5, 1.5), law="exponential")
"""As in the trace, where a spike above 10 % comes once in six days."""

ASSUMED = Spikes(0.75, height=(0.3, 0.7), decay_min=(10.0, 20.0), law="uniform")
"""Our assumption, no measurement: +30 to +100 %, with time constants of 10-30 minutes. The paper speaks of
"unpredictable load spikes"; single pages have them, the sum over all pages hardly ever does."""

PRESETS = {"calm": (OBSERVED,), "spiky": (OBSERVED, ASSUMED)}


def week_profile() -> NDArray[np.float64]:
    """Deterministic part by minute of the week from Monday 00:00 UTC, shape (10080,), mean 1."""
    minute = np.arange(_WEEK_MIN) + 0.5
    hourly = np.array(_WEEKDAY * 5 + _WEEKEND * 2)
    hour_of_day = np.interp(minute, np.arange(30, _WEEK_MIN, 60), hourly, period=_WEEK_MIN)
    day_of_week = np.interp(minute, np.arange(_DAY_MIN // 2, _WEEK_MIN, _DAY_MIN), _DAY, period=_WEEK_MIN)
    product: NDArray[np.float64] = hour_of_day * day_of_week
    return np.asarray(product / product.mean())


def wiki_rate(mean_rps: float, preset: str, start_h: float, rng: np.random.Generator) -> Iterator[float]:
    """Rate of each minute in requests/s, without end; its expected time-average over a week is ``mean_rps``.

    Args:
        mean_rps: mean rate in requests/s.
        preset: a key of ``PRESETS``; presets differ in their spikes only, under the same ``rng``.
        start_h: start of the first minute, hours after Monday 00:00 UTC.
        rng: source of everything random.
    """
    spikes = PRESETS[preset]
    hourly_rng, minute_rng, dip_rng, *spike_rngs = rng.spawn(3 + len(spikes))
    noise_variance = _HOURLY_STD**2 + _MINUTE_STD**2 + _WHITE_STD**2
    expected = math.exp(noise_variance / 2) * (1 + sum(kind.added() for kind in spikes))
    profile = week_profile() * (mean_rps / expected)
    noise = zip(_hourly_noise(hourly_rng), _minute_noise(minute_rng), strict=True)
    excess = zip(*map(_excess, spikes, spike_rngs), strict=True)
    minutes = zip(count(round(start_h * 60)), noise, excess, _dips(dip_rng), strict=True)
    for minute, noises, excesses, dip in minutes:
        yield float(profile[minute % _WEEK_MIN]) * math.exp(sum(noises)) * (1 + sum(excesses)) * dip


def _ar1(std: float, phi: float, rng: np.random.Generator) -> Iterator[float]:
    value = std * rng.standard_normal()
    while True:
        yield value
        value = phi * value + std * math.sqrt(1 - phi**2) * rng.standard_normal()


def _hourly_noise(rng: np.random.Generator) -> Iterator[float]:
    for value in _ar1(_HOURLY_STD, _HOURLY_PHI, rng):
        for _ in range(60):
            yield value


def _minute_noise(rng: np.random.Generator) -> Iterator[float]:
    for value in _ar1(_MINUTE_STD, _MINUTE_PHI, rng):
        yield value + _WHITE_STD * rng.standard_normal()


def _excess(spikes: Spikes, rng: np.random.Generator) -> Iterator[float]:
    heights: list[tuple[float, float]] = []  # of the spikes that last, with their time constants
    while True:
        heights = [(height * math.exp(-1 / decay_min), decay_min) for height, decay_min in heights]
        heights = [spike for spike in heights if spike[0] > 1e-4]
        heights += [spikes.draw(rng) for _ in range(rng.poisson(spikes.per_day / _DAY_MIN))]
        yield sum(height for height, _ in heights)


def _dips(rng: np.random.Generator) -> Iterator[float]:
    while True:
        if rng.random() < _DIPS_PER_DAY / _DAY_MIN:
            remaining = 1 - rng.uniform(*_DIP_DEPTH)
            for _ in range(rng.integers(_DIP_MIN[0], _DIP_MIN[1] + 1)):
                yield remaining
        else:
            yield 1.0
