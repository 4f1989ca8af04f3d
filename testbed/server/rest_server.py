"""HTTP/1.1 around the REST interface, on the standard library's threading server."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testbed.server.rest_api import Answer, RestApi
from testbed.server.rest_json import error_body
from testbed.server.status import invalid
from testbed.threads import rename_thread, thread_named

_IDLE_S = 120.0


class RestServer(ThreadingHTTPServer):
    """Listens as soon as it is made; answers once ``serve_forever`` runs."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, api: RestApi) -> None:
        """Listen on an address; raises OSError if it is taken."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.api = api

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection, in a thread whose name tells what it is."""
        rename_thread("rest_connection")
        super().process_request_thread(request, client_address)

    def close(self) -> None:
        """Take no more connections."""
        self.shutdown()
        self.server_close()

    def serve_named(self) -> None:
        """``serve_forever``, in a thread whose name tells what it is."""
        with thread_named("rest_server"):
            self.serve_forever(poll_interval=0.1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "testbed"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body
    server: RestServer

    def do_GET(self) -> None:
        self._send(self.server.api.get(self._path()))

    def do_POST(self) -> None:
        limit = self.server.api.max_request_bytes
        length = self.headers.get("Content-Length", "")
        encoding = self.headers.get("Content-Encoding", "identity")
        if not length.isdecimal() or int(length) > limit:
            self._refuse(
                f"Content-Length={length!r}, expected the body's length, at most {limit} (not chunked)"
            )
            return
        if encoding != "identity":
            self._refuse(f"Content-Encoding={encoding!r}, expected a body that is not compressed")
            return
        self._send(self.server.api.post(self._path(), self.rfile.read(int(length))))

    def _refuse(self, message: str) -> None:
        self.close_connection = True  # the body is not read
        self._send(Answer(400, error_body(invalid(message))))

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing: one line per request would drown what matters."""
