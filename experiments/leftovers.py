"""Folders that say who makes them, so that those of processes that were killed can be told and removed.

A process on another host may be at work where its number means nothing here: what it made counts as left
behind only when nothing in it has changed for two days.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp

import psutil

_OLD_S = 2 * 24 * 3600.0
_OWNED = re.compile(r"\.(?P<host>[^.]+)\.(?P<pid>\d+)\.\w{8}(\.partial)?$")


def this_host() -> str:
    """Name of this machine, without dots."""
    return platform.node().replace(".", "-") or "localhost"


def make_owned(parent: Path, name: str, suffix: str = "") -> Path:
    """Make a new folder ``<name>.<host>.<process>.<random><suffix>``."""
    return Path(mkdtemp(prefix=f"{name}.{this_host()}.{os.getpid()}.", suffix=suffix, dir=parent))


def is_running(pid: int) -> bool:
    """Whether a process of this machine is there and not merely waiting to be collected."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def owner(folder: Path) -> tuple[str, int] | None:
    """Host and process that made the folder; None where its name does not say."""
    named = _OWNED.search(folder.name)
    return None if named is None else (named["host"], int(named["pid"]))


def is_abandoned(folder: Path) -> bool:
    """Whether whoever made the folder is gone; on another host, whether it is two days old."""
    host, pid = owner(folder) or (None, 0)
    if host == this_host():
        return not is_running(pid)
    try:
        changed = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False  # somebody moved or removed it just now
    return time.time() - changed > _OLD_S


def remove_abandoned(parent: Path) -> None:
    """Remove the half-written runs below ``parent`` that nobody writes any more."""
    for folder in parent.glob(".*.partial"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
