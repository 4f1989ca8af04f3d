"""The door of a served model: counts who is inside and turns away whom the queue cannot hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.server.status import Code, StatusError


class Admission:
    """Counts requests in service and waiting.

    The batch scheduler has a limit of its own, but a request reaches it only when an inter-op thread is free
    to put it there; the door counts from the moment a request arrives.
    """

    def __init__(self, capacity: int) -> None:
        """Open the door to at most ``capacity`` requests at once."""
        self.capacity = capacity
        self._inside = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def inside(self) -> int:
        """Requests in service and waiting, now."""
        return self._inside

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside for the duration of a request.

        Raises:
            StatusError: RESOURCE_EXHAUSTED when full, UNAVAILABLE when the model is being unloaded.
        """
        with self._changed:
            if self._closed:
                raise StatusError(Code.UNAVAILABLE, "the model is being unloaded")
            if self._inside >= self.capacity:
                raise StatusError(
                    Code.RESOURCE_EXHAUSTED,
                    f"the queue is full: {self.capacity} requests are in service or waiting",
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if self._closed:
                    self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Let nobody in any more and wait until everybody is out; False if that took too long."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: self._inside == 0, timeout_s)
