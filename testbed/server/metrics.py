"""Metrics in Prometheus' text format, under the names and units of TensorFlow Serving.

The usual client library cannot be used: it appends ``_total`` to a counter's name, and dashboards made for
TensorFlow Serving look for ``:tensorflow:serving:request_count``.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
LOAD_ATTEMPTS = ":tensorflow:cc:saved_model:load_attempt_count"

_BOUNDS_US = tuple(10 * 1.8**power for power in range(33))

Labels = tuple[tuple[str, str], ...]


class _Histogram:
    """Counts of microseconds below each bound, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_US) + 1)
        self.sum_us = 0.0

    def add(self, value_us: float) -> None:
        self.counts[bisect_left(_BOUNDS_US, value_us)] += 1
        self.sum_us += value_us

    def lines(self, name: str, labels: Labels) -> Iterator[str]:
        below = 0
        for bound, count in zip([*map(_number, _BOUNDS_US), "+Inf"], self.counts, strict=True):
            below += count
            yield _line(f"{name}_bucket", (*labels, ("le", bound)), below)
        yield _line(f"{name}_sum", labels, self.sum_us)
        yield _line(f"{name}_count", labels, below)


class Metrics:
    """Counters and histograms of one server. Thread-safe."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, int]] = defaultdict(lambda: defaultdict(int))
        self._histograms: dict[str, dict[Labels, _Histogram]] = defaultdict(lambda: defaultdict(_Histogram))

    def count(self, name: str, **labels: str) -> None:
        """Add 1 to a counter."""
        with self._lock:
            self._counters[name][tuple(labels.items())] += 1

    def count_request(self, model: str, status: str, entrypoint: str, latency_s: float) -> None:
        """One finished Predict call."""
        self.count(REQUEST_COUNT, model_name=model, status=status)
        self._add(
            REQUEST_LATENCY,
            latency_s,
            (("model_name", model), ("API", "Predict"), ("entrypoint", entrypoint)),
        )

    @contextmanager
    def time_runtime(self, model: str) -> Iterator[None]:
        """Time a run of the model, waiting in the batch queue included."""
        start_s = time.perf_counter()
        yield
        labels = (("model_name", model), ("API", "Predict"), ("runtime", "TF1"))
        self._add(RUNTIME_LATENCY, time.perf_counter() - start_s, labels)

    def _add(self, name: str, latency_s: float, labels: Labels) -> None:
        with self._lock:
            self._histograms[name][labels].add(latency_s * 1e6)

    def text(self, gauges: Mapping[str, Mapping[Labels, float]]) -> str:
        """All metrics, with the given gauges (name to labels to value) added."""
        lines = []
        with self._lock:
            for name, counters in sorted(self._counters.items()):
                lines.append(f"# TYPE {name} counter")
                lines += [_line(name, labels, value) for labels, value in counters.items()]
            for name, histograms in sorted(self._histograms.items()):
                lines.append(f"# TYPE {name} histogram")
                for labels, histogram in histograms.items():
                    lines += histogram.lines(name, labels)
        for name, values in gauges.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [_line(name, labels, value) for labels, value in values.items()]
        return "\n".join(lines) + "\n"


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    return f"{name}{{{inside}}} {_number(value)}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return f"{value:.10g}"
