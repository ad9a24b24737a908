"""From a sweep to a dataset: chunk after chunk of evolutions on a device, and what they report."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import numpy as np
import xarray as xr

from gpucrust.engine.ensemble import Progress, evolve_each
from gpucrust.engine.evolution import Evolution
from gpucrust.jobs.costs import check_dataset, check_memory, crews_and_lanes_of
from gpucrust.profiles.ground_states import ground_states
from gpucrust.profiles.reduced import Records, concatenate, records_of, take
from gpucrust.results.dataset import RunInfo, dataset_of
from gpucrust.status import Status
from gpucrust.sweep.config import Sweep, SweepError, check_sweep, load_sweep
from gpucrust.sweep.plan import STREAM, Chunks, Plan, make_chunks, make_plan

Device = Literal["cpu", "gpu"]
A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """Where a run stands."""

    done: int  # evolutions
    failed: int
    total: int
    fraction: float  # of the work, evolutions under way included
    elapsed: float  # s, of this run
    resumed: int = 0  # of those done, how many an earlier run did
    phase: str = "computing"  # or "writing"


Report = Callable[[Standing], None]


def on_device(device: Device | None) -> AbstractContextManager[Any]:
    """Context in which JAX computes on the device; None leaves the choice to JAX. Raises SweepError without a GPU."""
    if device is None:
        return nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend=device)[0])
    except RuntimeError as error:
        raise SweepError(
            f"no {device.upper()} can be used by JAX here; leave --device out, or install gpucrust[cuda13]"
        ) from error


def device_name(device: Device | None) -> str:
    """What JAX computes on."""
    used = jax.local_devices(backend=device)[0] if device else jax.local_devices()[0]
    return f"{used.platform}: {used.device_kind}"


def compute_chunks(
    plan: Plan,
    chunks: Chunks,
    numbers: Sequence[int],
    device: Device | None,
    save: Callable[[int, Records], None],
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Evolve the evolutions of some chunks; `save` gets the number and the records of each as it is complete.

    Lanes that find nothing left to do in one chunk go on with the next. progress: of what is not saved yet.
    """
    n = sum(len(chunks[k]) for k in numbers)
    together = max(1, STREAM // chunks.size)
    with on_device(device):
        # one number for all streams, so that programs are compiled once
        lanes = crews_and_lanes_of(plan, max(n, min(chunks.size, chunks.n)))[1]
        for first in range(0, len(numbers), together):
            _compute_stream(plan, chunks, numbers[first : first + together], lanes, save, progress)


def _compute_stream(
    plan: Plan,
    chunks: Chunks,
    numbers: Sequence[int],
    lanes: int,
    save: Callable[[int, Records], None],
    progress: Callable[[Progress], None] | None,
) -> None:
    evolutions = np.concatenate([chunks[k] for k in numbers])
    parts: dict[int, list[tuple[np.ndarray, Records]]] = {k: [] for k in numbers}
    saved = failed = 0

    def each(which: np.ndarray, evolution: Evolution) -> None:
        nonlocal saved, failed
        records, chunk = records_of(plan, evolution), evolutions[which] // chunks.size
        for k in np.unique(chunk).tolist():
            own = np.flatnonzero(chunk == k)
            parts[k].append((evolutions[which[own]], take(records, own)))
            if sum(len(part) for _, part in parts[k]) == len(chunks[k]):
                order, mine = zip(*parts.pop(k), strict=True)
                whole = take(concatenate(mine), np.argsort(np.concatenate(order)))
                saved, failed = saved + len(whole), failed + int(np.sum(whole.status > Status.SWITCHED_TO_MIXED))
                save(k, whole)

    def within(p: Progress) -> None:
        assert progress is not None
        rest = p.total - saved
        progress(Progress(p.done - saved, p.failed - failed, rest, (p.fraction * p.total - saved) / rest, p.elapsed))

    evolve_each(
        plan.members(evolutions),
        plan.problem,
        each,
        batch=lanes,
        progress=None if progress is None else within,
    )


# --- in memory


def run(
    sweep: Sweep | Mapping[str, Any] | str | Path,
    *,
    device: Device | None = None,
    progress: Report | None = None,
) -> xr.Dataset:
    """Compute a sweep: a file, a nested mapping as TOML gives it, or a checked Sweep. Returns the dataset.

    Raises SweepError or the errors of `gpucrust.masses` (all ValueError) with one line, before anything is computed.
    """
    folder = Path()
    if isinstance(sweep, str | Path):
        folder = Path(sweep).parent
        sweep = load_sweep(Path(sweep))
    elif not isinstance(sweep, Sweep):
        sweep = check_sweep(sweep)
    plan = make_plan(sweep, folder)
    return compute(plan, device=device, progress=progress)


def compute(
    plan: Plan, *, device: Device | None = None, progress: Report | None = None, save_every: int | None = None
) -> xr.Dataset:
    """Evolve the members of a plan and build their dataset, in memory."""
    chunks = make_chunks(plan, save_every)
    with on_device(device):
        check_memory(plan, chunks)
    check_dataset(plan)
    started = time.perf_counter()
    with meanwhile(ground_states, plan) as ground:
        records = compute_all(plan, chunks, device, Reporter(chunks, progress))
        return dataset_of(plan, records, RunInfo(device_name(device), time.perf_counter() - started), ground())


@contextmanager
def meanwhile(function: Callable[[A], T], argument: A) -> Iterator[Callable[[], T]]:
    """Call a function on another core; what is yielded waits for its result."""
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(function, argument).result


def compute_all(plan: Plan, chunks: Chunks, device: Device | None, reporter: "Reporter") -> Records:
    parts: dict[int, Records] = {}

    def save(k: int, records: Records) -> None:
        parts[k] = records
        reporter.chunk_done(records.status)

    compute_chunks(plan, chunks, range(len(chunks)), device, save, reporter.within)
    return concatenate([parts[k] for k in range(len(chunks))])


class Reporter:
    """Puts what chunks report together."""

    def __init__(self, chunks: Chunks, report: Report | None, already: np.ndarray | None = None) -> None:
        self.chunks, self.report, self.started = chunks, report, time.perf_counter()
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

    def chunk_done(self, status: np.ndarray) -> None:
        """A chunk has ended."""
        self._count(status)
        self._tell(0, 0, 0.0)

    def within(self, inside: Progress) -> None:
        """Progress within the chunks under way."""
        self._tell(inside.done, inside.failed, inside.fraction * inside.total)

    def writing(self, fraction: float) -> None:
        """Everything is computed, and so much of it written."""
        self._tell(0, 0, 0.0, "writing", fraction)

    def _tell(
        self, done: int, failed: int, work: float, phase: str = "computing", fraction: float | None = None
    ) -> None:
        if self.report is not None:
            # where a chunk has ended, those of others that have ended are not told again
            now = self.done + done, self.failed + failed, self.done + work
            self.reached = done, failed, work = max(self.reached, now, key=lambda x: x[2])
            share = work / self.chunks.n if fraction is None else fraction
            elapsed = time.perf_counter() - self.started
            self.report(Standing(done, failed, self.chunks.n, share, elapsed, self.resumed, phase))
