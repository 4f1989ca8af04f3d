"""Everything a server is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testbed.batching import request_plan
from testbed.server.model_settings import ModelSettings
from testbed.server.parallelism import ParallelismChoices
from testbed.server.predict import DEFAULT_MAX_REQUEST_BYTES
from testbed.server.text_config import DEFAULT_METRICS_PATH

DEFAULT_CHOICES = ParallelismChoices(intra_op=0, inter_op=(0,), plans=(request_plan(0),))
"""TensorFlow Serving's own defaults: a thread per core in both pools, no batching."""


@dataclass(frozen=True)
class ServerSettings:
    """What ``python -m testbed.server`` takes as flags; other programs fill it in themselves.

    Attributes:
        models: models to serve, by name.
        model_config_file: where they were read from, and are read again if ``config_poll_s``.
        config_poll_s: seconds between two looks at ``model_config_file``; 0 for none.
        version_poll_s: seconds between two looks at the version folders; 0 for one look at the start only.
        choices: parallelism to start with and to switch between.
        host: address to listen on.
        port: of gRPC; 0 for none.
        rest_port: of REST; 0 for none.
        rest_timeout_s: a REST prediction is answered within this time.
        grpc_socket: path of a unix socket for gRPC.
        admin_socket: path of a unix socket for ``testbed.server.admin``.
        grpc_arguments: channel arguments of the gRPC server.
        grpc_threads: threads that answer gRPC calls; 0 for enough to fill every queue.
        rest_threads: threads that answer REST predictions; 0 likewise.
        metrics_path: where REST shows the metrics; None for nowhere.
        tags: which graph of a SavedModel to load.
        warm_up: run the stored warm-up requests before a version is AVAILABLE.
        max_request_bytes: larger requests are refused.
        gpu_memory_fraction: share of each GPU's memory; 0 for TensorFlow's default.
        grace_s: how long requests may take to finish once the server is told to stop.
    """

    models: Mapping[str, ModelSettings]
    model_config_file: Path | None = None
    config_poll_s: float = 0.0
    version_poll_s: float = 1.0
    choices: ParallelismChoices = DEFAULT_CHOICES
    host: str = "127.0.0.1"
    port: int = 8500
    rest_port: int = 0
    rest_timeout_s: float = 30.0
    grpc_socket: str = ""
    admin_socket: str = ""
    grpc_arguments: Mapping[str, str | int] = field(default_factory=dict)
    grpc_threads: int = 0
    rest_threads: int = 0
    metrics_path: str | None = DEFAULT_METRICS_PATH
    tags: tuple[str, ...] = ("serve",)
    warm_up: bool = True
    max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    gpu_memory_fraction: float = 0.0
    grace_s: float = 10.0
