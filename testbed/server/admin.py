"""The admin socket: how a supervisor changes a server's parallelism in place and reads what is applied.

A unix socket that only its owner may open. One JSON object a line each way:

    {"command": "report"}
    {"command": "configure", "request_parallelism": 2, "inter_op_parallelism": 4}
    {"command": "configure", "batching": {"threads": 2, "size": 8, "timeout_us": 1000}}

``model`` narrows a command to one model. The answer is ``{"models": [...]}`` with what every version then
runs with, or ``{"error": "..."}``. ``configure`` names a batch plan by its threads, size and timeout; a
server switches between the plans and inter-op pools that it was started with.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serving.errors import UsageError
from testbed.batching import UNBATCHED_THREADS
from testbed.server.model_manager import ModelManager
from testbed.server.served_model import ServedModel

_LONGEST_LINE = 65536
_KNOBS = ("request_parallelism", "inter_op_parallelism", "batching")
_PLAN = ("threads", "size", "timeout_us")


class AdminServer(socketserver.ThreadingUnixStreamServer):
    """Listens as soon as it is made; answers once ``serve_forever`` runs."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, models: ModelManager) -> None:
        """Listen on a unix socket; raises UsageError if it is taken."""
        with suppress(OSError):
            if not _answers(path):
                Path(path).unlink()  # left behind by a server that was killed
        before = os.umask(0o177)
        try:
            super().__init__(path, _Handler)
        except OSError as error:
            raise UsageError(f"cannot listen on admin_socket_path={path}: {error.strerror}") from None
        finally:
            os.umask(before)
        self.path, self.models = path, models

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self.shutdown()
        self.server_close()
        with suppress(OSError):
            Path(self.path).unlink()


class _Handler(socketserver.StreamRequestHandler):
    server: AdminServer

    def handle(self) -> None:
        while line := self.rfile.readline(_LONGEST_LINE):
            try:
                answer = _answer(self.server.models, _object("request", json.loads(line)))
            except (UsageError, ValueError) as error:
                answer = {"error": str(error)}
            with suppress(OSError):
                self.wfile.write(json.dumps(answer).encode() + b"\n")


def _object(
    name: str, given: Any, known: Collection[str] = (), needed: Collection[str] = ()
) -> dict[str, Any]:
    """A JSON object with keys that are known, the needed ones among them."""
    if not isinstance(given, dict):
        raise UsageError(f"{name}={given!r}, expected a JSON object")
    for key in given:
        if known and key not in known:
            raise UsageError(f"{key} is not a key of {name}, choose from {list(known)}")
    for key in needed:
        if key not in given:
            raise UsageError(f"{name} lacks {key}, expected {list(needed)}")
    return given


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name}={value!r}, expected an integer")
    return value


def _answer(models: ModelManager, request: dict[str, Any]) -> dict[str, Any]:
    command, name = request.pop("command", None), request.pop("model", None)
    chosen = [model for model in models.available if name in (None, model.name)]
    if not chosen:
        raise UsageError(f"model={name!r} is not being served")
    match command:
        case "report":
            pass
        case "configure":
            wanted: dict[str, Any] = {
                key: _object(key, value, _PLAN, _PLAN) if key == "batching" else _whole(key, value)
                for key, value in _object("configure", request, _KNOBS).items()
                if value is not None
            }
            for model in chosen:
                _configure(model, **wanted)
        case _:
            raise UsageError(f"command={command!r}, choose from ['configure', 'report']")
    return {"models": [_report(model) for model in chosen]}


def _configure(
    model: ServedModel,
    *,
    request_parallelism: int | None = None,
    inter_op_parallelism: int | None = None,
    batching: dict[str, int] | None = None,
) -> None:
    wanted = {name: _whole(name, value) for name, value in (batching or {}).items()}
    if request_parallelism is not None:
        wanted = {"threads": request_parallelism or UNBATCHED_THREADS, "size": 1, "timeout_us": 0}
    plan = model.choices.find_plan(**wanted) if wanted else None
    model.configure(plan=plan, inter_op_parallelism=inter_op_parallelism)


def _report(model: ServedModel) -> dict[str, Any]:
    about = {"model": model.name, "version": model.version, "in_flight": model.in_flight}
    return about | asdict(model.applied)


def ask(path: str, timeout_s: float = 10.0, **request: Any) -> list[dict[str, Any]]:
    """Send one command to a server's admin socket; what each model then runs with.

    Raises:
        UsageError: if the server refuses.
        OSError: if it cannot be reached.
    """
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
        connection.settimeout(timeout_s)
        connection.connect(path)
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        answer = json.loads(stream.readline())
    if "error" in answer:
        raise UsageError(answer["error"])
    models: list[dict[str, Any]] = answer["models"]
    return models


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except ConnectionRefusedError:
            return False
    return True
