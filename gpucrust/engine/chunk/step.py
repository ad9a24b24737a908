"""The threshold-search stepper: one member of the ensemble through the crust (CS20 section 2.3.1).

`micro_step` is uniform: it evaluates every affinity once and then either lets one reaction happen at constant
pressure, or moves in pressure at frozen composition, or goes back because a move has passed a threshold. Lanes of a
batch therefore never wait for each other's branch. A move is a search: `n_b` may be a trial until the affinities
there have been seen, with `n_b_quiet` the last density at which nothing was allowed.

Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk import one_component
from gpucrust.engine.chunk.state import State, mixture_of
from gpucrust.engine.chunk.threshold_search import MAX_DLNP, crossings_of, next_density
from gpucrust.engine.chunk.urgent import Reaction, fastest_fusion, most_urgent_channel
from gpucrust.engine.fusion import burn_conditions, fusions_of, ln_burn_time
from gpucrust.engine.interface import (
    GUARD,
    MAX_SEGMENTS,
    NOWHERE,
    RUNNING,
    SCARCE,
    SEGMENT,
    Y_DROPPED,
    Y_REACTS,
    Member,
    Output,
    Settings,
)
from gpucrust.engine.network import Network, channel_row
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS, THRESHOLD
from gpucrust.status import Status

CONVERGED = 1e-12
"""Relative error of the pressure above which a density solve has failed."""


def react(
    state: State, reaction: Reaction, happens: Array, member: Member, network: Network, settings: Settings
) -> State:
    """The state after the reaction (if it `happens`), n_b not yet solved for."""
    slot = jnp.arange(state.Y.shape[0])
    d = jnp.where(happens, reaction.amount, 0.0)
    fusion = reaction.channel == CHANNELS
    Y = state.Y - d * (slot == reaction.first) - d * ((slot == reaction.second) & fusion)
    Y = jnp.where(Y < Y_DROPPED, 0.0, Y)
    present = Y > 0
    match = present & (state.nuclide == reaction.daughter)
    home = jnp.where(jnp.any(match), jnp.argmax(match), jnp.argmin(present))
    overflow = happens & jnp.all(present) & ~jnp.any(match)
    arrives = happens & ~overflow & (slot == home)
    row, row_mixed = channel_row(reaction.daughter, member.model, network, member.errors)

    mismatch = state.mismatch + d * reaction.mismatch
    switched = state.switched
    dE = jnp.where(arrives, jnp.where(switched, row_mixed, row)[:, None], state.dE)
    dE_mixed = jnp.where(arrives, row_mixed[:, None], state.dE_mixed)
    if network.dE_mixed is not None:
        switched = switched | (mismatch > GUARD * jnp.sum(member.Y))
        dE = jnp.where(switched, dE_mixed, dE)

    Y = Y + d * arrives
    weak = jnp.asarray(CHANNEL_DZ)[jnp.minimum(reaction.channel, CHANNELS - 1)] < 0
    kept = jnp.where(weak & ~fusion, 1 - settings.neutrino_fraction, 1.0)
    at_edge = happens & network.edge[member.model, reaction.daughter]
    status = jnp.where(at_edge, int(Status.CHART_EDGE), state.status)
    status = jnp.where(overflow, int(Status.SLOT_OVERFLOW), status)
    return state._replace(
        nuclide=jnp.where(arrives, reaction.daughter, state.nuclide),
        Y=Y,
        dE=dE,
        dE_mixed=dE_mixed,
        Y_n=state.Y_n + reaction.k * d,
        heat=state.heat + kept * d * reaction.energy,
        mismatch=mismatch,
        switched=switched,
        n_reactions=state.n_reactions + happens,
        max_active=jnp.maximum(state.max_active, jnp.sum(Y > 0)),
        status=status,
    )


def profile_row(state: State, mixture: Mixture) -> Array:
    """What is recorded of a state: (len(RECORDED),)."""
    Z = nuclide_Z(state.nuclide)
    row = [state.n_b, mixture.Y_e, state.Y_n, mixture.Y_z53, jnp.sum(state.Y), jnp.sum(Z**2 * state.Y), state.heat]
    latest = [state.segment_index, *(state.segment[SEGMENT.index(x)] for x in ("P_end", "mu_e_end"))]
    return jnp.stack([jnp.asarray(x, float) for x in row + latest])


def follow_segment(state: State, reaction: Reaction, sets_off: Array, burn_ended: Array, mu_e: Array) -> State:
    """Keep account of segments: `reaction` sets off a burn now, or one has ended; mu_e is that of the state, MeV."""
    label = jnp.stack([jnp.asarray(x, float) for x in reaction_label(state, reaction)])
    P_start, mu_e_start, *_ = old = state.segment
    begins = sets_off & jnp.any(label != old[5:])
    now = [jnp.where(begins, state.P, P_start), jnp.where(begins, mu_e, mu_e_start), state.P, mu_e, mu_e]
    segment = jnp.where(sets_off, jnp.concatenate([jnp.stack(now), label]), old)
    segment = segment.at[SEGMENT.index("mu_e_after")].set(jnp.where(burn_ended, mu_e, segment[4]))
    segment_index = state.segment_index + begins
    status = jnp.where(segment_index >= MAX_SEGMENTS, int(Status.SEGMENT_OVERFLOW), state.status)
    return state._replace(segment=segment, segment_index=segment_index, status=status)


def reaction_label(state: State, reaction: Reaction) -> tuple[Array, Array, Array, Array]:
    """Parent, second parent (0 but for fusion), channel and neutrons set free."""
    second = jnp.where(reaction.channel == CHANNELS, state.nuclide[reaction.second], 0)
    return state.nuclide[reaction.first], second, reaction.channel, reaction.k


def trace_row(state: State, reaction: Reaction) -> Array:
    """What a trace tells of a reaction: (len(TRACED),)."""
    d = reaction.amount
    row = [*reaction_label(state, reaction), d, state.P, d * reaction.energy]
    return jnp.stack([jnp.asarray(x, float) for x in row])


def micro_step(
    state: State, member: Member, network: Network, settings: Settings, whole: bool = False
) -> tuple[State, Output]:
    """One evaluation of all affinities, then one reaction or one move (module docstring).

    With `whole` (static) the crust has one component, and a reaction converts all of it (`one_component`).
    """
    matter = settings.matter
    mixture = mixture_of(state.nuclide, state.Y, state.Y_n)
    Z, dZ, k = nuclide_Z(state.nuclide), CHANNEL_DZ[:, None], CHANNEL_K[:, None]
    dz53 = reactions.z53(jnp.maximum(Z + dZ, 0)) - reactions.z53(Z)
    largest = jnp.minimum(state.Y, member.chunk)
    amount = jnp.where(k < 0, jnp.minimum(largest, state.Y_n / jnp.maximum(-k, 1)), largest)
    if whole:
        amount = jnp.broadcast_to(state.Y, amount.shape)
        possible = (state.Y > Y_REACTS) & jnp.asarray(one_component.CHANNEL_OPEN)[:, None]
    else:
        enough = (k >= 0) | (state.Y_n > -k * SCARCE * member.chunk)
        possible = (state.Y > Y_REACTS) & (amount > Y_DROPPED) & enough
    affinity = one_component.affinity if whole else reactions.affinity
    g = affinity(state.dE, dZ, k, dz53, amount, state.n_b, mixture, matter)

    reaction, lowest_class = most_urgent_channel(state, amount, g, possible & (g < THRESHOLD))
    fusions, ln_tau = None, None
    if network.pairs is not None:
        fusions = fusions_of(state.nuclide, state.Y, member.ln_rate_scale, network, settings.fusion_density)
        ln_tau = ln_burn_time(fusions, burn_conditions(state.n_b, mixture, jnp.sum(state.Y)), state.n_b)
        fusion, fusion_class = fastest_fusion(state, fusions, ln_tau, mixture, member, network, settings)
        fuses = fusion_class < lowest_class
        reaction = Reaction(*(jnp.where(fuses, f, c) for f, c in zip(fusion, reaction, strict=True)))
        lowest_class = jnp.minimum(lowest_class, fusion_class)

    something = jnp.isfinite(lowest_class)
    crossings = crossings_of(g, amount, possible, state, mixture, fusions, ln_tau, member, settings)
    passed = something & jnp.any(crossings.passed)

    reached = ~something & (state.P == network.pressures[state.grid_index])
    grid_index = state.grid_index + reached
    ended = grid_index == network.pressures.shape[0]
    P_grid = network.pressures[jnp.minimum(grid_index, network.pressures.shape[0] - 1)]
    P_far = state.P * jnp.exp(MAX_DLNP)
    P_target = jnp.where(P_grid <= P_far * (1 + 1e-12), P_grid, P_far)

    def solve(P: Array, mixture: Mixture) -> Array:
        return eos.density_at_pressure(P, mixture, matter, state.n_b)

    n_b_target = solve(P_target, mixture)
    n_b_trial = next_density(
        crossings, passed, n_b_target, affinity, amount, dz53, state, mixture, fusions, member, settings
    )
    # going back has found nothing lower: take the trial as it is
    happens = something & (~passed | (n_b_trial == state.n_b))
    n_b_quiet = jnp.where(something, state.n_b_quiet, state.n_b)

    at_target = ~something & (n_b_trial == n_b_target)
    burn_ended = ~something & ~state.searching
    mu_e = eos.electron_chemical_potential(state.n_b * mixture.Y_e)
    state = follow_segment(state, reaction, happens & state.searching, burn_ended, mu_e)
    if whole:
        reaction = one_component.convert_all(reaction, happens, state, mixture, member, network, settings)
    output = Output(
        line=jnp.where(reached, state.grid_index, NOWHERE),
        row=profile_row(state, mixture),
        segment_line=jnp.where(burn_ended, state.segment_index, NOWHERE),
        segment_row=state.segment,
        trace_line=jnp.where(happens, state.n_reactions, NOWHERE),
        trace_row=trace_row(state, reaction),
    )

    after = react(state, reaction, happens, member, network, settings)
    before, mixture = mixture, mixture_of(after.nuclide, after.Y, after.Y_n)
    if whole:
        n_b_after = one_component.density_after(state.P, state.n_b, before, mixture, matter)
    else:
        n_b_after = solve(state.P, mixture)
    n_b = jnp.where(happens, n_b_after, n_b_trial)
    P_there = eos.pressure(n_b, mixture, matter)
    P = jnp.where(happens, state.P, jnp.where(at_target, P_target, P_there))
    n_steps = state.n_steps + 1
    status = jnp.where(ended, int(Status.OK), after.status)
    status = jnp.where((status == RUNNING) & (n_steps >= settings.max_steps), int(Status.STEP_LIMIT), status)
    converged = jnp.abs(P_there - P) < CONVERGED * P
    status = jnp.where((status == RUNNING) & ~converged, int(Status.NO_CONVERGENCE), status)
    return after._replace(
        n_b=n_b,
        P=P,
        n_b_quiet=n_b_quiet,
        searching=~happens,
        grid_index=grid_index,
        n_steps=n_steps,
        status=status,
    ), output
