"""A client that knows only tensorflow-serving-api gets the answers of TensorFlow Serving."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from saved_models import dense
from server_process import CALL_TIMEOUT_S, ServerProcess, predict_request
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


def refusal(call: Any, *arguments: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, CALL_TIMEOUT_S)
    return caught.value.code(), caught.value.details()


@pytest.mark.parametrize(
    ("name", "input_name"), [("tf1", "x"), ("tf2", "x"), ("keras", "keras_tensor")], ids=str
)
def test_models_of_every_kind_answer_as_the_model_itself(
    server: ServerProcess, name: str, input_name: str
) -> None:
    found = list(server.predict(name, {input_name: X}).values())
    np.testing.assert_allclose(found[0], dense(X), rtol=1e-6)


def test_speech_of_any_length_is_decoded_as_the_model_itself_does(
    server: ServerProcess, exported: Path
) -> None:
    import tensorflow as tf

    direct = tf.saved_model.load(str(exported / "speech" / "1")).signatures["serving_default"]
    for frames in (7, 50, 33):
        spectrogram = np.random.default_rng(frames).standard_normal((1, frames, 161), dtype=np.float32)
        expected = direct(spectrogram=tf.constant(spectrogram))
        found = server.predict("speech", {"spectrogram": spectrogram})
        np.testing.assert_array_equal(found["characters"], expected["characters"])
        np.testing.assert_allclose(found["log_probability"], expected["log_probability"], rtol=1e-4)


def test_every_type_comes_back_as_it_went(server: ServerProcess) -> None:
    inputs = every_type()
    found = server.predict("tf2", inputs, "echo")
    assert len(found) == len(inputs)
    for name, array in inputs.items():
        echoed = found["raw_bytes" if name == "raw" else f"{name}_out"]
        np.testing.assert_array_equal(echoed, np.asarray(array, object if array.dtype.kind == "S" else None))


def every_type() -> dict[str, Any]:
    import tensorflow as tf
    from saved_models import ECHOED

    inputs = {}
    for name in ECHOED:
        if name in ("text", "raw"):
            inputs[name] = np.array([[b"one", b"\xff\x00two"], [b"", b"x" * 300]])
        elif name == "bool":
            inputs[name] = np.array([[True, False], [False, False]])
        else:
            inputs[name] = np.array([[1, 2], [3, 100]]).astype(tf.as_dtype(name).as_numpy_dtype)
    inputs["complex64"] = inputs["complex64"] * np.complex64(1 + 2j)
    return inputs


def test_typed_fields_say_the_same_as_content(server: ServerProcess) -> None:
    import tensorflow as tf

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "tf2"
    proto = request.inputs["x"]
    proto.dtype = tf.float32.as_datatype_enum
    proto.tensor_shape.dim.add(size=2)
    proto.tensor_shape.dim.add(size=4)
    proto.float_val.extend([1, 2])  # the last value stands for all that follow
    answer = server.prediction.Predict(request, CALL_TIMEOUT_S)
    expected = dense(np.array([[1, 2, 2, 2], [2, 2, 2, 2]], np.float32))
    np.testing.assert_allclose(np.reshape(answer.outputs["y"].float_val, (2, 3)), expected, rtol=1e-6)


def test_tables_and_unread_inputs_of_tensorflow_1(server: ServerProcess) -> None:
    words = np.array([b"two", b"none", b"zero"], object)
    np.testing.assert_array_equal(server.predict("tf1", {"words": words}, "look_up")["numbers"], [2, -1, 0])
    np.testing.assert_array_equal(server.predict("tf1", {"x": X}, "identity")["x"], X)


def test_many_clients_at_once_get_their_own_answers(server: ServerProcess) -> None:
    inputs = [np.full((1, 4), number, np.float32) for number in range(64)]
    with ThreadPoolExecutor(16) as clients:
        found = list(clients.map(lambda x: server.predict("tf2", {"x": x})["y"], inputs))
    np.testing.assert_allclose(np.concatenate(found), dense(np.concatenate(inputs)), rtol=1e-6)


def test_the_answer_names_model_version_and_signature(server: ServerProcess) -> None:
    for asked, version in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)):
        spec = server.prediction.Predict(predict_request("tf1", {"x": X}, **asked), CALL_TIMEOUT_S).model_spec
        assert (spec.name, spec.version.value, spec.signature_name) == ("tf1", version, "serving_default")


def test_output_filter(server: ServerProcess) -> None:
    request = predict_request("speech", {"spectrogram": np.zeros((1, 9, 161), np.float32)})
    request.output_filter.append("log_probability")
    assert list(server.prediction.Predict(request, CALL_TIMEOUT_S).outputs) == ["log_probability"]
    request.output_filter.append("nothing")
    assert refusal(server.prediction.Predict, request)[0] is grpc.StatusCode.INVALID_ARGUMENT


NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (("nobody", {"x": X}), NOT_FOUND, "Servable not found for request: Latest(nobody)"),
        (
            ("tf1", {"x": X}, "", {"version": 9}),
            NOT_FOUND,
            "Servable not found for request: Specific(tf1, 9)",
        ),
        (("tf1", {"x": X}, "", {"label": "new"}), INVALID, "Unrecognized servable version label: new"),
        (("", {"x": X}), INVALID, "Missing ModelSpec"),
        (("tf2", {"x": X}, "none"), grpc.StatusCode.FAILED_PRECONDITION, 'signature key "none" not found'),
        (("tf2", {"z": X}), INVALID, "Sent extra: {z}. Missing but required: {x}."),
        (("tf2", {}), INVALID, "Missing but required: {x}."),
        (("tf2", {"x": X.astype(np.float64)}), INVALID, "input x is double, expected float"),
        (("tf2", {"x": np.array([[b"text"] * 4], object)}), INVALID, "input x is string, expected float"),
        (("tf2", {"x": X[:, :3]}), INVALID, "input x has shape (2, 3), expected (-1, 4)"),
        (("tf2", {"x": X[0]}), INVALID, "input x has shape (4,), expected (-1, 4)"),
        (("tf2", {"x": np.zeros((700_000, 4), np.float32)}), INVALID, "at most 10000000 are allowed"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_bad_requests_are_refused_and_say_why(
    server: ServerProcess, request_: Any, code: grpc.StatusCode, says: str
) -> None:
    name, inputs, signature, spec = (*request_, *("", {})[len(request_) - 2 :])
    found, message = refusal(server.prediction.Predict, predict_request(name, inputs, signature, **spec))
    assert found is code
    assert says in message


def test_malformed_tensors_are_refused(server: ServerProcess) -> None:
    def broken(change: Any) -> str:
        request = predict_request("tf2", {"x": X})
        change(request.inputs["x"])
        code, message = refusal(server.prediction.Predict, request)
        assert code is INVALID
        return message

    def splat(proto: Any) -> None:  # a few bytes that ask for terabytes
        proto.tensor_content = b""
        proto.float_val.append(1.0)
        proto.tensor_shape.dim[0].size = 2**40

    assert "bytes of content" in broken(lambda proto: setattr(proto, "tensor_content", b"short"))
    assert "more than 10000000 bytes" in broken(splat)
    assert "not fully known" in broken(lambda proto: setattr(proto.tensor_shape, "unknown_rank", True))
    assert "not fully known" in broken(lambda proto: setattr(proto.tensor_shape.dim[0], "size", -2))
    assert "expected float" in broken(lambda proto: setattr(proto, "dtype", 9999))


def test_bytes_that_are_no_message_are_refused(server: ServerProcess) -> None:
    for method in (
        "PredictionService/Predict",
        "PredictionService/GetModelMetadata",
        "ModelService/GetModelStatus",
    ):
        raw = server.channel.unary_unary(f"/tensorflow.serving.{method}")
        assert refusal(raw, b"\xff\xff\xff\xff")[0] is INVALID


def test_calls_that_are_not_served_say_so(server: ServerProcess) -> None:
    calls = {
        server.prediction.Classify: classification_pb2.ClassificationRequest(),
        server.prediction.Regress: regression_pb2.RegressionRequest(),
        server.prediction.MultiInference: inference_pb2.MultiInferenceRequest(),
        server.model.HandleReloadConfigRequest: model_management_pb2.ReloadConfigRequest(),
    }
    for call, request in calls.items():
        code, message = refusal(call, request)
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "is not served by this server" in message


def test_model_status(server: ServerProcess) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tf1"
    status = server.model.GetModelStatus(request, CALL_TIMEOUT_S).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(one.version, one.state, one.status.error_code) for one in status] == [
        (2, available, 0),
        (1, available, 0),
    ]
    request.model_spec.version.value = 1
    assert [
        one.version for one in server.model.GetModelStatus(request, CALL_TIMEOUT_S).model_version_status
    ] == [1]
    request.model_spec.version.value = 7
    assert refusal(server.model.GetModelStatus, request) == (
        NOT_FOUND,
        "Could not find version 7 of model tf1",
    )


def test_model_metadata_tells_how_to_call(server: ServerProcess) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tf2"
    answer = server.prediction.GetModelMetadata(request, CALL_TIMEOUT_S)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert [dim.size for dim in default.inputs["x"].tensor_shape.dim] == [-1, 4]
    assert default.method_name == "tensorflow/serving/predict"
    assert answer.model_spec.version.value == 1
    del request.metadata_field[:]
    assert refusal(server.prediction.GetModelMetadata, request)[0] is INVALID


def test_health(server: ServerProcess) -> None:
    stub = health_pb2_grpc.HealthStub(server.channel)
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), CALL_TIMEOUT_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert refusal(stub.Check, health_pb2.HealthCheckRequest(service="other"))[0] is NOT_FOUND


def test_unix_socket(server: ServerProcess) -> None:
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    with grpc.insecure_channel(f"unix:{server.log.parent / 'grpc.sock'}") as channel:
        answer = PredictionServiceStub(channel).Predict(predict_request("tf2", {"x": X}), CALL_TIMEOUT_S)
    np.testing.assert_allclose(np.reshape(answer.outputs["y"].float_val, (2, 3)), dense(X), rtol=1e-6)
