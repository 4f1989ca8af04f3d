"""One server process of ours on this machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.errors import UsageError
from testbed.server.admin import ask
from testbed.zygote import Zygote

_POLL_S = 0.02
_GRACE_S = 15.0  # a server finishes what is inside within 10 s
_LAST_LINES = 3


class LocalServer:
    """A forked server that is reached by unix sockets in a folder of its own.

    Args:
        zygote: forks it.
        folder: for its sockets and its log; must exist, and its path be short (a socket's has 107 bytes).
        flags: of ``python -m testbed.server``, without those that say where to listen.
    """

    program: str | None = None

    def __init__(self, zygote: Zygote, folder: Path, flags: Sequence[str]) -> None:
        self._zygote = zygote
        self._admin = str(folder / "admin.sock")
        self._log = folder / "server.log"
        self._exit_code: int | None = None
        self.address = f"unix:{folder / 'grpc.sock'}"
        listen = ["--port=0", f"--grpc_socket_path={folder / 'grpc.sock'}"]
        if self.program is None:
            listen.append(f"--admin_socket_path={self._admin}")
        self.pid = zygote.start([*flags, *listen], self._log, self.program)

    @property
    def exit_code(self) -> int | None:
        """How it ended, minus the signal's number if by one; None while it runs."""
        if self._exit_code is None:
            self._exit_code = self._zygote.exit_code(self.pid)
        return self._exit_code

    def wait_until_ready(self, timeout_s: float = 120.0) -> None:
        """Return once its models are loaded and warmed up.

        Raises:
            UsageError: with its last words, if it ended instead, or took too long.
            OSError: if somebody killed it.
        """
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self.exit_code is not None:
                if self.exit_code < 0:
                    raise OSError(
                        f"a server was ended by {signal.Signals(-self.exit_code).name} at its start"
                    )
                raise UsageError(
                    f"a server ended with code {self.exit_code} at its start: {self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise UsageError(f"a server was not ready after {timeout_s:g} s: {self._last_words()}")
            time.sleep(_POLL_S)

    def configure(self, **knobs: Any) -> list[dict[str, Any]]:
        """Change its parallelism in place; see ``testbed.server.admin``; what its models then run with.

        Raises:
            UsageError: if it was not started with these choices.
            OSError: if it has ended.
        """
        return ask(self._admin, command="configure", **knobs)

    def report(self) -> list[dict[str, Any]]:
        """What its models run with.

        Raises:
            OSError: if it has ended.
        """
        return ask(self._admin, command="report")

    def stop(self) -> None:
        """Let it finish what it has, and end it; returns when it has ended."""
        self._send(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while self.exit_code is None:
            if time.monotonic() > deadline:
                self._send(signal.SIGKILL)
            time.sleep(_POLL_S)

    def _send(self, number: int) -> None:
        if self.exit_code is None:  # its process id is its own until the zygote has told how it ended
            os.kill(self.pid, number)

    def _answers(self) -> bool:
        try:
            return bool(self.report())
        except (OSError, ValueError, UsageError):
            return False

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"
