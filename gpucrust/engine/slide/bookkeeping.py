"""What a step of the slide engine leaves: the present state, segments, status, and the rows that are recorded."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import (
    MAX_SEGMENTS,
    NOWHERE,
    REACTION_COLUMNS,
    RUNNING,
    Output,
    ProfileRow,
    SegmentRow,
    TraceRow,
    stacked,
)
from gpucrust.engine.select import first_that_holds
from gpucrust.engine.slide.decide import Decision
from gpucrust.engine.slide.evaluate import View
from gpucrust.engine.slide.judge import Verdict
from gpucrust.engine.slide.net import at_potentials
from gpucrust.engine.slide.packet import first_difference
from gpucrust.engine.slide.record import BY_SLOT, Amount, Move, StepRow
from gpucrust.engine.slide.state import SlideState, Trial
from gpucrust.engine.state import Account
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_K, CHANNELS
from gpucrust.status import Status

MAX_TRIES = 60
"""Largest number of times that one trial is improved or taken back; its member then ends as `NO_CONVERGENCE`."""


class Present(NamedTuple):
    """What the next trial begins from: the trial if it is committed, else the state as it was; a pytree of arrays."""

    Y: Array
    """(slots,) nuclei per baryon."""
    Y_n: Array
    """Free neutrons per baryon."""
    P: Array
    """Pressure, MeV fm^-3."""
    heat: Array
    """Heat since the first pressure, MeV per baryon."""
    mismatch: Array
    """Energy by reading several tables beyond one table's, MeV per baryon."""


class Segment(NamedTuple):
    """The present segment, and what of the last is final; a pytree of arrays."""

    number: Array
    """Number of the present segment."""
    row: Array
    """The present segment, a SegmentRow."""
    closed_line: Array
    """Number of the segment that is final up to here; NOWHERE if none is."""
    closed_row: Array
    """That segment, a SegmentRow."""


def commit(state: SlideState, view: View, commits: Array) -> Present:
    """The state that the next trial begins from. Heat is taken at the mean of the potentials before and after."""
    trial, account = state.trial, state.account
    after = at_potentials(trial.net, state.start.potentials, view.here.potentials)
    released = (trial.net.heat + after.heat) / 2
    d = jnp.where(commits, trial.amount, 0.0)
    return Present(
        Y=jnp.where(commits, view.here.Y, state.stock.Y),
        Y_n=jnp.where(commits, view.here.Y_n, state.stock.Y_n),
        P=jnp.where(commits, trial.P, state.P),
        heat=account.heat + d * released,
        mismatch=account.mismatch + d * trial.net.mismatch,
    )


def segment_of(
    state: SlideState, view: View, verdict: Verdict, decision: Decision, present: Present, trial: Trial
) -> Segment:
    """Segments are stretches along one trigger, or along none; a new one begins where a move along another does.

    trial: the next one.
    """
    account, old, act = state.account, SegmentRow(*state.account.segment), decision.act
    mu_e = eos.electron_chemical_potential(view.here.n_b * view.sums.Y_e)
    k = jnp.where(trial.trigger.channel == CHANNELS, 0, jnp.asarray(CHANNEL_K)[verdict.channel])
    reaction = jnp.where(trial.reacts, stacked((*trial.trigger, k)), -1.0)
    moved = act.commits & state.trial.moves
    gone_on = old._replace(
        P_end=jnp.where(moved, state.trial.P, old.P_end),
        mu_e_end=jnp.where(moved, mu_e, old.mu_e_end),
        mu_e_after=jnp.where(act.moves | moved, mu_e, old.mu_e_after),
    )
    closed = stacked(gone_on)
    begins = act.moves & ((account.segment_index < 0) | jnp.any(reaction != account.segment[REACTION_COLUMNS]))
    fresh = SegmentRow(present.P, mu_e, present.P, mu_e, mu_e, *reaction)
    final = act.commits & (account.segment_index >= 0)
    return Segment(
        number=account.segment_index + begins,
        row=jnp.where(begins, stacked(fresh), closed),
        closed_line=jnp.where(final, account.segment_index, NOWHERE),
        closed_row=closed,
    )


def status_of(
    full: Array, off_chart: Array, stuck: Array, ended: Array, n_steps: Array, max_steps: Array, segment: Array
) -> Array:
    """RUNNING, or how a member under way has ended: the first of these that is so. segment: number of the present."""
    rows = [
        (full, Status.SLOT_OVERFLOW),
        (off_chart, Status.CHART_EDGE),
        (stuck, Status.NO_CONVERGENCE),
        (ended, Status.OK),
        (n_steps >= max_steps, Status.STEP_LIMIT),
        (segment >= MAX_SEGMENTS, Status.SEGMENT_OVERFLOW),
    ]
    return first_that_holds(rows, RUNNING)


