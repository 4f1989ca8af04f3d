"""Wikimedia's hourly files ``projectviews-YYYYMMDD-HHMMSS`` and ``projectcounts-...``. No header.

The time in the NAME is UTC and the END of the hour; old files are some seconds late, hence rounded. A line is
``domain_code page_title count bytes``, e.g. ``en.m - 3645837 0``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from serving.errors import UsageError
from workloads.traces.lines import matched_lines, utc
from workloads.traces.series import Bin, RateSeries, on_grid

NAME = re.compile(r"project(?:views|counts)-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(?:\.gz|\.txt)?", re.ASCII)
LINE = re.compile(r"([^ ]+) [^ ]+ (\d+) (\d+)", re.ASCII)
EXPECTED = "domain_code page_title count bytes"
_BIN_S = 3600.0


def load(paths: Sequence[Path], project: str) -> RateSeries:
    """Read one file per hour: views of ``project`` on desktop, mobile (.m) and zero (.zero) together.

    A project that an hour's file does not list had no view in that hour.

    Raises:
        UsageError: also if a name has another form, two files are of one hour or none lists the project.
    """
    codes = {project, f"{project}.m", f"{project}.zero"}
    bins, listed = [], False
    for path in paths:
        name = NAME.fullmatch(path.name)
        if name is None:
            raise UsageError(f"workload.trace={path}: expected a file name projectviews-YYYYMMDD-HHMMSS")
        year, month, day, hour, minute, second = name.groups()
        end = utc(f"workload.trace={path}", path.name, year, month, day, hour)
        end += timedelta(hours=round((int(minute) * 60 + int(second)) / _BIN_S))
        matches = [match for _, _, match in matched_lines(path, LINE, EXPECTED) if match[1] in codes]
        listed = listed or bool(matches)
        total = float(sum(int(match[2]) for match in matches))
        bins.append(Bin(f"workload.trace={path}", end - timedelta(seconds=_BIN_S), total))
    if not listed:
        raise UsageError(
            f"workload.project={project}: no line of {paths[0]} has this domain code, e.g. en, de.b"
        )
    bins.sort(key=lambda one: one.start)
    return on_grid(paths[0].parent, bins, _BIN_S)
