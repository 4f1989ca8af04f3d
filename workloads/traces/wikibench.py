"""WikiBench's raw trace, one request per line: ``counter time url flag`` or ``time url flag``. No header.

The time is Unix seconds or ISO 8601, both UTC; the flag is ``-`` (read) or ``save``. Lines are not in
order of time. Reading takes about 3 s per million lines.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from workloads.traces.lines import bad_line, matched_lines, place, utc
from workloads.traces.series import RateSeries

LINE = re.compile(
    r"(?:\d+ )?"
    r"(?:(\d{9,10})(?:\.\d+)?|(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z?)"
    r" [^ ]+ (?:-|save)",
    re.ASCII,
)
EXPECTED = "[counter] time url flag, with time in Unix seconds or ISO 8601 and flag - or save"
_LONGEST_S = 31 * 24 * 3600


def load(path: Path) -> RateSeries:
    """Count the requests of each second; the capture may cover the first and the last second in part only.

    Raises:
        UsageError: also if a line is more than 31 days away from the first one.
    """
    counts: Counter[int] = Counter()
    first = None
    for number, line, match in matched_lines(path, LINE, EXPECTED):
        epoch = match[1]
        second = int(epoch) if epoch else int(utc(place(path, number), line, *match.groups()[1:]).timestamp())
        first = second if first is None else first
        if abs(second - first) > _LONGEST_S:
            raise bad_line(path, number, line, "a time within 31 days of the first line")
        counts[second] += 1
    start = min(counts)
    rate = np.zeros(max(counts) - start + 1)
    rate[np.array(list(counts)) - start] = list(counts.values())
    return RateSeries(datetime.fromtimestamp(start, UTC), 1.0, rate)
