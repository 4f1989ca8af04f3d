"""The command line and the configuration files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from server_process import ROOT, environment

from serving.errors import UsageError
from testbed.batching import BatchPlan, request_plan
from testbed.server.flags import parse_flags
from testbed.server.model_settings import VersionPolicy
from testbed.server.text_config import read_batching, read_models, read_monitoring


def test_defaults_are_those_of_tensorflow_serving_on_loopback(tmp_path: Path) -> None:
    settings = parse_flags([f"--model_base_path={tmp_path}"])
    assert (settings.host, settings.port, settings.rest_port) == ("127.0.0.1", 8500, 0)
    assert list(settings.models) == ["default"]
    assert settings.choices.inter_op == (0,)
    assert settings.choices.plans == (request_plan(0),)


def test_parallelism_flags(tmp_path: Path) -> None:
    def choices(*flags: str) -> object:
        found = parse_flags([f"--model_base_path={tmp_path}", *flags]).choices
        return found.intra_op, found.inter_op, [plan.threads for plan in found.plans]

    assert choices("--tensorflow_session_parallelism=3") == (3, (3,), [64])
    assert choices("--tensorflow_inter_op_parallelism=2", "--inter_op_choices=1,2,4") == (0, (2, 1, 4), [64])
    assert choices("--request_choices", "4,1", "--tensorflow_intra_op_parallelism", "2") == (2, (0,), [4, 1])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bogus"], "--bogus"),
        (["--model_base=."], "--model_base"),
        (["--port=http"], "--port"),
        (["--port=70000"], "70000"),
        (["--enable_batching=maybe"], "expected true or false"),
        (["--batching_parameters_file=x"], "needs enable_batching"),
        (["--enable_batching", "--batching_parameters_file=/nowhere"], "cannot be read"),
        (["--monitoring_config_file=/nowhere"], "cannot be read"),
        (["--port=0"], "nothing to listen on"),
        (["--grpc_channel_arguments=a"], "key=value"),
        (["--model_config_file=x"], "both set"),
        (["--tensorflow_intra_op_parallelism=-1"], "-1"),
        (["--per_process_gpu_memory_fraction=2"], "0..1"),
    ],
    ids=lambda one: one[-1] if isinstance(one, list) else "",
)
def test_wrong_usage_is_one_line(flags: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags([f"--model_base_path={tmp_path}", *flags])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_flag_ends_with_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "testbed.server", "--model_base_path=.", "--no_such_flag=1"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "unrecognized arguments: --no_such_flag=1\n"


def test_batching_file(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text(
        "max_batch_size { value: 8 } num_batch_threads { value: 2 } batch_timeout_micros { value: 50 }"
    )
    assert read_batching(file) == BatchPlan(threads=2, size=8, timeout_us=50, max_enqueued_batches=10)
    for text, says in (
        ("max_batch { value: 1 }", "not a BatchingParameters"),
        ("pad_variable_length_inputs: true", "not supported"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "end with size=8"),
        ("num_batch_threads { value: -1 }", "expected an integer >= 1"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=says):
            read_batching(file)


def test_monitoring_file(tmp_path: Path) -> None:
    file = tmp_path / "monitoring"
    file.write_text("prometheus_config { enable: true }")
    assert read_monitoring(file) == "/monitoring/prometheus/metrics"
    file.write_text("prometheus_config { enable: false path: '/m' }")
    assert read_monitoring(file) is None


def test_model_config_file(tmp_path: Path) -> None:
    file = tmp_path / "models"
    configs = (
        "config { name: 'a' base_path: '/a' model_version_policy { latest { num_versions: 2 } } }",
        "config { name: 'b' base_path: '/b' model_version_policy { specific { versions: 3 versions: 5 } } }",
    )
    file.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    models = read_models(file)
    assert models["a"].policy == VersionPolicy(latest=2)
    assert models["b"].policy.choose({1, 3, 4}) == {3}
    assert models["a"].policy.choose({1, 3, 10}) == {3, 10}
    for text, says in (
        ("model_config_list { config { name: 'a' } }", "needs a name and a base_path"),
        ("model_config_list { config { name: 'a' base_path: 'x' model_platform: 'onnx' } }", "onnx"),
        ("nonsense", "not a ModelServerConfig"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=says):
            read_models(file)
