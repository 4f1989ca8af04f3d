"""Threads by name, from outside and inside: what tells that a knob really moved threads.

Linux names every thread (``comm``, 15 characters) and counts its CPU time. A thread that is given no name
inherits that of its creator, and TensorFlow's intra-op threads are given none: naming the creating thread
for a moment therefore labels them.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Thread:
    """One thread of a process: its name and the CPU time it has used so far."""

    thread_id: int
    name: str
    cpu_s: float


def threads(pid: int | None = None) -> list[Thread]:
    """The threads of a process (this one by default); empty where there is no /proc."""
    found = []
    for task in _tasks(pid):
        with suppress(OSError):  # the thread may end while we look
            found.append(Thread(int(task.name), (task / "comm").read_text().strip(), _cpu_s(task)))
    return found


def count_by_name(pid: int | None = None) -> Counter[str]:
    """How many threads of a process bear each name."""
    names: Counter[str] = Counter()
    for task in _tasks(pid):
        with suppress(OSError):
            names[(task / "comm").read_text().strip()] += 1
    return names


@contextmanager
def thread_named(name: str) -> Iterator[None]:
    """Give the calling thread a name for a while; threads it starts meanwhile inherit it."""
    before = rename_thread(name)
    try:
        yield
    finally:
        rename_thread(before)


def rename_thread(name: str) -> str:
    """Name the calling thread (15 characters at most) and return its former name; Linux only."""
    comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
    try:
        before = comm.read_text().strip()
        comm.write_text(name[:15])
    except OSError:
        return ""
    return before


def _cpu_s(task: Path) -> float:
    """CPU time of a thread: to the nanosecond where the kernel keeps it so, else in clock ticks of 10 ms."""
    with suppress(OSError):
        return int((task / "schedstat").read_text().split()[0]) * 1e-9
    user, system = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * _TICK_S


def _tasks(pid: int | None) -> list[Path]:
    with suppress(OSError):
        return list(Path(f"/proc/{pid or 'self'}/task").iterdir())
    return []
