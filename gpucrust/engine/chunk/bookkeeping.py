"""What a reaction of the chunk engine changes, its segments, its status, and the rows that it records."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.state import ChunkState, Reaction
from gpucrust.engine.interface import (
    GUARD,
    MAX_SEGMENTS,
    NOWHERE,
    REACTION_COLUMNS,
    RUNNING,
    Y_DROPPED,
    Member,
    Output,
    ProfileRow,
    ReactionName,
    SegmentRow,
    Settings,
    TraceRow,
    column,
    stacked,
)
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.select import first_that_holds
from gpucrust.engine.state import Stock
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNELS
from gpucrust.status import Status


class Places(NamedTuple):
    """Where what a reaction makes goes; a pytree of arrays."""

    Y: Array
    """(slots,) nuclei per baryon that its parents leave."""
    arrives: Array
    """(slots,) the slot of its daughter."""
    full: Array
    """Whether there is none."""


def places_of(state: ChunkState, reaction: Reaction, happens: Array, d: Array) -> Places:
    """The slots after d of a reaction, without what it makes."""
    stock, slot = state.stock, jnp.arange(state.stock.Y.shape[0])
    Y = stock.Y - d * (slot == reaction.first)
    Y = Y - d * ((slot == reaction.second) & (reaction.channel == CHANNELS))
    Y = jnp.where(Y < Y_DROPPED, 0.0, Y)
    present = Y > 0
    match = present & (stock.nuclide == reaction.daughter)
    home = jnp.where(jnp.any(match), jnp.argmax(match), jnp.argmin(present))
    full = happens & jnp.all(present) & ~jnp.any(match)
    return Places(Y, happens & ~full & (slot == home), full)


def react(
    state: ChunkState, reaction: Reaction, happens: Array, member: Member, network: Network, settings: Settings
) -> tuple[ChunkState, Array, Array]:
    """(state after the reaction, if it `happens`; whether its slots are full; whether the chart ends), at the old n_b.

    Neutrinos take a part of what electron captures release.
    """
    stock, account = state.stock, state.account
    d = jnp.where(happens, reaction.amount, 0.0)
    places = places_of(state, reaction, happens, d)
    row, row_mixed = channel_row(reaction.daughter, member.model, network, member.errors)
    mismatch = account.mismatch + d * reaction.mismatch
    switched = account.switched
    dE = jnp.where(places.arrives, jnp.where(switched, row_mixed, row)[:, None], stock.dE)
    dE_mixed = jnp.where(places.arrives, row_mixed[:, None], state.dE_mixed)
    if network.dE_mixed is not None:
        switched = switched | (mismatch > GUARD * jnp.sum(member.Y))
        dE = jnp.where(switched, dE_mixed, dE)

    Y = places.Y + d * places.arrives
    weak = jnp.asarray(CHANNEL_DZ)[jnp.minimum(reaction.channel, CHANNELS - 1)] < 0
    heat_share = jnp.where(weak & ~(reaction.channel == CHANNELS), 1 - settings.neutrino_fraction, 1.0)
    nuclide = jnp.where(places.arrives, reaction.daughter, stock.nuclide)
    after = state._replace(
        stock=Stock(nuclide=nuclide, Y=Y, dE=dE, Y_n=stock.Y_n + reaction.k * d),
        dE_mixed=dE_mixed,
        account=account._replace(
            heat=account.heat + heat_share * d * reaction.energy,
            mismatch=mismatch,
            switched=switched,
            n_reactions=account.n_reactions + happens,
            max_active=jnp.maximum(account.max_active, jnp.sum(Y > 0)),
        ),
    )
    return after, places.full, happens & network.edge[member.model, reaction.daughter]


def status_of(
    ended: Array, full: Array, at_edge: Array, segment: Array, n_steps: Array, max_steps: Array, converged: Array
) -> Array:
    """RUNNING, or how a member under way has ended: the first of these that is so. segment: number of the present."""
    rows = [
        (ended, Status.OK),
        (full, Status.SLOT_OVERFLOW),
        (at_edge, Status.CHART_EDGE),
        (segment >= MAX_SEGMENTS, Status.SEGMENT_OVERFLOW),
        (n_steps >= max_steps, Status.STEP_LIMIT),
        (~converged, Status.NO_CONVERGENCE),
    ]
    return first_that_holds(rows, RUNNING)


def follow_segment(
    state: ChunkState, reaction: Reaction, sets_off: Array, burn_ended: Array, mu_e: Array
) -> ChunkState:
    """Keep account of segments: `reaction` sets off a burn now, or one has ended; mu_e is that of the state, MeV."""
    account, name = state.account, reaction_name(state, reaction)
    old = SegmentRow(*account.segment)
    begins = sets_off & jnp.any(stacked((*name, reaction.k)) != account.segment[REACTION_COLUMNS])
    now = SegmentRow(
        P_start=jnp.where(begins, state.P, old.P_start),
        mu_e_start=jnp.where(begins, mu_e, old.mu_e_start),
        P_end=state.P,
        mu_e_end=mu_e,
        mu_e_after=mu_e,
        **name._asdict(),
        k=reaction.k,
    )
    segment = jnp.where(sets_off, stacked(now), account.segment)
    segment = segment.at[column(SegmentRow, "mu_e_after")].set(jnp.where(burn_ended, mu_e, old.mu_e_after))
    return state._replace(account=account._replace(segment=segment, segment_index=account.segment_index + begins))


def reaction_name(state: ChunkState, reaction: Reaction) -> ReactionName:
    """The name of a reaction among the slots of a state."""
    nuclide = state.stock.nuclide
    second = jnp.where(reaction.channel == CHANNELS, nuclide[reaction.second], 0)
    return ReactionName(nuclide[reaction.first], second, reaction.channel)


def profile_row(state: ChunkState, mixture: Mixture) -> ProfileRow:
    """What is recorded of a state."""
    Y, Z, segment = state.stock.Y, nuclide_Z(state.stock.nuclide), SegmentRow(*state.account.segment)
    return ProfileRow(
        n_b=state.n_b,
        Y_e=mixture.Y_e,
        Y_n=state.stock.Y_n,
        Y_z53=mixture.Y_z53,
        sum_Y=jnp.sum(Y),
        sum_Z2Y=jnp.sum(Z**2 * Y),
        heat=state.account.heat,
        segment=state.account.segment_index,
        P_threshold=segment.P_end,
        mu_e_threshold=segment.mu_e_end,
    )


def trace_row(state: ChunkState, reaction: Reaction) -> TraceRow:
    """What a trace tells of a reaction."""
    d = reaction.amount
    return TraceRow(*reaction_name(state, reaction), k=reaction.k, amount=d, P=state.P, heat=d * reaction.energy)


def output_of(
    state: ChunkState, mixture: Mixture, reaction: Reaction, happens: Array, reached: Array, burn_ended: Array
) -> Output:
    """The rows of this step, and where they go. reached: it is a recorded pressure, whose burn has ended."""
    account = state.account
    return Output(
        line=jnp.where(reached, account.grid_index, NOWHERE),
        row=stacked(profile_row(state, mixture)),
        segment_line=jnp.where(burn_ended, account.segment_index, NOWHERE),
        segment_row=account.segment,
        trace_line=jnp.where(happens, account.n_reactions, NOWHERE),
        trace_row=stacked(trace_row(state, reaction)),
    )
