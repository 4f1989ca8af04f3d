"""The command line: ``tensorflow_model_server``'s flags, and a few of our own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from serving.errors import UsageError
from testbed.batching import DEFAULT_QUEUE_LIMIT, BatchPlan, request_plan
from testbed.server import text_messages
from testbed.server.model_settings import ModelSettings
from testbed.server.parallelism import ParallelismChoices
from testbed.server.predict import DEFAULT_MAX_REQUEST_BYTES
from testbed.server.settings import ServerSettings
from testbed.server.text_config import (
    DEFAULT_METRICS_PATH,
    batching_of,
    read_batching,
    read_models,
    read_monitoring,
)


def parse_flags(arguments: Sequence[str]) -> ServerSettings:
    """The settings that a command line asks for.

    Raises:
        UsageError: one line, for an unknown flag or a value that is not allowed.
        SystemExit: after ``--help`` and ``--version``.
    """
    flags = _parser().parse_args(list(arguments))
    if not flags.port and not flags.grpc_socket_path and not flags.rest_api_port:
        raise UsageError("port=0 and no rest_api_port and no grpc_socket_path: there is nothing to listen on")
    return ServerSettings(
        models=_models(flags),
        model_config_file=flags.model_config_file,
        config_poll_s=flags.model_config_file_poll_wait_seconds,
        version_poll_s=flags.file_system_poll_wait_seconds,
        choices=_choices(flags),
        host=flags.host,
        port=flags.port,
        rest_port=flags.rest_api_port,
        rest_timeout_s=flags.rest_api_timeout_in_ms / 1000,
        grpc_socket=flags.grpc_socket_path,
        admin_socket=flags.admin_socket_path,
        grpc_arguments=_channel_arguments(flags.grpc_channel_arguments),
        grpc_threads=flags.grpc_max_threads,
        rest_threads=flags.rest_api_num_threads,
        metrics_path=(
            read_monitoring(flags.monitoring_config_file)
            if flags.monitoring_config_file
            else DEFAULT_METRICS_PATH
        ),
        tags=tuple(flags.saved_model_tags.split(",")),
        warm_up=flags.enable_model_warmup,
        max_request_bytes=flags.max_request_bytes,
        gpu_memory_fraction=flags.per_process_gpu_memory_fraction,
    )


def _models(flags: Any) -> dict[str, ModelSettings]:
    if flags.model_config_file and flags.model_base_path:
        raise UsageError("model_base_path and model_config_file are both set, expected one of them")
    if flags.model_config_file:
        return read_models(flags.model_config_file)
    if not flags.model_base_path:
        raise UsageError("neither model_base_path nor model_config_file is set, expected one of them")
    if not flags.model_base_path.is_dir():
        raise UsageError(f"model_base_path={flags.model_base_path}, expected a folder with version folders")
    return {flags.model_name: ModelSettings(flags.model_name, flags.model_base_path)}


def _choices(flags: Any) -> ParallelismChoices:
    session = flags.tensorflow_session_parallelism  # sets both, where they are not set themselves
    inter_op = flags.tensorflow_inter_op_parallelism or session
    return ParallelismChoices(
        intra_op=flags.tensorflow_intra_op_parallelism or session,
        inter_op=tuple(dict.fromkeys((inter_op, *flags.inter_op_choices))),
        plans=tuple(dict.fromkeys((_plan(flags), *_other_plans(flags)))),
    )


def _plan(flags: Any) -> BatchPlan:
    if flags.batching_parameters_file and not flags.enable_batching:
        raise UsageError(f"batching_parameters_file={flags.batching_parameters_file} needs enable_batching")
    if flags.batching_parameters_file:
        return read_batching(flags.batching_parameters_file)
    if flags.enable_batching:
        return batching_of(text_messages.new("BatchingParameters"))
    choices = flags.request_choices
    return request_plan(choices[0] if choices else 0, flags.queue_limit)


def _other_plans(flags: Any) -> list[BatchPlan]:
    return [request_plan(choice, flags.queue_limit) for choice in flags.request_choices]


def _channel_arguments(text: str) -> dict[str, str | int]:
    arguments: dict[str, str | int] = {}
    for item in filter(None, text.split(",")):
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise UsageError(f"grpc_channel_arguments={text!r}, expected key=value, separated by commas")
        arguments[key] = int(value) if value.removeprefix("-").isdecimal() else value
    return arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m testbed.server",
        description="A drop-in for tensorflow_model_server; docs/server.md says what is served.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=_version())
    same = parser.add_argument_group("flags of tensorflow_model_server")
    same.add_argument("--port", type=_port, default=8500, help="gRPC port; 0: none (default: 8500)")
    same.add_argument("--rest_api_port", type=_port, default=0, help="REST port; 0: none (default)")
    same.add_argument("--rest_api_timeout_in_ms", type=_positive, default=30_000, metavar="MS")
    same.add_argument("--rest_api_num_threads", type=_count, default=0, metavar="N")
    same.add_argument("--grpc_socket_path", default="", metavar="PATH", help="also listen on a unix socket")
    same.add_argument("--grpc_channel_arguments", default="", metavar="KEY=VALUE,...")
    same.add_argument("--grpc_max_threads", type=_count, default=0, metavar="N")
    same.add_argument("--model_name", default="default", metavar="NAME")
    same.add_argument("--model_base_path", type=Path, metavar="FOLDER", help="folder of the version folders")
    same.add_argument("--model_config_file", type=Path, metavar="FILE", help="several models, in text format")
    same.add_argument("--model_config_file_poll_wait_seconds", type=_count, default=0, metavar="S")
    same.add_argument("--file_system_poll_wait_seconds", type=_count, default=1, metavar="S")
    same.add_argument("--monitoring_config_file", type=Path, metavar="FILE")
    same.add_argument("--enable_batching", **_boolean(False))
    same.add_argument("--batching_parameters_file", type=Path, metavar="FILE")
    same.add_argument("--enable_model_warmup", **_boolean(True))
    same.add_argument("--saved_model_tags", default="serve", metavar="TAG,...")
    same.add_argument("--tensorflow_session_parallelism", type=_count, default=0, metavar="N")
    same.add_argument("--tensorflow_inter_op_parallelism", type=_count, default=0, metavar="N")
    same.add_argument("--tensorflow_intra_op_parallelism", type=_count, default=0, metavar="N")
    same.add_argument("--per_process_gpu_memory_fraction", type=_fraction, default=0.0, metavar="SHARE")
    own = parser.add_argument_group("flags of this server only")
    own.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    own.add_argument(
        "--queue_limit", type=_positive, default=DEFAULT_QUEUE_LIMIT, help="waiting requests at most"
    )
    own.add_argument(
        "--request_choices",
        type=_counts,
        default=(),
        metavar="N,...",
        help="request parallelism, first at start",
    )
    own.add_argument(
        "--inter_op_choices", type=_counts, default=(), metavar="N,...", help="to switch to in place"
    )
    own.add_argument(
        "--admin_socket_path", default="", metavar="PATH", help="unix socket that takes switches"
    )
    own.add_argument("--max_request_bytes", type=_positive, default=DEFAULT_MAX_REQUEST_BYTES, metavar="N")
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"testbed.server {version('rrl-serving')} on TensorFlow {version('tensorflow')}"


def _boolean(default: bool) -> dict[str, Any]:
    return {"type": _truth, "nargs": "?", "const": True, "default": default, "metavar": "true|false"}


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r}, expected true or false")
    return text.lower() in ("true", "1")


def _integer(text: str, least: int, most: int = 2**31 - 1) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r}, expected an integer in {least}..{most}")
    return int(text)


def _port(text: str) -> int:
    return _integer(text, 0, 65535)


def _count(text: str) -> int:
    return _integer(text, 0)


def _positive(text: str) -> int:
    return _integer(text, 1)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_integer(one, 0) for one in text.split(","))


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number in 0..1")
    return value
