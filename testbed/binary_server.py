"""A process of the real ``tensorflow_model_server``, or of another program with its flags and its API.

Not verified here with the real one, which is in no package registry; the tests drive ours through this door.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from serving.errors import UsageError
from testbed.local_server import LocalServer
from testbed.zygote import Zygote

_CALL_S = 5.0


class BinaryServer(LocalServer):
    """A server that is set by its flags alone: nothing changes in place, and it reports nothing.

    Args:
        program: its executable.
        model: the name of the model that it serves.
        zygote, folder, flags: see ``LocalServer``.
    """

    def __init__(self, program: str, model: str, zygote: Zygote, folder: Path, flags: Sequence[str]) -> None:
        self.program = program
        self._model = model
        super().__init__(zygote, folder, flags)

    def configure(self, **knobs: Any) -> list[dict[str, Any]]:
        """Nothing can be changed in place, so nothing may be asked for."""
        if knobs:
            raise UsageError(f"{self.program} changes nothing in place, asked for {knobs}")
        return []

    def report(self) -> list[dict[str, Any]]:
        """Nothing: it does not say."""
        return []

    def _answers(self) -> bool:
        return is_available(self.address, self._model)


def executable(program: str) -> str:
    """Where a program is, looked for on PATH where it is only named.

    Raises:
        UsageError: if it is nowhere.
    """
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"binary={program}, expected an executable, or the name of one on PATH")
    return str(Path(found).resolve())


def is_available(address: str, model: str) -> bool:
    """Whether a server says that it has loaded a version of the model (``ModelService.GetModelStatus``)."""
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    request = GetModelStatusRequest()
    request.model_spec.name = model
    with grpc.insecure_channel(address) as channel:
        try:
            answer = ModelServiceStub(channel).GetModelStatus(request, timeout=_CALL_S)
        except grpc.RpcError:
            return False
    available = answer.model_version_status and answer.model_version_status[0].AVAILABLE
    return any(version.state == available for version in answer.model_version_status)


def parallelism_flags(configuration: Mapping[str, int]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Flags of ``tensorflow_model_server`` for the CPU's knobs, and the batching that goes with them.

    Request parallelism is the number of batch threads of batches of one; 0 leaves batching off.
    """
    flags = (
        f"--tensorflow_inter_op_parallelism={configuration['inter_op_parallelism']}",
        f"--tensorflow_intra_op_parallelism={configuration['intra_op_parallelism']}",
    )
    threads = configuration["request_parallelism"]
    return flags, {"batch_threads": threads, "batch_size": 1, "batch_timeout_us": 0}
