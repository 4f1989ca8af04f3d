"""Hourly JSON of Wikimedia's page view API (AQS): ``{"items": [{"timestamp": "YYYYMMDDHH", "views": N}]}``.

The time is UTC and the START of the hour (its documentation asks for 00 to 23 of a day to get that day).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from serving.errors import UsageError
from workloads.traces.lines import read_lines, utc
from workloads.traces.series import Bin, RateSeries, on_grid

LINE = re.compile(r"\s*\{.*", re.ASCII)
EXPECTED = 'JSON as {"items": [{"granularity": "hourly", "timestamp": "YYYYMMDDHH", "views": N, ...}, ...]}'
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)", re.ASCII)
_SAME = ("project", "access", "agent")


def load(path: Path) -> RateSeries:
    """Read the file.

    Raises:
        UsageError: also if the items are of more than one project, access or agent.
    """
    try:
        content = json.loads("\n".join(line for _, line in read_lines(path)))
    except ValueError as error:
        raise UsageError(f"workload.trace={path}: {error}, expected {EXPECTED}") from None
    items = content.get("items")
    if not isinstance(items, list) or not items:
        raise UsageError(f"workload.trace={path}: has no items, expected {EXPECTED}")
    bins = []
    for number, item in enumerate(items, start=1):
        where = f"workload.trace={path}: item {number}"
        entries = item if isinstance(item, dict) else {}
        time, views = _TIME.fullmatch(str(entries.get("timestamp"))), entries.get("views")
        hourly = entries.get("granularity") == "hourly"
        if not hourly or time is None or type(views) is not int or views < 0:
            raise UsageError(f"{where} is {str(item)[:60]!r}, expected {EXPECTED}")
        if any(entries.get(key) != items[0].get(key) for key in _SAME):
            raise UsageError(f"{where}: expected the same project, access and agent as in item 1")
        bins.append(Bin(where, utc(where, time[0], *time.groups()), float(views)))
    return on_grid(path, bins, 3600.0)
