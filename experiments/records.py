"""Run records: what a run leaves behind, written whole or not at all.

``<output_dir>/<experiment>/<run_id>/`` holds slots.parquet (deterministic rows), timings.parquet
(wall-clock), histogram.parquet (latency histograms), diagnostics.parquet (where asked for) and manifest.json.
The columns are described in results/README.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.failures import forget_failure
from experiments.leftovers import make_owned, remove_abandoned
from serving.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

SEMANTICS_VERSION = 2  # raised when the same settings give other rows than before
ROOT = Path(__file__).resolve().parent.parent
_WRITTEN = (":(exclude)results", ":(exclude)README.md")
_PACKAGES = ("numpy", "simpy", "numba", "pandas", "pyarrow", "hydra-core", "gymnasium")


def content_hash(settings: Mapping[str, Any]) -> str:
    """Twelve hex digits that stand for a nested mapping of plain values, whatever its order."""
    text = json.dumps({"version": SEMANTICS_VERSION, **settings}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def git_state() -> dict[str, Any]:
    """Revision of the checkout and whether files differ from it; None where git or the history is missing.

    What the project's own commands write (results, sections of the README) changes no run and does not count.
    """

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", *_WRITTEN)
    return {"revision": git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def machine() -> dict[str, Any]:
    """The machine, in a few words."""
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _cpu_name() -> str | None:
    """As Linux calls it, None elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run, None where there is none or it is broken."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a complete run, every file as it was written."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.get("status") != "finished" or "config" not in manifest:
        return False
    files: dict[str, str] = manifest.get("files", {})
    return all(_digest(folder / name) == digest for name, digest in files.items())


def other_revision(folder: Path) -> str | None:
    """The git revision that made a finished run, in words, where that is not the present code; else None."""
    made_by = (read_manifest(folder) or {}).get("git", {})
    return None if made_by == git_state() else f"revision {made_by.get('revision')}"


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


class RunFolder:
    """Writes one run into a folder of its own and moves it into place when everything is there.

    Attributes:
        target: where it ends up.
        partial: where it is written; any file in there moves along.
    """

    def __init__(self, target: Path, manifest: Mapping[str, Any]) -> None:
        self.target = target
        self._manifest = dict(manifest)
        self._started = datetime.now(UTC)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"output_dir: {error.filename}: {error.strerror}, expected a folder") from None
        remove_abandoned(target.parent)
        self.partial = make_owned(target.parent, f".{target.name}", ".partial")

    def __enter__(self) -> RunFolder:
        return self

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Add ``<name>.parquet``."""
        table.to_parquet(self.partial / f"{name}.parquet", index=False)

    def finish(self) -> None:
        """Write the manifest and put the folder in its place, replacing what was there."""
        manifest = {
            "status": "finished",
            **self._manifest,
            "argv": sys.argv,
            "git": git_state(),
            "versions": {name: version(name) for name in _PACKAGES},
            "machine": machine(),
            "start": self._started.isoformat(),
            "end": datetime.now(UTC).isoformat(),
            "files": {path.name: _digest(path) for path in sorted(self.partial.iterdir())},
        }
        (self.partial / "manifest.json").write_text(json.dumps(manifest, indent=1, default=str) + "\n")
        self.partial.chmod(0o755)
        shutil.rmtree(self.target, ignore_errors=True)
        try:
            self.partial.rename(self.target)
        except OSError:
            if not is_finished(self.target):  # else another process was quicker with the same run
                raise
        forget_failure(self.target, self._manifest.get("config", {}))

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)
