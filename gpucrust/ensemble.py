"""Batches of members on one device: lanes, refill, results. No physics here.

All lanes take micro-steps together. When some have ended, their results are taken out and the lanes go on with the
next members, so that short crusts do not wait for long ones.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust import eos
from gpucrust.constants import DYN_PER_CM2
from gpucrust.eos import Matter
from gpucrust.masses.registry import Z_MAX, MassModel
from gpucrust.network import MassErrors, Network, build_network, member_key, nuclide_code
from gpucrust.slide import SlideState, initial_slide, slide_step
from gpucrust.status import Status
from gpucrust.stepper import (
    MAX_SEGMENTS,
    NOWHERE,
    RECORDED,
    RUNNING,
    SEGMENT,
    TRACED,
    Member,
    Output,
    Settings,
    State,
    initial_state,
    micro_step,
)

STEPS_PER_SCATTER = 50
"""Micro-steps whose outputs are written to the profiles at once."""
STEPS_PER_CALL = 2000
"""Micro-steps between two looks of the host at the lanes."""
MAX_LANES = 64
LANE_GROUP = 8
"""Lanes come in whole groups: an XLA loop's remainder is compiled otherwise and may round otherwise."""


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

    engine: str = "slide"  # or "chunk"
    step: float = 0.01  # largest move in ln P, of the engine "slide"
    chunk: float = 0.002
    slots: int = 16
    max_steps: int = 2_000_000
    composition: bool = False
    trace: int = 0  # reactions of each member to record


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


class Lanes(NamedTuple):
    """The batch on the device."""

    member: Member
    state: State | SlideState
    profile: Array  # (lanes, n_pressure, len(RECORDED))
    segments: Array  # (lanes, MAX_SEGMENTS, len(SEGMENT))
    composition: tuple[Array, Array] | None  # (lanes, n_pressure, slots) codes and abundances
    trace: Array | None


@partial(jax.jit, static_argnames=("slide", "with_composition", "trace"))
def start_lanes(
    member: Member, network: Network, settings: Settings, slide: bool, with_composition: bool, trace: int
) -> Lanes:
    """Lanes at the lowest pressure. member: batched; trace: number of reactions to record."""
    lanes, slots = member.Y.shape
    n_P = network.pressures.shape[0]
    first = initial_slide if slide else initial_state
    state = jax.vmap(first, in_axes=(0, None, None))(member, network, settings)
    composition = None
    if with_composition:
        composition = jnp.zeros((lanes, n_P, slots), state.nuclide.dtype), jnp.zeros((lanes, n_P, slots))
    return Lanes(
        member,
        state,
        jnp.full((lanes, n_P, len(RECORDED)), jnp.nan),
        jnp.full((lanes, MAX_SEGMENTS, len(SEGMENT)), jnp.nan),
        composition,
        jnp.zeros((lanes, trace, len(TRACED))) if trace else None,
    )


@partial(jax.jit, donate_argnums=0)
def refill(lanes: Lanes, fresh: Lanes, replace: Array) -> Lanes:
    """Lanes with those marked in `replace` (lanes,) taken from `fresh`."""

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(replace.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(choose, fresh, lanes)


@partial(jax.jit, static_argnames=("steps", "whole"), donate_argnums=0)
def advance(
    lanes: Lanes, network: Network, settings: Settings, dlnP: float, steps: int, whole: bool = False
) -> Lanes:
    """`steps` micro-steps of every running lane (fewer if all end); whole: of crusts of one component."""
    lane = jnp.arange(lanes.profile.shape[0])

    def one_step(state: State, _: None) -> tuple[State, tuple[Output, tuple[Array, Array]]]:
        running = state.status == RUNNING
        if isinstance(state, SlideState):
            one_lane = partial(slide_step, network=network, settings=settings, step=dlnP)
        else:
            one_lane = partial(micro_step, network=network, settings=settings, whole=whole)
        new, output = jax.vmap(one_lane)(state, lanes.member)
        new = refill_state(state, new, running)
        lines = ("line", "segment_line", "trace_line")
        output = output._replace(**{x: jnp.where(running, getattr(output, x), NOWHERE) for x in lines})
        return new, (output, (new.nuclide, new.Y))

    def body(carry: tuple[Array, Lanes]) -> tuple[Array, Lanes]:
        count, now = carry
        state, (output, slots) = jax.lax.scan(one_step, now.state, length=STEPS_PER_SCATTER)
        composition, trace = now.composition, now.trace
        if composition is not None:
            codes, abundances = (
                table.at[lane, output.line].set(values, mode="drop")
                for table, values in zip(composition, slots, strict=True)
            )
            composition = codes, abundances
        if trace is not None:
            trace = trace.at[lane, output.trace_line].set(output.trace_row, mode="drop")
        profile = now.profile.at[lane, output.line].set(output.row, mode="drop")
        segments = now.segments.at[lane, output.segment_line].set(output.segment_row, mode="drop")
        return count + STEPS_PER_SCATTER, Lanes(now.member, state, profile, segments, composition, trace)

    def goes_on(carry: tuple[Array, Lanes]) -> Array:
        count, now = carry
        return (count < steps) & jnp.any(now.state.status == RUNNING)

    return jax.lax.while_loop(goes_on, body, (jnp.array(0), lanes))[1]


def refill_state(old: State, new: State, running: Array) -> State:
    """The new state where a lane runs, the old where it has ended."""

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(running.reshape(-1, *[1] * (a.ndim - 1)), b, a)

    return jax.tree.map(choose, old, new)


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
        max_steps=jnp.array(stepper.max_steps),
        fusion_density=jnp.array(density) if physics.fusion_density else None,
    )


