"""Batches of members on one device: lanes, refill, results. No physics here.

All lanes take micro-steps together. When some have ended, their results are taken out and the lanes go on with the
next members, so that short crusts do not wait for long ones.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from gpucrust.network import MassErrors, Network, build_network, drawn_errors, member_key, nuclide_code
from gpucrust.programs import kept
from gpucrust.slide import STEP_ARRAYS, STEP_SCALARS, SlideState, initial_slide, slide_step
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
STEPS_PER_CALL = {"slide": 200, "chunk": 2000}
"""Micro-steps between two looks of the host at the lanes."""
MAX_LANES = {"cpu": 256, "gpu": 32768}
"""Of one crew."""
COUNTED = ("n_steps", "n_reactions", "max_active", "mismatch")
"""What a state keeps account of, and results tell as it is."""
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


class Lanes(NamedTuple):
    """The batch on the device."""

    member: Member
    state: State | SlideState
    profile: Array  # (lanes, n_pressure, len(RECORDED))
    segments: Array  # (lanes, MAX_SEGMENTS, len(SEGMENT))
    composition: tuple[Array, Array] | None  # (lanes, n_pressure, slots) codes and abundances
    trace: Array | None
    record: Array | None  # (lanes, record, row)


@kept
def start_lanes(
    member: Member,
    network: Network,
    settings: Settings,
    used: Array | int,
    *,
    slide: bool,
    with_composition: bool,
    trace: int,
    record: int,
) -> Lanes:
    """Lanes at the lowest pressure, of which the first `used` run.

    member: batched; trace, record: number of reactions and of steps to record.
    """
    lanes, slots = member.Y.shape
    if member.errors is not None:
        n_codes = network.E.shape[1]
        member = member._replace(errors=jax.vmap(lambda errors: drawn_errors(errors, n_codes))(member.errors))
    n_P = network.pressures.shape[0]
    first = partial(initial_slide, with_ways=record > 0) if slide else initial_state
    state = jax.vmap(first, in_axes=(0, None, None))(member, network, settings)
    state = state._replace(status=jnp.where(jnp.arange(lanes) < used, state.status, int(Status.NOT_RUN)))
    composition = None
    if with_composition:
        composition = jnp.zeros((lanes, n_P, slots), state.nuclide.dtype), jnp.zeros((lanes, n_P, slots))
    lanes_here = Lanes(
        member,
        state,
        jnp.full((lanes, n_P, len(RECORDED)), jnp.nan),
        jnp.full((lanes, MAX_SEGMENTS, len(SEGMENT)), jnp.nan),
        composition,
        jnp.zeros((lanes, trace, len(TRACED))) if trace else None,
        jnp.full((lanes, record, len(STEP_ARRAYS) * slots + len(STEP_SCALARS)), jnp.nan) if record and slide else None,
    )
    # all of one type, weak types of constants included: else the next program would be compiled twice
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), lanes_here)


@partial(kept, donate_first=True)
def refill(lanes: Lanes, fresh: Lanes, places: Array) -> Lanes:
    """Lanes with `fresh` ones put in at `places`; a place beyond the last lane takes none."""
    return jax.tree.map(lambda old, new: old.at[places].set(new, mode="drop"), lanes, fresh)


@partial(kept, donate_first=True)
def advance(lanes: Lanes, network: Network, settings: Settings, dlnP: float, *, steps: int, whole: bool) -> Lanes:
    """`steps` micro-steps of every running lane (fewer if all end); whole: of crusts of one component."""
    lane = jnp.arange(lanes.profile.shape[0])

    def one_step(state: Any, _: None) -> tuple[Any, tuple[Output, tuple[Array, Array]]]:
        running = state.status == RUNNING
        one_lane: Callable[..., Any]
        if isinstance(state, SlideState):
            one_lane = partial(slide_step, network=network, settings=settings, step=dlnP)
        else:
            one_lane = partial(micro_step, network=network, settings=settings, whole=whole)
        new, output = jax.vmap(one_lane)(state, lanes.member)
        new = refill_state(state, new, running)
        lines = ["line", "segment_line", "trace_line"] + ["record_line"] * (output.record_line is not None)
        if lanes.record is None:  # rows that nobody wants would be carried along
            output = output._replace(record_row=None)
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
        record = now.record
        if record is not None:
            record = record.at[lane, output.record_line].set(output.record_row, mode="drop")
        profile = now.profile.at[lane, output.line].set(output.row, mode="drop")
        segments = now.segments.at[lane, output.segment_line].set(output.segment_row, mode="drop")
        return count + STEPS_PER_SCATTER, Lanes(now.member, state, profile, segments, composition, trace, record)

    def goes_on(carry: tuple[Array, Lanes]) -> Array:
        count, now = carry
        return (count < steps) & jnp.any(now.state.status == RUNNING)

    return jax.lax.while_loop(goes_on, body, (jnp.array(0), lanes))[1]


@kept
def results_of(lanes: Lanes, places: Array | np.ndarray) -> dict[str, Any]:
    """What the lanes at `places` have come to, by the names of `_empty_results`."""
    state = lanes.state
    results = {name: getattr(state, name) for name in ("status", "switched", *COUNTED)}
    results |= {"profile": lanes.profile, "segments": lanes.segments, "trace": lanes.trace, "record": lanes.record}
    results["nuclides"], results["abundances"] = lanes.composition or (None, None)
    if isinstance(state, SlideState) and lanes.record is not None:
        results["n_recorded"] = state.n_records
    return jax.tree.map(lambda x: x[places], results)


def padded(n: int, n_lanes: int) -> int:
    """At least n of n_lanes lanes: of few sizes, so that few programs are compiled."""
    return next(size for size in (LANE_GROUP, 64, 512, n_lanes) if n <= size <= n_lanes)


def refill_state(old: Any, new: Any, running: Array) -> Any:
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
        max_steps=jnp.array(stepper.step_limit),
        landed=jnp.array(stepper.landed),
        fusion_density=jnp.array(density) if physics.fusion_density else None,
    )


def on_cpu() -> bool:
    """Whether JAX computes on a CPU here."""
    device = getattr(jax.config, "jax_default_device", None)
    return (device.platform if device is not None else jax.default_backend()) == "cpu"


def crews_and_lanes(n_members: int, batch: int | None) -> tuple[int, int]:
    """Number of crews (batches that run side by side, one a core of a CPU) and of lanes in each.

    Lanes are a power of two from 8, so that sweeps of many sizes share one compiled program.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most_crews = cores if on_cpu() else 1
    if batch:
        lanes = -(-batch // LANE_GROUP) * LANE_GROUP
        return min(most_crews, -(-n_members // lanes)), lanes
    crews = min(most_crews, -(-n_members // LANE_GROUP))
    share = -(-n_members // crews)
    most = MAX_LANES["cpu" if on_cpu() else "gpu"]
    return crews, min(most, max(LANE_GROUP, 1 << (share - 1).bit_length()))


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
    n_crews, n_lanes = crews_and_lanes(n, batch)
    crews = [_Crew(np.full(n_lanes, -1)) for _ in range(n_crews)]
    waiting = iter(range(n))
    done = failed = 0
    harvest: list[tuple[np.ndarray, dict[str, Any]]] = []
    while True:
        for crew in crews:
            crew.take(waiting, everyone, network, settings, engine == "slide", stepper)
        if all(crew.idle for crew in crews):
            break
        for crew in crews:
            if crew.lanes is not None and not crew.idle:  # calls return at once: crews run side by side
                crew.lanes = advance(
                    crew.lanes, network, settings, stepper.step, steps=STEPS_PER_CALL[engine], whole=whole
                )
        for numbers, results in harvest:  # of the round before, while lanes are under way
            keep(numbers, results)
        taken = [crew.harvest(Y_initial) for crew in crews]
        harvest = [(numbers, results) for numbers, results in taken if numbers.size]
        for numbers, results in harvest:
            done += numbers.size
            failed += int(np.sum(results["status"] > Status.SWITCHED_TO_MIXED))
        if progress is not None:
            under_way = sum(crew.grid_points for crew in crews) / len(pressures)
            progress(Progress(done, failed, n, (done + under_way) / n, time.perf_counter() - started))
    for numbers, results in harvest:
        keep(numbers, results)


@dataclass
class _Crew:
    """One batch of lanes, and which member each has; -1 for none."""

    occupant: np.ndarray
    lanes: Lanes | None = None

    @property
    def idle(self) -> bool:
        return bool(np.all(self.occupant < 0))

    @property
    def grid_points(self) -> int:
        """Pressures that the members under way have reached."""
        if self.lanes is None:
            return 0
        return int(np.asarray(self.lanes.state.grid_index)[self.occupant >= 0].sum())

    def take(
        self,
        waiting: Iterator[int],
        everyone: Member,
        network: Network,
        settings: Settings,
        slide: bool,
        stepper: Stepper,
    ) -> None:
        """Fill free lanes with waiting members."""
        n_lanes = len(self.occupant)
        taken = [(lane, m) for lane, m in zip(np.flatnonzero(self.occupant < 0), waiting, strict=False)]
        if not taken:
            return
        places, newcomers = (np.array(x) for x in zip(*taken, strict=True))
        self.occupant[places] = newcomers
        room = n_lanes if self.lanes is None else padded(len(taken), n_lanes)
        member = np.concatenate([newcomers, np.full(room - len(taken), newcomers[0])])
        fresh = start_lanes(
            jax.tree.map(lambda x: x[member], everyone),
            network,
            settings,
            len(taken),
            slide=slide,
            with_composition=stepper.composition,
            trace=stepper.trace,
            record=stepper.record,
        )
        if self.lanes is None:
            self.lanes = fresh
        else:
            beyond = np.full(room - len(taken), n_lanes)
            self.lanes = refill(self.lanes, fresh, jnp.asarray(np.concatenate([places, beyond])))

    def harvest(self, Y_initial: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Take out the members that have ended: their numbers, and results. Y_initial: (members,) nuclei per baryon."""
        if self.lanes is None:
            return np.empty(0, int), {}
        status = np.asarray(self.lanes.state.status)
        ended = np.flatnonzero((self.occupant >= 0) & (status != RUNNING))
        members = self.occupant[ended]
        if ended.size == 0:
            return members, {}
        results = _harvest(self.lanes, ended)
        results["mismatch"] = results["mismatch"] / Y_initial[members]
        self.occupant[ended] = -1
        return members, results


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


def _harvest(lanes: Lanes, ended: np.ndarray) -> dict[str, Any]:
    """The results of the lanes that have ended, by the names of `_empty_results`."""
    places = np.resize(ended, padded(len(ended), len(lanes.profile)))
    found = jax.tree.map(lambda x: np.asarray(x)[: len(ended)], results_of(lanes, places))
    ok = found["status"] == Status.OK
    switched = found.pop("switched")
    found["status"] = np.where(ok & switched, int(Status.SWITCHED_TO_MIXED), found["status"])
    for name in ("profile", "abundances"):  # (member, pressure, ...)
        if found[name] is not None:
            found[name] = np.where(ok[:, None, None], found[name], np.nan)
    return found


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
