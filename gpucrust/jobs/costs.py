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
from gpucrust.engine.sizes import HARVEST, LANE_GROUP, crews_and_lanes, lane_bytes, on_cpu, point_bytes
from gpucrust.profiles.reduced import records_of
from gpucrust.sweep.config import SweepError
from gpucrust.sweep.plan import BLOCK_BYTES, STREAM, Chunks, Plan, recorded_pressures

PROGRAM = 1300 * 2**20
"""Bytes of Python, JAX and a program while it is compiled; 700 MiB where it is found compiled."""
RESULT = 40_000
"""Bytes of the results of a lane, in two copies, but for what is recorded."""
WAITING = 500
"""Bytes of an evolution of which nothing has begun."""
COPIES = 3
"""Of a block of the dataset while it is put together."""
COMPRESSION = 0.3
"""Bytes on disk over bytes in memory; 0.13 to 0.29 were measured (docs/scale.md)."""
COARSER = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Steps of recorded pressures to offer, up to the largest there may be."""
CALIBRATION = 20.0
"""Seconds that a calibration may take, after compiling."""


def crews_and_lanes_of(plan: Plan, n: int) -> tuple[int, int]:
    """Crews, and lanes in each, of a process that has n evolutions of a plan to compute."""
    size = lane_bytes(len(plan.pressures), plan.stepper)
    return crews_and_lanes(min(n, STREAM), plan.sweep.stepper.batch or None, size)


def working_memory(plan: Plan, chunks: Chunks) -> int:
    """Of a process that computes and writes chunk by chunk, bytes; without a GPU's."""
    lanes, points = math.prod(crews_and_lanes_of(plan, chunks.n)), len(plan.pressures)
    evolving = min(lanes, HARVEST) * (RESULT + 2 * point_bytes(plan.stepper) * points)
    evolving += WAITING * min(chunks.n, STREAM)
    if on_cpu():
        evolving += lanes * lane_bytes(points, plan.stepper)
    # chunks under way have parts of records, and one is put together and written
    evolving += 2 * plan.evolution_bytes * min(chunks.n, lanes + 2 * chunks.size)
    block = COPIES * min(max(BLOCK_BYTES, plan.member_bytes), plan.member_bytes * plan.n_members)
    return PROGRAM + evolving + block  # what evolving took is not given back while blocks are written


def dataset_memory(plan: Plan) -> int:
    """Of the dataset of all members, and its making, bytes."""
    return COPIES * plan.member_bytes * plan.n_members


def disk(plan: Plan, chunks: Chunks) -> int:
    """Of the result and, where a sweep has several chunks, the store it is made from, bytes."""
    store = plan.evolution_bytes * plan.n_evolutions if len(chunks) > 1 else 0
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
    """Bytes."""
    return shutil.disk_usage(folder).free


def check_memory(plan: Plan, chunks: Chunks, processes: int = 1) -> None:
    """Refuse what cannot be computed here: SweepError with the setting that would."""
    available, needed = free_memory() // processes, working_memory(plan, chunks)
    if needed > available:
        each = f" in each of {processes} processes" if processes > 1 else ""
        raise SweepError(
            f"chunks of {min(chunks.size, chunks.n)} evolutions need about {size(needed)} of memory{each} and "
            f"{size(available)} are free: {_memory_remedy(plan, chunks, available)}"
        )


def check_disk(plan: Plan, chunks: Chunks, folder: Path) -> None:
    """Refuse what cannot be written to a folder: SweepError with the setting that would."""
    needed, there = disk(plan, chunks), free_disk(folder)
    if needed > there:
        raise SweepError(
            f"{plan.n_members} members need about {size(needed)} of disk and {size(there)} are free: "
            f"{_disk_remedy(plan, chunks, there)}"
        )


def _memory_remedy(plan: Plan, chunks: Chunks, available: int) -> str:
    """The settings that would fit: smaller chunks, or fewer lanes, or both; if that is not enough, fewer pressures."""
    smaller, fewer = list(_halves(chunks.size)), list(_halves(crews_and_lanes_of(plan, chunks.n)[1]))
    options: list[tuple[int | None, dict[str, Any]]] = [(x, {}) for x in smaller]
    options += [(x, {"batch": y}) for x in (None, *smaller) for y in fewer]
    options += [(LANE_GROUP, {"batch": LANE_GROUP, "dlnP": z}) for z in COARSER if z > plan.sweep.stepper.dlnP]
    for save_every, stepper in options:
        if working_memory(_changed(plan, "stepper", stepper), Chunks(chunks.n, save_every or chunks.size)) <= available:
            words = [f"--save-every {save_every}"] if save_every else []
            return " ".join(words + [f"--set stepper.{name}={x}" for name, x in stepper.items()]) + " would fit"
    return f"no setting would fit, programs alone take {size(PROGRAM)}"


def _disk_remedy(plan: Plan, chunks: Chunks, there: int) -> str:
    """The settings that would fit; where none does, how many members would with them."""
    wanted = [name for name in ("composition", "profiles") if getattr(plan.sweep.output, name)]
    words, needed = "", disk(plan, chunks)
    for names in (*([name] for name in wanted), wanted):
        words = " ".join(f"--set output.{name}=false" for name in names)
        needed = disk(_changed(plan, "output", dict.fromkeys(names, False)), chunks)
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
        grid = f"raise stepper.dlnP from {dlnP:g} to {coarser:.2g}, " if coarser < COARSER[-1] else ""
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
    compile_seconds: float
    whole: bool  # whether evolutions were followed to their end


class _Enough(Exception):
    """A calibration has taken its time."""


def calibrate(plan: Plan, chunks: Chunks) -> Calibration:
    """Evolve some evolutions of the plan, as many as there are lanes, evenly spread over its axes."""
    crews, lanes = crews_and_lanes_of(plan, chunks.n)
    n = min(crews * lanes, chunks.n)
    numbers = np.unique(np.linspace(0, chunks.n - 1, n).astype(int))
    seen: list[tuple[float, float]] = []

    def look(p: Progress) -> None:
        seen.append((time.perf_counter(), p.fraction))
        if seen[-1][0] - seen[0][0] > CALIBRATION:
            raise _Enough

    def once() -> float:
        seen.clear()
        began = time.perf_counter()
        evolution = evolve(
            plan.members(numbers),
            plan.problem,
            batch=lanes,
            progress=look,
        )
        records_of(plan, evolution)
        return time.perf_counter() - began

    try:
        first = once()
        second = once()
        return Calibration(len(numbers) / second, max(0.0, first - second), True)
    except _Enough:
        (t0, f0), (t1, f1) = seen[0], seen[-1]
        return Calibration(len(numbers) * (f1 - f0) / (t1 - t0), 0.0, False)
