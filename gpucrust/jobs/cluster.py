"""Portions on many processes: Dask's scheduler hands them out, and hands out again those of a worker that was lost.

Each worker computes a portion and writes it into the store itself, so the store must be on a file system that all see.
That two workers compute one portion does no harm. One process a device: a local cluster gives its workers a GPU each;
on a cluster of yours that is the job's to do.
"""

import logging
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from gpucrust.jobs.computing import Computed, compute_and_save
from gpucrust.jobs.devices import Device
from gpucrust.jobs.store import Store, StoreError
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.provenance import identity

try:
    from distributed import Client, Future, LocalCluster, Worker, WorkerPlugin, as_completed, get_worker
    from distributed.scheduler import KilledWorker
    from distributed.utils import silence_logging_cmgr
except ImportError as error:
    raise SweepError("--workers and --scheduler need Dask: pip install 'gpucrust[dask]'") from error

CONNECT_SECONDS = 30
"""Time within which a scheduler must answer, s."""


class Work(WorkerPlugin):
    """What every worker is given once, also those that join later: the plan, and where the store is."""

    def __init__(self, plan: Plan, path: Path, device: Device | None, gpus: list[str]) -> None:
        self.name = f"gpucrust-{uuid.uuid4().hex}"
        self.plan, self.path, self.device, self.gpus = plan, path, device, gpus
        self.store: Store | None = None

    def setup(self, worker: Worker) -> None:
        """Give a worker of a local cluster its GPU, before JAX looks for any."""
        if self.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus[int(worker.name) % len(self.gpus)]

    def compute(self, k: int) -> Computed:
        """Portion k, into the store."""
        if self.store is None:
            if not self.path.exists():
                raise StoreError(f"a worker does not see {self.path}: put the output on a file system that all see")
            self.store = Store(self.path)
            if self.store.identity != identity(self.plan):
                raise StoreError(f"a worker runs another version of gpucrust: {identity(self.plan)['source']}")
        computed: list[Computed] = []
        compute_and_save(self.plan, self.store, [k], self.device, computed.append)
        return computed[0]


def compute_on_worker(name: str, k: int) -> Computed:
    """The task: portion k, by the worker's `Work`."""
    work = get_worker().plugins[name]
    assert isinstance(work, Work)
    return work.compute(k)


def compute(
    plan: Plan, store: Store, pending: list[int], device: Device | None, workers: int | None, scheduler: str | None
) -> Iterator[Computed]:
    """Compute and save portions on a local cluster of `workers` processes, or at a scheduler's address.

    Raises SweepError if there is no such scheduler, or a portion kills its workers; and what a worker raised.
    """
    if not pending:
        return
    with ExitStack() as stack:
        client = stack.enter_context(_connect(stack, workers, scheduler))
        work = Work(plan, store.path.resolve(), device, [] if scheduler or device != "gpu" else _gpus(workers or 1))
        client.register_plugin(work)
        stack.callback(client.unregister_worker_plugin, work.name)
        futures = [client.submit(compute_on_worker, work.name, k, pure=False) for k in pending]
        numbers: dict[Future[Any], int] = dict(zip(futures, pending, strict=True))
        try:
            for future in as_completed(futures):
                yield future.result()
                numbers.pop(future)
        except KilledWorker as error:
            lost = [k for future, k in numbers.items() if future.status == "error"]
            raise SweepError(f"chunk {lost[0] if lost else '?'} ended {error.allowed_failures + 1} workers") from error
        finally:
            client.cancel(list(numbers))


def _connect(stack: ExitStack, workers: int | None, scheduler: str | None) -> Any:
    """A client of the scheduler, or of a new local cluster."""
    if scheduler is None:
        with _uninterrupted():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=None,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        return Client(stack.enter_context(cluster))
    stack.enter_context(silence_logging_cmgr(logging.CRITICAL))
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise SweepError(f"--scheduler {scheduler}: no Dask scheduler answers there") from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait, and never reach threads and processes begun meanwhile: terminals and batch systems send
    them to workers, too, and it is the run that ends those.
    """
    resource_tracker.ensure_running()  # whose beginning would let them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _gpus(workers: int) -> list[str]:
    """GPUs of this machine as CUDA numbers them, at least one a worker."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = sorted(x.name.removeprefix("nvidia") for x in Path("/dev").glob("nvidia[0-9]*"))
    gpus = [x for x in listed.split(",") if x] if listed is not None else names
    if len(gpus) < workers:
        raise SweepError(f"--workers {workers}: this machine has {len(gpus)} GPUs, and each worker needs its own")
    return gpus
