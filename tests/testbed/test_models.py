"""Exporting, the cache and the payloads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from saved_models import SPEECH
from server_process import ROOT, environment

from serving.errors import UsageError
from testbed.models.catalogue import MODELS
from testbed.models.export import WARM_UP_FILE, export_model
from testbed.models.payload import predict_payload


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "testbed.models", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def test_a_second_export_is_found_in_the_cache_without_tensorflow(exported: Path) -> None:
    settings = [f"--{key}={value}" for key, value in SPEECH.items()]
    done = run("export", "deepspeech2", "--cache", str(exported / "cache"), *settings)
    assert done.stdout.strip() == str((exported / "speech").resolve())
    assert "| tensorflow\n" not in done.stderr
    assert len(list((exported / "cache").iterdir())) == 1, "something was left behind"


def test_the_version_folder_holds_a_model_and_its_warm_up(exported: Path) -> None:
    assert (exported / "speech" / "1" / "saved_model.pb").is_file()
    assert (exported / "speech" / "1" / WARM_UP_FILE).is_file()


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.ResourceExhaustedError):  # 2**40 units do not fit into memory
        export_model("deepspeech2", {"depth": 1, "width": 2**40}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_one_line_and_code_2() -> None:
    command = [sys.executable, "-m", "testbed.models", "export", "resnet"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"model='resnet', choose from {sorted(MODELS)}\n"
    for name, settings in (("mobilenet_v2", {"width": 3}), ("deepspeech2", {"width": 0})):
        with pytest.raises(UsageError, match="width"):
            export_model(name, settings)


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("deepspeech2", 1.0, [1, 200, 161]),
        ("deepspeech2", 2.5, [1, 500, 161]),
        ("deepspeech2", 0.0001, [1, 1, 161]),
        ("mobilenet_v2", 1.0, [1, 224, 224, 3]),
        ("inception_v3", 1.0, [1, 299, 299, 3]),
    ],
)
def test_payloads_have_the_size_asked_for(name: str, size: float, shape: list[int]) -> None:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    payload = predict_payload(name, size, seed=3)
    assert payload == predict_payload(name, size, seed=3) != predict_payload(name, size, seed=4)
    (proto,) = PredictRequest.FromString(payload).inputs.values()
    assert [dim.size for dim in proto.tensor_shape.dim] == shape


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"size=2, expected 1"):
        predict_payload("mobilenet_v2", 2)
