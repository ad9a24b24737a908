"""Batches of members on one device: lanes, refill, results. No physics here.

All lanes take micro-steps together. When some have ended, their results are taken out and the lanes go on with the
next members, so that short crusts do not wait for long ones.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gpucrust.engine.batch import Crew
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import Members, Physics, Stepper, batch_members, sweep_settings
from gpucrust.engine.interface import MAX_SEGMENTS, RECORDED, SEGMENT, TRACED
from gpucrust.engine.lanes import advance
from gpucrust.engine.network import build_network
from gpucrust.engine.sizes import crews_and_lanes, lane_bytes
from gpucrust.engine.slide import STEP_ARRAYS, STEP_SCALARS
from gpucrust.masses.registry import MassModel
from gpucrust.status import Status

STEPS_PER_CALL = {"slide": 200, "chunk": 2000}
"""Micro-steps between two looks of the host at the lanes."""


@dataclass(frozen=True)
class Progress:
    """Where an ensemble stands."""

    done: int
    failed: int
    total: int
    fraction: float  # of the work, members under way included (by ln P)
    elapsed: float  # s


def evolve(
    members: Members,
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics,
    stepper: Stepper,
    *,
    batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Evolution:
    """Evolve all members from the first to the last of `pressures` (dyn cm^-2, increasing).

    models must share one policy; ashes are mass fractions by (Z, N). `batch` is the number of lanes of a crew, rounded
    up to whole groups of 8.
    """
    everyone = _empty_results(len(members.model), len(pressures), stepper)

    def keep(numbers: np.ndarray, results: dict[str, Any]) -> None:
        for name, values in results.items():
            if values is not None:
                everyone[name][numbers] = values

    with jax.enable_x64(True):
        _evolve(members, models, ashes, pressures, physics, stepper, keep, batch, progress)
    return _evolution(everyone)


def evolve_each(
    members: Members,
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics,
    stepper: Stepper,
    each: Callable[[np.ndarray, Evolution], None],
    *,
    batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Evolve all members as `evolve` does, in the memory of those under way: `each` gets results as members end.

    It is called with the indices of some members, in no order, and their evolutions, while the device goes on.
    """

    def keep(numbers: np.ndarray, results: dict[str, Any]) -> None:
        each(numbers, _evolution(results))

    with jax.enable_x64(True):
        _evolve(members, models, ashes, pressures, physics, stepper, keep, batch, progress)


def _evolve(
    members: Members,
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics,
    stepper: Stepper,
    keep: Callable[[np.ndarray, dict[str, Any]], None],
    batch: int | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    started = time.perf_counter()
    n = len(members.model)
    network = build_network(models, pressures, pycnonuclear=physics.pycno)
    settings = sweep_settings(physics, stepper)
    everyone = jax.tree.map(np.asarray, batch_members(members, ashes, physics, stepper))  # lanes take a few at a time
    whole = physics.one_component
    engine = "chunk" if whole else stepper.engine
    Y_initial = np.asarray(everyone.Y).sum(axis=1)
    n_crews, n_lanes = crews_and_lanes(n, batch, lane_bytes(len(pressures), stepper))
    crews = [Crew(np.full(n_lanes, -1)) for _ in range(n_crews)]
    device = jax.config.jax_default_device  # type: ignore[attr-defined]

    def go_on() -> None:
        with jax.enable_x64(True), jax.default_device(device):
            for crew in crews:
                if crew.lanes is not None and not crew.idle:  # on a CPU calls return at once: crews run side by side
                    crew.lanes = advance(
                        crew.lanes, network, settings, stepper.step, steps=STEPS_PER_CALL[engine], whole=whole
                    )

    waiting = iter(range(n))
    done = failed = 0
    harvest: list[tuple[np.ndarray, dict[str, Any]]] = []
    with ThreadPoolExecutor(1) as launcher:  # a GPU's loops ask their caller whether to go on
        while True:
            for crew in crews:
                crew.take(waiting, everyone, network, settings, engine == "slide", stepper)
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


def _empty_results(n: int, n_pressure: int, stepper: Stepper) -> dict[str, Any]:
    slots = stepper.slots
    row = len(STEP_ARRAYS) * slots + len(STEP_SCALARS)
    return {
        "profile": np.full((n, n_pressure, len(RECORDED)), np.nan),
        "segments": np.full((n, MAX_SEGMENTS, len(SEGMENT)), np.nan),
        "status": np.full(n, int(Status.NOT_RUN)),
        "n_steps": np.zeros(n, int),
        "n_reactions": np.zeros(n, int),
        "max_active": np.zeros(n, int),
        "mismatch": np.zeros(n),
        "nuclides": np.zeros((n, n_pressure, slots), int) if stepper.composition else None,
        "abundances": np.zeros((n, n_pressure, slots)) if stepper.composition else None,
        "trace": np.zeros((n, stepper.trace, len(TRACED))) if stepper.trace else None,
        "record": np.full((n, stepper.record, row), np.nan) if stepper.record else None,
        "n_recorded": np.zeros(n, int) if stepper.record else None,
    }


def _evolution(results: dict[str, Any]) -> Evolution:
    profile = results.pop("profile")
    return Evolution({name: profile[..., i] for i, name in enumerate(RECORDED)}, **results)