def next_account(
    state: SlideState,
    decision: Decision,
    present: Present,
    segment: Segment,
    output: Output,
    grid_index: Array,
    switched: Array,
    status: Array,
) -> Account:
    """The account after a step."""
    old = state.account
    return Account(
        heat=present.heat,
        mismatch=present.mismatch,
        switched=switched,
        grid_index=grid_index,
        n_steps=old.n_steps + 1,
        n_reactions=old.n_reactions + decision.act.burns,
        n_recorded=old.n_recorded + (output.record_line == old.n_recorded),
        max_active=jnp.maximum(old.max_active, jnp.sum(present.Y > 0)),
        status=status,
        segment_index=segment.number,
        segment=segment.row,
    )


def profile_row(state: SlideState, view: View, heat: Array, segment: Array) -> ProfileRow:
    """What is recorded of a trial at its pressure; segment: the number of the one that it ends in."""
    sums, n_b, Z = view.sums, view.here.n_b, nuclide_Z(state.stock.nuclide)
    return ProfileRow(
        n_b=n_b,
        Y_e=sums.Y_e,
        Y_n=sums.Y_n,
        Y_z53=sums.Y_z53,
        sum_Y=sums.Y,
        sum_Z2Y=jnp.sum(Z**2 * view.here.Y),
        heat=heat,
        segment=segment,
        P_threshold=state.trial.P,
        mu_e_threshold=eos.electron_chemical_potential(n_b * sums.Y_e),
    )


def step_row(
    state: SlideState, view: View, verdict: Verdict, heat: Array, reached: Array, links: tuple[Array, Array]
) -> StepRow:
    """The step that a trial makes. reached: it is a recorded pressure; links: as recorded."""
    trial, partner_net = state.trial, state.memory.partner_net
    urgent = verdict.urgent.name(state.stock.nuclide)
    parts = (links[0] > 0) | (links[1] > 0)
    event = jnp.where(verdict.at_threshold | parts, int(Move.EVENT), int(Move.GIVEN))
    ended = jnp.where(trial.amount_kind == Amount.USED_UP, int(Move.STOCK), event)
    return StepRow(
        nuclide=state.stock.nuclide,
        Y=view.here.Y,
        net=trial.net.Y,
        net2=jnp.where(trial.partner_units > 0, partner_net.Y, 0.0),
        net_Y_n=trial.net.Y_n,
        net2_Y_n=partner_net.Y_n,
        partner_units=trial.partner_units,
        first=trial.trigger.nuclide,
        second=trial.trigger.second_nuclide,
        channel=trial.trigger.channel,
        amount_kind=trial.amount_kind,
        limit=trial.limit,
        pressure_kind=jnp.where(trial.moves, ended, int(Move.BURN)),
        event_first=urgent.nuclide,
        event_second=urgent.second_nuclide,
        event_channel=urgent.channel,
        P=trial.P,
        n_b=view.here.n_b,
        Y_n=view.here.Y_n,
        d=trial.amount,
        heat=heat,
        grid_index=jnp.where(reached, state.account.grid_index, -1),
        link=links[0],
        other_link=links[1],
    )


def packed(row: StepRow) -> Array:
    """A row as one array of floats, as `record.steps_by_name` reads it."""
    by_slot = [jnp.asarray(getattr(row, name), float) for name in BY_SLOT]
    return jnp.concatenate([*by_slot, stacked(row[len(BY_SLOT) :])])


def output_of(
    state: SlideState,
    view: View,
    verdict: Verdict,
    decision: Decision,
    present: Present,
    segment: Segment,
    reached: Array,
    trial: Trial,
    cascade: Array | None,
) -> Output:
    """The rows of this step, and where they go. trial: the next one; cascade: of the packet at this one."""
    account, act, before = state.account, decision.act, state.start.bisection.cascade
    stepped = act.commits & ((state.trial.amount > 0) | (state.trial.P > state.P) | reached)
    links = jnp.zeros(2)
    if before is not None and cascade is not None:
        links = jnp.where(decision.parts, first_difference(before, cascade), 0)
    step = step_row(state, view, verdict, present.heat, reached, (links[0], links[1]))
    burned = jnp.where(act.burns, trial.amount, 0.0)
    trace = TraceRow(*verdict.name, k=trial.net.Y_n, amount=burned, P=present.P, heat=0.0)
    return Output(
        line=jnp.where(reached, account.grid_index, NOWHERE),
        row=stacked(profile_row(state, view, present.heat, segment.number)),
        segment_line=segment.closed_line,
        segment_row=segment.closed_row,
        trace_line=jnp.where(act.burns, account.n_reactions, NOWHERE),
        trace_row=stacked(trace),
        record_line=jnp.where(stepped, account.n_recorded, NOWHERE),
        record_row=packed(step),
    )
