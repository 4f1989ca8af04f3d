"""Requests as bytes, made once and sent as they are."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.models.catalogue import find_model


def predict_payload(
    name: str,
    size: float = 1.0,
    seed: int = 0,
    settings: Mapping[str, int | None] | None = None,
    served_as: str | None = None,
) -> bytes:
    """A serialised ``PredictRequest`` with random content.

    Args:
        name: the model.
        size: relative size of the request, 1 is the mean: frames of an utterance; images are all of size 1.
        seed: of the content.
        settings: of the model, where they differ from the defaults.
        served_as: the model's name on the server; its own by default.

    Raises:
        UsageError: for an unknown model or a size that it does not take.
    """
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    model = find_model(name)
    request = PredictRequest()
    request.model_spec.name = served_as or name
    for alias, array in model.inputs(model.settings(settings or {}), size, seed).items():
        _write(array, request.inputs[alias])
    serialized: bytes = request.SerializeToString(deterministic=True)
    return serialized


def _write(array: object, proto: object) -> None:
    import tensorflow as tf

    proto.CopyFrom(tf.make_tensor_proto(array))  # type: ignore[attr-defined]
