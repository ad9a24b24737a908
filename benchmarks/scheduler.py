"""What a sweep costs besides its engine: scheduling and saving a chunk, bytes an evolution and a member.

    python benchmarks/scheduler.py [--chunks 2000] [--workers 2] [--members 64] [--step 0.01] [--P-end 3e31]

First thousands of tiny chunks, 8 evolutions each, whose engine gives back one recorded evolution at once: Dask with
tasks that do nothing, chunks saved by one process, chunks saved by Dask's workers. Then real crusts, with profiles and
without: time of the engine, of their analysis, of writing the dataset, and what store and result take on disk.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

from gpucrust.engine.ensemble import evolve
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import Members, Problem
from gpucrust.jobs import cluster, computing
from gpucrust.jobs.computing import compute_and_save
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.progress import Reporter
from gpucrust.jobs.store import Store
from gpucrust.jobs.writing import write_result
from gpucrust.profiles.ground_states import ground_states
from gpucrust.profiles.reduced import take
from gpucrust.profiles.reduction import TOGETHER, evolutions_at, reduce_evolutions
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import Plan, make_plan, make_portions
from gpucrust.sweep.provenance import identity


def plan_of(members: int, profiles: bool, step: float, P_end: float) -> Plan:
    """A sweep over `members` draws of mass errors."""
    return make_plan(
        check_sweep(
            {
                "axes": {"mass_model": ["FRDM95+DZ31"], "sample": members},
                "physics": {"policy": "mixed"},
                "perturbation": {"sigma": 0.3},
                "stepper": {"step": step, "P_end": P_end},
                "output": {"profiles": profiles, "ground_state": False},
            }
        )
    )


def evolve_all(plan: Plan) -> Evolution:
    """The engine on all evolutions of a plan."""
    return evolve(plan.evolutions, plan.problem)


def install(evolution: Evolution) -> None:
    """Let the engine of this process give back copies of the first of some evolutions."""

    def evolve_each(members: Members, problem: Problem, each: Callable[..., None], **_: Any) -> None:
        n = len(members.model)
        for numbers in np.split(np.arange(n), range(TOGETHER, n, TOGETHER)):
            each(numbers, evolutions_at(evolution, np.zeros(len(numbers), int)))

    computing.evolve_each = evolve_each


def new_store(path: Path, plan: Plan, save_every: int) -> Store:
    """An empty store of a plan, for portions of so many evolutions."""
    return Store.create(path, plan.reduced_arrays, identity(plan), make_portions(plan, save_every))


def nothing(k: int) -> int:
    """A task that does nothing."""
    return k


def chunk_costs(chunks: int, workers: int, evolution: Evolution, step: float, P_end: float) -> list[dict[str, Any]]:
    """Milliseconds a chunk of scheduling and saving."""
    plan = plan_of(8 * chunks, False, step, P_end)
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as local,
    ):
        with Client(local) as client:
            client.gather(client.map(nothing, range(100)))
            started = time.perf_counter()
            client.gather([client.submit(nothing, k, pure=False) for k in range(chunks)])
            rows.append({"what": "Dask, empty tasks", "ms a chunk": 1e3 * (time.perf_counter() - started) / chunks})
            client.run(install, evolution)
        real, few = computing.evolve_each, min(chunks, 100)
        install(evolution)
        store = new_store(Path(folder) / "one", plan, 8)
        compute_and_save(plan, store, [0], None, lambda _: None)
        started = time.perf_counter()
        for k in range(few):  # one by one, as a worker of Dask
            compute_and_save(plan, store, [k], None, lambda _: None)
        rows.append({"what": "saved by one process", "ms a chunk": 1e3 * (time.perf_counter() - started) / few})
        computing.evolve_each = real
        store = new_store(Path(folder) / "many", plan, 8)
        list(cluster.compute(plan, store, list(range(few)), None, None, local.scheduler_address))
        started = time.perf_counter()
        list(cluster.compute(plan, store, list(range(chunks)), None, None, local.scheduler_address))
        rows.append(
            {
                "what": f"saved by {workers} workers of Dask",
                "ms a chunk": 1e3 * (time.perf_counter() - started) / chunks,
            }
        )
        started = time.perf_counter()
        assert store.damaged() == []
        rows.append({"what": "read again", "ms a chunk": 1e3 * (time.perf_counter() - started) / chunks})
    return rows


def size_of(path: Path) -> int:
    """Bytes of a file or folder."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def member_costs(plan: Plan) -> dict[str, Any]:
    """Milliseconds and bytes a member, which is an evolution here."""
    n = plan.n_evolutions
    reduce_evolutions(plan, evolve_all(plan))  # compiles
    started = time.perf_counter()
    evolution = evolve_all(plan)
    engine = time.perf_counter()
    reduced = reduce_evolutions(plan, evolution)
    analysed = time.perf_counter()
    sizes, seconds = {}, {}
    with tempfile.TemporaryDirectory() as name:
        store = new_store(Path(name) / "store", plan, max(8, n // 2))
        portions = store.portions
        for k in range(len(portions)):
            store.write(k, take(reduced, portions[k]))
        saved = time.perf_counter()
        store.read(0, n)
        seconds["reading"] = time.perf_counter() - saved
        sizes["store"] = size_of(store.path)
        for suffix in (".nc", ".zarr"):
            folder = PartialFolder(Path(name) / f"x{suffix}")
            folder.acquire()
            began = time.perf_counter()
            write_result(plan, store, portions, ground_states(plan), folder, Reporter(portions, None))
            seconds[suffix] = time.perf_counter() - began
            sizes[suffix] = size_of(folder.target)
            folder.release()
    return {
        "profiles": plan.sweep.output.profiles,
        "engine ms": 1e3 * (engine - started) / n,
        "analysis ms": 1e3 * (analysed - engine) / n,
        "saving ms": 1e3 * (saved - analysed) / n,
        "reading ms": 1e3 * seconds["reading"] / n,
        "netCDF ms": 1e3 * seconds[".nc"] / n,
        "Zarr ms": 1e3 * seconds[".zarr"] / n,
        "store bytes": sizes["store"] / n,
        "netCDF bytes": sizes[".nc"] / n,
        "Zarr bytes": sizes[".zarr"] / n,
        "uncompressed store bytes": plan.evolution_bytes,
        "uncompressed result bytes": plan.member_bytes,
    }


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows for a Markdown file."""
    print("\n| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{x:.3g}" if isinstance(x, float) else str(x) for x in row.values()) + " |")


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print, and return the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--step", type=float, default=0.01)
    parser.add_argument("--P-end", type=float, default=3e31)
    options = parser.parse_args(arguments)
    plans = [plan_of(options.members, profiles, options.step, options.P_end) for profiles in (False, True)]
    costs = [member_costs(plan) for plan in plans]
    table(costs)
    chunks = chunk_costs(options.chunks, options.workers, evolve_all(plans[0]), options.step, options.P_end)
    table(chunks)
    return [*costs, *chunks]


if __name__ == "__main__":
    main()
