"""Files that commands write for readers: whole or not at all, and sections between markers."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def replaced(page: str, begin: str, end: str, text: str) -> str | None:
    """The page with the text on lines of its own between two markers; None where it lacks one of them."""
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}" if found_begin and found_end else None


def replace_section(file: Path, begin: str, end: str, text: str) -> bool:
    """Put the text between the markers of a file; False, and nothing is written, where it lacks them."""
    new = replaced(file.read_text(encoding="utf-8"), begin, end, text) if file.exists() else None
    if new is None:
        return False
    write_whole(file, new)
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it appears whole or not at all; one that is the same already is left alone."""
    if path.exists() and path.read_bytes() == text.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(text.encode())
    partial.replace(path)


def read_rows(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file that one of our commands has written.

    Raises:
        UsageError: naming the first column that it lacks, or the row that is cut off.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        table = csv.DictReader(file)
        lacking = [name for name in columns if name not in (table.fieldnames or ())]
        rows = list(table)
    if lacking:
        raise UsageError(f"{path} is damaged: it has no column {lacking[0]}")
    for number, row in enumerate(rows, start=1):
        if None in row.values() or None in row:
            raise UsageError(f"{path} is damaged: row {number} has not {len(row)} columns")
    return rows


def markdown_table(text: pd.DataFrame) -> str:
    """A table of texts as Markdown."""
    lines = [list(text.columns), ["---"] * len(text.columns), *text.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def counted(number: int, noun: str) -> str:
    """A number of things, in words that agree with it."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
