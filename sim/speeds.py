"""What the interference curves say, tabulated: both engines take the same table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batching:
    """How requests are put together under each configuration, every array of shape (n_conf,).

    A batch leaves for a free place when it is full, or when its oldest request has waited the timeout. Its
    demand is ``fixed_s`` plus the demands of its requests.

    Attributes:
        size: requests in a full batch, >= 1.
        timeout_s: how long a batch that is not full is held back, >= 0, in seconds.
        fixed_s: demand of a batch beside that of its requests, >= 0, in seconds at speed 1.

    Raises:
        ValueError: if shapes or values break these rules.
    """

    size: NDArray[np.int64]
    timeout_s: NDArray[np.float64]
    fixed_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.size.shape == self.timeout_s.shape == self.fixed_s.shape or self.size.ndim != 1:
            raise ValueError("size, timeout_s and fixed_s must be rows of the same length")
        if np.any(self.size < 1):
            raise ValueError(f"size={self.size}, expected integers >= 1")
        for name in ("timeout_s", "fixed_s"):
            values = getattr(self, name)
            if not (np.all(values >= 0) and np.all(np.isfinite(values))):
                raise ValueError(f"{name}={values}, expected finite numbers >= 0")


@dataclass(frozen=True)
class SpeedTable:
    """How fast a server works under each configuration with n requests (or batches) in service.

    Attributes:
        limit: at most this many requests in service under each configuration, >= 1; shape (n_conf,).
        speed: progress of EACH request with n in service, in demand-seconds per second, > 0; shape
            (n_conf, n_max + 1), column 0 is 0. n may exceed the current limit after the limit shrank,
            so n_max is at least the largest limit of all configurations.
        busy: busy share of the processor with n in service, 0..1; same shape, column 0 is 0.
        batching: for a server that puts requests together, in which n counts batches; None for others.

    Raises:
        ValueError: if shapes or values break these rules.
    """

    limit: NDArray[np.int64]
    speed: NDArray[np.float64]
    busy: NDArray[np.float64]
    batching: Batching | None = None

    def __post_init__(self) -> None:
        rows, columns = len(self.limit), int(np.max(self.limit, initial=0)) + 1
        if self.limit.ndim != 1 or rows == 0 or np.any(self.limit < 1):
            raise ValueError(f"limit={self.limit}, expected a row of integers >= 1")
        if self.speed.ndim != 2 or self.speed.shape[0] != rows or self.speed.shape[1] < columns:
            raise ValueError(f"speed has shape {self.speed.shape}, expected ({rows}, at least {columns})")
        if self.busy.shape != self.speed.shape:
            raise ValueError(f"busy has shape {self.busy.shape}, expected that of speed, {self.speed.shape}")
        if np.any(self.speed[:, 0] != 0) or np.any(self.busy[:, 0] != 0):
            raise ValueError("speed and busy have entries other than 0 in column 0, nobody in service")
        if not (np.all(self.speed[:, 1:] > 0) and np.all(np.isfinite(self.speed))):
            raise ValueError("speed has entries that are not > 0 and finite")
        if not (np.all(self.busy >= 0) and np.all(self.busy <= 1)):
            raise ValueError("busy has entries outside 0..1")
        if self.batching is not None and len(self.batching.size) != rows:
            raise ValueError(f"batching has {len(self.batching.size)} rows, expected {rows}")

    @property
    def size(self) -> int:
        """Number of configurations."""
        return len(self.limit)

    def first_alike(self) -> NDArray[np.int64]:
        """For every configuration the first one that makes the server behave exactly the same."""
        columns = [self.limit, self.speed, self.busy]
        if self.batching is not None:
            columns += [self.batching.size, self.batching.timeout_s, self.batching.fixed_s]
        _, first, group = np.unique(np.column_stack(columns), axis=0, return_index=True, return_inverse=True)
        return first[group]
