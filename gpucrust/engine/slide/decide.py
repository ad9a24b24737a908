"""What a step does about its trial: one outcome of several that exclude each other, and what each of them means."""

from enum import IntEnum
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Settings
from gpucrust.engine.select import choose, first_that_holds
from gpucrust.engine.slide.cascade import MAX_REACTIONS
from gpucrust.engine.slide.events import Bisection, narrow
from gpucrust.engine.slide.follow import Arrival
from gpucrust.engine.slide.judge import Verdict
from gpucrust.engine.slide.net import ROUNDING
from gpucrust.engine.slide.state import SlideState


class Outcome(IntEnum):
    """What one step comes to."""

    IMPROVE = 0
    """The trial is not solved: its density and its amount are improved at the same pressure."""
    GO_BACK = 1
    """The move has gone beyond a threshold: the next trial is where the threshold is expected."""
    FOLLOW = 2
    """The packet is still under way: the trial waits for it."""
    BISECT = 3
    """Something has changed on the move, abruptly: the next trial is nearer to where."""
    ARRIVE = 4
    """The move ends at a threshold: the next step looks at what has become possible there."""
    GIVE_UP = 5
    """The packet has come back to its trigger's parent: masses of several tables release energy around a loop for ever.
    The member goes on with one table, or ends."""
    BURN = 6
    """Something may react: as much of it as leaves it marginal, at the same pressure."""
    MOVE = 7
    """Nothing may react, or what has burned is marginal: the pressure rises."""


class Act(NamedTuple):
    """What an outcome means for the state; a row of the table `ACTS`, or arrays once it is looked up."""

    commits: Any
    """The trial becomes the present state."""
    moves: Any
    """A move begins."""
    burns: Any
    """A burn begins."""
    rests: Any
    """The next trial is the present state: nothing goes on but a look."""
    waits: Any
    """The trial stays as it is."""
    elsewhere: Any
    """The same move is tried to another pressure."""
    counts: Any
    """It counts as one more try of the same trial."""


# fmt: off
ACTS: dict[Outcome, Act] = {
    #                    commits moves burns rests waits elsewhere counts
    Outcome.IMPROVE: Act(0,      0,    0,    0,    0,    0,        1),
    Outcome.GO_BACK: Act(0,      0,    0,    0,    0,    1,        1),
    Outcome.FOLLOW:  Act(0,      0,    0,    0,    1,    0,        0),
    Outcome.BISECT:  Act(0,      0,    0,    0,    0,    1,        0),
    Outcome.ARRIVE:  Act(1,      0,    0,    1,    0,    0,        0),
    Outcome.GIVE_UP: Act(1,      0,    0,    1,    0,    0,        0),
    Outcome.BURN:    Act(1,      0,    1,    0,    0,    0,        0),
    Outcome.MOVE:    Act(1,      1,    0,    0,    0,    0,        0),
}
# fmt: on
"""The decision table: what every outcome means. Rows are in the order of the outcomes' numbers."""


class Decision(NamedTuple):
    """What this step does; a pytree of arrays."""

    outcome: Array
    """An `Outcome`."""
    act: Act
    """What it means."""
    P_again: Array
    """Pressure of the trial if the present move or burn is tried again, MeV fm^-3."""
    bisection: Bisection
    """Of the present move."""
    parts: Array
    """Whether the move ends where the net of its trigger changes."""


def outcome_of(verdict: Verdict, arrival: Arrival, again: Array) -> Array:
    """The outcome of a step: the first of these that is so. again: the bisection needs another trial."""
    returned = arrival.arrived & ~jnp.any(arrival.net.Y < -ROUNDING)
    rows = [
        (~verdict.solved, Outcome.IMPROVE),
        (verdict.beyond, Outcome.GO_BACK),
        (arrival.under_way, Outcome.FOLLOW),
        (again, Outcome.BISECT),
        (verdict.moves & verdict.urgent.found, Outcome.ARRIVE),
        (returned, Outcome.GIVE_UP),
        (verdict.urgent.found, Outcome.BURN),
    ]
    return first_that_holds(rows, Outcome.MOVE)


def act_of(outcome: Array) -> Act:
    """What an outcome means, looked up in the table."""
    return Act(*(jnp.array(column, bool)[outcome] for column in zip(*ACTS.values(), strict=True)))


def decide(state: SlideState, verdict: Verdict, arrival: Arrival, P_short: Array, settings: Settings) -> Decision:
    """Go on, or try again; P_short: end of a short move."""
    trial = state.trial
    same = verdict.quiet & trial.reacts & verdict.name.is_same(trial.trigger)
    change = jnp.sum(jnp.abs(arrival.net.Y - trial.net.Y)) + jnp.abs(arrival.net.Y_n - trial.net.Y_n)
    differs = verdict.late | (same & (change > ROUNDING))
    looked_for = same | verdict.late | (verdict.quiet & jnp.isfinite(state.start.bisection.high))
    bisection, again, P_again = narrow(
        state.start.bisection, state.P, trial.P, P_short, differs, arrival.packet.cascade, settings
    )
    # a packet that goes round for ever, as masses of several tables let it, tells nothing
    looked_for = looked_for & ~arrival.under_way & (arrival.packet.n_reactions < MAX_REACTIONS)
    bisection, again = choose(looked_for, bisection, state.start.bisection), looked_for & again
    outcome = outcome_of(verdict, arrival, again)
    P_again = jnp.where(outcome == Outcome.BISECT, P_again, trial.P)
    return Decision(
        outcome=outcome,
        act=act_of(outcome),
        P_again=jnp.where(outcome == Outcome.GO_BACK, verdict.P_back, P_again),
        bisection=bisection,
        parts=same & differs & looked_for & ~again & ~bisection.given_up,
    )
