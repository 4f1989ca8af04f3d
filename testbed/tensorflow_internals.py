"""Everything that may break with a new TensorFlow, in one place; tests/testbed has one canary for each.

What holds in TensorFlow 2.21 and is used here:

- The first session of a process fixes intra-op parallelism for good (``open_session``).
- A session can hold several inter-op pools, and each run names the one it uses (``open_session``,
  ``run_options``); with a global name all sessions of the process share them, as in TensorFlow Serving.
- ``BatchFunction`` is the batch scheduler of TensorFlow Serving; it is known by its ``shared_name``, and its
  function runs in the inter-op pool of the run that asked (``batch_function``).
- An idle batch thread of that scheduler wakes up every millisecond (about 0.9 % of a core each), whether its
  plan is in use or not. The adaptive scheduler of the same op sleeps while it has nothing to do, and with its
  limits set to one number it serves exactly so many batches at once: plans of whole requests use it, so that
  all of them can stand ready (``_in_flight``).
- A ``VarHandleOp`` inside a function finds the variable of its ``shared_name``, so that the model's graph can
  become a function without hundreds of captured handles (``as_function``).
- ``session.run`` looks up and checks its feeds and fetches anew in every call; two private methods save that
  0.1 ms (``PreparedRun``).
- The v1 loader reads SavedModels of TensorFlow 1, TensorFlow 2 and Keras (``load_saved_model``).
- Importing TensorFlow starts no thread pool, so a process may fork after the import and before the first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError
from testbed.batching import BatchPlan
from testbed.server.signature import TensorSpec
from testbed.threads import count_by_name, thread_named

INTRA_OP_THREADS = "tf_intra_op"
INTER_OP_THREADS = "tf_Compute"  # and the index of the pool in the session
BATCH_THREADS = "batch_threads"

Tensors = Mapping[str, Any]
"""Graph tensors by the names they have in a signature."""


def open_session(
    graph: Any, intra_op: int, inter_op_choices: Sequence[int], gpu_memory_fraction: float = 0.0
) -> Any:
    """A v1 session with one inter-op pool per choice (0: as many threads as there are cores)."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra_op, allow_soft_placement=True)
    if gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = gpu_memory_fraction
    for choice in inter_op_choices:
        config.session_inter_op_thread_pool.add(num_threads=choice, global_name=f"inter_op_{choice}")
    with thread_named(INTRA_OP_THREADS):
        return tf.compat.v1.Session(graph=graph, config=config)


@dataclass(frozen=True)
class PoolThreads:
    """Threads of this process's pools, counted."""

    intra_op: int
    inter_op: tuple[int, ...]


def check_pools(intra_op: int, inter_op_choices: Sequence[int]) -> PoolThreads:
    """Count the threads of the pools that ``open_session`` was asked for.

    Pools never change once they exist, so what is counted here holds for the life of the process. (Where
    there is no /proc, nothing can be counted and all numbers are 0.)

    Raises:
        UsageError: if the process has other threads than were asked for.
    """
    names = count_by_name()
    inter_op = tuple(names[f"{INTER_OP_THREADS}{pool}"] for pool in range(len(inter_op_choices)))
    counted = PoolThreads(names[INTRA_OP_THREADS], inter_op)
    wanted = PoolThreads(intra_op or cores(), tuple(choice or cores() for choice in inter_op_choices))
    if names and counted != wanted:
        raise UsageError(
            f"asked for {wanted.intra_op} intra-op threads and inter-op pools of {wanted.inter_op}, this "
            f"process has {counted.intra_op} and {counted.inter_op}: the first use of TensorFlow fixes them"
        )
    return counted


def cores() -> int:
    """Cores this process may use: what TensorFlow takes for 0."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_options(pool: int) -> Any:
    """Options of a run that uses the session's inter-op pool with that index."""
    import tensorflow as tf

    return tf.compat.v1.RunOptions(inter_op_thread_pool=pool)


class PreparedRun:
    """A ``session.run`` whose feeds and fetches are looked up once, for a graph that is complete."""

    def __init__(self, session: Any, inputs: Iterable[Any], outputs: Tensors) -> None:
        """Prepare to feed some graph tensors and to fetch others."""
        session._extend_graph()
        self._session = session
        self._inputs = {
            tensor.name: (tensor._as_tf_output(), tensor.dtype.as_numpy_dtype, _spec(tensor))
            for tensor in inputs
        }
        self._fetches = {tensor.name: tensor._as_tf_output() for tensor in outputs.values()}
        self._outputs = {alias: tensor.name for alias, tensor in outputs.items()}

    def __call__(self, feeds: Mapping[str, Any], options: Any) -> dict[str, NDArray[Any]]:
        """The outputs, given values by the names of the graph tensors to feed.

        Raises:
            ValueError: for a value whose shape cannot be fed.
            tf.errors.OpError: what TensorFlow says.
        """
        from tensorflow.python.client import pywrap_tf_session as c_api

        fed = {}
        for name, value in feeds.items():
            output, dtype, spec = self._inputs[name]
            array = np.asarray(value, dtype)
            if not spec.accepts(array.shape):
                raise ValueError(f"tensor {name} has shape {array.shape}, the graph takes {spec.shape}")
            fed[output] = array
        buffer = c_api.TF_NewBufferFromString(options.SerializeToString())
        try:
            found = self._session._call_tf_sessionrun(buffer, fed, list(self._fetches.values()), [], None)
        finally:
            c_api.TF_DeleteBuffer(buffer)
        arrays = {name: np.asarray(value) for name, value in zip(self._fetches, found, strict=True)}
        return {alias: arrays[name] for alias, name in self._outputs.items()}


def _spec(tensor: Any) -> TensorSpec:
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(tensor.name, tensor.dtype.as_datatype_enum, shape)


