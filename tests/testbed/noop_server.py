"""A gRPC server that answers any call at once, or as slowly and as badly as a request asks for."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


class Handler(grpc.GenericRpcHandler):
    """Answers every method: ``sleep:0.1`` after so long, ``refuse`` and ``fail`` with a status."""

    def service(self, _details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request: bytes, context: Any) -> bytes:
        verb, _, value = request.decode().partition(":")
        if verb == "sleep":
            time.sleep(float(value))
        elif verb == "refuse":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        elif verb == "fail":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
        return b"done"


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(64), handlers=[Handler()])
    server.add_insecure_port(sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()
