"""PredictionService and ModelService over gRPC.

Requests arrive as bytes and are parsed here, so that bytes that are no message get INVALID_ARGUMENT; gRPC's
own answer would be INTERNAL.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from testbed.server.metrics import Metrics
from testbed.server.model_info import model_metadata, model_status
from testbed.server.model_manager import ModelManager
from testbed.server.predict import Predictor
from testbed.server.status import Code, StatusError, invalid

_log = logging.getLogger(__name__)

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
NOT_SERVED = ("Classify", "Regress", "MultiInference")

_STATUS = {Code(status.value[0]): status for status in grpc.StatusCode}

Call = Callable[[bytes], bytes]


class GrpcServices:
    """The handlers of both services."""

    def __init__(self, models: ModelManager, predictor: Predictor, metrics: Metrics) -> None:
        """Answer for the models of a manager."""
        self._models, self._predictor, self._metrics = models, predictor, metrics

    def add_to(self, server: Any) -> None:
        """Register the handlers with a gRPC server."""
        prediction = {
            "Predict": self._predict,
            "GetModelMetadata": self._get_model_metadata,
            **{name: _not_served(name) for name in NOT_SERVED},
        }
        model = {
            "GetModelStatus": self._get_model_status,
            "HandleReloadConfigRequest": _not_served("HandleReloadConfigRequest"),
        }
        for service, calls in ((PREDICTION_SERVICE, prediction), (MODEL_SERVICE, model)):
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, _handlers(calls)),)
            )

    def _predict(self, message: bytes) -> bytes:
        start_s = time.perf_counter()
        model, status = "", Code.OK
        try:
            request = self._predictor.parse(message)
            if self._models.versions(request.model_spec.name):  # names that strangers make up are not kept
                model = request.model_spec.name
            serialized: bytes = self._predictor.predict(request).SerializeToString()
            return serialized
        except StatusError as error:
            status = error.code
            raise
        except Exception:
            status = Code.INTERNAL
            raise
        finally:
            self._metrics.count_request(model, status.name, "GRPC", time.perf_counter() - start_s)

    def _get_model_status(self, message: bytes) -> bytes:
        from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

        serialized: bytes = model_status(
            self._models, _parse(GetModelStatusRequest, message)
        ).SerializeToString()
        return serialized

    def _get_model_metadata(self, message: bytes) -> bytes:
        from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest

        request = _parse(GetModelMetadataRequest, message)
        serialized: bytes = model_metadata(self._models, request).SerializeToString()
        return serialized


def _parse(kind: Any, message: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(message)
    except DecodeError:
        raise invalid(f"the request is not a {kind.DESCRIPTOR.name} message") from None


def _not_served(name: str) -> Call:
    def call(_: bytes) -> bytes:
        raise StatusError(Code.UNIMPLEMENTED, f"{name} is not served by this server")

    return call


def _handlers(calls: Mapping[str, Call]) -> dict[str, Any]:
    return {name: grpc.unary_unary_rpc_method_handler(_answer(call)) for name, call in calls.items()}


def _answer(call: Call) -> Callable[[bytes, Any], bytes]:
    def handler(message: bytes, context: Any) -> bytes:
        if not context.is_active():  # the client gave up while the request waited for a thread
            return b""
        try:
            return call(message)
        except StatusError as error:
            code, details = error.code, error.message
        except Exception as error:
            _log.exception("a request failed")
            code, details = Code.INTERNAL, f"{type(error).__name__}: {error}"
        context.abort(_STATUS[code], details)
        raise AssertionError("abort raises")

    return handler
