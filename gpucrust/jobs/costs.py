"""What a plan needs of memory, disk and time, and whether it is there."""

import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gpucrust.engine.ensemble import Progress, evolve
from gpucrust.engine.sizes import LANE_GROUP, RESULTS_AT_A_TIME, batches_and_lanes, lane_bytes, on_cpu, point_bytes
from gpucrust.profiles.reduction import reduce_evolutions
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import BLOCK_BYTES, STREAM, Plan, recorded_pressures
from gpucrust.sweep.portions import Portions

PROGRAM = 1300 * 2**20
"""Memory of Python, JAX and a program while it is compiled, bytes; 700 MiB where it is found compiled."""
LANE_RESULT = 40_000
"""Memory of the results of a lane, in two copies, but for what is recorded at pressures, bytes."""
WAITING_EVOLUTION = 500
"""Memory of an evolution of which nothing has begun, bytes."""
BLOCK_COPIES = 3
"""Copies of a block of the dataset that memory holds while it is put together."""
COMPRESSION = 0.3
"""Bytes on disk over bytes in memory; 0.13 to 0.29 were measured (docs/scale.md)."""
COARSER_GRIDS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Steps of recorded pressures, in ln P, to offer where memory is short, up to the largest there may be."""
CALIBRATION_SECONDS = 20.0
"""Time that a calibration may take, after compiling, s."""


def batches_and_lanes_of(plan: Plan, n: int) -> tuple[int, int]:
    """Batches, and lanes in each, of a process that has n evolutions of a plan to compute."""
    size = lane_bytes(len(plan.pressures), plan.stepper)
    return batches_and_lanes(min(n, STREAM), plan.sweep.stepper.batch or None, size)


def working_memory(plan: Plan, portions: Portions) -> int:
    """Memory of a process that computes and writes portion by portion, without a GPU's, bytes."""
    lanes, points = math.prod(batches_and_lanes_of(plan, portions.n)), len(plan.pressures)
    evolving = min(lanes, RESULTS_AT_A_TIME) * (LANE_RESULT + 2 * point_bytes(plan.stepper) * points)
    evolving += WAITING_EVOLUTION * min(portions.n, STREAM)
    if on_cpu():
        evolving += lanes * lane_bytes(points, plan.stepper)
    # portions under way have parts of their evolutions, and one is put together and written
    evolving += 2 * plan.evolution_bytes * min(portions.n, lanes + 2 * portions.size)
    block = BLOCK_COPIES * min(max(BLOCK_BYTES, plan.member_bytes), plan.member_bytes * plan.n_members)
    return PROGRAM + evolving + block  # what evolving took is not given back while blocks are written


def dataset_memory(plan: Plan) -> int:
    """Memory of the dataset of all members, and its making, bytes."""
    return BLOCK_COPIES * plan.member_bytes * plan.n_members


def disk(plan: Plan, portions: Portions) -> int:
    """Disk of the result and, where a sweep has several portions, of the store that it is made from, bytes."""
    store = plan.evolution_bytes * plan.n_evolutions if len(portions) > 1 else 0
    return int(COMPRESSION * (store + plan.member_bytes * plan.n_members))


