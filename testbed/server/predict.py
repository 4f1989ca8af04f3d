"""What a Predict call does, whatever protocol it came by."""

from __future__ import annotations

from typing import Any

from testbed.server.metrics import Metrics
from testbed.server.model_manager import ModelManager
from testbed.server.signature import find_signature
from testbed.server.status import invalid
from testbed.server.tensors import to_array, to_proto

DEFAULT_MAX_REQUEST_BYTES = 128 * 2**20
"""Larger requests, and requests whose tensors would be larger, are refused. Our choice: TensorFlow Serving
has no limit but protobuf's 2 GB."""


class Predictor:
    """Answers serialised ``PredictRequest`` messages."""

    def __init__(
        self, models: ModelManager, metrics: Metrics, max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    ) -> None:
        """Answer for the models of a manager."""
        from google.protobuf.message import DecodeError
        from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

        self._models, self._metrics, self.max_request_bytes = models, metrics, max_request_bytes
        self._request, self._response, self._decode_error = PredictRequest, PredictResponse, DecodeError

    def parse(self, message: bytes) -> Any:
        """A PredictRequest.

        Raises:
            StatusError: INVALID_ARGUMENT if the bytes are none, or too many.
        """
        if len(message) > self.max_request_bytes:
            raise invalid(
                f"the request has {len(message)} bytes, at most {self.max_request_bytes} are allowed"
            )
        try:
            return self._request.FromString(message)
        except self._decode_error:
            raise invalid("the request is not a PredictRequest message") from None

    def predict(self, request: Any) -> Any:
        """A PredictResponse.

        Raises:
            StatusError: as TensorFlow Serving would answer.
        """
        model = self._models.find(request.model_spec)
        signature = find_signature(model.signatures, request.model_spec.signature_name)
        wanted = signature.choose_outputs(list(request.output_filter))
        signature.check_names(request.inputs.keys())
        feeds = {
            name: to_array(name, proto, signature.inputs[name].data_type, self.max_request_bytes)
            for name, proto in request.inputs.items()
        }
        signature.check_shapes(feeds)
        with self._metrics.time_runtime(model.name):
            found = model.run(signature, feeds)
        response = self._response()
        response.model_spec.name = model.name
        response.model_spec.version.value = model.version
        response.model_spec.signature_name = signature.name
        for alias in wanted:
            to_proto(found[alias], response.outputs[alias])
        return response
