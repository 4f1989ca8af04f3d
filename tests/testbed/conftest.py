from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saved_models import SPEECH, export_keras, export_tf1, export_tf2
from server_process import ServerProcess, running_server


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the base paths tf1 (versions 1 and 2), tf2, keras and speech."""
    from testbed.models.export import export_model

    folder = tmp_path_factory.mktemp("models")
    export_tf1(folder / "tf1", 1)
    export_tf1(folder / "tf1", 2)
    export_tf2(folder / "tf2")
    export_keras(folder / "keras")
    (folder / "speech").symlink_to(export_model("deepspeech2", SPEECH, folder / "cache"))
    return folder


@pytest.fixture(scope="session")
def server(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for many tests: all models, by a config file that is looked at again."""
    folder = tmp_path_factory.mktemp("server")
    policies = {
        "tf1": "model_version_policy { all {} } version_labels { key: 'stable' value: 1 }",
        "tf2": "",
        "keras": "",
        "speech": "model_platform: 'tensorflow'",
    }
    configs = [
        f"config {{ name: '{name}' base_path: '{exported / name}' {policy} }}"
        for name, policy in policies.items()
    ]
    (folder / "models.config").write_text(f"model_config_list {{ {' '.join(configs)} }}")
    flags = (
        f"--model_config_file={folder / 'models.config'}",
        "--model_config_file_poll_wait_seconds=1",
        f"--grpc_socket_path={folder / 'grpc.sock'}",
        "--grpc_channel_arguments=grpc.max_concurrent_streams=100",
        "--max_request_bytes=10000000",
    )
    with running_server(folder, *flags) as process:
        yield process
