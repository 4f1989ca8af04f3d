"""Batch plans: how many batch threads serve a model, and how requests are put together."""

from __future__ import annotations

from dataclasses import dataclass

from serving.errors import UsageError

DEFAULT_QUEUE_LIMIT = 50
"""Waiting requests at most (DECISIONS.md); what comes on top is refused."""

UNBATCHED_THREADS = 64
"""Batch threads that stand for "batching disabled" (request parallelism 0). Our choice."""


@dataclass(frozen=True)
class BatchPlan:
    """The settings of TensorFlow's batch scheduler.

    With ``size`` 1 a request is served whole, however many rows it has, and ``threads`` is the request
    parallelism: a first-in-first-out queue with that many workers. With a larger ``size`` the rows of several
    requests share one run of the model; every thread of such a plan costs about 0.9 % of a core once the plan
    has been used, even while another is in use, so give a server few of them.

    Attributes:
        threads: batches in service at once.
        size: rows in one batch at most.
        timeout_us: how long an incomplete batch waits for company.
        max_enqueued_batches: batches that may wait; more are refused.
        allowed_sizes: pad batches up to one of these, ascending, the last one ``size``; empty for any.
        split_large: cut a request of more than ``size`` rows instead of refusing it.
    """

    threads: int
    size: int = 1
    timeout_us: int = 0
    max_enqueued_batches: int = DEFAULT_QUEUE_LIMIT
    allowed_sizes: tuple[int, ...] = ()
    split_large: bool = False

    def __post_init__(self) -> None:
        lowest = {"threads": 1, "size": 1, "timeout_us": 0, "max_enqueued_batches": 1}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise UsageError(f"batching.{name}={getattr(self, name)}, expected an integer >= {least}")
        sizes = self.allowed_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != self.size):
            raise UsageError(
                f"batching.allowed_sizes={sizes}, expected ascending sizes that end with size={self.size}"
            )

    @property
    def whole_requests(self) -> bool:
        """Whether every request is a batch of its own."""
        return self.size == 1

    @property
    def capacity(self) -> int:
        """Requests in service and waiting at most."""
        return (self.threads + self.max_enqueued_batches) * self.size


def request_plan(request_parallelism: int, queue_limit: int = DEFAULT_QUEUE_LIMIT) -> BatchPlan:
    """The plan that serves ``request_parallelism`` requests at once (0: all of them) and lets others wait."""
    if request_parallelism < 0:
        raise UsageError(f"request_parallelism={request_parallelism}, expected an integer >= 0")
    return BatchPlan(
        threads=request_parallelism or UNBATCHED_THREADS, max_enqueued_batches=max(1, queue_limit)
    )
