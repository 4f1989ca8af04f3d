"""Two configuration messages of TensorFlow Serving that ``tensorflow-serving-api`` does not carry.

The fields are those of its ``session_bundle_config.proto`` (BatchingParameters) and
``monitoring_config.proto``; in text format only the names count, the numbers are its own all the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_PACKAGE = "testbed.text_messages"
_INTEGER, _STRING, _BOOLEAN = (f"google.protobuf.{kind}Value" for kind in ("Int64", "String", "Bool"))

_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "BatchingParameters": (
        ("max_batch_size", 1, _INTEGER),
        ("batch_timeout_micros", 2, _INTEGER),
        ("max_enqueued_batches", 3, _INTEGER),
        ("num_batch_threads", 4, _INTEGER),
        ("thread_pool_name", 5, _STRING),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
        ("enable_large_batch_splitting", 8, _BOOLEAN),
    ),
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, f"{_PACKAGE}.PrometheusConfig"),),
}


def new(name: str) -> Any:
    """An empty message of the given type."""
    return _classes()[name]()


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

    field = descriptor_pb2.FieldDescriptorProto
    plain = {"int64": field.TYPE_INT64, "bool": field.TYPE_BOOL, "string": field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(
        name="testbed/text_messages.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            repeated = kind.startswith("repeated ")
            type_name = kind.removeprefix("repeated ")
            added = message.field.add(name=field_name, number=number)
            added.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            added.type = plain.get(type_name, field.TYPE_MESSAGE)
            if type_name not in plain:
                added.type_name = f".{type_name}"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }
