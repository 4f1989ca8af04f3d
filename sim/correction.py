"""What was measured beside an interference curve: smooth factors on speed and CPU seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError
from serving.record import Record

KEYS = ("lengths", "at", "log_speed", "log_cpu")
_FEATURES = 3


@dataclass(frozen=True, eq=False)
class Correction(Record):
    """The means of two Gaussian processes with squared-exponential kernels; 1 far from everything measured.

    The logarithm of a factor at x = log2 (inter-op, intra-op, in service) is the sum over the points of
    weight x exp(-|(x - point) / lengths|^2 / 2).

    Attributes:
        lengths: how far a point reaches along each axis, in doublings, > 0, for speed and for CPU seconds;
            shape (2, 3).
        at: inter-op, intra-op and number in service of each point, >= 1; shape (points, 3).
        log_speed: weights of the points for the speed of requests; shape (points,).
        log_cpu: weights of the points for the CPU seconds per request; shape (points,).
    """

    lengths: NDArray[np.float64]
    at: NDArray[np.float64]
    log_speed: NDArray[np.float64]
    log_cpu: NDArray[np.float64]

    def factors(
        self, inter_op: NDArray[np.float64], intra_op: NDArray[np.float64], in_service: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Factors on speed and on busy share; the arguments broadcast."""
        place = np.stack(np.broadcast_arrays(inter_op, intra_op, in_service), -1).astype(np.float64)
        apart = np.log2(place)[..., None, :] - np.log2(self.at)
        speed, cpu = (
            np.exp(-0.5 * ((apart / lengths) ** 2).sum(axis=-1)) @ weights
            for lengths, weights in zip(self.lengths, (self.log_speed, self.log_cpu), strict=True)
        )
        return np.exp(speed), np.exp(speed + cpu)  # busy share: requests per second times CPU seconds of each


def read_correction(where: str, content: Any) -> Correction:
    """Read and check a correction (part of the documented YAML of conf/hardware).

    Raises:
        UsageError: naming the key and what is allowed.
    """
    if not isinstance(content, Mapping) or set(content) != set(KEYS):
        raise UsageError(f"{where}={content!r}, expected the keys {sorted(KEYS)}")
    arrays = {key: _numbers(f"{where}.{key}", content[key]) for key in KEYS}
    points = len(arrays["at"])
    shapes = {"lengths": (2, _FEATURES), "at": (points, _FEATURES)}
    for key, array in arrays.items():
        if array.shape != shapes.get(key, (points,)):
            raise UsageError(f"{where}.{key} has shape {array.shape}, expected {shapes.get(key, (points,))}")
    if (arrays["lengths"] <= 0).any() or (arrays["at"] < 1).any():
        raise UsageError(f"{where}: expected lengths > 0, and points >= 1 (threads and requests)")
    return Correction(**arrays)


def _numbers(where: str, content: Any) -> NDArray[np.float64]:
    try:
        array = np.array(content, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim == 0 or not np.isfinite(array).all():
        raise UsageError(f"{where}={content!r}, expected a list of finite numbers")
    return array
