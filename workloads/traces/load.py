"""Load a trace, whatever its format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from serving.errors import UsageError
from workloads.traces import aqs, hourly, per_minute, per_second, stamped, ten_ms, wikibench, wikimedia
from workloads.traces.lines import bad_line, read_lines
from workloads.traces.series import RateSeries


class _Format(Protocol):
    LINE: re.Pattern[str]
    EXPECTED: str

    def load(self, path: Path) -> RateSeries: ...


_FORMATS: tuple[_Format, ...] = (per_minute, hourly, stamped, ten_ms, wikibench, aqs)
_WILDCARDS = "*?["


def load_trace(path: str | Path, project: str = "en") -> RateSeries:
    """Read a trace; the format shows in the file's name (Wikimedia's hourly files) or its first line.

    A header is accepted only where its format has one; every other line must be as the format says.

    Args:
        path: a file, plain or gzipped; for Wikimedia's hourly files also a folder (files of other names in it
            are ignored) or a pattern such as ``views/projectviews-202609*``.
        project: which wiki, for formats that hold several.

    Raises:
        UsageError: if anything is missing, unreadable, empty or malformed, or there is no request at all.
    """
    series = _load(Path(path).expanduser(), project)
    if series.mean_rps <= 0:
        raise UsageError(f"workload.trace={path}: holds no request")
    return series


def _load(path: Path, project: str) -> RateSeries:
    if path.is_dir():
        files = [one for one in path.iterdir() if wikimedia.NAME.fullmatch(one.name)]
        return wikimedia.load(_some(path, files), project)
    if not path.exists() and any(wildcard in path.name for wildcard in _WILDCARDS):
        return wikimedia.load(_some(path, list(path.parent.glob(path.name))), project)
    if wikimedia.NAME.fullmatch(path.name):
        return wikimedia.load([path], project)
    number, first = next(read_lines(path))
    if first == per_second.HEADER or per_second.LINE.fullmatch(first):
        return per_second.load(path, project)
    if first == hourly.HEADER:
        return hourly.load(path)
    for kind in _FORMATS:
        if kind.LINE.fullmatch(first):
            return kind.load(path)
    formats = "; ".join([per_second.EXPECTED, *(kind.EXPECTED for kind in _FORMATS)])
    raise bad_line(path, number, first, f"the first line of a known format: {formats}")


def _some(path: Path, files: list[Path]) -> list[Path]:
    if not files:
        raise UsageError(f"workload.trace={path}: no such file, expected projectviews-YYYYMMDD-HHMMSS files")
    return sorted(files, key=lambda one: one.name)
