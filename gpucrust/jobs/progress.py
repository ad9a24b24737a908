"""Where a run stands, put together from what its portions report."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpucrust.engine.ensemble import Progress
from gpucrust.status import Status
from gpucrust.sweep.portions import Portions


@dataclass(frozen=True)
class Standing:
    """Where a run stands."""

    done: int
    """Evolutions that have ended."""
    failed: int
    """Those of them without a result."""
    total: int
    """Evolutions of the sweep."""
    fraction: float
    """Share of the work done, evolutions under way included."""
    elapsed: float
    """Time of this run, s."""
    resumed: int = 0
    """Those of the evolutions done that an earlier run did."""
    phase: str = "computing"
    """Or "writing"."""


Report = Callable[[Standing], None]
"""What is called with where a run stands, now and then."""


class Reporter:
    """Puts what portions report together."""

    def __init__(self, portions: Portions, report: Report | None, already: np.ndarray | None = None) -> None:
        self.total, self.report, self.started = portions.n, report, time.perf_counter()
        self.count_again(np.zeros(0, int) if already is None else already)
        self.resumed = self.done

    def count_again(self, status: np.ndarray) -> None:
        """These are the evolutions that are done, after all."""
        self.done = self.failed = 0
        self.reached = (0, 0, 0.0)
        self._count(status)

    def _count(self, status: np.ndarray) -> None:
        self.done += len(status)
        self.failed += int(np.sum(status > Status.SWITCHED_TO_MIXED))

    def portion_done(self, status: np.ndarray) -> None:
        """A portion has ended."""
        self._count(status)
        self._tell(0, 0, 0.0)

    def within(self, inside: Progress) -> None:
        """Progress within the portions under way."""
        self._tell(inside.done, inside.failed, inside.fraction * inside.total)

    def writing(self, fraction: float) -> None:
        """Everything is computed, and so much of it written."""
        self._tell(0, 0, 0.0, "writing", fraction)

    def _tell(
        self, done: int, failed: int, work: float, phase: str = "computing", fraction: float | None = None
    ) -> None:
        if self.report is not None:
            # where a portion has ended, those of others that have ended are not told again
            now = self.done + done, self.failed + failed, self.done + work
            self.reached = done, failed, work = max(self.reached, now, key=lambda x: x[2])
            share = work / self.total if fraction is None else fraction
            elapsed = time.perf_counter() - self.started
            self.report(Standing(done, failed, self.total, share, elapsed, self.resumed, phase))
