"""Ensembles on one device: lanes filled and refilled, results taken out as members end. No physics here.

All lanes of a batch take micro-steps together. When some have ended, their results are taken out and the lanes go on
with the next members, so that short crusts do not wait for long ones.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gpucrust.engine.batch import Batch, Rules
from gpucrust.engine.engines import engine_of
from gpucrust.engine.evolution import Evolution, empty_results, evolution_of
from gpucrust.engine.inputs import Members, Problem, batch_members, settings_of
from gpucrust.engine.lanes import advance
from gpucrust.engine.network import build_network
from gpucrust.engine.sizes import batches_and_lanes, lane_bytes
from gpucrust.status import Status


@dataclass(frozen=True)
class Progress:
    """Where an ensemble stands."""

    done: int
    """Number of members that have ended."""
    failed: int
    """Number of those of them that have no result."""
    total: int
    """Number of all members."""
    fraction: float
    """Part of the work that is done, members under way included, by recorded pressures."""
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

    batch: number of lanes of a batch, rounded up to whole groups of 8; None leaves the number to gpucrust. progress:
    called now and then. Raises ValueError if an ash has more nuclides than there are slots.
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


def _rules_of(problem: Problem) -> Rules:
    """The rules of a problem."""
    engine = engine_of(problem.physics, problem.stepper)
    network = build_network(problem.models, problem.pressures, pycnonuclear=problem.physics.pycno)
    return Rules(engine, network, settings_of(problem.physics, problem.stepper, engine), problem.stepper)


def _advance(batches: Sequence[Batch], rules: Rules, device: jax.Device | None) -> None:
    """Micro-steps of all batches that have members. On a CPU calls return at once, so that batches run side by side."""
    engine, network, settings, _ = rules
    with jax.enable_x64(True), jax.default_device(device):  # which a thread has to be told
        for batch in batches:
            if batch.lanes is not None and not batch.idle:
                batch.lanes = advance(batch.lanes, network, settings, engine=engine, steps=engine.steps_per_call)


def _evolve(
    members: Members,
    problem: Problem,
    keep: Callable[[np.ndarray, dict[str, Any]], None],
    lanes: int | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Evolve all members; `keep` gets numbers of members that have ended, and their results by name."""
    started = time.perf_counter()
    n, n_pressures, rules = len(members.model), len(problem.pressures), _rules_of(problem)
    everyone = jax.tree.map(np.asarray, batch_members(members, problem))  # lanes take a few at a time
    Y_initial = np.asarray(everyone.Y).sum(axis=1)
    n_batches, n_lanes = batches_and_lanes(n, lanes, lane_bytes(n_pressures, problem.stepper))
    batches = [Batch(np.full(n_lanes, -1)) for _ in range(n_batches)]
    device = jax.config.jax_default_device  # type: ignore[attr-defined]

    waiting = iter(range(n))
    done = failed = 0
    ended: list[tuple[np.ndarray, dict[str, Any]]] = []
    with ThreadPoolExecutor(1) as launcher:  # a GPU's loops ask their caller whether to go on
        while True:
            for batch in batches:
                batch.take_in(waiting, everyone, rules)
            if all(batch.idle for batch in batches):
                break
            under_way = launcher.submit(_advance, batches, rules, device)
            for numbers, results in ended:  # in the round before
                keep(numbers, results)
            under_way.result()
            taken = [batch.take_out(Y_initial) for batch in batches]
            ended = [(numbers, results) for numbers, results in taken if numbers.size]
            done += sum(numbers.size for numbers, _ in ended)
            failed += sum(int(np.sum(results["status"] > Status.SWITCHED_TO_MIXED)) for _, results in ended)
            if progress is not None:
                reached = sum(batch.grid_points for batch in batches) / n_pressures
                progress(Progress(done, failed, n, (done + reached) / n, time.perf_counter() - started))
    for numbers, results in ended:
        keep(numbers, results)
