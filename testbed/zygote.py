"""Servers forked from a process that has imported TensorFlow: a start costs the model, not the imports.

It starts other programs, too, so that all servers have the same parent, and none outlives it.
``Zygote`` is the side of the caller; ``python -m testbed.zygote`` is the process. They talk in JSON lines
over its standard input and output. When its input ends, however its caller ended, it ends, and the servers
with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_OURS = "--with-tensorflow"
_ROOT = Path(__file__).resolve().parents[1]


class Zygote:
    """Starts servers, and knows how they ended. Use it as a context manager, or call ``close``."""

    def __init__(self, log: Path, ours: bool = True) -> None:
        """Start the process, its messages in a file; ready seconds later, and whoever asks first waits.

        Args:
            log: for its messages.
            ours: whether servers of ours will be forked; if not, it does without TensorFlow.
        """
        self._log = log
        self._lock = threading.Lock()
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "testbed.zygote", *([_OURS] if ours else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment | {"GRPC_ENABLE_FORK_SUPPORT": "0", "TF_CPP_MIN_LOG_LEVEL": "2"},
                cwd=_ROOT,
                start_new_session=True,  # Ctrl-C is for the caller, who then stops the servers in order
            )

    def start(self, flags: Sequence[str], log: Path, program: str | None = None) -> int:
        """Fork a server with these flags, its output appended to a file; its process id.

        ``program`` is another server's executable, with a path; None for ours.

        Raises:
            OSError: if the zygote is gone.
        """
        pid: int = self._ask(flags=list(flags), log=str(log), program=program)
        return pid

    def exit_code(self, pid: int) -> int | None:
        """How a server ended (minus the signal's number if by one); None while it runs.

        To be asked until it ended, and never again: only then is its process id given back.
        """
        code: int | None = self._ask(poll=pid)
        return code

    def close(self) -> None:
        """End the process, and every server that still runs, at once."""
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            with suppress(OSError):  # it may be gone already
                self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()

    def _ask(self, **request: Any) -> Any:
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
                return json.loads(self._process.stdout.readline())
            except (ValueError, OSError):
                last = self._log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise OSError(
                    f"the process that starts servers has ended: {last or 'it said nothing'}"
                ) from None

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _import() -> None:
    """What servers of ours need, once for all of them; nothing here may run an operation."""
    import grpc  # noqa: F401
    import grpc_health.v1.health  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_serving.apis.prediction_log_pb2  # noqa: F401

    import testbed.server.app
    import testbed.server.grpc_services
    import testbed.server.rest_server
    import testbed.tensorflow_internals  # noqa: F401


def _main(arguments: Sequence[str]) -> None:
    if _OURS in arguments:
        _import()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                answers.close()
                _serve(request["flags"], request["log"], request["program"])
        print(json.dumps(answer), file=answers, flush=True)


def _serve(flags: list[str], log: str, program: str | None) -> NoReturn:
    """Become a server: in the forked process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    code = 1
    try:
        if program is not None:
            os.execv(program, [program, *flags])  # the parent's death still ends it
        from testbed.server.__main__ import main

        code = main(flags)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # not through the interpreter's end, which belongs to the process that was forked


if __name__ == "__main__":
    _main(sys.argv[1:])
