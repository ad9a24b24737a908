"""Keeping account in the slide engine: what a step leaves, segments, status, and the rows that are recorded."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import MAX_SEGMENTS, NOWHERE, RECORDED, RUNNING, SEGMENT, TRACED, Output, Settings
from gpucrust.engine.slide.evaluate import View
from gpucrust.engine.slide.state import (
    AT_THE_END,
    AT_THRESHOLD,
    GIVEN_P,
    SAME_P,
    STEP_SCALARS,
    TO_THE_END,
    Label,
    SlideState,
)
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_K, CHANNELS
from gpucrust.status import Status

MAX_ROUNDS = 60
"""Of improving one trial."""


class Account(NamedTuple):
    """What the next trial begins from."""

    Y: Array  # (slots,)
    Y_n: Array
    P: Array
    heat: Array
    mismatch: Array


class Segment(NamedTuple):
    """The present segment, and what of the last is final."""

    number: Array
    row: Array  # (len(SEGMENT),)
    closed_line: Array
    closed_row: Array


def segment_of(
    state: SlideState,
    view: View,
    commits: Array,
    starts: Array,
    begin: Account,
    label: Label,
    slides: Array,
    channel: Array,
) -> Segment:
    """Segments are stretches along one slider, or along none; a new one begins where a move starts along another."""
    mu_e = eos.electron_chemical_potential(view.n_b * view.sums.Y_e)
    k = jnp.where(label.channel == CHANNELS, 0, jnp.asarray(CHANNEL_K)[channel])
    name = jnp.where(slides, jnp.stack([jnp.asarray(v, float) for v in (*label, k)]), -1.0)
    old = state.segment
    moved = jnp.concatenate([old[:2], jnp.stack([state.P_trial, mu_e, mu_e]), old[5:]])
    old = jnp.where(commits & state.moving, moved, old)
    old = old.at[SEGMENT.index("mu_e_after")].set(jnp.where(starts, mu_e, old[4]))
    begins = starts & ((state.segment_index < 0) | jnp.any(name != old[5:]))
    fresh = jnp.concatenate([jnp.stack([begin.P, mu_e, begin.P, mu_e, mu_e]), name])
    final = (starts | commits) & (state.segment_index >= 0)
    return Segment(
        number=state.segment_index + begins,
        row=jnp.where(begins, fresh, old),
        closed_line=jnp.where(final, state.segment_index, NOWHERE),
        closed_row=old,
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
    status = state.status
    ends = [
        (full, Status.SLOT_OVERFLOW),
        (off_chart, Status.CHART_EDGE),
        (stuck | (rounds > MAX_ROUNDS), Status.NO_CONVERGENCE),
        (ended, Status.OK),
        (state.n_steps + 1 >= settings.max_steps, Status.STEP_LIMIT),
        (segment_index >= MAX_SEGMENTS, Status.SEGMENT_OVERFLOW),
    ]
    for so, how in ends:
        status = jnp.where((status == RUNNING) & so, int(how), status)
    return status


def output_of(
    state: SlideState,
    view: View,
    begin: Account,
    segment: Segment,
    reached: Array,
    commits: Array,
    landed: Array,
    urgent: Label,
    deeds: Array,
) -> Output:
    """The rows of this step; the trace is left empty. urgent: what becomes possible; deeds: (2,) as recorded."""
    sums, Z = view.sums, nuclide_Z(state.nuclide)
    mu_e = eos.electron_chemical_potential(view.n_b * sums.Y_e)
    row = [view.n_b, sums.Y_e, sums.Y_n, sums.Y_z53, sums.Y, jnp.sum(Z**2 * view.Y), begin.heat, segment.number]
    row += [state.P_trial, mu_e]
    assert len(row) == len(RECORDED)

    stepped = commits & ((state.d > 0) | (state.P_trial > state.P) | reached)
    at_threshold = jnp.where(landed | jnp.any(deeds > 0), AT_THRESHOLD, GIVEN_P)
    pressure_kind = jnp.where(state.amount_kind == TO_THE_END, AT_THE_END, at_threshold)
    pressure_kind = jnp.where(state.moving, pressure_kind, SAME_P)
    scalars = [state.net.Y_n, state.partner_net.Y_n, state.ratio_of_partner, *state.slider, state.amount_kind]
    scalars += [state.limit, pressure_kind, *urgent, state.P_trial, view.n_b, view.here.Y_n]
    scalars += [state.d, begin.heat, jnp.where(reached, state.grid_index, -1), *deeds]
    assert len(scalars) == len(STEP_SCALARS)
    paired = jnp.where(state.ratio_of_partner > 0, state.partner_net.Y, 0.0)
    arrays = [state.nuclide.astype(float), view.Y, state.net.Y, paired]

    def stacked(values: list[Array]) -> Array:
        return jnp.stack([jnp.asarray(v, float) for v in values])

    nowhere = jnp.full_like(state.n_records, NOWHERE)
    return Output(
        line=jnp.where(reached, state.grid_index, NOWHERE),
        row=stacked(row),
        segment_line=segment.closed_line,
        segment_row=segment.closed_row,
        trace_line=nowhere,
        trace_row=jnp.zeros(len(TRACED)),
        record_line=jnp.where(stepped, state.n_records, NOWHERE),
        record_row=jnp.concatenate([*arrays, stacked(scalars)]),
    )