def free_memory() -> int:
    """Memory that this process may still take, bytes: of the machine, and of the control group a job is put in."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
        group = Path("/proc/self/cgroup").read_text().split("::", 1)[1].strip()
        limits = Path("/sys/fs/cgroup") / group.lstrip("/")
        most = (limits / "memory.max").read_text().strip()
        if most != "max":
            free = min(free, int(most) - int((limits / "memory.current").read_text()))
    except (OSError, IndexError, ValueError, StopIteration):
        pass
    return free


def free_disk(folder: Path) -> int:
    """Space that is left on the disk of a folder, bytes."""
    return shutil.disk_usage(folder).free


def check_memory(plan: Plan, portions: Portions, processes: int = 1) -> None:
    """Refuse what cannot be computed here: SweepError with the setting that would."""
    available, needed = free_memory() // processes, working_memory(plan, portions)
    if needed > available:
        each = f" in each of {processes} processes" if processes > 1 else ""
        raise SweepError(
            f"chunks of {min(portions.size, portions.n)} evolutions need about {size(needed)} of memory{each} and "
            f"{size(available)} are free: {_memory_remedy(plan, portions, available)}"
        )


def check_disk(plan: Plan, portions: Portions, folder: Path) -> None:
    """Refuse what cannot be written to a folder: SweepError with the setting that would."""
    needed, there = disk(plan, portions), free_disk(folder)
    if needed > there:
        raise SweepError(
            f"{plan.n_members} members need about {size(needed)} of disk and {size(there)} are free: "
            f"{_disk_remedy(plan, portions, there)}"
        )


def _memory_remedy(plan: Plan, portions: Portions, available: int) -> str:
    """The settings that would fit: smaller portions, fewer lanes, or both; if that is not enough, fewer pressures."""
    smaller, fewer = list(_halves(portions.size)), list(_halves(batches_and_lanes_of(plan, portions.n)[1]))
    options: list[tuple[int | None, dict[str, Any]]] = [(x, {}) for x in smaller]
    options += [(x, {"batch": y}) for x in (None, *smaller) for y in fewer]
    options += [(LANE_GROUP, {"batch": LANE_GROUP, "dlnP": z}) for z in COARSER_GRIDS if z > plan.sweep.stepper.dlnP]
    for save_every, stepper in options:
        if (
            working_memory(_changed(plan, "stepper", stepper), Portions(portions.n, save_every or portions.size))
            <= available
        ):
            words = [f"--save-every {save_every}"] if save_every else []
            return " ".join(words + [f"--set stepper.{name}={x}" for name, x in stepper.items()]) + " would fit"
    return f"no setting would fit, programs alone take {size(PROGRAM)}"


def _disk_remedy(plan: Plan, portions: Portions, there: int) -> str:
    """The settings that would fit; where none does, how many members would with them."""
    wanted = [name for name in ("composition", "profiles") if getattr(plan.sweep.output, name)]
    words, needed = "", disk(plan, portions)
    for names in (*([name] for name in wanted), wanted):
        words = " ".join(f"--set output.{name}=false" for name in names)
        needed = disk(_changed(plan, "output", dict.fromkeys(names, False)), portions)
        if names and needed <= there:
            return f"{words} would fit"
    return f"{words and words + ' and '}about {plan.n_members * there // needed} members would fit"


def _changed(plan: Plan, section: str, update: dict[str, Any]) -> Plan:
    """The plan with other settings."""
    values = getattr(plan.sweep, section).model_copy(update=update)
    sweep = plan.sweep.model_copy(update={section: values})
    s = sweep.stepper
    return replace(plan, sweep=sweep, pressures=recorded_pressures(s.P_start, s.P_end, s.dlnP))


def _halves(n: int) -> Iterator[int]:
    while n > LANE_GROUP:
        n //= 2
        yield n


def check_dataset(plan: Plan) -> None:
    """Refuse a dataset that cannot be held in memory: SweepError with what can be done."""
    available, needed = free_memory(), dataset_memory(plan)
    if needed > available:
        dlnP = plan.sweep.stepper.dlnP
        coarser = dlnP * needed / available
        grid = f"raise stepper.dlnP from {dlnP:g} to {coarser:.2g}, " if coarser < COARSER_GRIDS[-1] else ""
        profiles = f"{grid}set output.profiles = false, "
        raise SweepError(
            f"the dataset of {plan.n_members} members needs about {size(needed)} of memory and {size(available)} are "
            f"free: {profiles if plan.sweep.output.profiles else ''}or write it to a file with `gpucrust run`"
        )


def size(count: float) -> str:
    """Bytes, for a person."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


# --- time


@dataclass(frozen=True)
class Calibration:
    """How fast evolutions are computed here."""

    evolutions_per_second: float
    """Evolutions a second, by one process."""
    compile_seconds: float
    """Time of compiling, s."""
    whole: bool
    """Whether evolutions were followed to their end."""


class _Enough(Exception):
    """A calibration has taken its time."""


def calibrate(plan: Plan, portions: Portions) -> Calibration:
    """Evolve some evolutions of the plan, as many as there are lanes, evenly spread over its axes."""
    batches, lanes = batches_and_lanes_of(plan, portions.n)
    n = min(batches * lanes, portions.n)
    numbers = np.unique(np.linspace(0, portions.n - 1, n).astype(int))
    seen: list[tuple[float, float]] = []

    def look(p: Progress) -> None:
        seen.append((time.perf_counter(), p.fraction))
        if seen[-1][0] - seen[0][0] > CALIBRATION_SECONDS:
            raise _Enough

    def once() -> float:
        seen.clear()
        began = time.perf_counter()
        reduce_evolutions(plan, evolve(plan.members(numbers), plan.problem, batch=lanes, progress=look))
        return time.perf_counter() - began

    try:
        first = once()
        second = once()
        return Calibration(len(numbers) / second, max(0.0, first - second), True)
    except _Enough:
        (t0, f0), (t1, f1) = seen[0], seen[-1]
        return Calibration(len(numbers) * (f1 - f0) / (t1 - t0), 0.0, False)
