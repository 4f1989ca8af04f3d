"""The testbed with one model: what ``system=testbed`` and ``testbed_batching`` name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from serving.configuration import ConfigurationSpace, batching_space, parallelism_space
from serving.errors import UsageError
from testbed.models.requests import prepare
from testbed.remote_supervisor import RemoteSupervisor
from testbed.supervisor import LocalSupervisor, Supervisor
from testbed.system import SIZES, TestbedSystem


class ModelTestbed(TestbedSystem):
    """Servers of one model: started here, or run by others.

    Args:
        space: the configurations.
        model: a model of ``python -m testbed.models list``.
        flags: of ``python -m testbed.server``: what may be switched to in place.
        binary: serve with this ``tensorflow_model_server`` instead of our own server.
        addresses: serve with these servers, which others run; admin_sockets: see ``RemoteSupervisor``.
        model_settings: the model's settings, where they differ from the defaults.
        servers: how many serve beside each other.
        warm: for how many values of what is fixed for a process servers are kept running.
        hardware: not looked at (the simulator is given one, too): the machine is what it is.
        **settings: see ``TestbedSystem``.

    Raises:
        UsageError: for a value outside its range, or a model that cannot be made.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        model: str,
        flags: Sequence[str] = (),
        model_settings: Mapping[str, int | None] | None = None,
        servers: int = 1,
        warm: int = 3,
        binary: str | None = None,
        addresses: Sequence[str] | None = None,
        admin_sockets: Sequence[str] | None = None,
        hardware: object = None,  # noqa: ARG002
        **settings: Any,
    ) -> None:
        sizes = SIZES if model == "deepspeech2" else (1.0,)  # images are all of one size
        base, requests = prepare(model, sizes, model_settings)
        supervisor: Supervisor
        if addresses:
            if servers != len(addresses):
                raise UsageError(f"servers={servers}, expected {len(addresses)}: as many as system.addresses")
            supervisor = RemoteSupervisor(addresses, model, space, admin_sockets or ())
        else:
            served = [
                f"--model_name={model}", f"--model_base_path={base}", "--file_system_poll_wait_seconds=0",
            ]  # fmt: skip
            supervisor = LocalSupervisor([*served, *([] if binary else flags)], servers, warm, binary)
        super().__init__(space=space, supervisor=supervisor, requests=requests, **settings)


class TestbedCpu(ModelTestbed):
    """The knobs request, inter-op and intra-op parallelism.

    Args:
        model: see ``ModelTestbed``.
        request_parallelism, inter_op_parallelism, intra_op_parallelism: grids; 0 is the system's default.
        queue_limit: waiting requests at each server at most.
        **settings: see ``ModelTestbed``.
    """

    def __init__(
        self,
        model: str,
        request_parallelism: Sequence[int],
        inter_op_parallelism: Sequence[int],
        intra_op_parallelism: Sequence[int],
        queue_limit: int = 50,
        **settings: Any,
    ) -> None:
        grids = (request_parallelism, inter_op_parallelism, intra_op_parallelism)
        space = parallelism_space(*grids, system_default=os.cpu_count())
        flags = (
            f"--request_choices={_listed('request_parallelism', request_parallelism)}",
            f"--inter_op_choices={_listed('inter_op_parallelism', inter_op_parallelism)}",
            f"--queue_limit={queue_limit}",
        )
        super().__init__(space, model, flags, **settings)


class TestbedBatching(ModelTestbed):
    """The knobs batch threads, batch size and batch timeout.

    Args:
        model: see ``ModelTestbed``.
        batch_threads, batch_size, batch_timeout_us: grids.
        **settings: see ``ModelTestbed``.
    """

    def __init__(
        self,
        model: str,
        batch_threads: Sequence[int],
        batch_size: Sequence[int],
        batch_timeout_us: Sequence[int],
        **settings: Any,
    ) -> None:
        super().__init__(batching_space(batch_threads, batch_size, batch_timeout_us), model, **settings)


def _listed(knob: str, values: Sequence[int]) -> str:
    if min(values, default=-1) < 0:
        raise UsageError(f"system.{knob}={list(values)}, expected a list of integers >= 0")
    return ",".join(map(str, values))
