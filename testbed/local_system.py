"""The testbed on servers that it starts itself: what ``system=testbed`` and ``testbed_batching`` name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from serving.configuration import ConfigurationSpace, batching_space, parallelism_space
from serving.errors import UsageError
from testbed.models.requests import prepare
from testbed.supervisor import LocalSupervisor
from testbed.system import SIZES, TestbedSystem


class LocalTestbed(TestbedSystem):
    """Local servers of one model.

    Args:
        space: the configurations.
        model: a model of ``python -m testbed.models list``.
        flags: of ``python -m testbed.server``: what may be switched to in place.
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
        hardware: object = None,  # noqa: ARG002
        **settings: Any,
    ) -> None:
        sizes = SIZES if model == "deepspeech2" else (1.0,)  # images are all of one size
        base, requests = prepare(model, sizes, model_settings)
        served = (f"--model_name={model}", f"--model_base_path={base}", "--file_system_poll_wait_seconds=0")
        supervisor = LocalSupervisor([*served, *flags], servers, warm)
        super().__init__(space=space, supervisor=supervisor, requests=requests, **settings)


class TestbedCpu(LocalTestbed):
    """The knobs request, inter-op and intra-op parallelism.

    Args:
        model: see ``LocalTestbed``.
        request_parallelism, inter_op_parallelism, intra_op_parallelism: grids; 0 is the system's default.
        queue_limit: waiting requests at each server at most.
        **settings: see ``LocalTestbed``.
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


class TestbedBatching(LocalTestbed):
    """The knobs batch threads, batch size and batch timeout.

    Args:
        model: see ``LocalTestbed``.
        batch_threads, batch_size, batch_timeout_us: grids.
        **settings: see ``LocalTestbed``.
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
