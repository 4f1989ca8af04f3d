"""Checks of a workload's settings; each failure is one line that names ``workload.<key>``."""

from __future__ import annotations

import math
from collections.abc import Collection

from serving.errors import UsageError


def positive(**settings: float) -> None:
    """Raise UsageError unless every setting is a finite number above zero."""
    for key, value in settings.items():
        if not _is_number(value) or value <= 0:
            raise UsageError(f"workload.{key}={value}: must be a finite number above 0")


def not_negative(**settings: float) -> None:
    """Raise UsageError unless every setting is a finite number of at least zero."""
    for key, value in settings.items():
        if not _is_number(value) or value < 0:
            raise UsageError(f"workload.{key}={value}: must be a finite number of at least 0")


def ordered(low_key: str, low: float, high_key: str, high: float) -> None:
    """Raise UsageError if a range is upside down."""
    if low > high:
        raise UsageError(f"workload.{low_key}={low}: must be at most workload.{high_key}={high}")


def one_of(key: str, value: str, allowed: Collection[str]) -> None:
    """Raise UsageError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UsageError(f"workload.{key}={value}: must be one of {', '.join(allowed)}")


def whole(key: str, value: int, least: int) -> None:
    """Raise UsageError unless ``value`` is an integer of at least ``least``; ``key`` is the full name."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{key}={value}: must be an integer of at least {least}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


MOST_REQUESTS = 1e7
"""Most expected requests in one slot: beyond it a slot takes minutes and gigabytes."""


def slot_fits(requests: float) -> None:
    """Raise UsageError if a slot would hold more requests than anyone means."""
    if requests > MOST_REQUESTS:
        raise UsageError(
            f"workload: {requests:.3g} requests in a slot (rate x slot_s), expected at most {MOST_REQUESTS:g}"
        )
