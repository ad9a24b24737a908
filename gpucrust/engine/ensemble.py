"""Ensembles on one device: lanes filled and refilled, results taken out as members end. No physics here.

All lanes take micro-steps together. When some have ended, their results are taken out and the lanes go on with the
next members, so that short crusts do not wait for long ones.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gpucrust.engine.batch import Crew
from gpucrust.engine.engines import engine_of
from gpucrust.engine.evolution import Evolution, empty_results, evolution_of
from gpucrust.engine.inputs import Members, Problem, batch_members, settings_of
from gpucrust.engine.lanes import advance
from gpucrust.engine.network import build_network
from gpucrust.engine.sizes import crews_and_lanes, lane_bytes
from gpucrust.status import Status


@dataclass(frozen=True)
class Progress:
    """Where an ensemble stands."""

    done: int
    """Members that have ended."""
    failed: int
    """Those of them that have no result."""
    total: int
    """All members."""
    fraction: float
    """Share of the work done, members under way included, by recorded pressures."""
    elapsed: float
    """Time since it began, s."""


def evolve(
    members: Members,
    problem: Problem,
    *,
    batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Evolution:
    """Evolve all members from the first to the last of the problem's pressures.

    batch: lanes of a crew, rounded up to whole groups of 8; None leaves the number to gpucrust. progress: called now
    and then. Raises ValueError if an ash has more nuclides than there are slots.
    """
    engine = engine_of(problem.physics, problem.stepper)
    everyone = empty_results(len(members.model), len(problem.pressures), problem.stepper, engine)

    def keep(numbers: np.ndarray, results: dict[str, Any]) -> None:
        for name, values in results.items():
            if values is not None:
                everyone[name][numbers] = values

    with jax.enable_x64(True):
        _evolve(members, problem, keep, batch, progress)
    return evolution_of(everyone)


def evolve_each(
    members: Members,
    problem: Problem,
    each: Callable[[np.ndarray, Evolution], None],
    *,
    batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Evolve all members as `evolve` does, in the memory of those under way: `each` gets results as members end.

    It is called with the indices of some members, in no order, and their evolutions, while the device goes on.
    """

    def keep(numbers: np.ndarray, results: dict[str, Any]) -> None:
        each(numbers, evolution_of(results))

    with jax.enable_x64(True):
        _evolve(members, problem, keep, batch, progress)


def _evolve(
    members: Members,
    problem: Problem,
    keep: Callable[[np.ndarray, dict[str, Any]], None],
    batch: int | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    started = time.perf_counter()
    n = len(members.model)
    pressures, stepper = problem.pressures, problem.stepper
    engine = engine_of(problem.physics, stepper)
    network = build_network(problem.models, pressures, pycnonuclear=problem.physics.pycno)
    settings = settings_of(problem.physics, stepper, engine)
    everyone = jax.tree.map(np.asarray, batch_members(members, problem))  # lanes take a few at a time
    Y_initial = np.asarray(everyone.Y).sum(axis=1)
    n_crews, n_lanes = crews_and_lanes(n, batch, lane_bytes(len(pressures), stepper))
    crews = [Crew(np.full(n_lanes, -1)) for _ in range(n_crews)]
    device = jax.config.jax_default_device  # type: ignore[attr-defined]

    def go_on() -> None:
        with jax.enable_x64(True), jax.default_device(device):
            for crew in crews:
                if crew.lanes is not None and not crew.idle:  # on a CPU calls return at once: crews run side by side
                    crew.lanes = advance(crew.lanes, network, settings, engine=engine, steps=engine.steps_per_call)

    waiting = iter(range(n))
    done = failed = 0
    harvest: list[tuple[np.ndarray, dict[str, Any]]] = []
    with ThreadPoolExecutor(1) as launcher:  # a GPU's loops ask their caller whether to go on
        while True:
            for crew in crews:
                crew.take(waiting, everyone, network, settings, engine, stepper)
            if all(crew.idle for crew in crews):
                break
            under_way = launcher.submit(go_on)
            for numbers, results in harvest:  # of the round before
                keep(numbers, results)
            under_way.result()
            taken = [crew.harvest(Y_initial) for crew in crews]
            harvest = [(numbers, results) for numbers, results in taken if numbers.size]
            for numbers, results in harvest:
                done += numbers.size
                failed += int(np.sum(results["status"] > Status.SWITCHED_TO_MIXED))
            if progress is not None:
                reached = sum(crew.grid_points for crew in crews) / len(pressures)
                progress(Progress(done, failed, n, (done + reached) / n, time.perf_counter() - started))
    for numbers, results in harvest:
        keep(numbers, results)
