"""What the curves leave of the measured windows: a Gaussian process over threads and requests in service."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.correction import Correction
from sim.fit import Machine, Observed, simulate
from sim.hardware import CpuProfile

_LENGTHS = (0.7, 8.0)  # doublings
_NOISE = (1e-4, 0.1)  # variances of log latency
_SIGNAL = (1e-4, 1.0)


def corrected(profile: CpuProfile, machine: Machine, windows: Sequence[Observed], speed: bool) -> CpuProfile:
    """The profile with factors on CPU seconds, and on speed if asked, that closed loops show; deterministic.

    In a closed loop the number in service is known, so its error is that of the speed at one point.
    """
    closed = [one for one in windows if one.clients]
    said = simulate(profile, machine, closed)
    latency_s, cpu_s = np.array([(one.mean_latency_s, one.cpu_s) for one in closed]).T
    in_server_s = said[:, 0] - profile.service.overhead_s
    on_speed = -np.log(np.maximum(latency_s - profile.service.overhead_s, 0.1 * in_server_s) / in_server_s)
    on_cpu = np.log(cpu_s / said[:, 1])
    at, group = np.unique([_point(profile, one) for one in closed], axis=0, return_inverse=True)
    on_speed, on_cpu = (_means(values, group.ravel()) for values in (on_speed, on_cpu))
    cpu_lengths, log_cpu = _process(np.log2(at), on_cpu)
    lengths, log_speed = _process(np.log2(at), on_speed) if speed else (cpu_lengths, np.zeros(len(at)))
    return replace(profile, correction=Correction(np.array([lengths, cpu_lengths]), at, log_speed, log_cpu))


def _point(profile: CpuProfile, one: Observed) -> tuple[float, float, float]:
    request, inter_op, intra_op = one.configuration
    cores = profile.interference.cores
    threads = inter_op or cores
    inside = np.array(request or profile.unbatched_requests)
    in_service = min(one.clients, int(profile.interference.at_once(inside, np.array(threads))))
    return float(threads), float(intra_op or cores), float(in_service)


def _means(values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.bincount(group, values) / np.bincount(group)
    return means


def _process(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lengths and weights of a process by maximal likelihood."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(0.05, _SIGNAL) * RBF(np.full(x.shape[1], 2.0), _LENGTHS) + WhiteKernel(
        0.002, _NOISE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # at an end of the range: as good as any
        process = GaussianProcessRegressor(kernel).fit(x, y)
    found = process.kernel_.k1
    weights: NDArray[np.float64] = process.alpha_ * found.k1.constant_value
    return np.atleast_1d(found.k2.length_scale), weights
