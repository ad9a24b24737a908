"""Portions of evolutions computed on a device: evolved, reduced, and handed on as each is complete."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpucrust.engine.ensemble import Progress, evolve_each
from gpucrust.engine.evolution import Evolution
from gpucrust.jobs.costs import batches_and_lanes_of
from gpucrust.jobs.devices import Device, device_name, on_device
from gpucrust.jobs.progress import Reporter
from gpucrust.jobs.store import Store
from gpucrust.profiles.reduced import ReducedEvolutions, concatenate, take
from gpucrust.profiles.reduction import reduce_evolutions
from gpucrust.status import Status
from gpucrust.sweep.plan import STREAM, Plan
from gpucrust.sweep.portions import Portions


@dataclass(frozen=True)
class Computed:
    """A portion that has been computed and saved."""

    number: int
    """Which of the portions."""
    status: np.ndarray
    """(evolutions,) how each ended."""
    device: str
    """What it was computed on."""
    seconds: float
    """Time since the portion before, s."""


def compute_portions(
    plan: Plan,
    portions: Portions,
    numbers: Sequence[int],
    device: Device | None,
    save: Callable[[int, ReducedEvolutions], None],
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Compute some portions; `save` gets the number and the evolutions of each as it is complete.

    Lanes that find nothing left to do in one portion go on with the next. progress: of what is not saved yet.
    """
    n = sum(len(portions[k]) for k in numbers)
    together = max(1, STREAM // portions.size)
    with on_device(device):
        # one number for all streams, so that programs are compiled once
        lanes = batches_and_lanes_of(plan, max(n, min(portions.size, portions.n)))[1]
        for first in range(0, len(numbers), together):
            _compute_stream(plan, portions, numbers[first : first + together], lanes, save, progress)


def _compute_stream(
    plan: Plan,
    portions: Portions,
    numbers: Sequence[int],
    lanes: int,
    save: Callable[[int, ReducedEvolutions], None],
    progress: Callable[[Progress], None] | None,
) -> None:
    """Compute portions without a pause between them."""
    evolutions = np.concatenate([portions[k] for k in numbers])
    parts: dict[int, list[tuple[np.ndarray, ReducedEvolutions]]] = {k: [] for k in numbers}
    saved = failed = 0

    def each(which: np.ndarray, evolution: Evolution) -> None:
        nonlocal saved, failed
        reduced, portion = reduce_evolutions(plan, evolution), evolutions[which] // portions.size
        for k in np.unique(portion).tolist():
            own = np.flatnonzero(portion == k)
            parts[k].append((evolutions[which[own]], take(reduced, own)))
            if sum(len(part) for _, part in parts[k]) == len(portions[k]):
                order, mine = zip(*parts.pop(k), strict=True)
                whole = take(concatenate(mine), np.argsort(np.concatenate(order)))
                saved, failed = saved + len(whole), failed + int(np.sum(whole.status > Status.SWITCHED_TO_MIXED))
                save(k, whole)

    def within(p: Progress) -> None:
        assert progress is not None
        rest = p.total - saved
        progress(Progress(p.done - saved, p.failed - failed, rest, (p.fraction * p.total - saved) / rest, p.elapsed))

    inside = None if progress is None else within
    evolve_each(plan.members(evolutions), plan.problem, each, batch=lanes, progress=inside)


def compute_all(plan: Plan, portions: Portions, device: Device | None, reporter: Reporter) -> ReducedEvolutions:
    """Compute all portions and hold them in memory."""
    parts: dict[int, ReducedEvolutions] = {}

    def save(k: int, reduced: ReducedEvolutions) -> None:
        parts[k] = reduced
        reporter.portion_done(reduced.status)

    compute_portions(plan, portions, range(len(portions)), device, save, reporter.within)
    return concatenate([parts[k] for k in range(len(portions))])


def compute_and_save(
    plan: Plan,
    store: Store,
    numbers: list[int],
    device: Device | None,
    tell: Callable[[Computed], None],
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Compute portions and put each in its place in a store. Doing it twice does no harm."""
    last = time.perf_counter()

    def save(k: int, reduced: ReducedEvolutions) -> None:
        nonlocal last
        store.write(k, reduced)
        last, before = time.perf_counter(), last
        tell(Computed(k, reduced.status, device_name(device), last - before))

    compute_portions(plan, store.portions, numbers, device, save, progress)
