"""Counts per second and language, ``second,language,count``, sorted by second; these words may be a header.

Seconds above 1e9 are Unix time, smaller ones have no date. A language without a line in a second that has
others had no request; a second without any line is a hole.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from serving.errors import UsageError
from workloads.traces.lines import bad_line, matched_lines, place
from workloads.traces.series import Bin, RateSeries, on_grid

HEADER = "second,language,count"
LINE = re.compile(r"(\d{1,10}),([\w.-]+),(\d+)", re.ASCII)
EXPECTED = HEADER


def load(path: Path, project: str) -> RateSeries:
    """Read the counts of language ``project`` (``en``).

    Raises:
        UsageError: also if a (second, language) pair comes twice or the language never comes.
    """
    bins: list[Bin] = []
    second, languages, ever = -1, set[str](), set[str]()
    for number, line, match in matched_lines(path, LINE, EXPECTED, HEADER):
        language = match[2]
        if int(match[1]) != second:
            second, languages = int(match[1]), set()
            bins.append(Bin(place(path, number), datetime.fromtimestamp(second, UTC), 0.0))
        if language in languages:
            raise bad_line(path, number, line, f"one line for {language} in second {second}")
        languages.add(language)
        if language == project:
            bins[-1] = Bin(bins[-1].place, bins[-1].start, float(match[3]))
        ever.add(language)
    if project not in ever:
        raise UsageError(f"workload.project={project}: must be one of {', '.join(sorted(ever))} in {path}")
    series = on_grid(path, bins, 1.0)
    dated = bins[0].start.timestamp() > 1e9
    return series if dated else RateSeries(None, series.bin_s, series.rate_rps, series.filled_bins)
