"""The paper's "WiKi" workload: the rate of Wikipedia's traffic, generated or replayed from a trace."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count as count_from

import numpy as np

from serving.errors import UsageError
from serving.slot import Slot
from workloads import checks
from workloads.poisson import Piece, PoissonWorkload
from workloads.traces.load import load_trace
from workloads.traces.series import RateSeries
from workloads.wiki_rate import PRESETS, wiki_rate

MOST_COMPRESSION = 1e4
"""Beyond it a slot of two minutes holds two weeks."""


@dataclass(frozen=True, kw_only=True)
class Wiki(PoissonWorkload):
    """Poisson arrivals under the rate of Wikipedia's traffic, scaled to a mean of ``mean_rps``.

    Arrivals are Poisson given the rate of a bin. That is not a simplification that matters here: a trace of
    thousands of requests/s thinned to 11 keeps little non-exponential structure beyond the rate itself.

    Attributes:
        mean_rps: mean rate in requests/s, of the whole trace or in expectation of a whole generated week.
        trace: a file that ``workloads.traces.load`` can read; None generates (``workloads.wiki_rate``).
        project: which wiki, where the trace holds several.
        repeat: whether a trace starts again at its end.
        compression: seconds of the trace or generator per second of the run; the rate itself is not changed.
        preset: ``calm`` (spikes as observed) or ``spiky`` (further spikes, an assumption); generator only.
        start_h: start of the run in hours after Monday 00:00 UTC; generator only, traces have their own.
    """

    name: str = "wiki"
    mean_rps: float = 11.0
    trace: str | None = None
    project: str = "en"
    repeat: bool = False
    compression: float = 1.0
    preset: str = "calm"
    start_h: float = 0.0

    def __post_init__(self) -> None:
        checks.positive(mean_rps=self.mean_rps, compression=self.compression)
        if self.compression > MOST_COMPRESSION:
            raise UsageError(f"workload.compression={self.compression}: must be at most {MOST_COMPRESSION:g}")
        checks.not_negative(start_h=self.start_h)
        checks.one_of("preset", self.preset, PRESETS)
        self._default_max_load(self.mean_rps)
        super().__post_init__()

    @cached_property
    def series(self) -> RateSeries | None:
        """The trace as its file has it (unscaled), or None; read once."""
        return None if self.trace is None else load_trace(self.trace, self.project)

    def slots(self, seed: int, count: int) -> Iterator[Slot]:
        """The first ``count`` slots, made one at a time.

        Raises:
            UsageError: if the seed or the count is negative, the trace is unusable, or it is shorter than
                ``count`` slots and does not repeat.
        """
        if self.series is not None and not self.repeat:
            # The small number forgives rounding where the trace is a whole number of slots long.
            available = math.floor(self.series.duration_s / self.compression / self.slot_s + 1e-9)
            if count > available:
                raise UsageError(
                    f"slots={count}: must be at most {available}, the length of workload.trace={self.trace};"
                    " workload.repeat=true starts it again"
                )
        return super().slots(seed, count)

    def pieces(self, rng: np.random.Generator) -> Iterator[Piece]:
        """One piece per minute of the generator or bin of the trace."""
        if self.series is None:
            bin_s, rates = 60.0, wiki_rate(self.mean_rps, self.preset, self.start_h, rng)
        else:
            bin_s, rates = self.series.bin_s, self._replayed(self.series)
        for number, rate_rps in zip(count_from(1), rates):  # the first has no end
            yield Piece(number * bin_s / self.compression, rate_rps)

    def _replayed(self, series: RateSeries) -> Iterator[float]:
        scaled = series.rate_rps * (self.mean_rps / series.mean_rps)
        while True:
            yield from scaled.tolist()
            if not self.repeat:
                return
