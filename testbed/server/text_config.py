"""The text files a server reads: models, batching, monitoring; protocol buffers in text format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.errors import UsageError
from testbed.batching import BatchPlan
from testbed.server import text_messages
from testbed.server.model_settings import ModelSettings, VersionPolicy
from testbed.tensorflow_internals import cores

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def read_models(path: Path) -> dict[str, ModelSettings]:
    """The models of a ``--model_config_file``.

    Raises:
        UsageError: if the file cannot be read or asks for what is not served.
    """
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    return models_of(_parse("model_config_file", path, ModelServerConfig()), f"model_config_file={path}")


def models_of(config: Any, origin: str) -> dict[str, ModelSettings]:
    """The models of a ModelServerConfig message."""
    if config.HasField("custom_model_config"):
        raise UsageError(f"{origin}: custom_model_config is not supported, use model_config_list")
    models: dict[str, ModelSettings] = {}
    for model in config.model_config_list.config:
        if not model.name or not model.base_path:
            raise UsageError(f"{origin}: every config needs a name and a base_path")
        if model.name in models:
            raise UsageError(f"{origin}: name={model.name!r} stands there twice")
        if model.model_platform not in ("", "tensorflow"):
            raise UsageError(f"{origin}: model_platform={model.model_platform!r}, expected 'tensorflow'")
        models[model.name] = ModelSettings(
            model.name, Path(model.base_path), _policy(model), dict(model.version_labels)
        )
    return models


def _policy(model: Any) -> VersionPolicy:
    policy = model.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return VersionPolicy(latest=None)
        case "specific":
            return VersionPolicy(latest=None, specific=frozenset(policy.specific.versions))
        case _:
            return VersionPolicy(latest=policy.latest.num_versions or 1)


def read_batching(path: Path) -> BatchPlan:
    """The plan of a ``--batching_parameters_file``."""
    message = _parse("batching_parameters_file", path, text_messages.new("BatchingParameters"))
    if message.pad_variable_length_inputs:
        raise UsageError(f"batching_parameters_file={path}: pad_variable_length_inputs is not supported")
    return batching_of(message)


def batching_of(message: Any) -> BatchPlan:
    """The plan of a BatchingParameters message; what it leaves open is as in TensorFlow Serving."""
    given = {field.name: value.value for field, value in message.ListFields() if field.message_type}
    return BatchPlan(
        threads=given.get("num_batch_threads", cores()),
        size=given.get("max_batch_size", 1000),
        timeout_us=given.get("batch_timeout_micros", 0),
        max_enqueued_batches=given.get("max_enqueued_batches", 10),
        allowed_sizes=tuple(message.allowed_batch_sizes),
        split_large=message.enable_large_batch_splitting.value,
    )


def read_monitoring(path: Path) -> str | None:
    """Where a ``--monitoring_config_file`` puts the metrics; None if it turns them off."""
    prometheus = _parse(
        "monitoring_config_file", path, text_messages.new("MonitoringConfig")
    ).prometheus_config
    return (prometheus.path or DEFAULT_METRICS_PATH) if prometheus.enable else None


def _parse(flag: str, path: Path, message: Any) -> Any:
    from google.protobuf import text_format

    try:
        return text_format.Parse(path.read_text(), message)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{flag}={path} cannot be read: {error}") from None
    except text_format.ParseError as error:
        raise UsageError(f"{flag}={path} is not a {message.DESCRIPTOR.name}: {error}") from None
