"""Log-spaced latency histograms: quantiles within 1 % at a fixed, small size."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

_BIN_RATIO = 1.02

# 0.1 ms to about 1200 s; computed once, and shared by every engine, so that bins never differ by rounding.
EDGES_S: NDArray[np.float64] = np.cumprod(
    np.concatenate(([1e-4], np.full(823, _BIN_RATIO))), dtype=np.float64
)
BIN_COUNT = len(EDGES_S) + 1  # an underflow bin before the first edge and an overflow bin after the last
_CENTRES_S = np.concatenate((EDGES_S[:1], np.sqrt(EDGES_S[1:] * EDGES_S[:-1]), EDGES_S[-1:]))


def count_latencies(latency_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Histogram of latencies in seconds, shape (BIN_COUNT,)."""
    return np.bincount(EDGES_S.searchsorted(latency_s, side="right"), minlength=BIN_COUNT)


def quantiles_s(counts: NDArray[np.int64], shares: Sequence[float]) -> tuple[float | None, ...]:
    """Latencies in seconds below which these shares of the requests lie, within 1 %; None if empty."""
    return cumulative_quantiles_s(np.add.accumulate(counts), shares)


def cumulative_quantiles_s(
    cumulative: NDArray[np.int64], shares: Sequence[float]
) -> tuple[float | None, ...]:
    """The same from the running sum of the counts."""
    total = int(cumulative[-1])
    if total == 0:
        return (None,) * len(shares)
    ranks = [max(1, ceil(share * total)) for share in shares]
    return tuple(_CENTRES_S[cumulative.searchsorted(ranks)].tolist())
