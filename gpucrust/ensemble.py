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
import jax.numpy as jnp
import numpy as np

from gpucrust import eos
from gpucrust.constants import DYN_PER_CM2
from gpucrust.crews import Crew, crews_and_lanes, lane_bytes
from gpucrust.eos import Matter
from gpucrust.lanes import advance
from gpucrust.masses.registry import Z_MAX, MassModel
from gpucrust.network import MassErrors, build_network, member_key, nuclide_code
from gpucrust.slide import STEP_ARRAYS, STEP_SCALARS
from gpucrust.status import Status
from gpucrust.stepper import MAX_SEGMENTS, RECORDED, SEGMENT, TRACED, Member, Settings

STEPS_PER_CALL = {"slide": 200, "chunk": 2000}
"""Micro-steps between two looks of the host at the lanes."""


@dataclass(frozen=True)
class Members:
    """One entry per distinct evolution: arrays of one length."""

    model: np.ndarray  # index of the mass model
    ash: np.ndarray  # index of the ash
    pycno_log10_scale: np.ndarray
    sample: np.ndarray  # 0 is the unperturbed member
    g_mdot: np.ndarray  # g times mdot, dyn cm^-2 s^-1


@dataclass(frozen=True)
class Physics:
    """Rules shared by all members; `[physics]` and `[perturbation]` of a sweep file."""

    pycno: bool = True
    t_weak: float = 1.0  # s
    lattice: bool = False
    neutron_eos: str = "mackie-baym"
    neutrino_fraction: float = 0.0
    one_component: bool = False
    fusion_density: tuple[tuple[int, float], ...] = ()  # charge number, g cm^-3
    sigma: float = 0.0  # MeV, errors of theory masses of samples other than 0
    seed: int = 0


@dataclass(frozen=True)
class Stepper:
    """`[stepper]` of a sweep file, and what to record."""

    chunk: float = 0.002
    slots: int = 16
    max_steps: int = 0  # 0 for a limit that no crust has come near
    composition: bool = False
    trace: int = 0  # reactions of each member to record
    record: int = 0  # steps of each member to record, of the engine "slide"
    engine: str = "slide"  # or "chunk"
    step: float = 0.01  # largest move in ln P, of the engine "slide"
    landed: float = 5e-6  # in ln P: how near its moves end to where anything changes

    @property
    def step_limit(self) -> int:
        """Micro-steps of a member, at most."""
        return self.max_steps or (int(400 / self.step) if self.engine == "slide" else 2_000_000)


@dataclass(frozen=True)
class Progress:
    """Where an ensemble stands."""

    done: int
    failed: int
    total: int
    fraction: float  # of the work, members under way included (by ln P)
    elapsed: float  # s


@dataclass(frozen=True)
class Evolution:
    """Results: one entry per member along the first axis; failed members have NaN."""

    profiles: dict[str, np.ndarray]  # (members, pressures) each: names of stepper.RECORDED
    segments: np.ndarray  # (members, MAX_SEGMENTS, len(stepper.SEGMENT)); NaN beyond a member's last
    status: np.ndarray
    n_steps: np.ndarray
    n_reactions: np.ndarray
    max_active: np.ndarray
    mismatch: np.ndarray  # MeV per initial nucleus
    nuclides: np.ndarray | None = None  # (members, pressures, slots) codes
    abundances: np.ndarray | None = None  # (members, pressures, slots)
    trace: np.ndarray | None = None  # (members, trace, len(TRACED))
    record: np.ndarray | None = None  # (members, record, ...) see `recorded_steps`
    n_recorded: np.ndarray | None = None  # steps of each member


def batch_members(
    members: Members, ashes: Sequence[Mapping[tuple[int, int], float]], physics: Physics, stepper: Stepper
) -> Member:
    """The members as arrays for the device, batched along the first axis.

    ashes: mass fractions by (Z, N). Raises ValueError if an ash has more nuclides than there are slots.
    """
    nuclide = np.zeros((len(ashes), stepper.slots), dtype=np.int64)
    Y = np.zeros((len(ashes), stepper.slots))
    for row, ash in enumerate(ashes):
        if len(ash) > stepper.slots:
            raise ValueError(f"an ash has {len(ash)} nuclides but stepper.slots is {stepper.slots}")
        total = sum(ash.values())
        for slot, ((Z, N), fraction) in enumerate(ash.items()):
            nuclide[row, slot] = int(nuclide_code(Z, N))
            Y[row, slot] = fraction / total / (Z + N)
    errors = None
    if physics.sigma > 0 and np.any(members.sample > 0):
        keys = jax.vmap(lambda sample: member_key(physics.seed, sample))(jnp.asarray(members.sample))
        errors = MassErrors(keys, jnp.where(jnp.asarray(members.sample) > 0, physics.sigma, 0.0))
    return Member(
        model=jnp.asarray(members.model),
        errors=errors,
        ln_rate_scale=jnp.asarray(members.pycno_log10_scale * np.log(10.0)),
        g_mdot=jnp.asarray(members.g_mdot / DYN_PER_CM2),
        nuclide=jnp.asarray(nuclide[members.ash]),
        Y=jnp.asarray(Y[members.ash]),
        chunk=jnp.asarray(stepper.chunk * Y.sum(axis=1)[members.ash]),
    )


def sweep_settings(physics: Physics, stepper: Stepper) -> Settings:
    """The shared rules as arrays for the device."""
    density = np.full(Z_MAX + 1, np.inf)
    for Z, rho in physics.fusion_density:
        density[Z] = rho
    return Settings(
        matter=Matter(jnp.array(eos.NEUTRON_MATTER[physics.neutron_eos]), jnp.array(float(physics.lattice))),
        t_weak=jnp.array(physics.t_weak),
        neutrino_fraction=jnp.array(physics.neutrino_fraction),
        max_steps=jnp.array(stepper.step_limit),
        landed=jnp.array(stepper.landed),
        fusion_density=jnp.array(density) if physics.fusion_density else None,
    )


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


def recorded_steps(evolution: Evolution, member: int) -> dict[str, np.ndarray]:
    """The steps of a member by name: STEP_ARRAYS (steps, slots) and STEP_SCALARS (steps,) of `gpucrust.slide`.

    Raises ValueError if no steps were recorded, or not all.
    """
    if evolution.record is None or evolution.n_recorded is None:
        raise ValueError("no steps were recorded: set Stepper(record=...)")
    n = int(evolution.n_recorded[member])
    if n > evolution.record.shape[1]:
        raise ValueError(f"member {member} took {n} steps, but there was room for {evolution.record.shape[1]}")
    rows = evolution.record[member, :n]
    slots = (rows.shape[1] - len(STEP_SCALARS)) // len(STEP_ARRAYS)
    steps = {name: rows[:, i * slots : (i + 1) * slots] for i, name in enumerate(STEP_ARRAYS)}
    return steps | {name: rows[:, len(STEP_ARRAYS) * slots + i] for i, name in enumerate(STEP_SCALARS)}


def _evolution(results: dict[str, Any]) -> Evolution:
    profile = results.pop("profile")
    return Evolution({name: profile[..., i] for i, name in enumerate(RECORDED)}, **results)
