"""Runs that failed in a sweep, on disk: ``<run_id>.failed.json`` beside where the run's folder would be.

The file goes away when a later run succeeds. Whoever misses a run can say why it is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.identity import NOT_ROWS

SUFFIX = ".failed.json"


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        run_id: whose rows are missing.
        overrides: what the sweep asked for.
        reason: one line.
        config: the resolved settings.
        traceback: where it happened; empty where the process was killed.
        when: time in UTC, ISO 8601.
    """

    run_id: str
    overrides: Sequence[str]
    reason: str
    config: dict[str, Any]
    traceback: str = ""
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def failure_path(folder: Path) -> Path:
    """Where the failure of the run that belongs into ``folder`` is noted."""
    return folder.with_name(folder.name + SUFFIX)


def write_failure(folder: Path, failure: Failure) -> None:
    """Note it, whole or not at all."""
    target = failure_path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(json.dumps(asdict(failure), indent=1, default=str) + "\n")
    partial.replace(target)


def forget_failure(folder: Path, config: Mapping[str, Any]) -> None:
    """The run with these settings succeeded, or is not to be noted.

    A user's agent that was mended has another run_id with the same settings: what it failed at goes, too.
    """
    settled = _settings(config)
    failure_path(folder).unlink(missing_ok=True)
    for path in folder.parent.glob(f"[!.]*{SUFFIX}"):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # gone meanwhile, or damaged
            if _settings(json.loads(path.read_text())["config"]) == settled:
                path.unlink()


def _settings(config: Mapping[str, Any]) -> Any:
    """What decides the rows, as it reads back from a file."""
    kept = {key: value for key, value in config.items() if key not in NOT_ROWS}
    return json.loads(json.dumps(kept, default=str))
