"""Ctrl-C and SIGTERM that cannot get lost on the way to the loop that they are to stop.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a finaliser or a weak reference's
callback the exception is dropped with a complaint on stderr, and what was to end goes on; a bare ``except``
somewhere in a library swallows it silently.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_POLL_S = 0.1
_USAGE = 2  # exit code of a command line that cannot be read


class Interruption(AbstractContextManager["Interruption"]):
    """Takes SIGINT and SIGTERM while it is open, and remembers; for the main thread only.

    Within ``heard()`` the first signal raises KeyboardInterrupt, and another one where that was dropped, or
    where nothing came of it for ``patience_s``. Otherwise signals are noted and change nothing: who is
    impatient does not disturb what winds up. That holds even if the process was started with SIGINT ignored,
    as shells without job control do in the background.

    Args:
        patience_s: seconds that libraries get to wind up.

    Attributes:
        happened: whether a signal came.
    """

    def __init__(self, patience_s: float = 10.0) -> None:
        self.happened = False
        self._patience_s = patience_s
        self._heard = False
        self._dropped = False
        self._raised_s = -float("inf")
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._insist, name="interruption", daemon=True)

    def __enter__(self) -> Interruption:
        self._main = threading.get_ident()
        self._hook, sys.unraisablehook = sys.unraisablehook, self._take_note
        self._handlers = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._watcher.join()
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        sys.unraisablehook = self._hook

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Signals raise in here; if one came it ends with KeyboardInterrupt, whatever else happens."""
        self._heard = True
        try:
            self.check()
            yield
        except SystemExit as stopped:
            if stopped.code == _USAGE:
                raise
            self.happened = True  # a launcher's own answer: Ray's handler of SIGTERM
        finally:
            self._heard = False
            self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self.happened:
            raise KeyboardInterrupt

    def _handle(self, *_: object) -> None:
        self.happened = True
        if self._heard and self._due:
            self._dropped, self._raised_s = False, time.monotonic()
            raise KeyboardInterrupt

    @property
    def _due(self) -> bool:
        return self._dropped or time.monotonic() - self._raised_s > self._patience_s

    def _take_note(self, unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and threading.get_ident() == self._main:
            self._dropped = True
        else:
            self._hook(unraisable)

    def _insist(self) -> None:
        """Signal the main thread again where the first time came to nothing."""
        while not self._closed.wait(_POLL_S):
            if self.happened and self._heard and self._due:
                signal.pthread_kill(self._main, signal.SIGINT)
