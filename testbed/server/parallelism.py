"""The knobs of a served model: what can be chosen, what is applied."""

from __future__ import annotations

from dataclasses import dataclass

from serving.errors import UsageError
from testbed.batching import BatchPlan


@dataclass(frozen=True)
class ParallelismChoices:
    """What a server is started with. Only what is listed can be switched to at once, in place.

    Attributes:
        intra_op: threads within an operation, 0 for one per core; fixed for the life of the process.
        inter_op: threads that run operations, 0 for one per core; the first is applied at the start.
        plans: batch plans; the first is applied at the start.
    """

    intra_op: int
    inter_op: tuple[int, ...]
    plans: tuple[BatchPlan, ...]

    def find_plan(self, threads: int, size: int, timeout_us: int) -> BatchPlan:
        """The plan with these settings.

        Raises:
            UsageError: if the server was not started with one.
        """
        for plan in self.plans:
            if (plan.threads, plan.size, plan.timeout_us) == (threads, size, timeout_us):
                return plan
        known = [(plan.threads, plan.size, plan.timeout_us) for plan in self.plans]
        raise UsageError(
            f"(batch threads, size, timeout_us)={(threads, size, timeout_us)}, "
            f"this server was started with {known}"
        )

    def pool_index(self, inter_op: int) -> int:
        """Position of an inter-op pool.

        Raises:
            UsageError: if the server was not started with it.
        """
        if inter_op not in self.inter_op:
            raise UsageError(
                f"inter_op_parallelism={inter_op}, this server was started with {list(self.inter_op)}"
            )
        return self.inter_op.index(inter_op)


@dataclass(frozen=True)
class AppliedParallelism:
    """What a served model runs with; threads are counted in the process, not copied from what was asked.

    Attributes:
        plan: the batch plan in use.
        inter_op_parallelism: as asked; 0 is one per core.
        inter_op_threads: threads of that pool.
        intra_op_threads: threads of the process's intra-op pool.
    """

    plan: BatchPlan
    inter_op_parallelism: int
    inter_op_threads: int
    intra_op_threads: int
