"""Recording tapes of crusts with the slide engine: ensembles of them, in batches on whatever device there is.

Its moves end to LANDED in ln P where anything changes. What does is named here from what the engine has kept: the
reaction that became possible, or what the packet of the slide did before and what it does now (`events`).
"""

from collections.abc import Sequence
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.evolution import Evolution, recorded_steps
from gpucrust.engine.inputs import Members, Problem, matter_of
from gpucrust.engine.interface import Y_REACTS
from gpucrust.engine.slide.packet import of_link
from gpucrust.engine.slide.record import NEUTRONS, Amount, Move, StepRow
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.eos import Matter
from gpucrust.sensitivity.events import Link, with_events
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.tape import NONE, Event, Net, Reaction, Tape
from gpucrust.sensitivity.thresholds import sums_along
from gpucrust.status import Status

LANDED = 1e-9
"""How near to a threshold, in ln P, moves of the engine end while a tape is recorded: derivatives of what lies there
need it a thousand times nearer than profiles do."""
AT_A_TIME = 64
"""Crusts recorded together, which bounds memory: each takes 700 bytes a step, and 1,100 to 1,500 steps for 1,000
pressures of the grid."""
NEWTON_ITERATIONS = 15
"""Iterations of Newton's method for the density of the ash, from a guess that may be off by much."""


def record_crusts(members: Members, problem: Problem, parameters: Sequence[Parameters]) -> list[Tape | None]:
    """Tapes of all members, made with their `parameters`; None for one that has no result. float64 must be on."""
    P = problem.pressures
    room = 2 * len(P) + 2 * int(np.log(P[-1] / P[0]) / problem.stepper.step) + 1000
    tapes: list[Tape | None] = []
    for first in range(0, len(parameters), AT_A_TIME):
        some = slice(first, first + AT_A_TIME)
        own = Members(*(getattr(members, f.name)[some] for f in fields(members)))
        evolution, room = _evolve(own, problem, room)
        for m, its in enumerate(parameters[some]):
            ended = evolution.status[m] == Status.OK
            tapes.append(tape_of(evolution, m, problem, its) if ended else None)
    return tapes


def _evolve(members: Members, problem: Problem, room: int) -> tuple[Evolution, int]:
    """The evolution of members with all of their steps, and how many there was room for: `room`, or its double, ..."""
    while True:
        recorded = replace(problem.stepper, engine="slide", landed=LANDED, record=room, composition=False)
        evolution = evolve(members, replace(problem, stepper=recorded))
        assert evolution.n_recorded is not None
        if evolution.n_recorded.max() <= room:
            return evolution, room
        room *= 2


def tape_of(evolution: Evolution, member: int, problem: Problem, parameters: Parameters) -> Tape:
    """The tape of a member of an evolution with recorded steps, of the ash first, before anything burns."""
    rows = _without_leftovers(recorded_steps(evolution, member))
    rows = _with_ash(rows, problem.pressures[0] / DYN_PER_CM2, matter_of(problem.physics))
    old, new = (Link(*of_link(number.astype(int))) for number in (rows.link, rows.other_link))
    return with_events(_tape_of_rows(rows), old, new, problem.stepper.step, parameters)


def _without_leftovers(rows: StepRow) -> StepRow:
    """The steps with nothing left of stocks that they have used up, of which rounding leaves something."""
    used_up, limit = rows.amount_kind == Amount.USED_UP, rows.limit.astype(int)
    Y = rows.Y.copy()
    of_nuclide = np.flatnonzero(used_up & (limit != NEUTRONS))
    Y[of_nuclide, limit[of_nuclide]] = 0.0
    return rows._replace(Y=Y, Y_n=np.where(used_up & (limit == NEUTRONS), 0.0, rows.Y_n))


def _with_ash(rows: StepRow, P: float, matter: Matter) -> StepRow:
    """The steps with one before them that does nothing, at the first pressure P, MeV fm^-3."""
    Y = rows.Y[0] - rows.d[0] * rows.net[0]
    Y = np.where(Y > Y_REACTS, Y, 0.0)
    # something may burn at the first pressure before the engine has recorded it
    grid_index = NONE if 0 in rows.grid_index else 0
    nothing = StepRow(*(np.zeros_like(x[0]) for x in rows))
    first = nothing._replace(
        nuclide=rows.nuclide[0],
        Y=Y,
        first=NONE,
        second=NONE,
        channel=NONE,
        amount_kind=Amount.NONE,
        limit=NEUTRONS,
        pressure_kind=Move.GIVEN,
        event_first=NONE,
        event_second=NONE,
        event_channel=NONE,
        P=P,
        n_b=density_of(P, rows.nuclide[0].astype(int), Y, matter),
        grid_index=grid_index,
    )
    return StepRow(*(np.concatenate([np.asarray(x, xs.dtype)[None], xs]) for x, xs in zip(first, rows, strict=True)))


@jax.jit
def density_of(P: float, nuclide: Array, Y: Array, matter: Matter) -> Array:
    """n_b of matter without free neutrons, fm^-3; nuclide, Y: (slots,)."""
    mixture = sums_along(nuclide_Z(nuclide), Y, jnp.array(0.0)).mixture
    return eos.density_at_pressure(P, mixture, matter, eos.cold_density_guess(P, mixture.Y_e), NEWTON_ITERATIONS)


def _tape_of_rows(rows: StepRow) -> Tape:
    """The tape of steps as the engine has kept them, with the events that it names."""
    opposed = rows.partner_units > 0
    ratio = np.where(opposed, rows.partner_units, 0.0)
    trigger = Reaction(*(x.astype(int) for x in (rows.first, rows.second, rows.channel)))
    first, second, channel = (x.astype(int) for x in (rows.event_first, rows.event_second, rows.event_channel))
    return Tape(
        nuclide=rows.nuclide.astype(int),
        net=Net(rows.net - ratio[:, None] * rows.net2, rows.net_Y_n - ratio * rows.net2_Y_n),
        opposing=Net(np.where(opposed[:, None], rows.net2, 0.0), np.where(opposed, rows.net2_Y_n, 0.0)),
        trigger=trigger,
        event=Event(first, second, channel, np.full(len(rows.P), NONE)),
        amount=rows.amount_kind.astype(int),
        move=rows.pressure_kind.astype(int),
        limit=rows.limit.astype(int),
        P=rows.P,
        n_b=rows.n_b,
        Y=rows.Y,
        Y_n=rows.Y_n,
        d=rows.d,
        heat=rows.heat,
        grid_index=rows.grid_index.astype(int),
    )
