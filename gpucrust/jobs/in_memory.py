"""Sweeps to datasets in memory: for notebooks, and for sweeps that fit."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from gpucrust.jobs.computing import compute_all
from gpucrust.jobs.costs import check_dataset, check_memory
from gpucrust.jobs.devices import Device, device_name, on_device
from gpucrust.jobs.progress import Report, Reporter
from gpucrust.profiles.ground_states import ground_states
from gpucrust.results.dataset import RunInfo, dataset_of
from gpucrust.support.threads import meanwhile
from gpucrust.sweep.config import Sweep, check_sweep, load_sweep
from gpucrust.sweep.plan import Plan, make_plan, make_portions


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
        sweep = load_sweep(sweep)
    elif not isinstance(sweep, Sweep):
        sweep = check_sweep(sweep)
    return compute(make_plan(sweep, folder), device=device, progress=progress)


def compute(
    plan: Plan, *, device: Device | None = None, progress: Report | None = None, save_every: int | None = None
) -> xr.Dataset:
    """Evolve the members of a plan and build their dataset, in memory. save_every: evolutions in a portion."""
    portions = make_portions(plan, save_every)
    with on_device(device):
        check_memory(plan, portions)
    check_dataset(plan)
    started = time.perf_counter()
    with meanwhile(ground_states, plan) as ground:
        reduced = compute_all(plan, portions, device, Reporter(portions, progress))
        return dataset_of(plan, reduced, RunInfo(device_name(device), time.perf_counter() - started), ground())
