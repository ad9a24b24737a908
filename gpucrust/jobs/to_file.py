"""Sweeps to files: chunk after chunk, here or on a cluster, from where a run stopped; then written by one writer.

What is computed does not depend on how: chunks of any size, any number of workers, interruptions give the same bits.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from gpucrust.engine.ensemble import Progress
from gpucrust.jobs.costs import check_disk, check_memory
from gpucrust.jobs.in_memory import (
    Device,
    Report,
    Reporter,
    compute_all,
    compute_chunks,
    device_name,
    meanwhile,
    on_device,
)
from gpucrust.jobs.partial_folder import Folder
from gpucrust.jobs.store import Store, StoreError, different
from gpucrust.physics.ground_state import GroundState
from gpucrust.profiles.ground_states import ground_states
from gpucrust.profiles.reduced import Records, concatenate, take
from gpucrust.results.dataset import member_variables, scarce_left_out, shared_variables
from gpucrust.results.files import move_into_place, open_output, write_blocks
from gpucrust.schema import AXES
from gpucrust.status import Status
from gpucrust.sweep.config import SweepError
from gpucrust.sweep.plan import Chunks, Plan, make_chunks
from gpucrust.sweep.provenance import identity

NEAR = 256
"""Evolutions this close to each other are read from a store at once."""


class Source(Protocol):
    """Records of all evolutions, wherever they are."""

    def read(self, first: int, last: int) -> Records:
        """Those of evolutions first..last-1."""


@dataclass(frozen=True)
class InMemory:
    """Records held in memory."""

    records: Records

    def read(self, first: int, last: int) -> Records:
        """See Source."""
        return take(self.records, np.arange(first, last))


@dataclass(frozen=True)
class Computed:
    """A chunk that has been computed."""

    number: int
    status: np.ndarray
    device: str
    seconds: float  # since the chunk before


def finished(plan: Plan, target: Path) -> bool:
    """Whether `target` is the result of this plan; raises SweepError if it is of another sweep."""
    if not target.exists():
        return False
    try:
        with open_output(target) as ds:
            stored = {key: str(ds.attrs[key]) for key in identity(plan)}
    except (OSError, ValueError, KeyError) as error:
        raise SweepError(f"{target}: not a result of gpucrust; give another name with -o") from error
    if stored != identity(plan):
        difference = different(stored, identity(plan))
        raise StoreError(f"{target} is the result of another sweep ({difference}): give another name with -o")
    return True


def clear_up(plan: Plan, target: Path) -> None:
    """Remove what a run of this plan that was killed after its last step left beside its result."""
    folder = Folder(target)
    if folder.path.exists():
        folder.acquire()
        try:
            if folder.store.exists() and Store(folder.store).identity == identity(plan):
                folder.remove()
        except StoreError:
            folder.remove()  # killed while it removed the store
        finally:
            folder.release()  # which removes a folder without a store


def run_to_file(
    plan: Plan,
    target: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    save_every: int | None = None,
    device: Device | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Report | None = None,
) -> np.ndarray:
    """Compute a plan and write its dataset to `target`, NAME.nc or NAME.zarr; returns the status of its evolutions.

    A sweep of one chunk is held in memory. Otherwise chunks are saved beside `target`, in NAME.nc.partial, and
    `resume` goes on from there. save_every: evolutions in a chunk of a new store. workers: processes on this
    machine; scheduler: address of a Dask scheduler whose workers see `target`'s folder.

    Raises SweepError for what cannot be done, and OSError where the disk fails; what was saved stays.
    """
    folder = Folder(target)
    folder.acquire()
    try:
        if target.exists() and not overwrite:
            raise StoreError(f"{target} exists: another run has just written it")
        started = time.perf_counter()
        chunks = make_chunks(plan, save_every)
        store = _open_store(folder, plan, resume, overwrite)
        if store is not None:
            chunks = store.chunks
        else:
            check_disk(plan, chunks, folder.path)
            if not scheduler:  # whose workers compute on other machines
                with on_device(None if workers else device):
                    check_memory(plan, chunks, workers or 1)
            if len(chunks) > 1 or workers or scheduler:
                store = Store.create(folder.store, plan, chunks)
        folder.log("resumed" if store is not None and resume else "started", evolutions=chunks.n, chunks=len(chunks))
        with meanwhile(ground_states, plan) as ground:
            if store is None:
                reporter = Reporter(chunks, progress)
                records = compute_all(plan, chunks, device, reporter)
                source: Source = InMemory(records)
                folder.log("chunk", device=device_name(device), elapsed=time.perf_counter() - started)
                status = records.status
            else:
                reporter = Reporter(chunks, progress, store.status())
                computing = _computer(plan, store, device, workers, scheduler, reporter)
                _compute_pending(store, folder, computing, reporter)
                source, status = store, store.status()
            counts = np.bincount(status, minlength=len(Status))
            folder.log("computed", **{s.name.lower(): int(counts[s]) for s in Status if counts[s]})
            write_result(plan, source, chunks, ground(), folder, reporter)
        folder.remove()
        return status
    finally:
        folder.release()


def _open_store(folder: Folder, plan: Plan, resume: bool, overwrite: bool) -> Store | None:
    """The store to go on with; None where there is none."""
    if not folder.store.exists():
        return None
    if overwrite and not resume:
        folder.discard()
        return None
    store = Store(folder.store)
    if store.identity != identity(plan):
        difference = different(store.identity, identity(plan))
        raise StoreError(
            f"{folder.path} holds another sweep ({difference}): --overwrite discards it, -o leaves it alone"
        )
    if not resume:
        done = len(store.chunks) - len(store.pending())
        raise StoreError(
            f"{folder.path} holds {done} of {len(store.chunks)} chunks of this sweep: "
            "go on with --resume, or start afresh with --overwrite"
        )
    return store


Computing = Callable[[list[int], Callable[[Computed], None]], None]
"""Computes and saves chunks, and tells of each."""


def _computer(
    plan: Plan, store: Store, device: Device | None, workers: int | None, scheduler: str | None, reporter: Reporter
) -> Computing:
    """A function that computes and saves chunks, here or on a cluster."""
    if workers or scheduler:
        from gpucrust.jobs import cluster

        def there(pending: list[int], tell: Callable[[Computed], None]) -> None:
            for computed in cluster.compute(plan, store, pending, device, workers, scheduler):
                tell(computed)

        return there
    return lambda pending, tell: compute_and_save(plan, store, pending, device, tell, reporter.within)


def compute_and_save(
    plan: Plan,
    store: Store,
    numbers: list[int],
    device: Device | None,
    tell: Callable[[Computed], None],
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Compute chunks and put each in its place. Doing it twice does no harm."""
    last = time.perf_counter()

    def save(k: int, records: Records) -> None:
        nonlocal last
        store.write(k, records)
        last, before = time.perf_counter(), last
        tell(Computed(k, records.status, device_name(device), last - before))

    compute_chunks(plan, store.chunks, numbers, device, save, progress)


