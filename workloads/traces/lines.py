"""Reading a text file, plain or gzipped; whatever is wrong with it becomes one line that names the place."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from serving.errors import UsageError

_GZIP_MAGIC = b"\x1f\x8b"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without line ends; blank lines at the end of the file are left out.

    Latin-1, because URLs in traces hold bytes that are no UTF-8.

    Raises:
        UsageError: if the file cannot be read to its end, is empty, or has a blank line before its end.
    """
    blank = 0
    number = 0
    try:
        with path.open("rb") as raw:
            opened = gzip.open if raw.read(2) == _GZIP_MAGIC else open
        with opened(path, "rt", encoding="latin-1", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.rstrip("\r\n")
                if text.strip():
                    if blank:
                        raise bad_line(path, blank, "", "no blank line before the end of the file")
                    yield number, text
                else:
                    blank = blank or number
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"workload.trace={path}: damaged gzip file after line {number} ({error})") from None
    except OSError as error:
        raise UsageError(f"workload.trace={path}: {error.strerror}, expected a readable trace file") from None
    if number == 0 or blank == 1:
        raise UsageError(f"workload.trace={path}: the file is empty")


def bad_line(path: Path, number: int, line: str, expected: str) -> UsageError:
    """The error of one line that is not as the format has it."""
    return UsageError(f"{place(path, number)} is {line[:60]!r}, expected {expected}")


def place(path: Path, number: int) -> str:
    """The start of a message about a line."""
    return f"workload.trace={path}: line {number}"


def matched_lines(
    path: Path, pattern: re.Pattern[str], expected: str, header: str | None = None
) -> Iterator[tuple[int, str, re.Match[str]]]:
    """Lines with their numbers and the match of the whole line; ``header`` may come first and is passed over.

    Raises:
        UsageError: at the first line that does not match, or if there is only a header.
    """
    match = None
    for number, line in read_lines(path):
        match = pattern.fullmatch(line)
        if match is not None:
            yield number, line, match
        elif number > 1 or line != header:
            raise bad_line(path, number, line, expected)
    if match is None:
        raise UsageError(f"workload.trace={path}: has nothing but a header, expected {expected}")


def utc(where: str, text: str, *fields: str) -> datetime:
    """A time in UTC from the year, month, day and, if given, hour, minute and second.

    Raises:
        UsageError: if there is no such time (30 February); it shows the place and the text they come from.
    """
    year, month, day, hour, minute, second = (*map(int, fields), 0, 0, 0)[:6]
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise UsageError(f"{where} is {text[:60]!r}, expected a time that exists ({error})") from None