def lanes_for(n_members: int) -> int:
    """Number of lanes: a power of two from 8, so that sweeps of many sizes share one compiled program."""
    return min(MAX_LANES, max(LANE_GROUP, 1 << (n_members - 1).bit_length()))


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

    models must share one policy; ashes are mass fractions by (Z, N). `batch` is the number of lanes, rounded up
    to whole groups of 8.
    """
    with jax.enable_x64(True):
        return _evolve(members, models, ashes, pressures, physics, stepper, batch, progress)


def _evolve(
    members: Members,
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics,
    stepper: Stepper,
    batch: int | None,
    progress: Callable[[Progress], None] | None,
) -> Evolution:
    started = time.perf_counter()
    n = len(members.model)
    n_lanes = -(-(batch or lanes_for(n)) // LANE_GROUP) * LANE_GROUP
    network = build_network(models, pressures, pycnonuclear=physics.pycno)
    settings = sweep_settings(physics, stepper)
    everyone = batch_members(members, ashes, physics, stepper)
    slide = stepper.engine == "slide" and not physics.one_component

    results = _empty_results(n, len(pressures), stepper)
    occupant = np.full(n_lanes, -1)  # member of each lane
    waiting = iter(range(n))
    lanes: Lanes | None = None
    done = failed = 0
    while True:
        free = np.flatnonzero(occupant < 0)
        taken = [(lane, m) for lane, m in zip(free, waiting, strict=False)]
        if taken:
            for lane, m in taken:
                occupant[lane] = m
            crew = jax.tree.map(lambda x: x[np.maximum(occupant, 0)], everyone)
            fresh = start_lanes(crew, network, settings, slide, stepper.composition, stepper.trace)
            idle = jnp.where(jnp.asarray(occupant < 0), int(Status.NOT_RUN), fresh.state.status)
            fresh = fresh._replace(state=fresh.state._replace(status=idle))
            marks = np.zeros(n_lanes, bool)
            marks[[lane for lane, _ in taken]] = True
            lanes = fresh if lanes is None else refill(lanes, fresh, jnp.asarray(marks))
        if lanes is None or np.all(occupant < 0):
            break
        lanes = advance(lanes, network, settings, stepper.step, STEPS_PER_CALL, physics.one_component)
        status = np.asarray(lanes.state.status)
        ended = np.flatnonzero((occupant >= 0) & (status != RUNNING))
        if ended.size:
            _harvest(lanes, ended, occupant[ended], results)
            done += ended.size
            failed += int(np.sum(results["status"][occupant[ended]] > Status.SWITCHED_TO_MIXED))
            occupant[ended] = -1
        if progress is not None:
            under_way = np.asarray(lanes.state.grid_index)[occupant >= 0].sum() / len(pressures)
            progress(Progress(done, failed, n, (done + float(under_way)) / n, time.perf_counter() - started))
    return _evolution(results, np.asarray(everyone.Y).sum(axis=1))


def _empty_results(n: int, n_pressure: int, stepper: Stepper) -> dict[str, Any]:
    slots = stepper.slots
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
    }


def _harvest(lanes: Lanes, ended: np.ndarray, members: np.ndarray, results: dict[str, Any]) -> None:
    """Take the results of the lanes that have ended."""
    state = jax.tree.map(lambda x: np.asarray(x[ended]), lanes.state)
    ok = state.status == Status.OK
    results["status"][members] = np.where(ok & state.switched, int(Status.SWITCHED_TO_MIXED), state.status)
    for name in ("n_steps", "n_reactions", "max_active", "mismatch"):
        results[name][members] = getattr(state, name)
    results["profile"][members] = np.where(ok[:, None, None], np.asarray(lanes.profile[ended]), np.nan)
    results["segments"][members] = np.asarray(lanes.segments[ended])
    if lanes.composition is not None:
        results["nuclides"][members] = np.asarray(lanes.composition[0][ended])
        results["abundances"][members] = np.where(ok[:, None, None], np.asarray(lanes.composition[1][ended]), np.nan)
    if lanes.trace is not None:
        results["trace"][members] = np.asarray(lanes.trace[ended])


def _evolution(results: dict[str, Any], Y_initial: np.ndarray) -> Evolution:
    profile = results.pop("profile")
    mismatch = results.pop("mismatch") / Y_initial
    return Evolution({name: profile[..., i] for i, name in enumerate(RECORDED)}, mismatch=mismatch, **results)