def _compute_pending(store: Store, folder: Folder, computing: Computing, reporter: Reporter) -> None:
    """Compute what is missing, then read everything again, and compute again what is damaged."""
    started = time.perf_counter()
    pending = store.pending()

    def tell(done: Computed) -> None:
        folder.log(
            "chunk",
            number=done.number,
            failed=int(np.sum(done.status > Status.SWITCHED_TO_MIXED)),
            device=done.device,
            seconds=round(done.seconds, 3),
            elapsed=round(time.perf_counter() - started, 3),
        )
        reporter.chunk_done(done.status)

    while True:
        if pending:
            computing(pending, tell)
        pending = store.damaged()
        if not pending:
            return
        folder.log("damaged", chunks=pending)
        reporter.count_again(store.status())


def write_result(
    plan: Plan, source: Source, chunks: Chunks, ground: list[GroundState], folder: Folder, reporter: Reporter
) -> None:
    """Write the dataset of all records and of the ground states, and put it in its place."""
    nuclides = None
    if plan.sweep.output.composition:
        ranges = (chunks[k] for k in range(len(chunks)))
        nuclides = scarce_left_out(source.read(int(x[0]), int(x[-1]) + 1) for x in ranges)
    sizes = dict(zip(AXES, plan.shape, strict=True))
    sizes |= {"pressure": len(plan.pressures), "member": plan.n_members, "layer": 0}
    if nuclides is not None:
        sizes["nuclide"] = len(nuclides)
    shared = shared_variables(plan, folder.info(), nuclides, ground)

    def parts() -> Iterator[tuple[dict[str, slice], xr.Dataset]]:
        members = layers = 0
        for block in plan.blocks():
            numbers = np.unique(plan.evolutions_in(block))
            ds = member_variables(plan, gather(source, numbers), numbers, block, nuclides)
            ends = members + ds.sizes["member"], layers + ds.sizes["layer"]
            ranges = {"member": slice(members, ends[0]), "layer": slice(layers, ends[1])}
            yield dict(zip(AXES, block, strict=True)) | ranges, ds
            members, layers = ends
            reporter.writing(members / plan.n_members)

    target = folder.target
    written = folder.path / f"written{target.suffix}"
    write_blocks(written, target.suffix, shared, sizes, parts())
    move_into_place(written, target, folder.path / "replaced")


def gather(source: Source, numbers: np.ndarray) -> Records:
    """The records of evolutions of increasing numbers, near ones read together."""
    groups = np.split(numbers, np.flatnonzero(np.diff(numbers) > NEAR) + 1)
    return concatenate([take(source.read(int(x[0]), int(x[-1]) + 1), x - x[0]) for x in groups])
