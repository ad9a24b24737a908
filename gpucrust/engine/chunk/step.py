"""The threshold-search stepper: one member of the ensemble through the crust (CS20 section 2.3.1).

`micro_step` is uniform: it evaluates every affinity once and then either lets one reaction happen at constant
pressure, or moves in pressure at frozen composition, or goes back because a move has passed a threshold. Lanes of a
batch therefore never wait for each other's branch. A move is a search: `n_b` may be a trial until the affinities
there have been seen, with `n_b_quiet` the last density at which nothing was allowed.

Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

import jax.numpy as jnp

from gpucrust.engine.chunk.bookkeeping import follow_segment, profile_row, react, trace_row
from gpucrust.engine.chunk.conversion import Conversion
from gpucrust.engine.chunk.state import ChunkState, mixture_of
from gpucrust.engine.chunk.threshold_search import MAX_DLNP, crossings_of, next_density
from gpucrust.engine.chunk.urgent import Reaction, fastest_fusion, most_urgent_channel
from gpucrust.engine.fusion import burn_conditions, fusions_of, ln_burn_time
from gpucrust.engine.interface import NOWHERE, RUNNING, Member, Output, Settings, stacked
from gpucrust.engine.network import Network, end_of_move
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos, reactions
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, THRESHOLD
from gpucrust.status import Status

CONVERGED = 1e-12
"""Relative error of the pressure above which a density solve has failed."""


def micro_step(
    state: ChunkState, member: Member, network: Network, settings: Settings, conversion: Conversion
) -> tuple[ChunkState, Output]:
    """One evaluation of all affinities, then one reaction or one move (module docstring)."""
    matter = settings.matter
    mixture = mixture_of(state.stock.nuclide, state.stock.Y, state.stock.Y_n)
    Z, dZ, k = nuclide_Z(state.stock.nuclide), CHANNEL_DZ[:, None], CHANNEL_K[:, None]
    dz53 = reactions.z53_change(Z, dZ)
    amount, possible = conversion.amounts(state, member)
    g = conversion.affinity(state.stock.dE, dZ, k, dz53, amount, state.n_b, mixture, matter)

    reaction, lowest_class = most_urgent_channel(state, amount, g, possible & (g < THRESHOLD))
    fusions, ln_tau = None, None
    if network.pairs is not None:
        fusions = fusions_of(state.stock.nuclide, state.stock.Y, member.ln_rate_scale, network, settings.fusion_density)
        ln_tau = ln_burn_time(fusions, burn_conditions(state.n_b, mixture, jnp.sum(state.stock.Y)), state.n_b)
        fusion, fusion_class = fastest_fusion(state, fusions, ln_tau, mixture, member, network, settings)
        fuses = fusion_class < lowest_class
        reaction = Reaction(*(jnp.where(fuses, f, c) for f, c in zip(fusion, reaction, strict=True)))
        lowest_class = jnp.minimum(lowest_class, fusion_class)

    something = jnp.isfinite(lowest_class)
    crossings = crossings_of(g, amount, possible, state, mixture, fusions, ln_tau, member, settings)
    passed = something & jnp.any(crossings.passed)

    reached = ~something & (state.P == network.pressures[state.account.grid_index])
    grid_index = state.account.grid_index + reached
    ended = grid_index == network.pressures.shape[0]
    P_target = end_of_move(state.P, grid_index, MAX_DLNP, network)
    n_b_target = eos.density_at_pressure(P_target, mixture, matter, state.n_b)
    n_b_trial = next_density(
        crossings, passed, n_b_target, conversion.affinity, amount, dz53, state, mixture, fusions, member, settings
    )
    # going back has found nothing lower: take the trial as it is
    happens = something & (~passed | (n_b_trial == state.n_b))
    n_b_quiet = jnp.where(something, state.n_b_quiet, state.n_b)

    at_target = ~something & (n_b_trial == n_b_target)
    burn_ended = ~something & ~state.searching
    mu_e = eos.electron_chemical_potential(state.n_b * mixture.Y_e)
    state = follow_segment(state, reaction, happens & state.searching, burn_ended, mu_e)
    reaction = conversion.complete(reaction, happens, state, mixture, member, network, settings)
    output = Output(
        line=jnp.where(reached, state.account.grid_index, NOWHERE),
        row=stacked(profile_row(state, mixture)),
        segment_line=jnp.where(burn_ended, state.account.segment_index, NOWHERE),
        segment_row=state.account.segment,
        trace_line=jnp.where(happens, state.account.n_reactions, NOWHERE),
        trace_row=stacked(trace_row(state, reaction)),
    )

    after = react(state, reaction, happens, member, network, settings)
    before, mixture = mixture, mixture_of(after.stock.nuclide, after.stock.Y, after.stock.Y_n)
    n_b_after = conversion.density_after(state.P, state.n_b, before, mixture, matter)
    n_b = jnp.where(happens, n_b_after, n_b_trial)
    P_there = eos.pressure(n_b, mixture, matter)
    P = jnp.where(happens, state.P, jnp.where(at_target, P_target, P_there))
    n_steps = state.account.n_steps + 1
    status = jnp.where(ended, int(Status.OK), after.account.status)
    status = jnp.where((status == RUNNING) & (n_steps >= settings.max_steps), int(Status.STEP_LIMIT), status)
    converged = jnp.abs(P_there - P) < CONVERGED * P
    status = jnp.where((status == RUNNING) & ~converged, int(Status.NO_CONVERGENCE), status)
    return after._replace(
        n_b=n_b,
        P=P,
        n_b_quiet=n_b_quiet,
        searching=~happens,
        account=after.account._replace(grid_index=grid_index, n_steps=n_steps, status=status),
    ), output