def load_saved_model(session: Any, tags: Sequence[str], folder: Path) -> Any:
    """Load a SavedModel into the session's graph and return its MetaGraphDef."""
    import tensorflow as tf

    return tf.compat.v1.saved_model.load(session, list(tags), str(folder))


def as_function(graph: Any, inputs: Tensors, outputs: Tensors) -> Callable[..., list[Any]]:
    """The part of a loaded graph between inputs and outputs, as a function for ``wrap_function``.

    Variables stay where they are: their handles are looked up by name. What else the part hangs on and cannot
    be made twice (tables, reference variables) is captured.
    """
    import tensorflow as tf

    fed = {tensor.name for tensor in inputs.values()}
    used: set[str] = set()
    captured: dict[str, Any] = {}
    operations: set[str] = set()
    pending = [tensor.op for tensor in outputs.values() if tensor.name not in fed]
    while pending:
        operation = pending.pop()
        if operation.name in operations:
            continue
        operations.add(operation.name)
        for tensor in operation.inputs:
            if tensor.name in fed:
                used.add(tensor.name)
            elif _is_state(tensor):
                captured[tensor.name] = tensor
            else:
                pending.append(tensor.op)
        pending.extend(operation.control_inputs)
    body = _extract(graph.as_graph_def(), operations)

    def call(*arguments: Any) -> list[Any]:
        given = dict(zip((tensor.name for tensor in inputs.values()), arguments, strict=True))
        function_graph = tf.compat.v1.get_default_graph()
        feeds = {name: given[name] for name in used}
        feeds |= {name: function_graph.capture(tensor) for name, tensor in captured.items()}
        wanted = [tensor.name for tensor in outputs.values() if tensor.name not in fed]
        found = dict(
            zip(wanted, tf.graph_util.import_graph_def(body, feeds, wanted, name="model"), strict=True)
        )
        return [tf.identity((given | found)[tensor.name]) for tensor in outputs.values()]

    return call


def _is_state(tensor: Any) -> bool:
    """Whether a tensor is the handle (or the reference) of something that lives in the session."""
    if tensor.dtype._is_ref_dtype:
        return True
    return tensor.dtype.name == "resource" and not tensor.op.inputs and tensor.op.type != "VarHandleOp"


def _extract(graph_def: Any, operations: set[str]) -> Any:
    import tensorflow as tf

    body = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.name in operations:
            copy = body.node.add()
            copy.CopyFrom(node)
            copy.attr.pop("_class", None)  # colocated with nodes that stay outside
    return body


def batch_function(
    function: Callable[..., list[Any]],
    inputs: Sequence[Any],
    plans: Sequence[BatchPlan],
    which: Any,
    scheduler: str,
    queue: str,
) -> list[Any]:
    """Run a function through the batch scheduler, under the plan with the (fed) index ``which``.

    All plans lie in one graph with one set of fetches, so the model is prepared once and a change of plan
    costs nothing. In plans of whole requests a leading dimension of 1 is added around the function: inputs of
    any shape then pass as one task.

    Args:
        function: what a batch runs; takes and returns lists of tensors.
        inputs: graph tensors, at least one.
        plans: the plans to choose from.
        which: int32 scalar tensor.
        scheduler: name of the scheduler, unique in the session; functions that share it share its threads.
        queue: name of this function's queue in the scheduler.

    Returns:
        The outputs, as graph tensors.
    """
    import tensorflow as tf

    def whole(*tensors: Any) -> list[Any]:
        outputs = function(*[tf.squeeze(tensor, [0]) for tensor in tensors])
        return [tf.expand_dims(output, 0) for output in outputs]

    traced: dict[bool, tuple[Any, Sequence[Any]]] = {}
    for whole_requests in {plan.whole_requests for plan in plans}:
        tensors = [tf.expand_dims(tensor, 0) for tensor in inputs] if whole_requests else inputs
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        # tf.function would order stateful operations anew, which breaks the loops of TensorFlow 1
        wrapped = tf.compat.v1.wrap_function(whole if whole_requests else function, specs)
        traced[whole_requests] = wrapped, tensors

    def branch(index: int, plan: BatchPlan) -> list[Any]:
        body, tensors = traced[plan.whole_requests]
        with tf.compat.v1.get_default_graph()._attr_scope(_in_flight(plan) if plan.whole_requests else {}):
            batched = tf.raw_ops.BatchFunction(
                in_tensors=tensors,
                captured_tensors=body.captured_inputs,
                f=body,
                Tout=[output.dtype for output in body.outputs],
                num_batch_threads=0 if plan.whole_requests else plan.threads,
                max_batch_size=plan.size,
                batch_timeout_micros=plan.timeout_us,
                max_enqueued_batches=plan.max_enqueued_batches + plan.threads,
                allowed_batch_sizes=list(plan.allowed_sizes),
                enable_large_batch_splitting=plan.split_large,
                shared_name=f"{scheduler}/{index}",
                batching_queue=queue,
            )
        return [tf.squeeze(one, [0]) for one in batched] if plan.whole_requests else list(batched)

    if len(plans) == 1:
        return branch(0, plans[0])
    branches = [lambda index=index, plan=plan: branch(index, plan) for index, plan in enumerate(plans)]
    outputs = tf.switch_case(which, branches)
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _in_flight(plan: BatchPlan) -> dict[str, Any]:
    """Attributes that hold the adaptive scheduler at exactly ``plan.threads`` batches in service."""
    import tensorflow as tf

    limit = tf.compat.v1.AttrValue(i=plan.threads)
    return {f"_{which}_inflight_batches": limit for which in ("min", "initial", "max")}


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file, read without running an operation."""
    import tensorflow as tf

    return iter(tf.compat.v1.io.tf_record_iterator(str(path)))
