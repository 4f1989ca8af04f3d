"""One loaded version of a model: a session whose parallelism can be changed between two requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from testbed import tensorflow_internals as internals
from testbed.batching import BatchPlan
from testbed.server.admission import Admission
from testbed.server.parallelism import AppliedParallelism, ParallelismChoices
from testbed.server.signature import Signature, signatures_of
from testbed.server.status import Code, StatusError
from testbed.threads import thread_named

_UNLOAD_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class _Setting:
    """Plan and pool together, replaced as one."""

    plan: int
    pool: int
    options: Any


class ServedModel:
    """A SavedModel in a session of its own.

    Thread-safe: ``run`` is called by many threads at once, ``configure`` by another.
    """

    def __init__(
        self,
        name: str,
        version: int,
        folder: Path,
        choices: ParallelismChoices,
        tags: Sequence[str] = ("serve",),
        gpu_memory_fraction: float = 0.0,
    ) -> None:
        """Load a SavedModel; nothing has run yet.

        Args:
            name: the model's name.
            version: its version.
            folder: the SavedModel.
            choices: the parallelism to start with and to switch between.
            tags: which of the SavedModel's graphs to load.
            gpu_memory_fraction: share of each GPU's memory to take; 0 for TensorFlow's default.

        Raises:
            UsageError: if the process already runs another number of intra-op threads.
        """
        import tensorflow as tf

        self.name, self.version, self.choices = name, version, choices
        graph = tf.Graph()
        with graph.as_default():
            self.session = internals.open_session(
                graph, choices.intra_op, choices.inter_op, gpu_memory_fraction
            )
            self._pools = internals.check_pools(choices.intra_op, choices.inter_op)
            self.meta_graph = internals.load_saved_model(self.session, tags, folder)
            self.signatures: Mapping[str, Signature] = signatures_of(self.meta_graph)
            self._which = tf.compat.v1.placeholder(tf.int32, [], name="batch_plan")
            tensors = {
                key: self._batched(graph, signature, key) for key, signature in self.signatures.items()
            }
        graph.finalize()
        self._runs = {
            key: internals.PreparedRun(self.session, [*inputs.values(), self._which], outputs)
            for key, (inputs, outputs) in tensors.items()
        }
        self._configuring = threading.Lock()
        self._admission = Admission(choices.plans[0].capacity)
        self._setting = self._make_setting(0, 0)

    def _batched(self, graph: Any, signature: Signature, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A signature's inputs, and its outputs behind the batch scheduler."""
        inputs = {alias: _tensor(graph, spec) for alias, spec in signature.inputs.items()}
        outputs = {alias: _tensor(graph, spec) for alias, spec in signature.outputs.items()}
        if not inputs:  # nothing to batch
            return inputs, outputs
        function = internals.as_function(graph, inputs, outputs)
        scheduler = f"{self.name}/{self.version}"
        batched = internals.batch_function(
            function, list(inputs.values()), self.choices.plans, self._which, scheduler, key
        )
        return inputs, dict(zip(outputs, batched, strict=True))

    def run(self, signature: Signature, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of a signature for inputs that fit it; blocks while others are being served.

        Raises:
            StatusError: RESOURCE_EXHAUSTED or UNAVAILABLE when the queue is full, else what TensorFlow said.
        """
        with self._admission.enter():
            return self._run(signature, feeds, self._setting)

    def _run(
        self, signature: Signature, feeds: Mapping[str, NDArray[Any]], setting: _Setting
    ) -> dict[str, NDArray[Any]]:
        import tensorflow as tf

        fed: dict[str, Any] = {signature.inputs[alias].tensor_name: array for alias, array in feeds.items()}
        fed[self._which.name] = setting.plan
        try:
            return self._runs[signature.name](fed, setting.options)
        except tf.errors.OpError as error:
            raise StatusError(Code(error.error_code), _first_line(error.message)) from error
        except (TypeError, ValueError) as error:  # what the session refuses before it runs
            raise StatusError(Code.INVALID_ARGUMENT, str(error)) from error

    def warm_up(self, signature: Signature, feeds: Mapping[str, NDArray[Any]]) -> None:
        """Run a request once under every plan, so that none pays for the first run."""
        with thread_named(internals.BATCH_THREADS):
            for index in range(len(self.choices.plans)):
                self._run(signature, feeds, self._make_setting(index, self._setting.pool))

    def configure(
        self, *, plan: BatchPlan | None = None, inter_op_parallelism: int | None = None
    ) -> AppliedParallelism:
        """Change the batch plan or the inter-op pool of all requests from now on; those inside keep theirs.

        Raises:
            UsageError: if the model was not loaded with this choice.
        """
        with self._configuring:
            index = self._setting.plan if plan is None else self._plan_index(plan)
            pool = (
                self._setting.pool
                if inter_op_parallelism is None
                else self.choices.pool_index(inter_op_parallelism)
            )
            self._setting = self._make_setting(index, pool)
            self._admission.capacity = self.choices.plans[index].capacity
            return self.applied

    def _plan_index(self, plan: BatchPlan) -> int:
        return self.choices.plans.index(self.choices.find_plan(plan.threads, plan.size, plan.timeout_us))

    def _make_setting(self, plan: int, pool: int) -> _Setting:
        return _Setting(plan, pool, internals.run_options(pool))

    @property
    def applied(self) -> AppliedParallelism:
        """What new requests run with."""
        setting = self._setting
        return AppliedParallelism(
            plan=self.choices.plans[setting.plan],
            inter_op_parallelism=self.choices.inter_op[setting.pool],
            inter_op_threads=self._pools.inter_op[setting.pool],
            intra_op_threads=self._pools.intra_op,
        )

    @property
    def in_flight(self) -> int:
        """Requests in service and waiting."""
        return self._admission.inside

    def close(self) -> None:
        """Refuse new requests, let those inside finish, and free the session."""
        self._admission.close(_UNLOAD_TIMEOUT_S)
        self.session.close()


def _first_line(message: str) -> str:
    lines = [line for line in message.splitlines() if line and line != "Graph execution error:"]
    return lines[0] if lines else "no message"


def _tensor(graph: Any, spec: Any) -> Any:
    return graph.get_tensor_by_name(spec.tensor_name)
