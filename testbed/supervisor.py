"""Keeps servers running under the configuration asked for, and loses no request over a change."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from serving.errors import UsageError
from testbed.batching import DEFAULT_QUEUE_LIMIT
from testbed.binary_server import BinaryServer, executable, parallelism_flags
from testbed.local_server import LocalServer
from testbed.zygote import Zygote

_CPU = {"request_parallelism", "inter_op_parallelism", "intra_op_parallelism"}
_BATCHING = {"batch_threads", "batch_size", "batch_timeout_us"}


class Supervisor(Protocol):
    """Servers behind addresses, whose parallelism can be changed."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where requests go now: gRPC targets, one per server."""

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that serve, for the profiler; empty if they are not on this machine."""

    def apply(self, configuration: Mapping[str, int]) -> tuple[str, ...]:
        """Bring a configuration into force; the addresses where it is, once it is.

        What served before goes on until then, and finishes what it has even after ``retire``. Servers that
        have died are replaced.

        Raises:
            UsageError: for a knob or a value that these servers cannot be set to.
        """

    def lost(self) -> bool:
        """Whether a server in use has died; ``apply`` replaces it."""

    def retire(self) -> None:
        """End what no longer serves; to be called when nobody sends there any more."""

    def close(self) -> None:
        """End everything; safe to call twice."""


class LocalSupervisor:
    """Servers on this machine: what a process can change it changes in place, else there is another process.

    Request and inter-op parallelism change in place. Intra-op parallelism is fixed for a process, and so are
    the batching knobs here (an idle batch thread costs 0.9 % of a core): a server is forked for another value
    while the one before goes on serving, unless one is still warm, that is, was in use not long ago.
    ``tensorflow_model_server`` changes nothing in place: there every configuration has a process of its own.

    Args:
        flags: of ``python -m testbed.server``: the model, and all choices that may be switched to in place;
            of the binary only the model.
        servers: how many processes serve beside each other under each configuration.
        warm: for how many values of the fixed knobs servers are kept running, the one in use included.
        binary: the executable of ``tensorflow_model_server``, to serve with it; None for our own server.

    Raises:
        UsageError: if ``servers`` or ``warm`` is not at least 1.
    """

    def __init__(
        self, flags: Sequence[str], servers: int = 1, warm: int = 3, binary: str | None = None
    ) -> None:
        for key, value in (("servers", servers), ("warm", warm)):
            if value < 1:
                raise UsageError(f"{key}={value}, expected an integer >= 1")
        self._flags = list(flags)
        self._binary = None if binary is None else executable(binary)
        self._count = servers
        self._warm = warm
        self._groups: dict[tuple[str, ...], list[LocalServer]] = {}  # by flags, last used at the end
        self._folder = tempfile.TemporaryDirectory(prefix="rrl-")
        self._number = count()
        self._zygote = Zygote(Path(self._folder.name) / "zygote.log", ours=binary is None)
        self._closed = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """See ``Supervisor``."""
        return tuple(server.address for server in self._in_use)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """See ``Supervisor``."""
        return tuple(server.pid for server in self._in_use)

    @property
    def _in_use(self) -> list[LocalServer]:
        return list(self._groups.values())[-1] if self._groups else []

    def apply(self, configuration: Mapping[str, int]) -> tuple[str, ...]:
        """See ``Supervisor``; servers that somebody kills while they start are started once more."""
        try:
            return self._apply(configuration)
        except OSError:
            return self._apply(configuration)

    def _apply(self, configuration: Mapping[str, int]) -> tuple[str, ...]:
        flags, changes = self._parted(configuration)
        group = [server for server in self._groups.get(flags, []) if _changed(server, changes)]
        new = [self._start(flags) for _ in range(self._count - len(group))]
        try:
            for server in new:
                server.wait_until_ready()
                server.configure(**changes)
        except BaseException:
            for server in new:
                server.stop()
            raise
        self._groups.pop(flags, None)
        self._groups[flags] = [*group, *new]
        return self.addresses

    def lost(self) -> bool:
        """See ``Supervisor``."""
        return any(server.exit_code is not None for server in self._in_use)

    def retire(self) -> None:
        """See ``Supervisor``."""
        for flags in list(self._groups)[: -self._warm]:
            for server in self._groups.pop(flags):
                server.stop()

    def report(self) -> list[dict[str, Any]]:
        """What every model of every server in use runs with, counted in its process."""
        return [model for server in self._in_use for model in server.report()]

    def close(self) -> None:
        """See ``Supervisor``."""
        if self._closed:
            return
        self._closed = True
        try:
            for group in self._groups.values():
                for server in group:
                    server.stop()
        finally:
            self._zygote.close()
            self._folder.cleanup()

    def _start(self, flags: tuple[str, ...]) -> LocalServer:
        folder = Path(self._folder.name) / str(next(self._number))
        folder.mkdir()
        every = [*self._flags, *flags]
        if self._binary is None:
            return LocalServer(self._zygote, folder, every)
        return BinaryServer(self._binary, _model_name(every), self._zygote, folder, every)

    def _parted(self, configuration: Mapping[str, int]) -> tuple[tuple[str, ...], dict[str, int]]:
        """Flags of a process that can run a configuration, and what is then changed in place."""
        if set(configuration) == _BATCHING:
            return self._batching(configuration), {}
        if set(configuration) != _CPU:
            raise UsageError(f"knobs {sorted(configuration)}, expected {sorted(_CPU)} or {sorted(_BATCHING)}")
        if self._binary is not None:
            flags, batching = parallelism_flags(configuration)
            return (*flags, *self._batching(batching)), {}
        changes = dict(configuration)
        return (f"--tensorflow_intra_op_parallelism={changes.pop('intra_op_parallelism')}",), changes

    def _batching(self, knobs: Mapping[str, int]) -> tuple[str, ...]:
        """Flags for batching like this, which a file describes; none where a 0 leaves it off."""
        if 0 in (knobs["batch_threads"], knobs["batch_size"]):
            return ()
        plan = "-".join(str(knobs[knob]) for knob in sorted(_BATCHING))
        file = Path(self._folder.name) / f"batching-{plan}.txt"
        file.write_text(batching_text(**knobs))
        return ("--enable_batching", f"--batching_parameters_file={file}")

    def __enter__(self) -> LocalSupervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _model_name(flags: Sequence[str]) -> str:
    """The model that is served under these flags."""
    names = [flag.partition("=")[2] for flag in flags if flag.startswith("--model_name=")]
    return names[-1] if names else "default"


def _changed(server: LocalServer, changes: Mapping[str, int]) -> bool:
    """Change a running server in place; False, and it is ended, if it has died or does not answer."""
    try:
        server.configure(**changes)
    except OSError:
        server.stop()
        return False
    return True


def batching_text(batch_threads: int, batch_size: int, batch_timeout_us: int) -> str:
    """The content of a batching parameters file (text format of ``BatchingParameters``)."""
    fields = {
        "num_batch_threads": batch_threads,
        "max_batch_size": batch_size,
        "batch_timeout_micros": batch_timeout_us,
        "max_enqueued_batches": DEFAULT_QUEUE_LIMIT,
    }
    return "".join(f"{name} {{ value: {value} }}\n" for name, value in fields.items())
