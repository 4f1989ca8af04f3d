"""Statistics by which a generated rate is compared with a real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


@dataclass(frozen=True)
class RateStatistics:
    """Shape of a rate that is given per minute; all numbers are relative to the rate itself.

    Attributes:
        cv: coefficient of variation.
        p999_over_mean: 99.9th percentile over the mean.
        p001_over_mean: 0.1th percentile over the mean.
        hour_change_std: standard deviation of the change of log rate over 60 minutes.
        residual_std: robust standard deviation of what the trend does not explain (see ``minute_residual``).
        residual_acf1: its autocorrelation at a lag of one minute, outliers clipped to 3 ``residual_std``.
        spikes_per_day: residual rising through 5 %, per day.
    """

    cv: float
    p999_over_mean: float
    p001_over_mean: float
    hour_change_std: float
    residual_std: float
    residual_acf1: float
    spikes_per_day: float


def rate_statistics(rate: NDArray[np.float64]) -> RateStatistics:
    """Statistics of positive rates per minute, shape (minutes,), over at least some hours."""
    high, low = np.percentile(rate, [99.9, 0.1]) / rate.mean()
    log_rate = np.log(rate)
    residual = minute_residual(rate)
    std = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    clipped = np.clip(residual, -3 * std, 3 * std)
    spikes = float(np.sum((residual[1:] > 0.05) & (residual[:-1] <= 0.05)))
    return RateStatistics(
        cv=float(rate.std() / rate.mean()),
        p999_over_mean=float(high),
        p001_over_mean=float(low),
        hour_change_std=float(np.std(log_rate[60:] - log_rate[:-60])),
        residual_std=std,
        residual_acf1=float(np.corrcoef(clipped[1:], clipped[:-1])[0, 1]),
        spikes_per_day=spikes / (len(residual) / 1440),
    )


def minute_residual(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative deviation from the trend: a running median over 61 minutes, smoothed by a mean over 31."""
    median = np.median(sliding_window_view(rate, 61), axis=1)
    trend = sliding_window_view(median, 31).mean(axis=1)
    return np.asarray(rate[45:-45] / trend - 1)
