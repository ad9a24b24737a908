"""What a reaction of the chunk engine changes, its segments, and the rows that it records."""

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.state import ChunkState
from gpucrust.engine.chunk.urgent import Reaction
from gpucrust.engine.interface import (
    GUARD,
    MAX_SEGMENTS,
    REACTION_COLUMNS,
    Y_DROPPED,
    Member,
    ProfileRow,
    ReactionName,
    SegmentRow,
    Settings,
    Stock,
    TraceRow,
    column,
    stacked,
)
from gpucrust.engine.network import Network, channel_row
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNELS
from gpucrust.status import Status


def react(
    state: ChunkState, reaction: Reaction, happens: Array, member: Member, network: Network, settings: Settings
) -> ChunkState:
    """The state after the reaction (if it `happens`), n_b not yet solved for."""
    stock, account = state.stock, state.account
    slot = jnp.arange(stock.Y.shape[0])
    d = jnp.where(happens, reaction.amount, 0.0)
    fusion = reaction.channel == CHANNELS
    Y = stock.Y - d * (slot == reaction.first) - d * ((slot == reaction.second) & fusion)
    Y = jnp.where(Y < Y_DROPPED, 0.0, Y)
    present = Y > 0
    match = present & (stock.nuclide == reaction.daughter)
    home = jnp.where(jnp.any(match), jnp.argmax(match), jnp.argmin(present))
    overflow = happens & jnp.all(present) & ~jnp.any(match)
    arrives = happens & ~overflow & (slot == home)
    row, row_mixed = channel_row(reaction.daughter, member.model, network, member.errors)

    mismatch = account.mismatch + d * reaction.mismatch
    switched = account.switched
    dE = jnp.where(arrives, jnp.where(switched, row_mixed, row)[:, None], stock.dE)
    dE_mixed = jnp.where(arrives, row_mixed[:, None], state.dE_mixed)
    if network.dE_mixed is not None:
        switched = switched | (mismatch > GUARD * jnp.sum(member.Y))
        dE = jnp.where(switched, dE_mixed, dE)

    Y = Y + d * arrives
    weak = jnp.asarray(CHANNEL_DZ)[jnp.minimum(reaction.channel, CHANNELS - 1)] < 0
    kept = jnp.where(weak & ~fusion, 1 - settings.neutrino_fraction, 1.0)
    at_edge = happens & network.edge[member.model, reaction.daughter]
    status = jnp.where(at_edge, int(Status.CHART_EDGE), account.status)
    status = jnp.where(overflow, int(Status.SLOT_OVERFLOW), status)
    return state._replace(
        stock=Stock(
            nuclide=jnp.where(arrives, reaction.daughter, stock.nuclide), Y=Y, dE=dE, Y_n=stock.Y_n + reaction.k * d
        ),
        dE_mixed=dE_mixed,
        account=account._replace(
            heat=account.heat + kept * d * reaction.energy,
            mismatch=mismatch,
            switched=switched,
            n_reactions=account.n_reactions + happens,
            max_active=jnp.maximum(account.max_active, jnp.sum(Y > 0)),
            status=status,
        ),
    )


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
    segment_index = account.segment_index + begins
    status = jnp.where(segment_index >= MAX_SEGMENTS, int(Status.SEGMENT_OVERFLOW), account.status)
    return state._replace(account=account._replace(segment=segment, segment_index=segment_index, status=status))


def reaction_name(state: ChunkState, reaction: Reaction) -> ReactionName:
    """The name of a reaction among the slots of a state."""
    nuclide = state.stock.nuclide
    second = jnp.where(reaction.channel == CHANNELS, nuclide[reaction.second], 0)
    return ReactionName(nuclide[reaction.first], second, reaction.channel)


def trace_row(state: ChunkState, reaction: Reaction) -> TraceRow:
    """What a trace tells of a reaction."""
    d = reaction.amount
    return TraceRow(*reaction_name(state, reaction), k=reaction.k, amount=d, P=state.P, heat=d * reaction.energy)
