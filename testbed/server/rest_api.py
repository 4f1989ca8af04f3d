"""The REST interface: routes to answers, without the HTTP around them."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from testbed.server.metrics import CONTENT_TYPE, Labels, Metrics
from testbed.server.model_info import model_metadata, model_status
from testbed.server.model_manager import ModelManager
from testbed.server.rest_json import error_body, parse_body, to_body, to_feeds
from testbed.server.signature import find_signature
from testbed.server.status import Code, StatusError, invalid
from testbed.threads import rename_thread

_log = logging.getLogger(__name__)

_MODEL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<rest>|/metadata|:\w+)"
)
_JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = _JSON


class RestApi:
    """Answers REST requests for the models of a manager."""

    def __init__(
        self,
        models: ModelManager,
        metrics: Metrics,
        timeout_s: float,
        metrics_path: str | None,
        max_request_bytes: int,
        workers: int,
    ) -> None:
        """Answer with at most ``workers`` predictions at once, each within ``timeout_s``."""
        self._models, self._metrics = models, metrics
        self._timeout_s, self._metrics_path = timeout_s, metrics_path
        self.max_request_bytes = max_request_bytes
        self._pool = ThreadPoolExecutor(workers, initializer=rename_thread, initargs=("rest_predict",))

    def get(self, path: str) -> Answer:
        """Status, metadata or metrics."""
        if path == self._metrics_path:
            return Answer(200, self._metrics.text(self._gauges()).encode(), CONTENT_TYPE)
        return self._guarded("GET", path, b"")

    def post(self, path: str, body: bytes) -> Answer:
        """A prediction."""
        return self._guarded("POST", path, body)

    def _guarded(self, method: str, path: str, body: bytes) -> Answer:
        try:
            return Answer(200, self._route(method, path, body))
        except StatusError as error:
            return Answer(error.code.http, error_body(error))
        except Exception as error:
            _log.exception("a REST request failed")
            return Answer(500, error_body(StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}")))

    def _route(self, method: str, path: str, body: bytes) -> bytes:
        found = _MODEL.fullmatch(path)
        if not found:
            code = Code.INVALID_ARGUMENT if path.startswith("/v1/") else Code.NOT_FOUND
            raise StatusError(code, f"Malformed request: {method} {path}")
        spec = _spec(found)
        match method, found["rest"]:
            case "GET", "":
                return self._status(spec)
            case "GET", "/metadata":
                return self._metadata(spec)
            case "POST", ":predict":
                return self._predict_in_time(spec, body)
            case "POST", ":classify" | ":regress":
                raise StatusError(Code.UNIMPLEMENTED, f"{found['rest'][1:]} is not served here; use :predict")
        raise invalid(f"Malformed request: {method} {path}")

    def _predict_in_time(self, spec: Any, body: bytes) -> bytes:
        future = self._pool.submit(self._predict, spec, body)
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            future.cancel()
            raise StatusError(Code.DEADLINE_EXCEEDED, f"no answer within {self._timeout_s} s") from None

    def _predict(self, spec: Any, body: bytes) -> bytes:
        start_s = time.perf_counter()
        model, status = "", Code.OK
        try:
            if self._models.versions(spec.name):
                model = spec.name
            return self._run(spec, body)
        except StatusError as error:
            status = error.code
            raise
        except Exception:
            status = Code.INTERNAL
            raise
        finally:
            self._metrics.count_request(model, status.name, "REST", time.perf_counter() - start_s)

    def _run(self, spec: Any, body: bytes) -> bytes:
        model = self._models.find(spec)
        request = parse_body(body)
        signature = find_signature(model.signatures, request.signature_name)
        feeds = to_feeds(request, signature)
        signature.check_shapes(feeds)
        with self._metrics.time_runtime(model.name):
            outputs = model.run(signature, feeds)
        return to_body(outputs, request.rows)

    def _status(self, spec: Any) -> bytes:
        from google.protobuf.json_format import MessageToDict
        from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

        response = model_status(self._models, GetModelStatusRequest(model_spec=spec))
        return _pretty(
            MessageToDict(
                response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
        )

    def _metadata(self, spec: Any) -> bytes:
        from google.protobuf.json_format import MessageToDict
        from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap

        request = GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = model_metadata(self._models, request)
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return _pretty(
            {
                "model_spec": MessageToDict(response.model_spec, **options),
                "metadata": {"signature_def": MessageToDict(signatures, **options)},
            }
        )

    def _gauges(self) -> Mapping[str, Mapping[Labels, float]]:
        gauges: dict[str, dict[Labels, float]] = {}
        for model in self._models.available:
            labels = (("model_name", model.name), ("version", str(model.version)))
            applied = model.applied
            for name, value in {
                "requests_in_flight": model.in_flight,
                "batch_threads": applied.plan.threads,
                "batch_size": applied.plan.size,
                "batch_timeout_us": applied.plan.timeout_us,
                "inter_op_threads": applied.inter_op_threads,
                "intra_op_threads": applied.intra_op_threads,
            }.items():
                gauges.setdefault(f":testbed:{name}", {})[labels] = value
        return gauges

    def close(self) -> None:
        """Stop the workers."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _spec(found: re.Match[str]) -> Any:
    from tensorflow_serving.apis.model_pb2 import ModelSpec

    spec = ModelSpec(name=found["name"])
    if found["version"]:
        if int(found["version"]) >= 2**63:
            raise invalid(f"version {found['version']} is out of range")
        spec.version.value = int(found["version"])
    if found["label"]:
        spec.version_label = found["label"]
    return spec


def _pretty(document: Any) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()
