"""Curves of a server fitted to windows that were measured on it: by least squares on log latency.

The model is the simulator itself: it serves the requests of every window under trial parameters, so waiting,
size and chance are treated as in any other run. What is fitted is the business of ``sim.fit_cpu`` and
``sim.fit_batching``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares, minimize_scalar  # type: ignore[import-untyped]
from scipy.stats import qmc, t  # type: ignore[import-untyped]

from serving.configuration import Configuration, ConfigurationSpace
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from sim.service_time import ServiceTime
from sim.speeds import SpeedTable
from sim.system import SimulatedServers

_Floats = NDArray[np.float64]

_STEP = 0.005  # of a parameter's range; smaller steps drown in the order in which requests complete
_STARTS = 128
_TRIED = 8  # of them, to the end
_REPEATS = 3  # of the simulator, over the chance in service times
_SLOPE_STEP, _SLOPE_REPEATS = 0.02, 10  # for intervals: chance in a slope would make them too narrow
_FLOOR = 0.03  # no window is trusted more than that: slow hours, warm caches
_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Observed:
    """A window as it was measured.

    Attributes:
        configuration: what was in force.
        slot: its arrivals; of a closed loop only duration and sizes (in turn) count.
        clients: of a closed loop; 0 for an open one.
        mean_latency_s: of the completions.
        relative_error: standard error of that, over it.
        cpu_s: CPU seconds per request.
    """

    configuration: Configuration
    slot: Slot
    clients: int
    mean_latency_s: float
    relative_error: float
    cpu_s: float


@dataclass(frozen=True)
class Machine:
    """What is known before anything is fitted.

    Attributes:
        name, model: of the profile.
        cores: of the machine.
        unbatched_requests: requests at once where batching is disabled.
        space: the configurations.
        size_share: share of the latency of a request alone that is proportional to its size.
        log_spread: standard deviation of the log latency of requests alone, sizes taken away, of several
            windows.
        alone_s: mean of that latency in each of them, same length.
    """

    name: str
    model: str
    cores: int
    unbatched_requests: int
    space: ConfigurationSpace
    size_share: float
    log_spread: tuple[float, ...]
    alone_s: tuple[float, ...]


class Profile(Protocol):
    """What the simulator needs to know of a server."""

    @property
    def name(self) -> str:
        """Of the hardware."""

    @property
    def service(self) -> ServiceTime:
        """Demands of requests."""

    def speeds(self, space: ConfigurationSpace) -> SpeedTable:
        """The curves over a space."""


_Profile = TypeVar("_Profile", bound=Profile)
_Made_co = TypeVar("_Made_co", bound=Profile, covariant=True)


class Curves(Protocol[_Made_co]):
    """What is fitted."""

    @property
    def name(self) -> str:
        """Of this way to describe a machine."""

    @property
    def machine(self) -> Machine:
        """What is known."""

    @property
    def processor(self) -> Literal["cpu", "gpu"]:
        """As what the simulator treats it."""

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """Where each number is looked for; numbers in seconds as multiples of the least latency measured."""

    def profile(self, numbers: Mapping[str, float], busy: float = 0.0) -> _Made_co:
        """The profile with these numbers.

        Args:
            numbers: by the names of ``limits``, times in seconds.
            busy: the number, 0..1, that changes CPU seconds alone.
        """


@dataclass(frozen=True, eq=False)
class Fitted(Generic[_Profile]):
    """Parameters of a family.

    Attributes:
        profile: the simulator's profile.
        numbers: what was fitted to latency.
        intervals: lowest and highest value of each at 95 % confidence, by the linearised model.
    """

    profile: _Profile
    numbers: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def simulate(
    profile: Profile,
    machine: Machine,
    windows: Sequence[Observed],
    repeats: int = _REPEATS,
    processor: Literal["cpu", "gpu"] = "cpu",
) -> _Floats:
    """Mean latency and CPU seconds per request of each window in the simulator; shape (windows, 2)."""
    servers = SimulatedServers(
        space=machine.space,
        speeds=profile.speeds(machine.space),
        service=profile.service,
        processor=processor,
        slo_s=1.0,
        ticks=0,
        name=profile.name,
    )
    # Chance of its own for every window: what all had in common would pass for a faster or slower machine.
    runs = [
        [_of(servers, machine.cores, one, place * repeats + repeat) for place, one in enumerate(windows)]
        for repeat in range(repeats)
    ]
    means: _Floats = np.mean(runs, axis=0)
    return means


def _of(servers: SimulatedServers, cores: int, one: Observed, seed: int) -> tuple[float, float]:
    servers.reset(seed)
    measured: SlotMeasurement = (
        servers.serve_closed(one.configuration, one.clients, one.slot.duration_s, one.slot.size)
        if one.clients
        else servers.serve(one.configuration, one.slot)
    )
    if not measured.completions:
        return one.slot.duration_s, np.nan
    busy = measured.cpu_utilisation or measured.gpu_utilisation or 0.0
    latency_s = measured.latency_sum_s / measured.completions
    return latency_s, busy * cores * one.slot.duration_s / measured.completions


def fit(
    curves: Curves[_Profile], windows: Sequence[Observed], start: Fitted[_Profile] | None = None
) -> Fitted[_Profile]:
    """Fit parameters; deterministic.

    Args:
        curves: what is fitted.
        windows: what was measured.
        start: where to begin, and one run of the simulator is enough then; the best of points all over the
            range are tried if not given.
    """
    scale_s = min(one.mean_latency_s for one in windows)
    observed = np.array([one.mean_latency_s for one in windows])
    weight = 1 / np.hypot(_FLOOR, np.array([one.relative_error for one in windows]))

    def error(place: _Floats, repeats: int) -> _Floats:
        profile = curves.profile(_numbers(curves, place, scale_s))
        said = simulate(profile, curves.machine, windows, repeats, curves.processor)
        weighted: _Floats = np.log(said[:, 0] / observed) * weight
        return weighted

    def descend(place: _Floats, repeats: int) -> OptimizeResult:
        return least_squares(
            error, place, bounds=(1.0, 2.0), diff_step=_STEP, loss="soft_l1", max_nfev=40, args=(repeats,)
        )

    if start is None:
        starts = _starts(lambda place: error(place, 1), len(curves.limits))
        best = min((descend(one, 1) for one in starts), key=lambda end: end.cost)
        found = descend(np.clip(best.x, 1.001, 1.999), _REPEATS)
    else:
        found = descend(_place(curves, start.numbers, scale_s), 1)
    numbers = _numbers(curves, found.x, scale_s)
    slopes = _slopes(lambda place: error(place, _SLOPE_REPEATS), found.x)
    low, high = (_numbers(curves, end, scale_s) for end in _ends(found, slopes))
    intervals = {key: (low[key], high[key]) for key in numbers}
    return Fitted(_with_busy(curves, numbers, windows), numbers, intervals)


def _starts(error: Callable[[_Floats], _Floats], parameters: int) -> list[_Floats]:
    """The best of points spread evenly over the range."""
    points = qmc.Sobol(parameters, scramble=False).random(_STARTS)
    points = 1.02 + 0.96 * points
    costs = [float(np.abs(error(point)).sum()) for point in points]
    return [points[place] for place in np.argsort(costs, kind="stable")[:_TRIED]]


def _scale(key: str, scale_s: float) -> float:
    return scale_s if key.endswith("_s") else 1.0


def _numbers(curves: Curves[_Profile], place: _Floats, scale_s: float) -> dict[str, float]:
    """Parameters at a place of the range, 1..2 in every direction: steps are then relative to the range."""
    return {
        key: (low + (float(value) - 1) * (high - low)) * _scale(key, scale_s)
        for value, (key, (low, high)) in zip(place, curves.limits.items(), strict=True)
    }


def _place(curves: Curves[_Profile], numbers: Mapping[str, float], scale_s: float) -> _Floats:
    places = [
        1 + (numbers[key] / _scale(key, scale_s) - low) / (high - low)
        for key, (low, high) in curves.limits.items()
    ]
    return np.clip(places, 1.001, 1.999)


def _with_busy(
    curves: Curves[_Profile], numbers: Mapping[str, float], windows: Sequence[Observed]
) -> _Profile:
    """What changes no latency is fitted to the CPU seconds per request alone."""
    used = np.log([one.cpu_s for one in windows])

    def error(busy: float) -> float:
        profile = curves.profile(numbers, busy)
        said = simulate(profile, curves.machine, windows, 1, curves.processor)[:, 1]
        return float(np.nansum((np.log(said) - used) ** 2))

    found = minimize_scalar(error, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-3})
    return curves.profile(numbers, float(found.x))


def _slopes(error: Callable[[_Floats], _Floats], place: _Floats) -> _Floats:
    """Central differences of the weighted errors in every direction; shape (windows, parameters)."""
    columns = []
    for one in np.eye(len(place)):
        low, high = np.clip((place - _SLOPE_STEP * one, place + _SLOPE_STEP * one), 1.0, 2.0)
        columns.append((error(high) - error(low)) / (high - low).sum())
    return np.stack(columns, axis=1)


def _ends(found: OptimizeResult, slopes: _Floats) -> tuple[_Floats, _Floats]:
    """Student's t around the optimum; a parameter at the end of its range is held there for the others."""
    free = found.active_mask == 0
    freedom = max(1, len(found.fun) - int(free.sum()))
    jacobian = slopes[:, free] / (1 + found.fun[:, None] ** 2) ** 0.25  # as the soft loss weighs
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * 2 * found.cost / freedom
    half = np.zeros(len(found.x))
    half[free] = t.ppf(0.5 + _LEVEL / 2, freedom) * np.sqrt(np.diag(covariance))
    return np.clip(found.x - half, 1, 2), np.clip(found.x + half, 1, 2)
