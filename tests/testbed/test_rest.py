"""REST through urllib and curl: row and columnar format, status, metadata, metrics, errors."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from typing import Any

import numpy as np
import pytest
from saved_models import dense
from server_process import CALL_TIMEOUT_S, ServerProcess

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
PREDICT = "/v1/models/tf2:predict"


def curl(server: ServerProcess, path: str, *arguments: str) -> str:
    url = f"http://127.0.0.1:{server.rest_port}{path}"
    return subprocess.check_output(["curl", "-sS", *arguments, url], text=True, timeout=CALL_TIMEOUT_S)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"instances": X.tolist()}, "predictions"),
        ({"instances": [{"x": row} for row in X.tolist()]}, "predictions"),
        ({"inputs": X.tolist(), "signature_name": "serving_default"}, "outputs"),
        ({"inputs": {"x": X.tolist()}}, "outputs"),
    ],
    ids=["rows", "named rows", "column", "named columns"],
)
def test_every_format_gets_the_models_answer(server: ServerProcess, document: Any, key: str) -> None:
    status, answer = server.rest(PREDICT, document)
    assert (status, list(answer)) == (200, [key])
    np.testing.assert_allclose(answer[key], dense(X), rtol=1e-6)


def test_curl_predicts(server: ServerProcess) -> None:
    answer = json.loads(curl(server, PREDICT, "-d", json.dumps({"instances": X.tolist()})))
    np.testing.assert_allclose(answer["predictions"], dense(X), rtol=1e-6)


def test_a_large_body_after_expect_100_continue(server: ServerProcess) -> None:
    rows = np.ones((60_000, 4), np.float32)
    body = json.dumps({"instances": rows.tolist()})
    answer = subprocess.run(
        [
            "curl",
            "-sS",
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            "@-",
            f"http://127.0.0.1:{server.rest_port}{PREDICT}",
        ],
        input=body,
        capture_output=True,
        text=True,
        check=True,
        timeout=CALL_TIMEOUT_S,
    )
    np.testing.assert_allclose(json.loads(answer.stdout)["predictions"], dense(rows), rtol=1e-6)


def test_types_and_several_outputs(server: ServerProcess) -> None:
    encoded = {"b64": base64.b64encode(b"\xff\x00").decode()}
    numbers = {
        name: [[1, 2]] for name in ("int32", "int64", "uint8", "int8", "uint16", "int16", "uint32", "uint64")
    }
    floats = {name: [[0.5, -2]] for name in ("float32", "float64", "float16", "bfloat16")}
    inputs = {**numbers, **floats, "bool": [[True, False]], "text": [["one", "zwö"]], "raw": [[encoded, "b"]]}
    status, answer = server.rest(PREDICT, {"signature_name": "echo", "inputs": inputs})
    assert status == 400  # complex numbers are missing, which JSON cannot carry
    assert "Missing but required: {complex128,complex64}" in answer["error"]
    words = [{"words": word} for word in ("two", "none")]
    status, answer = server.rest(
        "/v1/models/tf1/versions/2:predict", {"signature_name": "look_up", "instances": words}
    )
    assert (status, answer) == (200, {"predictions": [2, -1]})
    spectrogram = np.zeros((1, 6, 161)).tolist()
    status, answer = server.rest("/v1/models/speech:predict", {"instances": spectrogram})
    assert status == 200
    assert set(answer["predictions"][0]) == {"characters", "log_probability"}


@pytest.mark.parametrize(
    ("path", "document", "status", "says"),
    [
        (PREDICT, b"{", 400, "JSON Parse error"),
        (PREDICT, b"[" * 100_000, 400, "JSON Parse error"),
        (PREDICT, [], 400, "'instances' or 'inputs'"),
        (PREDICT, {"instances": []}, 400, "at least one"),
        (PREDICT, {"instances": [[1, 2, 3, 4]], "inputs": 1}, 400, "either"),
        (PREDICT, {"instances": [[1, 2, 3]]}, 400, "has shape (1, 3), expected (-1, 4)"),
        (PREDICT, {"instances": [[1, 2, 3, 4], [1]]}, 400, "input x"),
        (PREDICT, {"instances": [["a", "b", "c", "d"]]}, 400, "no float"),
        (PREDICT, {"instances": [{"x": [1, 2, 3, 4]}, {"z": 1}]}, 400, "same keys"),
        (PREDICT, {"instances": [{"z": [1, 2, 3, 4]}]}, 400, "Sent extra: {z}"),
        (PREDICT, {"instances": [[1, 2, 3, 4]], "signature_name": "none"}, 412, "not found"),
        (PREDICT, {"instances": [1.5], "signature_name": "burn"}, 400, "no int32"),
        (PREDICT, {"instances": [2**40], "signature_name": "burn"}, 400, "no int32"),
        (
            "/v1/models/nobody:predict",
            {"instances": [1]},
            404,
            "Servable not found for request: Latest(nobody)",
        ),
        ("/v1/models/tf2/versions/5:predict", {"instances": [1]}, 404, "Specific(tf2, 5)"),
        ("/v1/models/tf2:classify", {"examples": []}, 501, "not served"),
        ("/v1/models/tf2:regress", {"examples": []}, 501, "not served"),
        ("/v1/models/tf2:explain", {}, 400, "Malformed request"),
        ("/other", {}, 404, "Malformed request"),
        ("/v1/models/tf2/versions/99999999999999999999:predict", {}, 400, "out of range"),
    ],
)
def test_bad_requests(server: ServerProcess, path: str, document: Any, status: int, says: str) -> None:
    found, answer = server.rest(path, document)
    assert found == status
    assert says in answer["error"]


def test_an_oversized_body_is_refused_unread(server: ServerProcess) -> None:
    body = curl(server, PREDICT, "-H", "Content-Length: 99000000000", "-d", "{}")
    assert "expected the body's length, at most 10000000" in json.loads(body)["error"]


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Encoding: gzip"])
def test_a_body_that_cannot_be_read_is_refused_by_the_name_of_its_header(
    server: ServerProcess, header: str
) -> None:
    named = {"Transfer-Encoding: chunked": "not chunked", "Content-Encoding: gzip": "Content-Encoding='gzip'"}
    body = curl(server, PREDICT, "-H", header, "-d", "{}")
    assert named[header] in json.loads(body)["error"]


def test_status_and_metadata(server: ServerProcess) -> None:
    def version(number: int) -> dict[str, Any]:
        status = {"error_code": "OK", "error_message": ""}
        return {"version": str(number), "state": "AVAILABLE", "status": status}

    assert json.loads(curl(server, "/v1/models/tf1")) == {"model_version_status": [version(2), version(1)]}
    assert server.rest("/v1/models/tf1/versions/1") == (200, {"model_version_status": [version(1)]})
    assert server.rest("/v1/models/tf1/labels/stable") == (200, {"model_version_status": [version(1)]})
    assert server.rest("/v1/models/nobody")[0] == 404
    status, answer = server.rest("/v1/models/tf2/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "tf2", "signature_name": "", "version": "1"}
    x = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in x["tensor_shape"]["dim"]] == ["-1", "4"]


def test_metrics_count_requests_by_model_and_status(server: ServerProcess) -> None:
    def counts() -> dict[str, float]:
        text = curl(server, "/monitoring/prometheus/metrics")
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line[0] == ":"
        }

    def gained(key: str) -> float:
        return after.get(key, 0) - before.get(key, 0)

    before = counts()
    server.predict("keras", {"keras_tensor": X})
    server.rest("/v1/models/keras:predict", {"instances": X.tolist()})
    server.rest("/v1/models/keras:predict", {"instances": [1]})
    after = counts()
    assert gained(':tensorflow:serving:request_count{model_name="keras",status="OK"}') == 2
    assert gained(':tensorflow:serving:request_count{model_name="keras",status="INVALID_ARGUMENT"}') == 1
    latency = (
        ':tensorflow:serving:request_latency{part}{{model_name="keras",API="Predict",entrypoint="GRPC"{le}}}'
    )
    assert gained(latency.format(part="_count", le="")) == 1
    assert gained(latency.format(part="_bucket", le=',le="+Inf"')) == 1
    assert gained(latency.format(part="_sum", le="")) > 0


def test_a_connection_is_kept(server: ServerProcess) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=CALL_TIMEOUT_S)
    for _ in range(3):
        connection.request("POST", PREDICT, json.dumps({"instances": X.tolist()}))
        first = connection.sock
        assert len(json.loads(connection.getresponse().read())["predictions"]) == 2
    assert connection.sock is first is not None
    connection.close()


def test_only_loopback_is_listened_on(server: ServerProcess) -> None:
    import psutil

    listening = [
        one.laddr
        for one in psutil.Process(server.process.pid).net_connections("tcp")
        if one.status == "LISTEN"
    ]
    assert {address.port for address in listening} == {server.port, server.rest_port}
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_metrics_are_text_for_prometheus(server: ServerProcess) -> None:
    url = f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=CALL_TIMEOUT_S) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
