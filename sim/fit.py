"""Curves of a CPU server fitted to windows that were measured on it: by least squares on log latency.

The model is the simulator itself: it serves the requests of every window under trial parameters, so waiting,
size and chance are treated as in any other run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares, minimize_scalar  # type: ignore[import-untyped]
from scipy.stats import qmc, t  # type: ignore[import-untyped]

from serving.configuration import Configuration, ConfigurationSpace
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from sim.hardware import CpuProfile
from sim.interference import CpuInterference, Family
from sim.service_time import ServiceTime
from sim.system import SimulatedServers

_Floats = NDArray[np.float64]

# Where each number is looked for; the first two are multiples of the least latency that was measured.
LIMITS: dict[str, tuple[float, float]] = {
    "sequential_s": (0.2, 3.0),
    "overhead_s": (0.0, 0.8),
    "idle_slowdown": (0.0, 1.0),
    "inter_op_fraction": (0.0, 0.95),
    "intra_op_fraction": (0.0, 0.99),
    "synchronisation": (0.0, 1.0),
    "memory_contention": (0.0, 1.0),
    "oversubscription": (0.0, 1.0),
}
_SCALED = ("sequential_s", "overhead_s")
_OF_SERVICE = (*_SCALED, "idle_slowdown")
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

    def service(self, sequential_s: float, overhead_s: float, idle_slowdown: float) -> ServiceTime:
        """Service times: on the way nothing varies, neither by size nor by chance."""
        in_server = np.maximum(1 - overhead_s / np.array(self.alone_s), 0.1)
        spread = np.median(np.array(self.log_spread) / in_server)
        share = 1.0 if self.size_share == 1 else min(1.0, self.size_share / float(np.median(in_server)))
        return ServiceTime(
            sequential_s, share, float(np.sqrt(np.expm1(spread**2))), overhead_s, idle_slowdown
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """Parameters of a family.

    Attributes:
        profile: the simulator's profile.
        intervals: lowest and highest value of each parameter at 95 % confidence, by the linearised model.
    """

    profile: CpuProfile
    intervals: Mapping[str, tuple[float, float]]


def simulate(
    profile: CpuProfile, space: ConfigurationSpace, windows: Sequence[Observed], repeats: int = _REPEATS
) -> _Floats:
    """Mean latency and CPU seconds per request of each window in the simulator; shape (windows, 2)."""
    servers = SimulatedServers(
        space=space,
        speeds=profile.speeds(space),
        service=profile.service,
        processor="cpu",
        slo_s=1.0,
        ticks=0,
        name=profile.name,
    )
    # Chance of its own for every window: what all had in common would pass for a faster or slower machine.
    runs = [
        [_of(servers, profile, one, place * repeats + repeat) for place, one in enumerate(windows)]
        for repeat in range(repeats)
    ]
    means: _Floats = np.mean(runs, axis=0)
    return means


def _of(servers: SimulatedServers, profile: CpuProfile, one: Observed, seed: int) -> tuple[float, float]:
    servers.reset(seed)
    measured: SlotMeasurement = (
        servers.serve_closed(one.configuration, one.clients, one.slot.duration_s, one.slot.size)
        if one.clients
        else servers.serve(one.configuration, one.slot)
    )
    if not measured.completions:
        return one.slot.duration_s, np.nan
    busy_s = (measured.cpu_utilisation or 0.0) * profile.interference.cores * one.slot.duration_s
    return measured.latency_sum_s / measured.completions, busy_s / measured.completions


def fit(family: Family, machine: Machine, windows: Sequence[Observed], start: Fitted | None = None) -> Fitted:
    """Fit a family's parameters; deterministic.

    Args:
        family: ``nested`` or ``shared_pool``.
        machine: what is known.
        windows: what was measured.
        start: where to begin, and one run of the simulator is enough then; the best of points all over the
            range are tried if not given.
    """
    scale_s = min(one.mean_latency_s for one in windows)
    observed = np.array([one.mean_latency_s for one in windows])
    weight = 1 / np.hypot(_FLOOR, np.array([one.relative_error for one in windows]))

    def error(place: _Floats, repeats: int) -> _Floats:
        profile = _profile(family, machine, _numbers(place, scale_s))
        difference: _Floats = np.log(simulate(profile, machine.space, windows, repeats)[:, 0] / observed)
        weighted: _Floats = difference * weight
        return weighted

    def descend(place: _Floats, repeats: int) -> OptimizeResult:
        return least_squares(
            error, place, bounds=(1.0, 2.0), diff_step=_STEP, loss="soft_l1", max_nfev=40, args=(repeats,)
        )

    if start is None:
        ends = [descend(1 + one, 1) for one in _starts(lambda place: error(place, 1))]
        best = min(ends, key=lambda end: end.cost)
        found = descend(np.clip(best.x, 1.001, 1.999), _REPEATS)
    else:
        found = descend(1 + _place(start.profile, scale_s), 1)
    numbers = _numbers(found.x, scale_s)
    profile = _with_spinning(_profile(family, machine, numbers), machine.space, windows)
    slopes = _slopes(lambda place: error(place, _SLOPE_REPEATS), found.x)
    return Fitted(profile, _intervals(found, slopes, scale_s))


def _starts(error: Callable[[_Floats], _Floats]) -> list[_Floats]:
    """The best of points spread evenly over the range, in 0..1."""
    points = qmc.Sobol(len(LIMITS), scramble=False).random(_STARTS)
    points = 0.02 + 0.96 * points
    costs = [float(np.abs(error(1 + point)).sum()) for point in points]
    return [points[place] for place in np.argsort(costs, kind="stable")[:_TRIED]]


def _numbers(place: _Floats, scale_s: float) -> dict[str, float]:
    """Parameters at a place of the range, 1..2 in every direction: steps are then relative to the range."""
    return {
        key: (low + (value - 1) * (high - low)) * (scale_s if key in _SCALED else 1.0)
        for value, (key, (low, high)) in zip(place, LIMITS.items(), strict=True)
    }


def _place(profile: CpuProfile, scale_s: float) -> _Floats:
    numbers = parameters(profile)
    places = [
        (numbers[key] / (scale_s if key in _SCALED else 1.0) - low) / (high - low)
        for key, (low, high) in LIMITS.items()
    ]
    return np.clip(places, 0.001, 0.999)


def parameters(profile: CpuProfile) -> dict[str, float]:
    """The fitted numbers of a profile by name."""
    service = profile.service
    of_service = (service.mean_s, service.overhead_s, service.idle_slowdown)
    curves = {key: getattr(profile.interference, key) for key in LIMITS if key not in _OF_SERVICE}
    return dict(zip(_OF_SERVICE, of_service, strict=True)) | curves


def _profile(family: Family, machine: Machine, numbers: Mapping[str, float]) -> CpuProfile:
    curves = {key: value for key, value in numbers.items() if key not in _OF_SERVICE}
    return CpuProfile(
        name=machine.name,
        model=machine.model,
        service=machine.service(**{key: numbers[key] for key in _OF_SERVICE}),
        unbatched_requests=machine.unbatched_requests,
        interference=CpuInterference(family=family, cores=machine.cores, spinning=0.0, **curves),
    )


def _with_spinning(profile: CpuProfile, space: ConfigurationSpace, windows: Sequence[Observed]) -> CpuProfile:
    """Busy-waiting changes no latency: fitted to the CPU seconds per request alone."""
    used = np.log([one.cpu_s for one in windows])

    def spinning(share: float) -> CpuProfile:
        return replace(profile, interference=replace(profile.interference, spinning=share))

    def error(share: float) -> float:
        difference = np.log(simulate(spinning(share), space, windows, 1)[:, 1]) - used
        return float(np.nansum(difference**2))

    found = minimize_scalar(error, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-3})
    return spinning(float(found.x))


def _slopes(error: Callable[[_Floats], _Floats], place: _Floats) -> _Floats:
    """Central differences of the weighted errors in every direction; shape (windows, parameters)."""
    columns = []
    for one in np.eye(len(place)):
        low, high = np.clip((place - _SLOPE_STEP * one, place + _SLOPE_STEP * one), 1.0, 2.0)
        columns.append((error(high) - error(low)) / (high - low).sum())
    return np.stack(columns, axis=1)


def _intervals(found: OptimizeResult, slopes: _Floats, scale_s: float) -> dict[str, tuple[float, float]]:
    """Student's t around the optimum; a parameter at the end of its range is held there for the others."""
    free = found.active_mask == 0
    freedom = max(1, len(found.fun) - int(free.sum()))
    jacobian = slopes[:, free] / (1 + found.fun[:, None] ** 2) ** 0.25  # as the soft loss weighs
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * 2 * found.cost / freedom
    half = np.zeros(len(found.x))
    half[free] = t.ppf(0.5 + _LEVEL / 2, freedom) * np.sqrt(np.diag(covariance))
    low = _numbers(np.clip(found.x - half, 1, 2), scale_s)
    high = _numbers(np.clip(found.x + half, 1, 2), scale_s)
    return {key: (low[key], high[key]) for key in LIMITS}
