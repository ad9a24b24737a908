"""From a sweep to a dataset: chunk after chunk of evolutions on a device, and what they report."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import numpy as np
import xarray as xr

from gpucrust.config import Sweep, SweepError, check_sweep, load_sweep
from gpucrust.costs import check_dataset, check_work
from gpucrust.dataset import RunInfo, dataset_of
from gpucrust.dataset_equilibrium import ground_states
from gpucrust.ensemble import Progress, crews_and_lanes, evolve
from gpucrust.planning import Chunks, Plan, make_chunks, make_plan
from gpucrust.records import Records, concatenate, records_of
from gpucrust.status import Status

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


def compute_chunk(
    plan: Plan, chunks: Chunks, k: int, device: Device | None, progress: Callable[[Progress], None] | None = None
) -> Records:
    """Evolve the evolutions of chunk k. All chunks have one number of lanes, and compile once."""
    numbers = chunks[k]
    with on_device(device), jax.enable_x64(True):
        evolution = evolve(
            plan.members(numbers),
            plan.models,
            plan.sweep.ash_fractions(),
            plan.pressures,
            plan.physics,
            plan.stepper,
            batch=crews_and_lanes(min(chunks.size, chunks.n), plan.sweep.stepper.batch or None)[1],
            progress=progress,
        )
        return records_of(plan, evolution)


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
    check_work(plan, chunks)
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
    parts = []
    for k in range(len(chunks)):
        parts.append(compute_chunk(plan, chunks, k, device, reporter.within))
        reporter.chunk_done(parts[-1].status)
    return concatenate(parts)


class Reporter:
    """Puts what chunks report together."""

    def __init__(self, chunks: Chunks, report: Report | None, already: np.ndarray | None = None) -> None:
        self.chunks, self.report, self.started = chunks, report, time.perf_counter()
        self.count_again(np.zeros(0, int) if already is None else already)
        self.resumed = self.done

    def count_again(self, status: np.ndarray) -> None:
        """These are the evolutions that are done, after all."""
        self.done = self.failed = 0
        self._count(status)

    def _count(self, status: np.ndarray) -> None:
        self.done += len(status)
        self.failed += int(np.sum(status > Status.SWITCHED_TO_MIXED))

    def chunk_done(self, status: np.ndarray) -> None:
        """A chunk has ended."""
        self._count(status)
        self._tell(0, 0, 0.0)

    def within(self, inside: Progress) -> None:
        """Progress within the chunk under way."""
        self._tell(inside.done, inside.failed, inside.fraction * inside.total)

    def writing(self, fraction: float) -> None:
        """Everything is computed, and so much of it written."""
        self._tell(0, 0, 0.0, "writing", fraction)

    def _tell(
        self, done: int, failed: int, work: float, phase: str = "computing", fraction: float | None = None
    ) -> None:
        if self.report is not None:
            share = (self.done + work) / self.chunks.n if fraction is None else fraction
            elapsed = time.perf_counter() - self.started
            n = self.chunks.n
            self.report(Standing(self.done + done, self.failed + failed, n, share, elapsed, self.resumed, phase))
