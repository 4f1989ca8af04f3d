"""Stored warm-up requests: what a version runs once before it is AVAILABLE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.server.served_model import ServedModel
from testbed.server.signature import find_signature
from testbed.server.tensors import to_array
from testbed.tensorflow_internals import read_records

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for them, inside a version folder: a TFRecord of PredictionLog messages."""

_MOST_REQUESTS = 1000  # as in TensorFlow Serving
_MAX_BYTES = 2**31


def warm_up(model: ServedModel, folder: Path) -> int:
    """Run the stored requests of a version folder; how many there were.

    Raises:
        StatusError: if one of them does not fit the model.
    """
    count = 0
    for count, request in enumerate(_stored_requests(folder), 1):
        signature = find_signature(model.signatures, request.model_spec.signature_name)
        signature.check_names(request.inputs.keys())
        feeds = {
            name: to_array(name, proto, signature.inputs[name].data_type, _MAX_BYTES)
            for name, proto in request.inputs.items()
        }
        model.warm_up(signature, feeds)
        if count == _MOST_REQUESTS:
            break
    return count


def _stored_requests(folder: Path) -> Iterator[Any]:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    if (folder / WARM_UP_FILE).is_file():
        for record in read_records(folder / WARM_UP_FILE):
            log = PredictionLog.FromString(record)
            if log.HasField("predict_log"):
                yield log.predict_log.request
