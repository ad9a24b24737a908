"""What a step of the slide engine leaves: segments, status, and the rows that are recorded."""

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
    Settings,
    TraceRow,
    stacked,
)
from gpucrust.engine.slide.evaluate import View
from gpucrust.engine.slide.record import BY_SLOT, Amount, Move, StepRow
from gpucrust.engine.slide.state import Label, SlideState
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_K, CHANNELS
from gpucrust.status import Status

MAX_ROUNDS = 60
"""Times that one trial is improved, at most."""


class Begin(NamedTuple):
    """What the next trial begins from."""

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
    """The present segment, and what of the last is final."""

    number: Array
    row: Array
    """A SegmentRow."""
    closed_line: Array
    """Number of the segment that is final up to here; NOWHERE if none is."""
    closed_row: Array
    """That segment, a SegmentRow."""


def segment_of(
    state: SlideState,
    view: View,
    commits: Array,
    starts: Array,
    begin: Begin,
    label: Label,
    slides: Array,
    channel: Array,
) -> Segment:
    """Segments are stretches along one slider, or along none; a new one begins where a move starts along another."""
    account, old = state.account, SegmentRow(*state.account.segment)
    mu_e = eos.electron_chemical_potential(view.n_b * view.sums.Y_e)
    k = jnp.where(label.channel == CHANNELS, 0, jnp.asarray(CHANNEL_K)[channel])
    name = jnp.where(slides, stacked((*label, k)), -1.0)
    moved = commits & state.moving
    gone_on = old._replace(
        P_end=jnp.where(moved, state.P_trial, old.P_end),
        mu_e_end=jnp.where(moved, mu_e, old.mu_e_end),
        mu_e_after=jnp.where(starts | moved, mu_e, old.mu_e_after),
    )
    closed = stacked(gone_on)
    begins = starts & ((account.segment_index < 0) | jnp.any(name != account.segment[REACTION_COLUMNS]))
    fresh = SegmentRow(begin.P, mu_e, begin.P, mu_e, mu_e, *name)
    final = (starts | commits) & (account.segment_index >= 0)
    return Segment(
        number=account.segment_index + begins,
        row=jnp.where(begins, stacked(fresh), closed),
        closed_line=jnp.where(final, account.segment_index, NOWHERE),
        closed_row=closed,
    )


def next_status(
    state: SlideState,
    stuck: Array,
    rounds: Array,
    full: Array,
    off_chart: Array,
    ended: Array,
    segment_index: Array,
    settings: Settings,
) -> Array:
    """RUNNING, or how the member has ended."""
    status = state.account.status
    ends = [
        (full, Status.SLOT_OVERFLOW),
        (off_chart, Status.CHART_EDGE),
        (stuck | (rounds > MAX_ROUNDS), Status.NO_CONVERGENCE),
        (ended, Status.OK),
        (state.account.n_steps + 1 >= settings.max_steps, Status.STEP_LIMIT),
        (segment_index >= MAX_SEGMENTS, Status.SEGMENT_OVERFLOW),
    ]
    for so, how in ends:
        status = jnp.where((status == RUNNING) & so, int(how), status)
    return status


def profile_row(state: SlideState, view: View, heat: Array, segment: Array) -> ProfileRow:
    """What is recorded of a trial at its pressure; segment: the number of the one that it ends in."""
    sums, Z = view.sums, nuclide_Z(state.stock.nuclide)
    return ProfileRow(
        n_b=view.n_b,
        Y_e=sums.Y_e,
        Y_n=sums.Y_n,
        Y_z53=sums.Y_z53,
        sum_Y=sums.Y,
        sum_Z2Y=jnp.sum(Z**2 * view.Y),
        heat=heat,
        segment=segment,
        P_threshold=state.P_trial,
        mu_e_threshold=eos.electron_chemical_potential(view.n_b * sums.Y_e),
    )


def step_row(
    state: SlideState, view: View, heat: Array, reached: Array, landed: Array, urgent: Label, deeds: Array
) -> StepRow:
    """The step that a trial makes. landed: at a threshold, of `urgent`; deeds: (2,) as recorded."""
    at_threshold = jnp.where(landed | jnp.any(deeds > 0), int(Move.EVENT), int(Move.GIVEN))
    ended = jnp.where(state.amount_kind == Amount.USED_UP, int(Move.STOCK), at_threshold)
    return StepRow(
        nuclide=state.stock.nuclide,
        Y=view.Y,
        net=state.net.Y,
        net2=jnp.where(state.ratio_of_partner > 0, state.partner_net.Y, 0.0),
        net_Y_n=state.net.Y_n,
        net2_Y_n=state.partner_net.Y_n,
        ratio=state.ratio_of_partner,
        first=state.slider.first,
        second=state.slider.second,
        channel=state.slider.channel,
        amount_kind=state.amount_kind,
        limit=state.limit,
        pressure_kind=jnp.where(state.moving, ended, int(Move.BURN)),
        event_first=urgent.first,
        event_second=urgent.second,
        event_channel=urgent.channel,
        P=state.P_trial,
        n_b=view.n_b,
        Y_n=view.here.Y_n,
        d=state.d,
        heat=heat,
        grid_index=jnp.where(reached, state.account.grid_index, -1),
        deed=deeds[0],
        other_deed=deeds[1],
    )


def packed(row: StepRow) -> Array:
    """A row as one array of floats, as `record.steps_by_name` reads it."""
    by_slot = [jnp.asarray(getattr(row, name), float) for name in BY_SLOT]
    return jnp.concatenate([*by_slot, stacked(row[len(BY_SLOT) :])])


def output_of(
    state: SlideState,
    view: View,
    begin: Begin,
    segment: Segment,
    reached: Array,
    commits: Array,
    step: StepRow,
    burns: Array,
    trace: TraceRow,
) -> Output:
    """The rows of this step, and where they go."""
    account = state.account
    stepped = commits & ((state.d > 0) | (state.P_trial > state.P) | reached)
    return Output(
        line=jnp.where(reached, account.grid_index, NOWHERE),
        row=stacked(profile_row(state, view, begin.heat, segment.number)),
        segment_line=segment.closed_line,
        segment_row=segment.closed_row,
        trace_line=jnp.where(burns, account.n_reactions, NOWHERE),
        trace_row=stacked(trace),
        record_line=jnp.where(stepped, account.n_recorded, NOWHERE),
        record_row=packed(step),
    )
