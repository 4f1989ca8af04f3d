"""A running server: models, gRPC, REST and the admin socket, started and stopped together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from serving.errors import UsageError
from testbed.server.admin import AdminServer
from testbed.server.metrics import LOAD_ATTEMPTS, Metrics
from testbed.server.model_manager import ModelManager
from testbed.server.predict import Predictor
from testbed.server.served_model import ServedModel
from testbed.server.settings import ServerSettings
from testbed.server.text_config import read_models
from testbed.server.warm_up import warm_up
from testbed.threads import rename_thread

_log = logging.getLogger(__name__)

_SPARE_THREADS = 16
"""Beyond what fills the queues: status, metadata and health calls, and refusals, must not wait."""

_SIGNAL_CHECK_S = 0.5


class Server:
    """Serves models until it is stopped. Use it as a context manager, or call ``start`` and ``stop``."""

    def __init__(self, settings: ServerSettings) -> None:
        """Set up; nothing is loaded and nothing listens yet."""
        self.settings = settings
        self.metrics = Metrics()
        self.models = ModelManager(self._load)
        self._health: Any = None
        self._stopping = threading.Event()
        self._cleanup = ExitStack()

    def _load(self, name: str, version: int, folder: Path) -> ServedModel:
        settings, status = self.settings, "fail"
        try:
            model = ServedModel(
                name, version, folder, settings.choices, settings.tags, settings.gpu_memory_fraction
            )
            if settings.warm_up:
                warm_up(model, folder)
            status = "success"
        finally:
            self.metrics.count(LOAD_ATTEMPTS, model_path=str(folder), status=status)
        return model

    def start(self) -> None:
        """Load the models, then listen: whoever gets an answer at all finds the models AVAILABLE.

        Waits for version folders that are not there yet.

        Raises:
            UsageError: if an address is taken or a model cannot be loaded.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        settings = self.settings
        self._cleanup.callback(self.models.close)
        self.models.apply(settings.models)
        self._wait_for_models()
        self._start_grpc()
        self._start_rest()
        if settings.admin_socket:
            admin = AdminServer(settings.admin_socket, self.models)
            self._serve(admin.serve_forever, admin.close)
        if settings.version_poll_s:
            self._repeat(settings.version_poll_s, self.models.refresh)
        if settings.config_poll_s and settings.model_config_file:
            self._repeat(settings.config_poll_s, self._read_models_again)

    def _wait_for_models(self) -> None:
        while missing := self.models.missing():
            for name, error in missing.items():
                if error:
                    raise UsageError(f"model {name} cannot be loaded: {error.message}")
                _log.warning("no versions of %s found under %s", name, self.settings.models[name].base_path)
            if not self.settings.version_poll_s or self._stopping.wait(self.settings.version_poll_s):
                return
            self.models.refresh()

    def _start_grpc(self) -> None:
        import grpc
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc

        from testbed.server.grpc_services import MODEL_SERVICE, PREDICTION_SERVICE, GrpcServices

        settings = self.settings
        if not settings.port and not settings.grpc_socket:
            return
        arguments: dict[str, str | int] = {
            "grpc.so_reuseport": 0,  # a port that is taken is an error
            "grpc.max_receive_message_length": -1,  # the limit is checked where it can be explained
            "grpc.max_send_message_length": -1,
            **settings.grpc_arguments,
        }
        pool = ThreadPoolExecutor(
            settings.grpc_threads or self._enough_threads(),
            initializer=rename_thread,
            initargs=("grpc_call",),
        )
        server = grpc.server(pool, options=list(arguments.items()))
        GrpcServices(
            self.models, Predictor(self.models, self.metrics, settings.max_request_bytes), self.metrics
        ).add_to(server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        addresses = [f"{_bracketed(settings.host)}:{settings.port}"] if settings.port else []
        addresses += [f"unix:{settings.grpc_socket}"] if settings.grpc_socket else []
        for address in addresses:
            try:
                server.add_insecure_port(address)
            except RuntimeError as error:
                raise UsageError(f"cannot listen on {address} (taken, or not allowed): {error}") from None
        server.start()
        self._cleanup.callback(pool.shutdown, wait=False)
        self._cleanup.callback(lambda: server.stop(settings.grace_s).wait())
        self._cleanup.callback(self._health.enter_graceful_shutdown)
        _log.info("gRPC listens on %s", ", ".join(addresses))

    def _start_rest(self) -> None:
        from testbed.server.rest_api import RestApi
        from testbed.server.rest_server import RestServer

        settings = self.settings
        if not settings.rest_port:
            return
        api = RestApi(
            self.models,
            self.metrics,
            settings.rest_timeout_s,
            settings.metrics_path,
            settings.max_request_bytes,
            settings.rest_threads or self._enough_threads(),
        )
        try:
            server = RestServer(settings.host, settings.rest_port, api)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {settings.host}:{settings.rest_port}: {error.strerror}"
            ) from None
        self._cleanup.callback(api.close)
        self._serve(server.serve_named, server.close)
        _log.info("REST listens on %s:%d", settings.host, settings.rest_port)

    def _enough_threads(self) -> int:
        return max(plan.capacity for plan in self.settings.choices.plans) + _SPARE_THREADS

    def _serve(self, serve: Callable[[], None], close: Callable[[], object]) -> None:
        threading.Thread(target=serve, daemon=True).start()
        self._cleanup.callback(close)

    def _repeat(self, interval_s: float, action: Callable[[], None]) -> None:
        def loop() -> None:
            rename_thread("poll")
            while not self._stopping.wait(interval_s):
                try:
                    action()
                except Exception as error:
                    _log.error("%s", error)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        self._cleanup.callback(thread.join)

    def _read_models_again(self) -> None:
        assert self.settings.model_config_file
        self.models.apply(read_models(self.settings.model_config_file))

    def wait(self) -> None:
        """Block until somebody calls ``ask_to_stop``."""
        # Not for ever: a signal that the kernel hands to another thread does not wake this one, and its
        # handler runs only here.
        while not self._stopping.wait(_SIGNAL_CHECK_S):
            pass

    def ask_to_stop(self) -> None:
        """End ``wait`` and ``start``; safe in a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Take no more requests, finish those inside (within the grace), and unload."""
        self._stopping.set()
        self._cleanup.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
