"""One step of the slide engine, uniform so that lanes of a batch never wait for each other's branch.

A step looks at a trial: the present state after an amount of the present net, at a trial pressure. It judges what the
trial turns out to be, follows the packet of the reaction that goes on there, decides for one of the outcomes of
`decide.ACTS`, and makes the next state part by part.
Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.engine.grid import end_of_move
from gpucrust.engine.interface import GUARD, Member, Output, Settings, no_reaction
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.select import choose
from gpucrust.engine.slide.bookkeeping import (
    MAX_TRIES,
    Present,
    commit,
    next_account,
    output_of,
    segment_of,
    status_of,
)
from gpucrust.engine.slide.choice import FUSION_MARGINAL
from gpucrust.engine.slide.decide import Decision, Outcome, decide
from gpucrust.engine.slide.evaluate import View, look
from gpucrust.engine.slide.events import SHORT_MOVE, new_bisection
from gpucrust.engine.slide.follow import Arrival, follow
from gpucrust.engine.slide.judge import Verdict, judge
from gpucrust.engine.slide.net import at_potentials
from gpucrust.engine.slide.state import Memory, SlideState, Start, Trial
from gpucrust.engine.slide.trial import Ends, next_trial, plan_of, resting_or_waiting
from gpucrust.engine.state import Stock
from gpucrust.physics.reactions import CHANNELS


def partner_at(state: SlideState, view: View, commits: Array) -> SlideState:
    """The state with its partner's net at the potentials of the trial, where that is committed."""
    memory = state.memory
    net = at_potentials(memory.partner_net, state.start.potentials, view.here.potentials)
    return state._replace(memory=memory._replace(partner_net=choose(commits, net, memory.partner_net)))


def switch_tables(
    state: SlideState, arrival: Arrival, decision: Decision, present: Present, member: Member, network: Network
) -> tuple[Present, Array, Array]:
    """(present, channel energies, whether one table is in force), after a step that may switch to one table.

    A packet that has come back to where it began is taken for what the guard is there for.
    """
    dE, switched = arrival.dE, state.account.switched
    if network.dE_mixed is None:
        return present, dE, switched
    guard = GUARD * jnp.sum(member.Y)
    gives_up = decision.outcome == Outcome.GIVE_UP
    mismatch = jnp.where(gives_up, jnp.maximum(present.mismatch, 1.01 * guard), present.mismatch)
    switched = switched | (mismatch > guard)
    rows = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[1])(arrival.nuclide).T
    dE = jnp.where(switched & ~state.account.switched, rows, dE)
    return present._replace(mismatch=mismatch), dE, switched


def is_stuck(state: SlideState, decision: Decision, trial: Trial, switched: Array) -> Array:
    """Whether a member cannot go on: no other table is left to switch to, or its next trial comes to nothing."""
    act = decision.act
    no_other_table = (decision.outcome == Outcome.GIVE_UP) & (switched == state.account.switched)
    still = act.waits | act.rests
    fails = (act.burns & ~(trial.amount > 0)) | (~still & ~jnp.isfinite(trial.ln_n_b + trial.amount))
    return no_other_table | fails | (trial.tries > MAX_TRIES)


def next_start(state: SlideState, view: View, arrival: Arrival, decision: Decision, P: Array) -> Start:
    """Where the next trial begins, at P."""
    start, act = state.start, decision.act
    return Start(
        potentials=choose(act.commits, view.here.potentials, start.potentials),
        ln_time_ratio=jnp.where(act.moves, view.ln_time_ratio, start.ln_time_ratio),
        bisection=choose(act.moves, new_bisection(P, arrival.packet.cascade), decision.bisection),
    )


def next_memory(
    state: SlideState,
    view: View,
    verdict: Verdict,
    arrival: Arrival,
    decision: Decision,
    trial: Trial,
    ends: Ends,
    member: Member,
) -> Memory:
    """What has burned, this step's burn included. trial: the next one, which ends so."""
    memory, name, act = state.memory, verdict.name, decision.act
    channel = name.channel < CHANNELS
    # what is made by a slide may burn whenever there is a little of it, with whatever is the fastest
    i, j = np.triu_indices(view.here.Y.shape[0])
    a, b = verdict.choice.first, verdict.choice.second
    fused = act.burns & (name.channel == CHANNELS) & ((i == a) | (j == a) | (i == b) | (j == b))
    plenty = jnp.minimum(view.here.Y[i], view.here.Y[j]) > member.chunk
    # a burn that leaves its trigger marginal makes it the partner; one of a given amount leaves the partner as it was
    renews = act.burns & ~ends.given
    partner = choose(renews, choose(ends.marginal, name, no_reaction()), memory.partner)
    arrives = (decision.outcome == Outcome.ARRIVE) & arrival.arrived
    partner_net = choose(arrives, arrival.net, memory.partner_net)
    return Memory(
        partner=choose(act.moves, trial.trigger, partner),
        partner_net=choose(act.moves | renews, trial.net, partner_net),
        last_channel=choose((ends.marginal | ends.opposed) & channel, name, memory.last_channel),
        last_fusion=choose(act.burns & ~channel, name, memory.last_fusion),
        regulated=(memory.regulated | fused) & ~(act.moves & plenty & (view.ln_time_ratio > FUSION_MARGINAL)),
    )


def slide_step(state: SlideState, member: Member, network: Network, settings: Settings) -> tuple[SlideState, Output]:
    """One look at the trial, and what follows from it."""
    grid, grid_index = network.pressures, state.account.grid_index
    view = look(state, member, network, settings)
    verdict = judge(state, view, network, settings)
    arrival = follow(state, view, verdict, member, network)
    P_short = end_of_move(state.P, grid_index, SHORT_MOVE * settings.dlnP, grid)
    decision = decide(state, verdict, arrival, P_short, settings)
    act = decision.act

    present = commit(state, view, act.commits)
    reached = act.moves & (present.P == grid[grid_index])
    grid_index = grid_index + reached
    P_next = end_of_move(present.P, grid_index, settings.dlnP, grid)
    state = partner_at(state, view, act.commits)
    plan = plan_of(state, view, verdict, arrival, decision)
    trial, ends = next_trial(state, view, plan, arrival, decision, present, P_next, member, network, settings)
    present, dE, switched = switch_tables(state, arrival, decision, present, member, network)

    segment = segment_of(state, view, verdict, decision, present, trial)
    output = output_of(state, view, verdict, decision, present, segment, reached, trial, arrival.packet.cascade)
    status = status_of(
        full=arrival.full,
        off_chart=(act.burns | act.moves) & arrival.arrived & arrival.packet.off_chart,
        stuck=is_stuck(state, decision, trial, switched),
        ended=grid_index == grid.shape[0],
        n_steps=state.account.n_steps + 1,
        max_steps=settings.max_steps,
        segment=segment.number,
    )
    return SlideState(
        stock=Stock(nuclide=arrival.nuclide, Y=present.Y, dE=dE, Y_n=present.Y_n),
        P=present.P,
        trial=resting_or_waiting(trial, state.trial, act),
        start=next_start(state, view, arrival, decision, present.P),
        memory=next_memory(state, view, verdict, arrival, decision, trial, ends, member),
        packet=arrival.packet._replace(goes_on=arrival.under_way),
        account=next_account(state, decision, present, segment, output, grid_index, switched, status),
    ), output
