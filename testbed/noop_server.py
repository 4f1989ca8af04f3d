"""A gRPC server that does as a request says: what replaying itself costs and does is measured against it.

``python -m testbed.noop_server ADDRESS``; it prints a line when it listens.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_THREADS = 64


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every method: ``sleep:0.1`` after so long, ``refuse`` and ``fail`` with a status."""

    def service(self, _details: Any) -> Any:
        """The one handler."""
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request: bytes, context: Any) -> bytes:
        """Do as told."""
        verb, _, value = request.decode().partition(":")
        if verb == "sleep":
            time.sleep(float(value))
        elif verb == "refuse":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        elif verb == "fail":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
        return b"done"


def main(address: str) -> None:
    """Serve until killed."""
    server = grpc.server(ThreadPoolExecutor(_THREADS), handlers=[Handler()])
    server.add_insecure_port(address)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
