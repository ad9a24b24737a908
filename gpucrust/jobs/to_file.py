"""Sweeps to files: portion after portion, here or on a cluster, from where a run stopped; then written by one writer.

What is computed does not depend on how: portions of any size, any number of workers, interruptions give the same bits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpucrust.jobs.computing import Computed, compute_all, compute_and_save
from gpucrust.jobs.costs import check_disk, check_memory
from gpucrust.jobs.devices import Device, device_name, on_device
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.progress import Report, Reporter
from gpucrust.jobs.store import Store, StoreError
from gpucrust.jobs.writing import InMemory, Source, write_result
from gpucrust.profiles.ground_states import ground_states
from gpucrust.results.files import open_result
from gpucrust.status import Status
from gpucrust.support.threads import meanwhile
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import Plan, make_portions
from gpucrust.sweep.portions import Portions
from gpucrust.sweep.provenance import different, identity


@dataclass(frozen=True)
class Where:
    """What a run computes on."""

    device: Device | None = None
    """Kind of device; None leaves the choice to JAX."""
    workers: int | None = None
    """Processes on this machine; None for this one alone."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers see the output's folder."""

    @property
    def on_cluster(self) -> bool:
        """Whether other processes compute."""
        return bool(self.workers or self.scheduler)


def finished(plan: Plan, target: Path) -> bool:
    """Whether `target` is the result of this plan; raises SweepError if it is of another sweep."""
    if not target.exists():
        return False
    try:
        with open_result(target) as ds:
            stored = {key: str(ds.attrs[key]) for key in identity(plan)}
    except (OSError, ValueError, KeyError) as error:
        raise SweepError(f"{target}: not a result of gpucrust; give another name with -o") from error
    if stored != identity(plan):
        difference = different(stored, identity(plan))
        raise StoreError(f"{target} is the result of another sweep ({difference}): give another name with -o")
    return True


def clear_up(plan: Plan, target: Path) -> None:
    """Remove what a run of this plan that was killed after its last step left beside its result."""
    folder = PartialFolder(target)
    if folder.path.exists():
        with folder:  # which is removed with the store
            try:
                if folder.store.exists() and Store(folder.store).identity == identity(plan):
                    folder.remove()
            except StoreError:
                folder.remove()  # killed while it removed the store


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

    A sweep of one portion is held in memory. Otherwise portions are saved beside `target`, in NAME.nc.partial, and
    `resume` goes on from there. save_every: evolutions in a portion of a new store. workers: processes on this
    machine; scheduler: address of a Dask scheduler whose workers see `target`'s folder.

    Raises SweepError for what cannot be done, and OSError where the disk fails; what was saved stays.
    """
    where = Where(device, workers, scheduler)
    with PartialFolder(target) as folder:
        if target.exists() and not overwrite:
            raise StoreError(f"{target} exists: another run has just written it")
        store = _open_store(folder, plan, resume, overwrite)
        portions = make_portions(plan, save_every) if store is None else store.portions
        if store is None:
            store = _new_store(folder, plan, portions, where)
        event = "resumed" if store is not None and resume else "started"
        folder.log(event, evolutions=portions.n, chunks=len(portions))
        reporter = Reporter(portions, progress, None if store is None else store.status())
        with meanwhile(ground_states, plan) as ground:
            source, status = _compute(plan, portions, store, folder, where, reporter)
            write_result(plan, source, portions, ground(), folder, reporter)
        folder.remove()
    return status


def _open_store(folder: PartialFolder, plan: Plan, resume: bool, overwrite: bool) -> Store | None:
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
        done = len(store.portions) - len(store.pending())
        raise StoreError(
            f"{folder.path} holds {done} of {len(store.portions)} chunks of this sweep: "
            "go on with --resume, or start afresh with --overwrite"
        )
    return store


def _new_store(folder: PartialFolder, plan: Plan, portions: Portions, where: Where) -> Store | None:
    """A new store; None for what is held in memory. Raises SweepError where memory or disk is too small."""
    check_disk(plan, portions, folder.path)
    if not where.scheduler:  # whose workers compute on other machines
        with on_device(None if where.workers else where.device):
            check_memory(plan, portions, where.workers or 1)
    if len(portions) == 1 and not where.on_cluster:
        return None
    return Store.create(folder.store, plan.reduced_arrays, identity(plan), portions)


def _compute(
    plan: Plan, portions: Portions, store: Store | None, folder: PartialFolder, where: Where, reporter: Reporter
) -> tuple[Source, np.ndarray]:
    """Compute what is missing: where evolutions are now, reduced, and how they ended."""
    started = time.perf_counter()
    if store is not None:
        _compute_pending(store, folder, _computer(plan, store, where, reporter), reporter)
        source: Source = store
        status = store.status()
    else:
        reduced = compute_all(plan, portions, where.device, reporter)
        folder.log("chunk", device=device_name(where.device), elapsed=time.perf_counter() - started)
        source, status = InMemory(reduced), reduced.status
    counts = np.bincount(status, minlength=len(Status))
    folder.log("computed", **{s.name.lower(): int(counts[s]) for s in Status if counts[s]})
    return source, status


Computing = Callable[[list[int], Callable[[Computed], None]], None]
"""Computes and saves portions, and tells of each."""


def _computer(plan: Plan, store: Store, where: Where, reporter: Reporter) -> Computing:
    """A function that computes and saves portions, here or on a cluster."""
    if where.on_cluster:
        from gpucrust.jobs import cluster  # which needs Dask

        def there(pending: list[int], tell: Callable[[Computed], None]) -> None:
            for computed in cluster.compute(plan, store, pending, where.device, where.workers, where.scheduler):
                tell(computed)

        return there
    return lambda pending, tell: compute_and_save(plan, store, pending, where.device, tell, reporter.within)


def _compute_pending(store: Store, folder: PartialFolder, computing: Computing, reporter: Reporter) -> None:
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
        reporter.portion_done(done.status)

    while True:
        if pending:
            computing(pending, tell)
        pending = store.damaged()
        if not pending:
            return
        folder.log("damaged", chunks=pending)
        reporter.count_again(store.status())
