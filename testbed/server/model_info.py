"""Status and metadata of models, as TensorFlow Serving's messages."""

from __future__ import annotations

from typing import Any

from testbed.server.model_manager import ModelManager
from testbed.server.status import Code, StatusError, invalid


def model_status(models: ModelManager, request: Any) -> Any:
    """The answer to a GetModelStatusRequest: every version with its state, or the one that was asked for."""
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

    spec = request.model_spec
    if not spec.name:
        raise invalid("Missing ModelSpec")
    known = models.versions(spec.name)
    number = models.number_of(spec)
    if number is not None:
        known = {number: known[number]} if number in known else {}
    if not known:
        what = "any versions" if number is None else f"version {number}"
        raise StatusError(Code.NOT_FOUND, f"Could not find {what} of model {spec.name}")
    response = GetModelStatusResponse()
    for version in sorted(known.values(), key=lambda one: one.number, reverse=True):
        added = response.model_version_status.add(version=version.number, state=int(version.state))
        if version.error:
            added.status.error_code = int(version.error.code)
            added.status.error_message = version.error.message
        else:
            added.status.SetInParent()
    return response


def model_metadata(models: ModelManager, request: Any) -> Any:
    """The answer to a GetModelMetadataRequest: the signatures of a version."""
    from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap

    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            raise invalid(f"Metadata field {field} is not supported")
    model = models.find(request.model_spec)
    response = GetModelMetadataResponse()
    response.model_spec.name = model.name
    response.model_spec.version.value = model.version
    signatures = SignatureDefMap()
    for name, definition in model.meta_graph.signature_def.items():
        signatures.signature_def[name].CopyFrom(definition)
    response.metadata["signature_def"].Pack(signatures)
    return response
